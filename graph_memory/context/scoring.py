"""Scores of a memo in 0–1: how fresh, how much used, worth showing, worth another tier. Pure.

Times come from clocks that may disagree or go backwards: what lies in the future counts as now.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from graph_memory.errors import ConfigurationError
from graph_memory.types import Memo

ROUNDING = 0.002
"""How far shares may be from adding up to 1: three thirds are written as 0.333."""

_COMBINED, _FREQUENCY, _RECENCY = 0.5, 0.3, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringWeights:
    """What the combined score is made of.

    Attributes:
        relevance, importance, freshness: shares of the score; they add up to 1.
        half_life_hours: age at which freshness has halved.

    Raises:
        ConfigurationError: a weight is negative, they do not add up to 1, or the half-life is not above zero.
    """

    relevance: float = 0.5
    importance: float = 0.3
    freshness: float = 0.2
    half_life_hours: float = 168.0

    def __post_init__(self) -> None:
        weights = {"relevance": self.relevance, "importance": self.importance, "freshness": self.freshness}
        check_shares("scoring weights", weights)
        if not (math.isfinite(self.half_life_hours) and self.half_life_hours > 0):
            raise ConfigurationError(f"half_life_hours is {self.half_life_hours}: give hours above 0")


class MemoScore(NamedTuple):
    """A memo's combined score and what it was made of, all in 0–1."""

    combined: float
    relevance: float
    importance: float
    freshness: float


def freshness(age_hours: float, half_life_hours: float) -> float:
    """How fresh a memo still is: 1.0 when new, 0.5 after one half-life.

    Exponential decay, exp(-ln 2 * age / half-life). Ages below zero (clocks that disagree) count as zero.

    Raises:
        ValueError: half_life_hours is not positive.
    """
    if not half_life_hours > 0:
        raise ValueError(f"half_life_hours is {half_life_hours}: give hours above 0")
    return math.exp(-math.log(2) * max(0.0, age_hours) / half_life_hours)


def combined_score(relevance: float, importance: float, fresh: float, weights: ScoringWeights) -> float:
    """The weighted sum of the three, in 0–1.

    Args:
        relevance: closeness to the question, 0–1; a value outside is taken as the nearest end, NaN as 0.
        importance: the memo's own, likewise.
        fresh: what `freshness` says, likewise.
        weights: shares of the three.
    """
    score = (
        clamped(relevance) * weights.relevance
        + clamped(importance) * weights.importance
        + clamped(fresh) * weights.freshness
    )
    return min(1.0, score)


def score_memo(memo: Memo, relevance: float, now: datetime, weights: ScoringWeights) -> MemoScore:
    """The memo's combined score for a question asked `now`; its age counts from when it was said."""
    fresh = freshness(hours_between(memo.said_at, now), weights.half_life_hours)
    combined = combined_score(relevance, memo.importance, fresh, weights)
    return MemoScore(combined, clamped(relevance), clamped(memo.importance), fresh)


def access_frequency(access_count: int, half_count: int) -> float:
    """How much a memo was used, 0–1: 0 when never, 0.5 after `half_count` accesses, near 1 after many.

    1 - 2 ^ (-count / half_count), so that the first accesses say most; how long ago they were, recency says.

    Raises:
        ValueError: half_count is not positive.
    """
    if not half_count > 0:
        raise ValueError(f"half_count is {half_count}: give a number of accesses above 0")
    return float(1.0 - 2.0 ** (-max(0, access_count) / half_count))


def promotion_score(combined: float, frequency: float, recency: float) -> float:
    """Whether a memo earns its tier, 0–1: combined score x 0.5 + access frequency x 0.3 + recency x 0.2.

    Args:
        combined: what `combined_score` says.
        frequency: what `access_frequency` says.
        recency: freshness of the last access; of what was never accessed, its own.
    """
    return clamped(combined) * _COMBINED + clamped(frequency) * _FREQUENCY + clamped(recency) * _RECENCY


def score_promotion(
    memo: Memo, relevance: float, now: datetime, weights: ScoringWeights, *, half_count: int = 3
) -> float:
    """The memo's promotion score: `relevance` is the last one known, `half_count` as in `access_frequency`."""
    combined = score_memo(memo, relevance, now, weights).combined
    used_at = memo.last_accessed_at or memo.said_at
    recency = freshness(hours_between(used_at, now), weights.half_life_hours)
    return promotion_score(combined, access_frequency(memo.access_count, half_count), recency)


def hours_between(earlier: datetime, later: datetime) -> float:
    """Hours from one moment to another; below zero when the clock went backwards."""
    return (later - earlier).total_seconds() / 3600


def clamped(value: float) -> float:
    """The value, or the nearer end of 0–1; NaN is 0."""
    return min(1.0, value) if value > 0 else 0.0


def check_shares(what: str, shares: dict[str, float]) -> None:
    """Refuses shares that are negative, not numbers, or do not add up to 1 within `ROUNDING`.

    Raises:
        ConfigurationError: with the sum, or with the share that cannot be.
    """
    for name, share in shares.items():
        if not (math.isfinite(share) and share >= 0):
            raise ConfigurationError(f"{what}: {name} is {share}; give a fraction between 0 and 1")
    total = math.fsum(shares.values())
    if abs(total - 1) > ROUNDING:
        raise ConfigurationError(f"{what} add up to {total:.4g}: they are parts of a whole, make them add up to 1")
