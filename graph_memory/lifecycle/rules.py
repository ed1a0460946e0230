"""What consolidation may do, and the report of what it would do or did. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from graph_memory.context.scoring import ScoringWeights
from graph_memory.context.tiers import TierChange
from graph_memory.context.workspaces import Workspace
from graph_memory.errors import ConfigurationError

Namespace = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolidationRules:
    """What consolidation may do; each part can be switched off.

    Where episodes are kept, a message is neither merged away nor pruned before its session is over and has one.

    Attributes:
        condense: makes episodes of sessions that are over and have none.
        similarity: from which likeness on two memos of one speaker are near-duplicates, above 0.5 up to 1; 1 merges only what
            differs in case, punctuation and filler words. None merges nothing.
        prune_below: score below which a memo is removed, 0–1: importance, accesses and freshness since it was last said, see
            `scoring`. The default takes old greetings and thanks; None nothing.
        prune_after_days: how long ago a memo must have been said to be pruned, by its newest repeat.
        scoring: what the score is made of.
        workspace: by whose rules memos move between tiers; None moves none.

    Raises:
        ConfigurationError: a number is out of range.
    """

    condense: bool = True
    similarity: float | None = 0.9
    prune_below: float | None = 0.02
    prune_after_days: float = 30.0
    scoring: ScoringWeights = field(default_factory=ScoringWeights)
    workspace: Workspace | None = None

    def __post_init__(self) -> None:
        if self.similarity is not None and not 0.5 < self.similarity <= 1:
            raise ConfigurationError(f"similarity is {self.similarity}: give a number above 0.5 up to 1, or None")
        if self.prune_below is not None and not 0 <= self.prune_below <= 1:
            raise ConfigurationError(f"prune_below is {self.prune_below}: give a score in 0–1, or None")
        if not self.prune_after_days >= 0:
            raise ConfigurationError(f"prune_after_days is {self.prune_after_days}: give days, 0 or more")


@dataclass(frozen=True, slots=True)
class Merged:
    """Near-duplicates that become one.

    Attributes:
        kept: id of the memo that stays, the oldest.
        removed: ids of those that go.
        count: how often it was said in all, merges of earlier runs included.
    """

    kept: str
    removed: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Condensed:
    """A session that becomes an episode.

    Attributes:
        episode: id of the episode.
        session: the session's label.
        messages: how many memos it has.
        first_at, last_at: its span.
    """

    episode: str
    session: str
    messages: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Pruned:
    """A memo that goes, and the score that it goes for."""

    memo: str
    score: float


@dataclass(frozen=True, slots=True)
class SpacePlan:
    """What is to be done with the memos of one namespace: one memory of one agent.

    Attributes:
        where: the namespace.
        memos: how many memos were looked at.
        condensed, merged, pruned, moved: what happens to them, in this order.
    """

    where: Namespace
    memos: int = 0
    condensed: tuple[Condensed, ...] = ()
    merged: tuple[Merged, ...] = ()
    pruned: tuple[Pruned, ...] = ()
    moved: tuple[TierChange, ...] = ()

    @property
    def removed(self) -> int:
        """How many memos go."""
        return sum(len(one.removed) for one in self.merged) + len(self.pruned)


@dataclass(frozen=True, slots=True)
class ConsolidationReport:
    """What consolidation would do, or did. A dry run and the run after it report the same plans.

    Attributes:
        user_id: whose memory.
        at: the time that ages were measured from.
        is_dry: whether nothing was changed.
        plans: one for each namespace.
    """

    user_id: str
    at: datetime
    is_dry: bool
    plans: tuple[SpacePlan, ...]

    @property
    def memos(self) -> int:
        """How many memos were looked at."""
        return sum(plan.memos for plan in self.plans)

    @property
    def counts(self) -> dict[str, int]:
        """How many sessions are condensed, near-duplicates merged away, memos pruned and moved between tiers."""
        return {
            "condensed": sum(len(plan.condensed) for plan in self.plans),
            "merged": sum(len(one.removed) for plan in self.plans for one in plan.merged),
            "pruned": sum(len(plan.pruned) for plan in self.plans),
            "moved": sum(len(plan.moved) for plan in self.plans),
        }

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not any(self.counts.values())
