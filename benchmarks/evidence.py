"""What a budget buys: `python -m benchmarks.evidence [DATA] [--budgets 1000,2000,4000,8000] [--every 1]`.

Tokens saved against the full history, and the share of the turns that answer a question which is in the context, for the buffer
alone, buffer and summary, buffer and vector, and all memories with their default weights. DATA (or $BENCH_DATA) is a gzipped JSON
file, or a folder with one, in the form that `benchmarks.retrieval --help` shows; without it the demo's conversation is measured.
`--every 5` asks every fifth question only. No model is called.

Each conversation passes through a graph with `attach`, a session at a time, whose LLM node repeats what was answered. Each
question is then put to `orchestrator` with the thread's state, as one more message. A turn is in the context when 80 % of its
content words are there: in a line that comes from it, or in one line of a summary or of what is known of an entity.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import groupby
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph

from benchmarks.retrieval import load
from benchmarks.summary import content_words
from graph_memory import (
    BufferMemory,
    Context,
    EntityMemory,
    Memory,
    SummaryMemory,
    VectorMemory,
    WorkingMemory,
    attach,
    open_store,
    orchestrator,
    token_counter,
)

COUNTER = token_counter("gpt-4")
COVERED = 0.8
CONFIG: Any = {"configurable": {"user_id": "bench", "thread_id": "t"}}
NODE = "assistant"
EVIDENCE = ("evidence", "evidence_clean", "evidence_raw")

SYSTEMS: dict[str, Callable[[], list[Memory]]] = {
    "buffer": lambda: [BufferMemory()],
    "buffer + summary": lambda: [BufferMemory(weight=0.4), SummaryMemory(weight=0.2)],
    "buffer + vector": lambda: [BufferMemory(weight=0.4), VectorMemory(weight=0.15)],
    "all memories": lambda: [
        BufferMemory(weight=0.4),
        SummaryMemory(weight=0.2),
        EntityMemory(weight=0.15),
        VectorMemory(weight=0.15),
        WorkingMemory(weight=0.1),
    ],
}
"""The default weights: recent 0.4, summary 0.2, entities 0.15, search 0.15, working 0.1."""

Turn = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said, and what is asked about it.

    Attributes:
        turns: each with `id`, `session`, `date`, `speaker`, `text`.
        questions: each with the ids of the turns that answer it.
    """

    turns: Sequence[Turn]
    questions: Sequence[tuple[str, Sequence[str]]]

    def messages(self) -> Iterator[list[BaseMessage]]:
        """The sessions as messages, each up to its last answer; the first speaker is the human."""
        human, waiting = self.turns[0]["speaker"], list[BaseMessage]()
        for _, session in groupby(self.turns, key=lambda turn: turn["session"]):
            waiting += [_message(turn, human) for turn in session]
            answered = max((i for i, message in enumerate(waiting, 1) if message.type == "ai"), default=0)
            if answered:
                yield waiting[:answered]
            waiting = waiting[answered:]
        if waiting:
            yield waiting


def _message(turn: Turn, human: str) -> BaseMessage:
    text = turn["text"] + (f" [shares {turn['caption']}]" if turn.get("caption") else "")
    extra = {"said_at": turn["date"], "session": str(turn["session"]), "role": turn.get("role", "person")}
    made = HumanMessage if turn["speaker"] == human else AIMessage
    return made(text, id=turn["id"], name=turn["speaker"], additional_kwargs=extra)


def conversations(place: str | None) -> list[Conversation]:
    """Those of a data set, or the demo's."""
    if place is None:
        return [_demo()]
    data = load(place)
    return [_asked(conversation, data) for conversation in data["conversations"]]


def _asked(conversation: Mapping[str, Any], data: Mapping[str, Any]) -> Conversation:
    headline, questions = set(data.get("headline_categories") or ()), []
    for question in conversation["questions"]:
        answers = next((question[key] for key in EVIDENCE if key in question), ())
        if answers and (not headline or question["category"] in headline):
            questions.append((question["question"], tuple(dict.fromkeys(answers))))
    return Conversation(conversation["turns"], questions)


def _demo() -> Conversation:
    where = files("graph_memory") / "demo"
    lines = (where / "conversation.jsonl").read_text(encoding="utf-8").splitlines()
    turns = [{**turn, "date": turn["said_at"]} for turn in map(json.loads, lines)]
    conversation = {"turns": turns, "questions": json.loads((where / "questions.json").read_text(encoding="utf-8"))}
    return _asked(conversation, {})


