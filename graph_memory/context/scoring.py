"""Scores that do not depend on the question. Pure."""

from __future__ import annotations

import math


def freshness(age_hours: float, half_life_hours: float) -> float:
    """How fresh a memo still is: 1.0 when new, 0.5 after one half-life.

    Exponential decay, exp(-ln 2 * age / half-life). Ages below zero (clocks that disagree) count as zero.

    Raises:
        ValueError: half_life_hours is not positive.
    """
    if not half_life_hours > 0:
        raise ValueError(f"half_life_hours is {half_life_hours}: give hours above 0")
    return math.exp(-math.log(2) * max(0.0, age_hours) / half_life_hours)
