"""What consolidation does with the memos of one namespace: decided here, from values alone. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate

from graph_memory.context.scoring import score_promotion
from graph_memory.context.tiers import TIERS, TierCandidate, TierChange, evaluate_tiers
from graph_memory.lifecycle.duplicates import near_duplicates
from graph_memory.lifecycle.rules import Condensed, ConsolidationRules, Merged, Namespace, Pruned, SpacePlan
from graph_memory.memories.accesses import Access
from graph_memory.memories.episodes.keeping import KIND, episode_id
from graph_memory.memories.episodes.sessions import Session, sessions_by_line
from graph_memory.types import Memo, utc

REPEATS = "repeats"
"""Key of a memo's metadata that says how often it was said, and by which messages beside its own."""

_MOST_SOURCES = 50


@dataclass(frozen=True, slots=True)
class Space:
    """All that one vector memory keeps for one agent.

    Attributes:
        where: its namespace.
        memory: its name.
        memos: with their accesses.
        episodes: what stands for sessions already.
        accesses: memo id to how it was used.
        idle_seconds: the pause that ends a session; None where no episodes are kept.
    """

    where: Namespace
    memory: str
    memos: tuple[Memo, ...]
    episodes: tuple[Memo, ...]
    accesses: Mapping[str, Access]
    idle_seconds: float | None


def plan_of(space: Space, rules: ConsolidationRules, now: datetime) -> SpacePlan:
    """What happens to a space: sessions are condensed first, so that nothing is lost by what follows."""
    sessions = to_condense(space, now) if rules.condense else []
    condensed = tuple(_condensed(session, space.memory) for session in sessions)
    merged = tuple(_merged(space.memos, rules))
    gone = {memo_id for one in merged for memo_id in one.removed}
    spans, is_kept = _Spans(space.episodes), space.idle_seconds is not None
    told = {memo.id for session in sessions for memo in session.memos}
    told |= {memo.id for memo in space.memos if not is_kept or spans.hold(memo, memo)}
    left = [memo for memo in space.memos if memo.id not in gone]
    pruned = tuple(_pruned(left, told, rules, now))
    gone |= {one.memo for one in pruned}
    moved = tuple(_moved([memo for memo in left if memo.id not in gone], space, rules, now))
    return SpacePlan(space.where, len(space.memos), condensed, merged, pruned, moved)


def to_condense(space: Space, now: datetime) -> list[Session]:
    """The sessions that are over and have no episode yet."""
    if space.idle_seconds is None:
        return []
    said = [memo for memo in space.memos if memo.kind == "message"]
    sessions = sessions_by_line(said, space.idle_seconds)
    spans = _Spans(space.episodes)  # an episode stands for what was merged or pruned of its session since as well
    return [one for one in sessions if one.is_over(now, space.idle_seconds) and not spans.hold(one.first, one.last)]


def merged_memo(kept: Memo, others: Sequence[Memo]) -> Memo:
    """The memo that stays, with a count and the messages that said it again, which the archive may still have."""
    sources = list(
        dict.fromkeys([*_sources(kept), *(s for one in others for s in (one.source or one.id, *_sources(one)))])
    )
    repeats = {"count": sum(map(_count, (kept, *others))), "sources": sources[:_MOST_SOURCES]}
    importance = max(memo.importance for memo in (kept, *others))
    return replace(kept, metadata={**kept.metadata, REPEATS: repeats}, importance=importance)


def keep_score(memo: Memo, rules: ConsolidationRules, now: datetime) -> float:
    """How much a memo deserves to stay, 0–1: the promotion score of one that no question is about."""
    return score_promotion(memo, 0.0, now, rules.scoring)


def _condensed(session: Session, memory: str) -> Condensed:
    first, last = session.first, session.last
    return Condensed(episode_id(session, memory), first.session, len(session.memos), first.said_at, last.said_at)


class _Spans:
    """What time of which session the episodes tell of; asked in the time of a binary search."""

    def __init__(self, episodes: Iterable[Memo]) -> None:
        told: dict[tuple[str, str], list[tuple[datetime, datetime]]] = {}
        for episode in episodes:
            span = episode.metadata.get(KIND) or {}
            if span:
                both = (utc(datetime.fromisoformat(span["from"])), utc(datetime.fromisoformat(span["to"])))
                told.setdefault((episode.origin.root, episode.session), []).append(both)
        self._begins = {line: sorted(first for first, _ in spans) for line, spans in told.items()}
        self._ends = {line: list(accumulate((last for _, last in sorted(spans)), max)) for line, spans in told.items()}

    def hold(self, first: Memo, last: Memo) -> bool:
        """Whether one of them tells of all from the first to the last memo."""
        line = (first.origin.root, first.session)
        place = bisect_right(self._begins.get(line, ()), first.said_at)
        return place > 0 and self._ends[line][place - 1] >= last.said_at


def _merged(memos: Iterable[Memo], rules: ConsolidationRules) -> Iterable[Merged]:
    if rules.similarity is None:
        return
    for kept, others in near_duplicates(memos, rules.similarity):
        yield Merged(kept.id, tuple(one.id for one in others), sum(map(_count, (kept, *others))))


def _pruned(memos: Iterable[Memo], told: set[str], rules: ConsolidationRules, now: datetime) -> Iterable[Pruned]:
    if rules.prune_below is None:
        return
    old = now - timedelta(days=rules.prune_after_days)
    for memo in memos:
        score = keep_score(memo, rules, now)
        if score < rules.prune_below and memo.said_at < old and memo.id in told:
            yield Pruned(memo.id, round(score, 4))


def _moved(memos: Iterable[Memo], space: Space, rules: ConsolidationRules, now: datetime) -> list[TierChange]:
    if rules.workspace is None:
        return []
    known = [(memo, space.accesses.get(memo.id, Access())) for memo in memos if memo.tier in TIERS]
    candidates = [TierCandidate(memo, access.relevance, access.moved_at) for memo, access in known]
    return evaluate_tiers(candidates, rules.workspace, now)


def _count(memo: Memo) -> int:
    return int((memo.metadata.get(REPEATS) or {}).get("count", 1))


def _sources(memo: Memo) -> list[str]:
    return list((memo.metadata.get(REPEATS) or {}).get("sources", ()))
