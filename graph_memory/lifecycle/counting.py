"""What is kept of one user, counted: by kind, memory, session, agent and namespace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from langgraph.store.base import Item

from graph_memory.memories.listing import listed
from graph_memory.memories.records import memos_in
from graph_memory.namespaces import name_of, user_prefix
from graph_memory.steps import Steps, arun, run
from graph_memory.types import Memo

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """One session: how many memos, and when the first and the last was said."""

    memos: int
    oldest: datetime
    newest: datetime


@dataclass(frozen=True, slots=True)
class UserStatistics:
    """What is kept of one user.

    Attributes:
        user_id: whose.
        items: everything in the store: memos, archived turns, and what memories keep beside.
        memos: how many of them are memos.
        archived_turns: how many are archived turns.
        kinds, memories, tiers: memos by kind, by the memory that keeps them, by tier.
        sessions: memos by session.
        threads: archived turns by thread.
        namespaces: items by namespace, without the part that names the user.
        oldest, newest: when the first and the last memo was said; None without any.
    """

    user_id: str
    items: int = 0
    memos: int = 0
    archived_turns: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    memories: Mapping[str, int] = field(default_factory=dict)
    tiers: Mapping[str, int] = field(default_factory=dict)
    sessions: Mapping[str, SessionStatistics] = field(default_factory=dict)
    threads: Mapping[str, int] = field(default_factory=dict)
    namespaces: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    oldest: datetime | None = None
    newest: datetime | None = None


def statistics(store: BaseStore, user_id: str) -> UserStatistics:
    """Counts what is kept of one user; reads all of it.

    Raises:
        StoreError: the store failed.
    """
    return run(_counting(user_id), store=store)


async def astatistics(store: BaseStore, user_id: str) -> UserStatistics:
    """`statistics`, awaiting the store."""
    return await arun(_counting(user_id), store=store)


def _counting(user_id: str) -> Steps[UserStatistics]:
    items = yield from listed(user_prefix(user_id))
    return counted(user_id, items)


def counted(user_id: str, items: Iterable[Item]) -> UserStatistics:
    """The statistics of a user's items."""
    items = list(items)
    memos = [memo for _, memo in memos_in(items)]
    archived = [item for item in items if "messages" in item.value]
    said = [memo.said_at for memo in memos]
    return UserStatistics(
        user_id=user_id,
        items=len(items),
        memos=len(memos),
        archived_turns=len(archived),
        kinds=_by(memo.kind for memo in memos),
        memories=_by(memo.origin.memory for memo in memos),
        tiers=_by(memo.tier for memo in memos),
        sessions=_sessions(memos),
        threads=_by(name_of(item.namespace[-1]) for item in archived),
        namespaces=_by(item.namespace[2:] for item in items),
        oldest=min(said, default=None),
        newest=max(said, default=None),
    )


def _sessions(memos: Iterable[Memo]) -> dict[str, SessionStatistics]:
    said: dict[str, list[datetime]] = {}
    for memo in memos:
        said.setdefault(memo.session, []).append(memo.said_at)
    return {name: SessionStatistics(len(times), min(times), max(times)) for name, times in sorted(said.items())}


def _by(keys: Iterable[T]) -> dict[T, int]:
    return dict(Counter(keys).most_common())
