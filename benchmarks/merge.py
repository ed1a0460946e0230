"""What allocation and merge cost: `python -m benchmarks.merge [candidates ...]`.

Five sections share the candidates, two of them in groups of two, all within 4,000 tokens. Tokens of candidates are known,
as memories count them when they recall; the merge counts what it renders.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from langchain_core.messages import HumanMessage

from graph_memory.context.budget import allocate
from graph_memory.context.merge import merge
from graph_memory.context.tokens import token_counter
from graph_memory.types import Section, Snippet

BUDGET_TOKENS = 4000
SECTIONS = 5
ROUNDS = 25
LIMITS_MS = {100: 1.0, 10_000: 30.0}
TOPICS = "tea garden budget review holiday violin deadline allergy museum recipe train invoice"
WORDS = TOPICS.split()


def candidates(count: int) -> list[Section]:
    """Sections of snippets with scores, times, sources and groups, the same each time."""
    chance = random.Random(7)
    start = datetime(2025, 1, 1, tzinfo=UTC)

    def snippet(section: int, number: int) -> Snippet:
        text = f"fact {number} of {section}: " + " ".join(chance.choices(WORDS, k=8))
        group = f"turn-{number // 2}" if section % 2 else ""
        said_at = start - timedelta(minutes=number)
        parts = {"relevance": chance.random()}
        return Snippet(text, 16, chance.random(), parts, f"{section}-{number}", group, (f"message-{number}",), said_at)

    each = max(1, count // SECTIONS)
    return [
        Section(f"memory-{s}", tuple(snippet(s, n) for n in range(each)), "tail" if s else "system", f"Section {s}:")
        for s in range(SECTIONS)
    ]


def median_ms(work: Callable[[], object]) -> float:
    """Milliseconds of a call, the median of many."""
    samples = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        samples.append((time.perf_counter() - started) * 1000)
    return statistics.median(samples)


def main(sizes: Sequence[int]) -> None:
    """Prints a line for each number of candidates."""
    counter = token_counter("gpt-4")
    question = [HumanMessage("what did we plan for the holiday?", id="question")]
    print(
        f"{BUDGET_TOKENS:,} tokens, {SECTIONS} sections, counted by {counter.name}; milliseconds, medians of {ROUNDS}"
    )
    print(f"{'candidates':>11}{'allocate':>10}{'merge':>10}{'allowed':>10}")
    for size in sizes:
        sections = candidates(size)
        wants = {section.memory: sum(s.tokens for s in section.snippets) for section in sections}
        weights = dict.fromkeys(wants, 1.0)
        allocation = median_ms(lambda wants=wants, weights=weights: allocate(wants, weights, BUDGET_TOKENS))
        merging = median_ms(
            lambda sections=sections: merge(question, sections, budget_tokens=BUDGET_TOKENS, counter=counter)
        )
        allowed = LIMITS_MS.get(size)
        print(f"{size:>11,}{allocation:>10.3f}{merging:>10.2f}{allowed if allowed else '':>10}")


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [100, 10_000])
