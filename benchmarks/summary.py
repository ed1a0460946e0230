"""What a summary without a model keeps, against plain truncation: `python -m benchmarks.summary DATA [--budgets 1000,2000,4000]`.

DATA (or $BENCH_DATA) is a JSON file, possibly gzipped, of conversations with questions and the turns that answer them, in the
form that `benchmarks.retrieval --help` shows. Each conversation is compressed to the same number of tokens as its oldest
turns, as its newest turns, as one summary, and as a summary carried on every forty turns, as a running thread would. No model is
called and no question is seen. Two figures each, in per cent of the turns that answer the questions:

    kept   turns of which at least 80 % of the content words are there, said by the same person on the same day
    words  share of the content words of these turns that is there
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from graph_memory import token_counter
from graph_memory.context.words import STOP_WORDS, segments
from graph_memory.extract.extractive import summarised
from graph_memory.extract.statements import parsed

TURNS_A_BATCH = 40
Turn = Mapping[str, Any]
Shown = dict[str, str]
"""The part of each turn that is shown, by the turn's id."""

COUNTER = token_counter("gpt-4")
count = COUNTER.count_text


def messages_of(turns: Sequence[Turn]) -> list[BaseMessage]:
    """The turns as messages of two people or more."""
    first = turns[0]["speaker"]
    return [
        (HumanMessage if turn["speaker"] == first else AIMessage)(
            turn["text"], name=turn["speaker"], additional_kwargs={"said_at": turn["date"]}
        )
        for turn in turns
    ]


def truncated(turns: Sequence[Turn], budget_tokens: int) -> Shown:
    """As many whole turns as fit, from the first of them on."""
    shown: Shown = {}
    for turn in turns:
        budget_tokens -= count(f"{turn['speaker']}: {turn['text']}\n")
        if budget_tokens < 0:
            break
        shown[turn["id"]] = turn["text"]
    return shown


def at_once(turns: Sequence[Turn], budget_tokens: int) -> Shown:
    """One summary of everything."""
    return attributed(summarised("", messages_of(turns), max_tokens=budget_tokens, count=count), turns)


def carried_on(turns: Sequence[Turn], budget_tokens: int) -> Shown:
    """A summary of the first turns, merged with the next ones, and so on."""
    messages, summary = messages_of(turns), ""
    for start in range(0, len(messages), TURNS_A_BATCH):
        batch = messages[start : start + TURNS_A_BATCH]
        share = start / (start + len(batch))
        summary = summarised(summary, batch, max_tokens=budget_tokens, count=count, earlier_share=share)
    return attributed(summary, turns)


def attributed(summary: str, turns: Sequence[Turn]) -> Shown:
    """The part of each turn that stands in the summary, under its speaker and its day."""
    assert summary == summary.strip()
    said: dict[tuple[str, str], list[str]] = {}
    for one in parsed(summary):
        said.setdefault((one.day, one.speaker), []).append(one.text)
    shown: Shown = {}
    for turn in turns:
        flat = " ".join(turn["text"].split())
        found = [text for text in said.get((turn["date"][:10], turn["speaker"]), ()) if text in flat]
        if found:
            shown[turn["id"]] = " ".join(found)
    return shown


SYSTEMS: dict[str, Callable[[Sequence[Turn], int], Shown]] = {
    "oldest turns": truncated,
    "newest turns": lambda turns, budget_tokens: truncated(turns[::-1], budget_tokens),
    "summary, at once": at_once,
    "summary, carried on": carried_on,
}


def content_words(text: str) -> set[str]:
    """The words of a text that say something."""
    return set(segments(text)) - STOP_WORDS


def evidence(conversation: Mapping[str, Any], data: Mapping[str, Any]) -> list[list[str]]:
    """The turns that answer each question; questions that nothing answers are left out."""
    headline = set(data.get("headline_categories") or ())
    ids = {turn["id"] for turn in conversation["turns"]}
    found = []
    for question in conversation["questions"]:
        answers = question.get("evidence") or question.get("evidence_clean") or question.get("evidence_raw") or ()
        answers = [turn_id for turn_id in answers if turn_id in ids]
        if answers and (not headline or question["category"] in headline):
            found.append(answers)
    return found


def shares(shown: Shown, answers: Sequence[Sequence[str]], turns: Sequence[Turn]) -> list[tuple[float, float]]:
    """For each question: the share of its turns that is kept, and of their words."""
    of_turn = {}
    for turn in turns:
        whole, there = content_words(turn["text"]), content_words(shown.get(turn["id"], ""))
        of_turn[turn["id"]] = len(whole & there) / len(whole) if whole else float(turn["id"] in shown)
    return [
        (sum(of_turn[i] >= 0.8 for i in ids) / len(ids), sum(of_turn[i] for i in ids) / len(ids)) for ids in answers
    ]


def main(path: Path, budgets: Sequence[int]) -> None:
    """Prints the table."""
    raw = path.read_bytes()
    data = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    print(f"{len(data['conversations'])} conversations, counted by {COUNTER.name}; kept / words, %; seconds for all")
    print(f"{'':22}" + "".join(f"{budget:>16,}" for budget in budgets))
    for name, system in SYSTEMS.items():
        cells, started = [], time.perf_counter()
        for budget in budgets:
            figures = [
                share
                for conversation in data["conversations"]
                for share in shares(
                    system(conversation["turns"], budget), evidence(conversation, data), conversation["turns"]
                )
            ]
            kept, words = (100 * sum(column) / len(figures) for column in zip(*figures, strict=True))
            cells.append(f"{kept:>8.1f} / {words:>4.1f}")
        print(f"{name:22}" + "".join(f"{cell:>16}" for cell in cells) + f"{time.perf_counter() - started:>8.1f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default=os.environ.get("BENCH_DATA"), type=Path)
    parser.add_argument("--budgets", default="1000,2000,4000")
    given = parser.parse_args()
    if given.data is None:
        parser.error("give the data's path, or set BENCH_DATA")
    main(given.data, [int(budget) for budget in given.budgets.split(",")])
