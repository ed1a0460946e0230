"""Tiers of memos: their order, who moves between them, and how full each is. Pure; the caller stores what moved.

A memo moves up when its promotion score reaches the promotion threshold and it was used often enough, and down when the score
falls below the demotion threshold. Between the two it stays where it is, and what has just moved rests, so nothing bounces.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, get_args

from graph_memory.context.scoring import hours_between, score_promotion
from graph_memory.errors import ConfigurationError
from graph_memory.types import Memo

if TYPE_CHECKING:
    from graph_memory.context.workspaces import Workspace

Tier = Literal["rag", "long_term", "project", "working"]
TIERS: tuple[Tier, ...] = get_args(Tier)
"""From the lowest to the highest: the reference lists them from working ("very recent, high-priority") down to documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRules:
    """When a memo changes its tier.

    Attributes:
        promotion_threshold: promotion score from which a memo moves up, 0–1.
        promotion_accesses: how often it must have been accessed for that; as many count as a frequency of one half.
        demotion_threshold: promotion score below which a memo moves down, 0–1. It lies below the promotion threshold. A gap
            wider than half the weight of relevance keeps questions alone from moving a memo up and down again.
        rest_hours: how long a memo that moved stays, at least: an hour moves it by one tier in a sitting.

    Raises:
        ConfigurationError: a value cannot be, or the thresholds leave no gap.
    """

    promotion_threshold: float = 0.8
    promotion_accesses: int = 3
    demotion_threshold: float = 0.3
    rest_hours: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.demotion_threshold < self.promotion_threshold <= 1:
            raise ConfigurationError(
                f"the demotion threshold is {self.demotion_threshold} and the promotion threshold {self.promotion_threshold}:"
                " both lie in 0–1, demotion below promotion"
            )
        if not self.promotion_accesses >= 1:
            raise ConfigurationError(
                f"the access threshold of promotion is {self.promotion_accesses}: give a whole number, 1 or more"
            )
        if not (math.isfinite(self.rest_hours) and self.rest_hours >= 0):
            raise ConfigurationError(f"rest_hours is {self.rest_hours}: give hours, 0 or more")


@dataclass(frozen=True, slots=True)
class TierCandidate:
    """A memo whose tier is in question.

    Attributes:
        memo: with its tier, importance and accesses.
        relevance: how close it was to the last question that it was found for, 0–1.
        moved_at: when it last changed its tier; None when it never did.
    """

    memo: Memo
    relevance: float
    moved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TierChange:
    """A memo that is to move by one tier.

    Attributes:
        memo_id: which.
        before, after: its tier, and the one that it moves to.
        score: the promotion score that moves it.
    """

    memo_id: str
    before: Tier
    after: Tier
    score: float

    @property
    def is_promotion(self) -> bool:
        """Whether it moves up."""
        return TIERS.index(self.after) > TIERS.index(self.before)


@dataclass(frozen=True, slots=True)
class TierUse:
    """How full a tier is.

    Attributes:
        tokens: tokens of what was selected.
        budget_tokens: tokens that the tier may have.
        selected, offered: how many memos were selected, and out of how many.
    """

    tokens: int = 0
    budget_tokens: int = 0
    selected: int = 0
    offered: int = 0

    @property
    def utilisation(self) -> float:
        """Share of the tier's budget that is used; above 1 when it took what other tiers left, 0 without a budget."""
        return self.tokens / self.budget_tokens if self.budget_tokens > 0 else 0.0


def evaluate_tiers(candidates: Iterable[TierCandidate], workspace: Workspace, now: datetime) -> list[TierChange]:
    """Which of the memos move up or down a tier, in the order that they came in; each by one tier at most.

    Raises:
        ConfigurationError: a memo has a tier that does not exist.
    """
    rules, changes = workspace.tier_rules, []
    for candidate in candidates:
        memo = candidate.memo
        place = _place(memo.tier)
        if candidate.moved_at is not None and hours_between(candidate.moved_at, now) < rules.rest_hours:
            continue
        score = score_promotion(memo, candidate.relevance, now, workspace.scoring, half_count=rules.promotion_accesses)
        target = place + _step(score, memo.access_count, rules)
        if target != place and 0 <= target < len(TIERS):
            changes.append(TierChange(memo.id, TIERS[place], TIERS[target], score))
    return changes


def tier_use(items: Iterable[tuple[str, int, bool]], budgets: Mapping[str, int]) -> dict[str, TierUse]:
    """How full every tier is, from the lowest to the highest.

    Args:
        items: tier, tokens, and whether it was selected, of each memo that was offered.
        budgets: tokens that each tier may have; 0 where missing.

    Raises:
        ConfigurationError: a memo has a tier that does not exist.
    """
    offered: list[list[tuple[int, bool]]] = [[] for _ in TIERS]
    for tier, tokens, is_selected in items:
        offered[_place(tier)].append((tokens, is_selected))
    return {tier: _use(offered[place], budgets.get(tier, 0)) for place, tier in enumerate(TIERS)}


def _use(offered: Sequence[tuple[int, bool]], budget_tokens: int) -> TierUse:
    selected = [tokens for tokens, is_selected in offered if is_selected]
    return TierUse(sum(selected), budget_tokens, len(selected), len(offered))


def _place(tier: str) -> int:
    for place, name in enumerate(TIERS):
        if name == tier:
            return place
    raise ConfigurationError(f"there is no tier {tier!r}: choose from {', '.join(TIERS)}")


def _step(score: float, access_count: int, rules: TierRules) -> int:
    if score >= rules.promotion_threshold and access_count >= rules.promotion_accesses:
        return 1
    return -1 if score < rules.demotion_threshold else 0
