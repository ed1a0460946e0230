"""Does the model see the line that answers? `VectorMemory` over the embedded store, in the form of a retrieval evaluator.

    index(turns) -> search(query, k) -> turn ids, best first          words alone
    context(turns) -> make(query, budget_tokens) -> (text, {turn id: the part of it that is shown})
    index_with_embedder, context_with_embedder                        the same with $BENCH_EMBEDDER = module:Class

A turn is a dict with `id`, `session`, `date` (ISO 8601), `speaker`, `text` and sometimes `caption`. Everything is at its
default: what is measured is what a user gets. Run by itself, `python -m benchmarks.retrieval DATA` prints recall@10, the
evidence in 1,000 and 2,000 tokens, and milliseconds a search, for a data set of the form that `--help` shows.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from graph_memory import Scope, Turn, VectorMemory, open_store, token_counter
from graph_memory.memories.records import memo_id
from graph_memory.steps import run

SCOPE = Scope(user_id="bench")
MEMORY = VectorMemory()

Search = Callable[[str, int], list[str]]
MakeContext = Callable[[str, int], tuple[str, dict[str, str]]]


def index(turns: Sequence[Mapping[str, Any]]) -> Search:
    """Stores the turns and returns a search by words."""
    return _search(turns, None)


def index_with_embedder(turns: Sequence[Mapping[str, Any]]) -> Search:
    """Stores the turns and returns a search by words and by the meaning that $BENCH_EMBEDDER sees."""
    return _search(turns, embedder())


def context(turns: Sequence[Mapping[str, Any]]) -> MakeContext:
    """Stores the turns and returns what the model would be handed for a question, found by words."""
    return _context(turns, None)


def context_with_embedder(turns: Sequence[Mapping[str, Any]]) -> MakeContext:
    """As `context`, found by words and by meaning."""
    return _context(turns, embedder())


def _search(turns: Sequence[Mapping[str, Any]], embed: Any) -> Search:
    store, turn_of = filled(turns, embed)

    def search(query: str, k: int) -> list[str]:
        return [turn_of[found.memo.id] for found in MEMORY.search(SCOPE, query, store=store, limit=k)]

    return search


def _context(turns: Sequence[Mapping[str, Any]], embed: Any) -> MakeContext:
    store, turn_of = filled(turns, embed)
    counter = token_counter("gpt-4")

    def make(query: str, budget_tokens: int) -> tuple[str, dict[str, str]]:
        made = MEMORY.get_context(SCOPE, query, store=store, budget_tokens=budget_tokens, counter=counter)
        shown = {turn_of[line.memo_id]: line.text for line in made.kept if line.memo_id in turn_of}
        return "\n".join(message.text for message in made.messages), shown

    return make


def filled(turns: Sequence[Mapping[str, Any]], embed: Any) -> tuple[Any, dict[str, str]]:
    """A store in memory that holds the turns, and memo id to turn id."""
    store = open_store("sqlite://", embed=embed).__enter__()
    human = turns[0]["speaker"] if turns else ""
    for _, session in groupby(turns, key=lambda turn: turn["session"]):
        told = Turn(SCOPE, tuple(_message(turn, human) for turn in session), "bench", datetime.now(UTC))
        run(MEMORY.remember(told), store=store)
    return store, {memo_id("bench", turn["id"], MEMORY.name): turn["id"] for turn in turns}


def _message(turn: Mapping[str, Any], human: str) -> BaseMessage:
    text = turn["text"] + (f" [shares {turn['caption']}]" if turn.get("caption") else "")
    made = HumanMessage if turn["speaker"] == human else AIMessage
    extra = {"role": "person", "said_at": turn.get("date") or "", "session": str(turn["session"])}
    return made(text, id=turn["id"], name=turn["speaker"], additional_kwargs=extra)


def embedder() -> Any:
    """The embedder that $BENCH_EMBEDDER names."""
    module, _, name = os.environ["BENCH_EMBEDDER"].partition(":")
    return getattr(importlib.import_module(module), name)()


def load(place: str) -> dict[str, Any]:
    """A data set: a gzipped JSON file, or the first one in a folder."""
    path = Path(place)
    if path.is_dir():
        path = min(path.glob("*.json.gz"), default=path / "nothing.json.gz")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        data: dict[str, Any] = json.load(file)
    return data


def main() -> None:
    """Prints one line per setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "data",
        nargs="?",
        default=os.environ.get("BENCH_DATA"),
        help="gzipped JSON: conversations of turns and questions",
    )
    arguments = parser.parse_args()
    if not arguments.data:
        parser.error("name the data set, or set BENCH_DATA")
    data = load(arguments.data)
    print(f"{'setting':<22}{'questions':>10}{'R@10':>8}{'@1000':>8}{'@2000':>8}{'ms':>8}")
    settings = {"words": (index, context)}
    if "BENCH_EMBEDDER" in os.environ:
        settings["words and meaning"] = (index_with_embedder, context_with_embedder)
    for name, (make_index, make_context) in settings.items():
        print(f"{name:<22}" + _measured(data, make_index, make_context), flush=True)


def _measured(data: Mapping[str, Any], make_index: Any, make_context: Any) -> str:
    recall, evidence, took = [], {1000: [], 2000: []}, []
    headline = set(data.get("headline_categories") or ())
    for conversation in data["conversations"]:
        search, make = make_index(conversation["turns"]), make_context(conversation["turns"])
        for question in conversation["questions"]:
            gold = set(question.get("evidence_clean", question["evidence_raw"]))
            if not gold or (headline and question["category"] not in headline):
                continue
            started = time.perf_counter()
            found = search(question["question"], 10)
            took.append((time.perf_counter() - started) * 1e3)
            recall.append(len(gold & set(found)) / len(gold))
            for budget, shares in evidence.items():
                shares.append(len(gold & set(make(question["question"], budget)[1])) / len(gold))
    figures = [100 * statistics.fmean(values) for values in (recall, *evidence.values())]
    return f"{len(recall):>10}" + "".join(f"{figure:>8.1f}" for figure in figures) + f"{statistics.median(took):>8.2f}"


if __name__ == "__main__":
    main()
