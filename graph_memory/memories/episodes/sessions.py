"""Sessions: what was said in one thread under one label without a long pause. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from typing import Any

from graph_memory.types import Memo


@dataclass(frozen=True, slots=True)
class Session:
    """The memos of one session, in the order in which they were said; at least one."""

    memos: tuple[Memo, ...]

    @property
    def first(self) -> Memo:
        """What it began with."""
        return self.memos[0]

    @property
    def last(self) -> Memo:
        """What it ended with."""
        return self.memos[-1]

    @property
    def participants(self) -> tuple[str, ...]:
        """Who spoke, in the order in which they began."""
        return tuple(dict.fromkeys(memo.speaker for memo in self.memos if memo.speaker))

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata that every one of its memos carries."""
        shared = dict(self.first.metadata)
        for memo in self.memos:
            shared = {
                key: value for key, value in shared.items() if key in memo.metadata and memo.metadata[key] == value
            }
        return shared

    def is_over(self, now: datetime, idle_seconds: float) -> bool:
        """Whether nothing was said for so long that it counts as finished."""
        return (now - self.last.said_at).total_seconds() >= idle_seconds


def sessions_in(memos: Iterable[Memo], idle_seconds: float) -> list[Session]:
    """The sessions of these memos, oldest first: a thread's root and a label, cut at every pause of `idle_seconds`."""
    ordered = sorted(memos, key=lambda memo: (_line(memo), memo.said_at, memo.origin.seq, memo.origin.ordinal))
    sessions = [
        Session(tuple(run)) for _, said in groupby(ordered, key=_line) for run in _runs(list(said), idle_seconds)
    ]
    return sorted(sessions, key=lambda session: (session.first.said_at, session.first.id))


def sessions_by_line(memos: Iterable[Memo], idle_seconds: float) -> list[Session]:
    """`sessions_in` where forks are seen side by side: what was said on one branch is no part of another's session."""
    lines: dict[tuple[str, str, str], list[Memo]] = {}
    for memo in memos:
        lines.setdefault((memo.origin.root, memo.origin.line, memo.origin.branch or ""), []).append(memo)
    sessions = [session for said in lines.values() for session in sessions_in(said, idle_seconds)]
    return sorted(sessions, key=lambda session: (session.first.said_at, session.first.id))


def session_ends(memos: Sequence[Memo], idle_seconds: float) -> list[Memo]:
    """The memos after which another session began; these are consecutive memos of one thread."""
    return [
        memo for memo, after in pairwise(memos) if memo.session != after.session or _paused(memo, after, idle_seconds)
    ]


def session_of(memo: Memo, sessions: Iterable[Session]) -> Session | None:
    """The session that a memo belongs to; None when it is in none of them."""
    return next((session for session in sessions if any(one.id == memo.id for one in session.memos)), None)


def values_of(session: Session) -> Mapping[str, Any]:
    """What an episode says of its session beside the summary: span, participants, and how many messages."""
    return {
        "from": session.first.said_at.isoformat(),
        "to": session.last.said_at.isoformat(),
        "participants": list(session.participants),
        "messages": len(session.memos),
    }


def _line(memo: Memo) -> tuple[str, str]:
    return memo.origin.root, memo.session


def _runs(memos: Sequence[Memo], idle_seconds: float) -> list[list[Memo]]:
    runs = [[memos[0]]]
    for before, after in pairwise(memos):
        if _paused(before, after, idle_seconds):
            runs.append([])
        runs[-1].append(after)
    return runs


def _paused(before: Memo, after: Memo, idle_seconds: float) -> bool:
    return (after.said_at - before.said_at).total_seconds() >= idle_seconds