def contexts(
    conversation: Conversation, memories: Callable[[], list[Memory]], budget_tokens: int
) -> Iterator[tuple[Context, Sequence[str]]]:
    """What an LLM node would receive for each question, with the turns that answer it."""
    with open_store("sqlite://") as store:
        patient = [replace(one, deadline_seconds=None, remember_deadline_seconds=None) for one in memories()]
        values = _lived(conversation, patient, budget_tokens, store)
        ask = orchestrator(patient, budget_tokens=budget_tokens, counter=COUNTER, store=store)
        channel = {**values["memory"], "graph": values["memory"][NODE]}
        for number, (question, answers) in enumerate(conversation.questions):
            messages = [*values["messages"], HumanMessage(question, id=f"question-{number}")]
            found = ask.invoke({"messages": messages, "memory": channel}, CONFIG)
            yield found["memory_context"], answers


def _lived(conversation: Conversation, memories: list[Memory], budget_tokens: int, store: Any) -> dict[str, Any]:
    """The state of a thread after the conversation."""
    answers: list[BaseMessage] = []
    builder = StateGraph(MessagesState)
    builder.add_node(NODE, lambda state: {"messages": [answers[-1]]})
    builder.add_edge(START, NODE)
    builder.add_edge(NODE, END)
    attach(builder, NODE, memories, budget_tokens=budget_tokens, counter=COUNTER)
    graph: Any = builder.compile(store=store, checkpointer=InMemorySaver())
    for session in conversation.messages():
        answers.append(session[-1])
        graph.invoke({"messages": session[:-1]}, CONFIG, durability="exit")
    return dict(graph.get_state(CONFIG).values)


def share_in_context(context: Context, answers: Sequence[str], words: Mapping[str, set[str]]) -> float:
    """The share of the turns that is in the context."""
    sources = {one.memo_id: one.source_ids for section in context.sections for one in section.snippets}
    shown: dict[str, set[str]] = {}
    others: list[set[str]] = []
    for line in context.kept:
        known = [turn for turn in (line.memo_id, *sources.get(line.memo_id, ())) if turn in words]
        for turn in known:
            shown.setdefault(turn, set()).update(content_words(line.text))
        others += [] if known else map(content_words, line.text.splitlines())
    found = [any(_covers(there, words[turn]) for there in (shown.get(turn, set()), *others)) for turn in answers]
    return sum(found) / len(answers)


def _covers(there: set[str], words: set[str]) -> bool:
    return bool(words) and len(there & words) >= COVERED * len(words)


def measured(
    conversations: Sequence[Conversation], memories: Callable[[], list[Memory]], budget_tokens: int
) -> tuple[float, float, float]:
    """Per cent of tokens saved, per cent of evidence in the context, milliseconds a question."""
    saved, shares, started, asked = list[float](), list[float](), time.perf_counter(), 0
    for conversation in conversations:
        words = {turn["id"]: content_words(turn["text"]) for turn in conversation.turns}
        messages = [message for session in conversation.messages() for message in session]
        whole = COUNTER.overhead + sum(map(COUNTER.count_message, messages))
        for context, answers in contexts(conversation, memories, budget_tokens):
            assert context.total_tokens <= budget_tokens
            saved.append(1 - context.total_tokens / whole)
            shares.append(share_in_context(context, answers, words))
            asked += 1
    took = (time.perf_counter() - started) * 1e3 / asked
    return 100 * statistics.fmean(saved), 100 * statistics.fmean(shares), took


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default=os.environ.get("BENCH_DATA"))
    parser.add_argument("--budgets", default="1000,2000,4000,8000")
    parser.add_argument("--every", type=int, default=1)
    arguments = parser.parse_args()
    budgets = [int(budget) for budget in arguments.budgets.split(",")]
    data = [replace(one, questions=one.questions[:: arguments.every]) for one in conversations(arguments.data)]
    asked = sum(len(conversation.questions) for conversation in data)
    print(f"{len(data)} conversations, {asked} questions, counted by {COUNTER.name}; evidence in context / saved, %")
    print(f"{'':18}" + "".join(f"{budget:>16,}" for budget in budgets))
    for name, memories in SYSTEMS.items():
        figures = [measured(data, memories, budget) for budget in budgets]
        cells = "".join(f"{f'{share:.1f} / {saved:.1f}':>16}" for saved, share, _ in figures)
        print(f"{name:18}{cells}{statistics.fmean(ms for _, _, ms in figures):>8.1f} ms", flush=True)


if __name__ == "__main__":
    main()
