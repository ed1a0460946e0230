"""The one allocator: how many tokens of a budget each memory gets. Pure arithmetic on whole tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping

from graph_memory.errors import ConfigurationError

_NONE: Mapping[str, float] = {}
_NO_PRIORITIES: Mapping[str, int] = {}


def allocate(
    wants: Mapping[str, int],
    weights: Mapping[str, float],
    budget_tokens: int,
    *,
    min_shares: Mapping[str, float] = _NONE,
    max_shares: Mapping[str, float] = _NONE,
    priorities: Mapping[str, int] = _NO_PRIORITIES,
) -> dict[str, int]:
    """Tokens granted to each name: its weight's share of the budget, within its bounds and never more than it wants.

    What one leaves unused flows to the others by weight, until nothing is left or wanted. Names of weight zero get their
    minimum, and what all the others leave. Grants add up to at most `budget_tokens`; equal input gives equal output.

    Args:
        wants: tokens that each could use.
        weights: share of the budget by name, bigger is more; every name in `wants` has one.
        budget_tokens: tokens to share out; below zero counts as zero.
        min_shares: fraction of the budget that a name gets before others, as far as it wants it; 0 where missing. Minima
            that exceed the budget together are scaled down, those of lower priority first.
        max_shares: fraction of the budget that a name may have at most; 1 where missing.
        priorities: higher keeps its minimum longer; 0 where missing.

    Raises:
        ConfigurationError: a weight is missing, negative or not a number, all are zero, or a share is outside 0–1.
    """
    if not wants:
        return {}
    _check(wants, weights, min_shares, max_shares)
    budget = max(0, budget_tokens)
    caps = {name: max(0, min(want, int(budget * max_shares.get(name, 1.0)))) for name, want in wants.items()}
    minima = {name: min(cap, int(budget * min_shares.get(name, 0.0))) for name, cap in caps.items()}
    floors = _affordable(minima, budget, priorities)
    grants = _fill(floors, caps, weights, budget)
    left = budget - sum(grants.values())
    unweighted = {name: cap for name, cap in caps.items() if not weights[name]}
    if left > 0 and unweighted:
        floors = {name: grants[name] for name in unweighted}
        grants |= _fill(floors, unweighted, dict.fromkeys(unweighted, 1.0), left + sum(floors.values()))
    return grants


def weight_shares(
    weights: Mapping[str, float],
    *,
    min_shares: Mapping[str, float] = _NONE,
    max_shares: Mapping[str, float] = _NONE,
) -> dict[str, float]:
    """The fraction of a budget that each name has by its weight, within its bounds, whatever the others want."""
    total = math.fsum(weights.values())
    return {
        name: min(max(weight / total, min_shares.get(name, 0.0)), max_shares.get(name, 1.0)) if total else 0.0
        for name, weight in weights.items()
    }


def _check(
    wants: Mapping[str, int],
    weights: Mapping[str, float],
    min_shares: Mapping[str, float],
    max_shares: Mapping[str, float],
) -> None:
    for name in wants:
        weight = weights.get(name)
        if weight is None or not (math.isfinite(weight) and weight >= 0):
            raise ConfigurationError(f"the weight of {name!r} is {weight}: give a finite number of 0 or more")
        for shares in (min_shares, max_shares):
            if not 0 <= shares.get(name, 0.0) <= 1:
                raise ConfigurationError(f"a share of {name!r} is {shares[name]}: shares are fractions between 0 and 1")
    if not any(weights[name] for name in wants):
        raise ConfigurationError("all weights are zero: give at least one memory a weight above 0")


def _affordable(minima: Mapping[str, int], budget: int, priorities: Mapping[str, int]) -> dict[str, int]:
    """The minima, cut to the budget: whole while it lasts from the highest priority down, then in proportion."""
    if sum(minima.values()) <= budget:
        return dict(minima)
    floors = dict.fromkeys(minima, 0)
    left = budget
    for priority in sorted({priorities.get(name, 0) for name in minima}, reverse=True):
        level = {name: minimum for name, minimum in minima.items() if priorities.get(name, 0) == priority}
        wanted = sum(level.values())
        if wanted > left:
            floors |= {name: minimum * left // wanted for name, minimum in level.items()}
            break
        floors |= level
        left -= wanted
    return floors


def _fill(
    floors: Mapping[str, int], caps: Mapping[str, int], weights: Mapping[str, float], budget: int
) -> dict[str, int]:
    """Water filling: the level at which clamp(level x weight, floor, cap) adds up to the budget, in whole tokens."""
    target = min(budget, sum(caps[name] if weights[name] else floors[name] for name in caps))
    level = _level(floors, caps, weights, target)
    exact = {name: min(max(level * weights[name], floors[name]), caps[name]) for name in caps}
    grants = {name: int(share) for name, share in exact.items()}
    return _hand_out(grants, exact, caps, weights, target - sum(grants.values()))


def _level(floors: Mapping[str, int], caps: Mapping[str, int], weights: Mapping[str, float], target: int) -> float:
    """Sweeps the levels at which a name leaves its floor or reaches its cap, and stops where the sum meets the target."""
    bends = sorted(
        bend
        for name, weight in weights.items()
        if weight and name in caps
        for bend in ((floors[name] / weight, weight), (caps[name] / weight, -weight))
    )
    total, slope, level = float(sum(floors.values())), 0.0, 0.0
    for bend, change in bends:
        rise = slope * (bend - level)
        if slope > 0 and total + rise >= target:
            return level + (target - total) / slope
        total, level, slope = total + rise, bend, slope + change
    return level


def _hand_out(
    grants: dict[str, int],
    exact: Mapping[str, float],
    caps: Mapping[str, int],
    weights: Mapping[str, float],
    left: int,
) -> dict[str, int]:
    """Gives the tokens that rounding down left over, one each, to the largest remainders first."""
    order = sorted((name for name in grants if weights[name]), key=lambda name: grants[name] - exact[name])
    while left > 0 and (open_names := [name for name in order if grants[name] < caps[name]]):
        for name in open_names[:left]:
            grants[name] += 1
        left -= len(open_names[:left])
    while left < 0 and (open_names := [name for name in reversed(order) if grants[name] > 0]):
        for name in open_names[:-left]:
            grants[name] -= 1
        left += len(open_names[:-left])
    return grants
