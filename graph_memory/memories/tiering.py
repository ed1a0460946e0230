"""A workspace's policy on what memories offered: scores that weigh importance and freshness, and shares by tier. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from graph_memory.context.scoring import combined_score, freshness
from graph_memory.context.tiers import TierUse, tier_use
from graph_memory.context.workspaces import Workspace
from graph_memory.types import Context, Section, Snippet

if TYPE_CHECKING:
    from graph_memory.memories.base import Memory


def by_workspace(
    sections: Sequence[Section], memories: Sequence[Memory], workspace: Workspace, now: datetime
) -> list[Section]:
    """The sections as the workspace weighs them: snippets scored anew, sections split by tier, weights by the tiers' shares.

    A tier's share is divided among the memories that offer something in it, by their weights; what a tier does not use flows to
    the others in the merge. What stands before the question is neither split nor scored anew: a choice that changes with the time
    and with what others offer would change what comes first (law 8).
    """
    tiers = {memory.name: memory.tier for memory in memories}
    pieces = [piece for section in sections for piece in _split(section, tiers[section.memory], workspace, now)]
    in_tier: dict[str, float] = {}
    for tier, section in pieces:
        in_tier[tier] = in_tier.get(tier, 0.0) + section.weight
    shares = workspace.tier_shares.by_tier()
    return [replace(section, weight=_weight(shares[tier] * section.weight / in_tier[tier])) for tier, section in pieces]


def tiers_of(
    context: Context, memories: Sequence[Memory], sections: Iterable[Section], workspace: Workspace
) -> dict[str, TierUse]:
    """How full each tier is in a finished context."""
    own = {memory.name: memory.tier for memory in memories}
    placed = {(s.memory, snippet.memo_id): snippet.tier for s in sections for snippet in s.snippets if snippet.tier}
    items = [
        (placed.get((line.memory, line.memo_id), own[line.memory]), line.tokens, line.kept)
        for line in context.lines
        if line.memory in own
    ]
    return tier_use(items, workspace.tier_budgets(context.budget_tokens))


def _split(section: Section, tier: str, workspace: Workspace, now: datetime) -> list[tuple[str, Section]]:
    if section.placement != "tail" or not section.snippets:
        return [(tier, section)]
    by_tier: dict[str, list[Snippet]] = {}
    for snippet in section.snippets:
        by_tier.setdefault(snippet.tier or tier, []).append(_scored(snippet, workspace, now))
    return [(name, replace(section, snippets=tuple(snippets))) for name, snippets in by_tier.items()]


def _scored(snippet: Snippet, workspace: Workspace, now: datetime) -> Snippet:
    """Relevance, importance and freshness, weighed; what has no time counts as new."""
    age_hours = (now - snippet.said_at).total_seconds() / 3600 if snippet.said_at else 0.0
    parts: Mapping[str, float] = {
        "relevance": min(1.0, max(0.0, snippet.score)),
        "importance": snippet.importance,
        "freshness": freshness(age_hours, workspace.scoring.half_life_hours),
    }
    score = combined_score(parts["relevance"], parts["importance"], parts["freshness"], workspace.scoring)
    return replace(snippet, score=score, parts={**snippet.parts, **parts})


def _weight(weight: float) -> float:
    """A tier without a share still has a memory's weight, which must be above zero."""
    return max(weight, 1e-6)
