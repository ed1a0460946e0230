"""Threads of a LangGraph checkpointer: what their newest checkpoint holds of the conversation, under the threads' own ids.

Checkpoints have times: a message was said when the first of them was made that holds it, and by whoever that run was for, or,
where that run named nobody, the next one that named somebody. So a thread that several users spoke in is shared out among them.
A thread that is gone on with under `attach` later is told of the same messages under the same ids, and keeps them once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from langgraph.checkpoint.base import BaseCheckpointSaver

from graph_memory.checkpoints import open_checkpointer
from graph_memory.errors import ConfigurationError
from graph_memory.messages import state_messages
from graph_memory.migration.foreign import opened, postgres_connection, read_only
from graph_memory.migration.messages import content_digest, said, told_apart
from graph_memory.migration.records import Fault, Records, Said
from graph_memory.types import utc
from graph_memory.urls import Place, parse

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import CheckpointTuple

_TABLE = "checkpoints"
_PAGE = 20

Saver: TypeAlias = BaseCheckpointSaver[Any]
_Key: TypeAlias = tuple[str, str]


class _First(NamedTuple):
    """A message as it is first found: when, in whose run, and as it was then; later runs may be another user's."""

    at: datetime
    user: str
    message: BaseMessage


@dataclass(frozen=True, slots=True)
class LangGraphThreads:
    """The conversations of a checkpointer's threads.

    Attributes:
        place: url of the checkpointer (sqlite, postgresql, or our own in Redis and Supabase), or the checkpointer.
        user: whose memory messages become of runs that named no user.
        user_key: what runs call their user in `configurable` or metadata.
        messages_key: the state's key of the conversation.
    """

    place: str | Saver
    user: str = ""
    user_key: str = "user_id"
    messages_key: str = "messages"

    def records(self) -> Records:
        """The messages, thread by thread.

        Raises:
            ConfigurationError: there is no checkpointer at that place.
            StoreError: it cannot be read.
        """
        with _opened(self.place) as (saver, threads):
            for thread in threads():
                yield from self._thread(saver, thread)

    def _thread(self, saver: Saver, thread: str) -> Records:
        where = f"thread {thread}"
        try:
            messages, firsts = self._read(saver, thread)
        except (KeyError, TypeError, ValueError, NotImplementedError, RecursionError):
            yield Fault(where, f"what it keeps under {self.messages_key!r} are no messages")
            return
        if not messages:
            yield Fault(where, f"its newest checkpoint holds no messages under {self.messages_key!r}")
        for number, (message, own) in enumerate(zip(messages, told_apart(messages), strict=True), 1):
            first = firsts[_key(message)]
            if message.type == "system":
                continue
            if not (user := first.user or self.user):
                yield Fault(f"{where}, message {number}", "its run named no user, and none is given for such runs")
                continue
            yield Said(f"{where}, message {number}", user, thread, thread, said(first.message, first.at, own))

    def _read(self, saver: Saver, thread: str) -> tuple[list[BaseMessage], dict[_Key, _First]]:
        """The messages of the newest checkpoint, and for each where it comes from. Checkpoints come newest first."""
        newest: list[BaseMessage] | None = None
        firsts = dict[_Key, _First]()
        for one in _checkpoints(saver, thread):
            messages = state_messages(one.checkpoint["channel_values"], self.messages_key)
            newest = messages if newest is None else newest
            at = utc(datetime.fromisoformat(one.checkpoint["ts"]))
            named = str(dict(one.metadata).get(self.user_key) or "")
            for message in messages:
                known = firsts.get(key := _key(message))
                firsts[key] = _First(at, named or (known.user if known else ""), message)
        return newest or [], firsts


def _key(message: BaseMessage) -> _Key:
    """Its id alone may be chosen by whoever speaks, so that it is another's with another text."""
    return message.id or "", content_digest(message)


@contextmanager
def _opened(place: str | Saver) -> Iterator[tuple[Saver, Callable[[], Iterator[str]]]]:
    """A checkpointer that is only read, and what lists its threads."""
    if isinstance(place, BaseCheckpointSaver):
        yield place, lambda: _listed(place)
        return
    where = parse(place)
    if where.scheme in ("sqlite", "postgresql"):
        with opened(where) as tables:
            if _TABLE not in tables.names():
                raise ConfigurationError(f"{tables.where} holds no checkpoints of LangGraph: check the url")
        with _reading(where) as saver:
            yield saver, lambda: _distinct(where)
        return
    with open_checkpointer(place, create=False) as saver:
        yield saver, lambda: _listed(saver)


@contextmanager
def _reading(where: Place) -> Iterator[Saver]:
    """LangGraph's own saver over a connection that cannot write, so that it does not bring a schema up to date."""
    if where.scheme == "sqlite":
        from langgraph.checkpoint.sqlite import SqliteSaver

        with read_only(where.path) as connection:
            yield SqliteSaver(connection)
        return
    from psycopg.rows import dict_row

    with postgres_connection(where.url, row_factory=dict_row) as connection:
        from langgraph.checkpoint.postgres import PostgresSaver

        yield PostgresSaver(connection)


def _checkpoints(saver: Saver, thread: str) -> Iterator[CheckpointTuple]:
    """A thread's checkpoints, newest first, of which few are held at a time: each holds the whole conversation until then."""
    asked: RunnableConfig = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
    before: RunnableConfig | None = None
    while page := list(saver.list(asked, before=before, limit=_PAGE)):
        yield from page
        before = page[-1].config


def _distinct(where: Place) -> Iterator[str]:
    with opened(where) as tables:
        yield from tables.distinct(_TABLE, "thread_id")


def _listed(saver: Saver) -> Iterator[str]:
    yield from sorted({one.config["configurable"]["thread_id"] for one in saver.list(None)})
