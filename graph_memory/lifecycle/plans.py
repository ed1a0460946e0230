"""What consolidation does with the memos of one namespace: decided here, from values alone. Pure.

The plan is all that there is to do: a dry run reports it, a run carries it out and decides nothing more. What it leaves needs no
second run.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
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
"""Key of a memo's metadata that says how often it was said, when last, and by which messages beside its own."""

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


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with a space.

    Attributes:
        report: the same for whoever asked.
        sessions: those that become episodes.
        memos: memos that change, as they are afterwards.
        accesses: how memos were used, by id, where that changes.
        gone: ids of the memos that go.
    """

    report: SpacePlan
    sessions: tuple[Session, ...]
    memos: tuple[Memo, ...]
    accesses: Mapping[str, Access]
    gone: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Standing:
    """A memo as it would stay: for itself, or for its repeats too."""

    memo: Memo
    access: Access
    repeats: tuple[Memo, ...] = ()


def plan_of(space: Space, rules: ConsolidationRules, now: datetime) -> Plan:
    """What happens to a space.

    Sessions are condensed first, and only what an episode tells of may go: nothing is lost by what follows, and a session that
    still runs keeps its messages until it is over. What stands for others is judged as what it becomes.
    """
    sessions = tuple(_to_condense(space, now)) if rules.condense else ()
    told = _told(space, sessions)
    standings = _standings(space, told, rules)
    low = dict(_low((one.memo for one in standings if one.memo.id in told), rules, now))
    staying = [one for one in standings if one.memo.id not in low]
    pruned = [
        (memo.id, low[one.memo.id]) for one in standings if one.memo.id in low for memo in (one.memo, *one.repeats)
    ]
    moved = _moved(staying, rules, now)
    report = SpacePlan(
        space.where,
        memos=len(space.memos),
        condensed=tuple(_condensed(session, space.memory) for session in sessions),
        merged=tuple(_merged(one) for one in staying if one.repeats),
        pruned=tuple(Pruned(memo_id, score) for memo_id, score in pruned),
        moved=tuple(moved),
    )
    return _planned(report, sessions, staying, now)


def _planned(report: SpacePlan, sessions: tuple[Session, ...], staying: Sequence[_Standing], now: datetime) -> Plan:
    tiers = {change.memo_id: change.after for change in report.moved}
    changed = [one for one in staying if one.repeats or one.memo.id in tiers]
    used = {
        one.memo.id: replace(one.access, moved_at=now) if one.memo.id in tiers else one.access
        for one in changed
        if one.memo.id in tiers or one.access != Access()
    }
    gone = [*(key for one in report.merged for key in one.removed), *(one.memo for one in report.pruned)]
    memos = tuple(replace(one.memo, tier=tiers.get(one.memo.id, one.memo.tier)) for one in changed)
    return Plan(report, sessions, memos, used, tuple(gone))


def merged_memo(kept: Memo, others: Sequence[Memo]) -> Memo:
    """The memo that stays, with a count and the messages that said it again, which the archive may still have."""
    sources = list(
        dict.fromkeys([*_sources(kept), *(s for one in others for s in (one.source or one.id, *_sources(one)))])
    )
    every = (kept, *others)
    repeats = {
        "count": sum(map(_count, every)),
        "last_said_at": max(map(_last_said_at, every)).isoformat(),
        "sources": sources[:_MOST_SOURCES],
    }
    importance = max(memo.importance for memo in every)
    return replace(kept, metadata={**kept.metadata, REPEATS: repeats}, importance=importance)


def keep_score(memo: Memo, rules: ConsolidationRules, now: datetime) -> float:
    """How much a memo deserves to stay, 0–1: the promotion score of one that no question is about, since it was last said."""
    return score_promotion(replace(memo, said_at=_last_said_at(memo)), 0.0, now, rules.scoring)


def _to_condense(space: Space, now: datetime) -> list[Session]:
    """The sessions that are over and have no episode yet."""
    if space.idle_seconds is None:
        return []
    said = [memo for memo in space.memos if memo.kind == "message"]
    sessions = sessions_by_line(said, space.idle_seconds)
    over = [one for one in sessions if one.is_over(now, space.idle_seconds)]
    spans = _Spans(space.episodes)  # an episode stands for what was merged or pruned of its session since as well
    known = {episode.id for episode in space.episodes}
    return [one for one in over if not spans.hold(one.first, one.last) and episode_id(one, space.memory) not in known]


def _told(space: Space, sessions: Iterable[Session]) -> set[str]:
    """Ids of the memos that an episode tells of, or soon will; all where none are kept."""
    spans, is_kept = _Spans(space.episodes), space.idle_seconds is not None
    told = {memo.id for session in sessions for memo in session.memos}
    return told | {memo.id for memo in space.memos if not is_kept or spans.hold(memo, memo)}


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


def _standings(space: Space, told: set[str], rules: ConsolidationRules) -> list[_Standing]:
    """Every memo that is no repeat of another, in the space's order."""
    free = [memo for memo in space.memos if memo.id in told or memo.kind != "message"]
    found = near_duplicates(free, rules.similarity) if rules.similarity is not None else []
    groups = {kept.id: tuple(others) for kept, others in found}
    repeats = {memo.id for others in groups.values() for memo in others}
    known = space.accesses
    return [
        _standing(memo, groups[memo.id], known) if memo.id in groups else _Standing(memo, known.get(memo.id, Access()))
        for memo in space.memos
        if memo.id not in repeats
    ]


def _standing(kept: Memo, others: tuple[Memo, ...], known: Mapping[str, Access]) -> _Standing:
    every = [known.get(memo.id, Access()) for memo in (kept, *others)]
    newest = max(every, key=lambda access: access.last_at or datetime.min.replace(tzinfo=UTC))
    joined = replace(newest, count=sum(access.count for access in every), moved_at=every[0].moved_at)
    return _Standing(joined.known_to(merged_memo(kept, others)), joined, others)


def _merged(one: _Standing) -> Merged:
    return Merged(one.memo.id, tuple(memo.id for memo in one.repeats), _count(one.memo))


def _low(memos: Iterable[Memo], rules: ConsolidationRules, now: datetime) -> Iterator[tuple[str, float]]:
    """Ids of the memos that score too low to stay, each with its score."""
    if rules.prune_below is None:
        return
    old = now - timedelta(days=rules.prune_after_days)
    for memo in memos:
        score = keep_score(memo, rules, now)
        if score < rules.prune_below and _last_said_at(memo) < old:
            yield memo.id, round(score, 4)


def _moved(staying: Iterable[_Standing], rules: ConsolidationRules, now: datetime) -> list[TierChange]:
    if rules.workspace is None:
        return []
    candidates = [
        TierCandidate(one.memo, one.access.relevance, one.access.moved_at) for one in staying if one.memo.tier in TIERS
    ]
    return evaluate_tiers(candidates, rules.workspace, now)


def _count(memo: Memo) -> int:
    return int((memo.metadata.get(REPEATS) or {}).get("count", 1))


def _sources(memo: Memo) -> list[str]:
    return list((memo.metadata.get(REPEATS) or {}).get("sources", ()))


def _last_said_at(memo: Memo) -> datetime:
    stamp = (memo.metadata.get(REPEATS) or {}).get("last_said_at")
    return utc(datetime.fromisoformat(stamp)) if stamp else memo.said_at
