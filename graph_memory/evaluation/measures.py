"""The figures: how much of the evidence a search brought up, how early, and whether two settings differ. Pure.

Every measure is a fraction in 0–1, higher is better. `found` are ids of turns, best first and without repeats; `wanted` are
the ids of the turns that answer, never none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

DEPTH = 50
"""How many hits a search is asked for; a first hit beyond them counts as none."""

BUDGETS = (1000, 2000)
"""Tokens of context in which evidence is looked for."""

_ENOUGH = 0.8
_ROUNDS = 5000
_WORD = re.compile(r"\w+")


def recall(found: Sequence[str], wanted: Set[str], k: int) -> float:
    """Share of the wanted turns among the first `k`."""
    return len(wanted & set(found[:k])) / len(wanted)


def all_found(found: Sequence[str], wanted: Set[str], k: int) -> float:
    """1 when every wanted turn is among the first `k`, else 0."""
    return float(wanted <= set(found[:k]))


def reciprocal_rank(found: Sequence[str], wanted: Set[str]) -> float:
    """1 divided by the place of the first wanted turn, 0 when there is none."""
    return next((1 / place for place, one in enumerate(found, 1) if one in wanted), 0.0)


def ndcg(found: Sequence[str], wanted: Set[str], k: int) -> float:
    """Log-discounted gain of the first `k`, relative to the best order (Järvelin and Kekäläinen, 2002)."""
    gain = sum(discount(place) for place, one in enumerate(found[:k]) if one in wanted)
    return gain / ideal_gain(len(wanted), k)


def discount(place: int) -> float:
    """What a wanted turn is worth at a place, counted from 0."""
    return 1 / math.log2(place + 2)


def ideal_gain(wanted: int, k: int) -> float:
    """The gain of the best order, when so many turns are wanted."""
    return sum(discount(place) for place in range(min(wanted, k)))


RANKED: Mapping[str, Callable[[Sequence[str], Set[str]], float]] = MappingProxyType(
    {
        "R@5": lambda found, wanted: recall(found, wanted, 5),
        "R@10": lambda found, wanted: recall(found, wanted, 10),
        "R@20": lambda found, wanted: recall(found, wanted, 20),
        "all@10": lambda found, wanted: all_found(found, wanted, 10),
        "nDCG@10": lambda found, wanted: ndcg(found, wanted, 10),
        "MRR": reciprocal_rank,
    }
)
"""Name to measure, for the order in which turns were found."""


def evidence(budget_tokens: int) -> str:
    """Name of the measure for a context of so many tokens."""
    return f"evidence@{budget_tokens}"


def is_shown(text: str, shown: str) -> bool:
    """Whether at least 80 % of a turn's different words stand in what is shown of it: turns may be cut."""
    words = set(_WORD.findall(text.lower()))
    return len(words & set(_WORD.findall(shown.lower()))) >= _ENOUGH * len(words)


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better the second of two settings is, over the same questions.

    Attributes:
        mean: mean difference, a fraction; above zero the second is better.
        low, high: ends of its 95 % interval.
        p: two-sided probability of a difference this clear if there were none.
    """

    mean: float
    low: float
    high: float
    p: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


def paired_bootstrap(first: Sequence[float], second: Sequence[float], *, seed: int = 0) -> Difference:
    """The difference of two settings' values of one measure, by drawing questions anew 5,000 times (Efron, 1979).

    Raises:
        ValueError: there are no questions, or not the same number of them.
    """
    if len(first) != len(second) or not len(first):
        raise ValueError(f"paired values are needed, got {len(first)} and {len(second)}")
    differences = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    random, n = np.random.default_rng(seed), len(differences)
    means = np.array([differences[random.integers(0, n, n)].mean() for _ in range(_ROUNDS)])
    low, high = np.percentile(means, (2.5, 97.5))
    tail = min(int((means <= 0).sum()), int((means >= 0).sum()))
    return Difference(float(differences.mean()), float(low), float(high), min(1.0, 2 * (tail + 1) / (_ROUNDS + 1)))
