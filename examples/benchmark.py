"""Does memory find what answers? Two settings on a conversation of one's own, compared question by question.

    python examples/benchmark.py
    python examples/benchmark.py conversation.jsonl questions.json

The conversation is one message a line, as `graph-memory ingest` takes it; a question names the ids of the messages that answer.
Without files it is the conversation of `graph-memory demo`. No model is asked: what is measured is whether the lines that answer
come up, how early, and whether they fit into 1,000 tokens. `graph-memory eval` prints the same, from settings in YAML.
"""

from __future__ import annotations

import sys
from importlib.resources import as_file, files
from pathlib import Path

from graph_memory import VectorMemory, open_store, token_counter
from graph_memory.context.ranking import RankingWeights
from graph_memory.evaluation.data import Dataset, load
from graph_memory.evaluation.measures import paired_bootstrap
from graph_memory.evaluation.running import Outcome, ask, means, remember

WORDS_ALONE = RankingWeights(
    speaker=0,
    statement=0,
    date=0,
    told_time=0,
    tells_time=0,
    tells_number=0,
    tells_name=0,
    newest=0,
    nearby=0,
    answer=0,
)
SETTINGS = {"words alone": VectorMemory(weights=WORDS_ALONE), "as it is": VectorMemory()}
MEASURES = ("R@5", "R@10", "nDCG@10", "evidence@1000")


def measured(dataset: Dataset) -> dict[str, list[Outcome]]:
    """Every question, asked by each setting. `open_store("sqlite://", embed="openai:…")` searches by meaning as well."""
    counter = token_counter()
    with open_store("sqlite://") as store:
        for conversation in dataset.conversations:
            remember(conversation, store)
        return {
            name: [
                ask(conversation, question, memory, store, counter)
                for conversation in dataset.conversations
                for question in conversation.questions
            ]
            for name, memory in SETTINGS.items()
        }


def report(outcomes: dict[str, list[Outcome]]) -> None:
    """A row for each setting; how clear the difference is; and which answers only one of the two found early."""
    print(f"{'':12}" + "".join(f"{measure:>15}" for measure in MEASURES) + f"{'ms':>8}")
    for name, asked in outcomes.items():
        mean = means(asked)
        print(f"{name:12}" + "".join(f"{mean[measure]:15.1%}" for measure in MEASURES) + f"{mean['ms']:8.1f}")
    first, second = outcomes.values()
    for measure in MEASURES:
        found = paired_bootstrap([one.values[measure] for one in first], [one.values[measure] for one in second])
        verdict = "clear" if found.is_clear else "may be chance"
        print(f"{measure}: {found.mean:+.1%} (95 %: {found.low:+.1%} to {found.high:+.1%}), {verdict}")
    for before, after in zip(first, second, strict=True):
        if before.values["R@5"] != after.values["R@5"]:
            print(f"R@5 {before.values['R@5']:.0%} -> {after.values['R@5']:.0%}: {after.question.text}")


def main(paths: list[str]) -> None:
    """The files that are named, else the demo's."""
    if paths:
        conversation, questions = map(Path, paths)
        report(measured(load(conversation, questions)))
        return
    with as_file(files("graph_memory") / "demo") as demo:
        dataset = load(demo / "conversation.jsonl", demo / "questions.json")
    print(f"{dataset.size} questions about {len(dataset.conversations[0].messages)} messages\n")
    report(measured(dataset))


if __name__ == "__main__":
    main(sys.argv[1:])
