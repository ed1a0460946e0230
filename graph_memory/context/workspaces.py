"""Workspaces: how one kind of work shares out its context, with the six presets. Pure values that check themselves.

A workspace says how large a context may grow with a question's complexity, which tiers it is for, what makes a memo worth
showing, and when memos change their tier.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from graph_memory.context.budget import allocate
from graph_memory.context.complexity import COMPLEXITIES, DEFAULT_RULES, Complexity, ComplexityRules
from graph_memory.context.scoring import ScoringWeights, check_shares
from graph_memory.context.tiers import TIERS, TierRules
from graph_memory.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class TierShares:
    """What part of a context each tier is given; the parts add up to 1.

    Raises:
        ConfigurationError: a share is negative, or they do not add up to 1.
    """

    working: float = 0.30
    project: float = 0.25
    long_term: float = 0.20
    rag: float = 0.25

    def __post_init__(self) -> None:
        check_shares("tier shares", self.by_tier())

    def by_tier(self) -> dict[str, float]:
        """The shares, from the lowest tier to the highest."""
        return {tier: getattr(self, tier) for tier in TIERS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Multipliers:
    """How a question's complexity scales the workspace's maximum; each is above 0.

    Raises:
        ConfigurationError: one is zero, negative or not a number.
    """

    simple: float = 0.5
    medium: float = 1.0
    complex: float = 1.5
    expert: float = 2.0

    def __post_init__(self) -> None:
        for name in COMPLEXITIES:
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigurationError(f"the multiplier for {name} questions is {value}: give a number above 0")

    def of(self, complexity: Complexity) -> float:
        """The factor for a question of this complexity."""
        return float(getattr(self, complexity))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The policy of one kind of work.

    Attributes:
        name: what it is looked up by.
        max_tokens: tokens of context for a medium question.
        tier_shares: what part of them each tier is given.
        multipliers: how complexity scales `max_tokens`.
        scoring: what makes a memo worth showing.
        tier_rules: when memos change their tier.
        tokens_per_char: estimated tokens of a character, where no tokenizer is at hand; 0.25 is four characters a token.
        complexity_rules: how a question's complexity is estimated.

    Raises:
        ConfigurationError: the name is empty, or a number is not above 0.
    """

    name: str
    max_tokens: int = 8192
    tier_shares: TierShares = field(default_factory=TierShares)
    multipliers: Multipliers = field(default_factory=Multipliers)
    scoring: ScoringWeights = field(default_factory=ScoringWeights)
    tier_rules: TierRules = field(default_factory=TierRules)
    tokens_per_char: float = 0.25
    complexity_rules: ComplexityRules = DEFAULT_RULES

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ConfigurationError("a workspace has an empty name: give it one")
        if not self.max_tokens >= 1:
            raise ConfigurationError(f"a workspace may have {self.max_tokens} tokens: give a whole number, 1 or more")
        if not (math.isfinite(self.tokens_per_char) and self.tokens_per_char > 0):
            raise ConfigurationError(f"tokens_per_char is {self.tokens_per_char}: give a number above 0, such as 0.25")

    def budget(self, complexity: Complexity, hard_budget: int) -> int:
        """Tokens of context for a question of this complexity: the maximum, scaled, and never above `hard_budget`."""
        scaled = self.max_tokens * self.multipliers.of(complexity)
        return int(scaled) if scaled < hard_budget else hard_budget

    def tier_budgets(self, budget_tokens: int) -> dict[str, int]:
        """Tokens of each tier, in whole tokens that add up to `budget_tokens`."""
        shares = self.tier_shares.by_tier()
        return allocate(dict.fromkeys(shares, budget_tokens), shares, budget_tokens)


_DAY_HOURS = 24.0
_MONTH_HOURS = 720.0

WORKSPACES: Mapping[str, Workspace] = MappingProxyType(
    {
        workspace.name: workspace
        for workspace in (
            Workspace(name="default"),
            Workspace(
                name="development",
                max_tokens=4096,
                tier_shares=TierShares(working=0.5, project=0.3, long_term=0.1, rag=0.1),
                scoring=ScoringWeights(half_life_hours=3 * _DAY_HOURS),  # about as long as a task is worked on
                tier_rules=TierRules(promotion_threshold=0.7, promotion_accesses=2),  # tasks change: move soon
            ),
            Workspace(
                name="research",
                max_tokens=16384,  # sources are long, and several are compared
                tier_shares=TierShares(working=0.15, project=0.15, long_term=0.3, rag=0.4),
                scoring=ScoringWeights(relevance=0.7, importance=0.2, freshness=0.1, half_life_hours=_MONTH_HOURS),
            ),
            Workspace(
                name="production",
                max_tokens=6144,  # three quarters of the default: what is paid for is bounded
                multipliers=Multipliers(complex=1.25, expert=1.5),  # and grows half as much with complexity
                tier_rules=TierRules(promotion_threshold=0.85, promotion_accesses=5),
            ),
            Workspace(
                name="conversation",
                max_tokens=4096,  # chat is short, and answered while somebody waits
                tier_shares=TierShares(working=0.5, project=0.1, long_term=0.3, rag=0.1),  # the talk, then the person
                scoring=ScoringWeights(relevance=0.3, importance=0.2, freshness=0.5, half_life_hours=_DAY_HOURS),
            ),
            Workspace(
                name="code_analysis",
                max_tokens=16384,  # a file under review and those that it touches
                tier_shares=TierShares(
                    working=0.25, project=0.4, long_term=0.1, rag=0.25
                ),  # the project is the subject
                # Code is not better for being new.
                scoring=ScoringWeights(relevance=0.6, importance=0.3, freshness=0.1, half_life_hours=_MONTH_HOURS),
            ),
        )
    }
)
"""The presets by name. Numbers are the reference's where it gives them; of the others each says why."""


def workspace_named(name: str, workspaces: Mapping[str, Workspace] = WORKSPACES) -> Workspace:
    """The workspace of that name.

    Raises:
        ConfigurationError: there is none; the message names those that there are.
    """
    if name not in workspaces:
        raise ConfigurationError(f"there is no workspace {name!r}: choose from {', '.join(workspaces)}")
    return workspaces[name]
