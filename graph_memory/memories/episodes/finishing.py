"""Ending a session by hand: its episode is written now, without waiting for the session to be idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graph_memory.errors import ConfigurationError
from graph_memory.memories.vector import VectorMemory
from graph_memory.steps import Steps, arun, run
from graph_memory.types import Memo, Scope

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore


def finish_session(
    scope: Scope, *, store: BaseStore, session: str | None = None, memory: VectorMemory | None = None
) -> list[Memo]:
    """Makes an episode of a session that is over; returns what is new.

    Args:
        scope: whose memory.
        store: where the memos are.
        session: the label of its messages; without one they carry their thread's id, which `scope` then names.
        memory: the vector memory that holds them; the default one when left out.

    Raises:
        ConfigurationError: neither a session nor a thread is named, or the memory keeps no episodes.
        StoreError: the store failed.
    """
    return run(_finishing(scope, session, memory or VectorMemory()), store=store)


async def afinish_session(
    scope: Scope, *, store: BaseStore, session: str | None = None, memory: VectorMemory | None = None
) -> list[Memo]:
    """`finish_session`, awaiting the store and the model."""
    return await arun(_finishing(scope, session, memory or VectorMemory()), store=store)


def _finishing(scope: Scope, session: str | None, memory: VectorMemory) -> Steps[list[Memo]]:
    label, keeper = session if session is not None else scope.thread_id, memory.keeper(scope)
    if label is None:
        raise ConfigurationError("which session is over? name it by session=, or its thread by the scope's thread_id")
    if keeper is None:
        raise ConfigurationError(f"memory {memory.name!r} keeps no episodes: give it episodes=Episodes()")
    return (yield from keeper.finish(label))
