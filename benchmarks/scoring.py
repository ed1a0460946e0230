"""What scoring costs: `python -m benchmarks.scoring`. Microseconds for one memo, one question, one message.

Each figure is the best of several rounds, for what disturbs a round only ever makes it slower. Nothing is stored or searched.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from graph_memory.context.complexity import estimate_complexity
from graph_memory.context.scoring import ScoringWeights, score_memo, score_promotion
from graph_memory.context.tiers import TierCandidate, evaluate_tiers
from graph_memory.context.workspaces import WORKSPACES
from graph_memory.extract.importance import importance
from graph_memory.types import Memo, Origin

CALLS, ROUNDS, MEMOS = 1000, 7, 1000
NOW = datetime(2025, 6, 1, tzinfo=UTC)
QUESTIONS = {
    "5 words": "How do I use FastAPI?",
    "40 words": "Explain async and sync programming, analyze the impact on our services, compare what it costs, and "
    "design an architecture for the next year; what if the number of users doubles, and how would you debug it then, "
    "between the two of us?",
    "20,000 words": "how is it done? " * 5000,
    "Chinese": "请分析这个架构，为什么它这么慢？我们应该怎么优化它的设计？",
}
MESSAGES = {
    "10 words": "I'm allergic to peanuts, please remember that for Saturday's dinner.",
    "100 words": "We talked about the trip, the hotel in Lisbon and what it costs, and settled on nothing yet. " * 6,
    "10,000 words": "It went on for a while and nothing much came of it. " * 800,
}


def memo(number: int) -> Memo:
    """A memo of some age and use, the same each time."""
    said_at = NOW - timedelta(hours=number)
    return Memo(f"m{number}", "text", Origin("root"), said_at, importance=number % 10 / 10, access_count=number % 12)


def microseconds(work: Callable[[], object], calls: int = CALLS) -> float:
    """Microseconds of a call, the best of several rounds."""
    return min(timeit.repeat(work, number=calls, repeat=ROUNDS)) / calls * 1e6


def row(what: str, cost: float, allowed: float) -> None:
    """Prints one figure beside what is allowed."""
    print(f"{what:<44}{cost:>8.2f}{allowed:>10g}")


def main() -> None:
    """Prints a line for each kind of work."""
    weights, one = ScoringWeights(), memo(30)
    candidates = [TierCandidate(memo(number), number % 7 / 7) for number in range(MEMOS)]
    print(f"{'microseconds, best of ' + str(ROUNDS) + ' rounds':<44}{'measured':>8}{'allowed':>10}")
    row("combined score, a memo", microseconds(lambda: score_memo(one, 0.7, NOW, weights)), 10)
    row("promotion score, a memo", microseconds(lambda: score_promotion(one, 0.7, NOW, weights)), 10)
    tiers = microseconds(lambda: evaluate_tiers(candidates, WORKSPACES["default"], NOW), calls=10)
    row(f"tier evaluation, a memo of {MEMOS:,}", tiers / MEMOS, 10)
    for what, text in QUESTIONS.items():
        row(f"complexity, {what}", microseconds(lambda text=text: estimate_complexity(text, turns=4)), 100)
    for what, text in MESSAGES.items():
        row(f"importance, {what}", microseconds(lambda text=text: importance(text)), 50)


if __name__ == "__main__":
    main()
