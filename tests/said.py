"""Conversations with times, for the tests of sessions, episodes and lifecycle."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.store.memory import InMemoryStore

from graph_memory import Scope, Turn, VectorMemory, open_store
from graph_memory.lifecycle import ConsolidationReport, aconsolidate, consolidate
from graph_memory.steps import run

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
ADA = Scope(user_id="ada", thread_id="t")
STORES = ("in memory", "sqlite")


@contextmanager
def store_of(kind: str) -> Iterator[Any]:
    """A store that is LangGraph's or ours."""
    if kind == "in memory":
        yield InMemoryStore()
        return
    with open_store("sqlite://") as store:
        yield store


def ago(**step: float) -> datetime:
    """A time before NOW."""
    return NOW - timedelta(**step)


def said(text: str, at: datetime, key: str, *, by: str = "human", session: str = "", **more: Any) -> BaseMessage:
    """A message with a time."""
    made = HumanMessage if by == "human" else AIMessage
    extra = {"said_at": at.isoformat(), **({"session": session} if session else {}), **more}
    return made(text, id=key, additional_kwargs=extra)


def tell(
    store: Any, turns: Iterable[Iterable[BaseMessage]], *, scope: Scope = ADA, memory: VectorMemory | None = None
) -> None:
    """Has a vector memory remember these turns, one after the other, as a graph would."""
    memory, state, previous = memory or VectorMemory(), {}, None
    for messages in map(tuple, turns):
        turn = Turn(scope, messages, scope.thread_id or "", NOW, previous, state)
        state = dict(run(memory.remember(turn), store=store) or {})
        previous = messages[-1]


def two_sessions(**more: Any) -> list[list[BaseMessage]]:
    """A trip is planned ten days ago; a dog is ill three days ago."""
    trip, ill = ago(days=10), ago(days=3)
    return [
        [
            said("We plan a trip to Berlin with Marie.", trip, "h1", **more),
            said("Berlin it is.", trip, "a1", by="ai", **more),
        ],
        [
            said("The budget is 500 euros.", trip + timedelta(minutes=5), "h2", **more),
            said("Noted, 500 euros.", trip + timedelta(minutes=6), "a2", by="ai", **more),
        ],
        [said("My dog Rex is ill.", ill, "h3", **more), said("Poor Rex!", ill, "a3", by="ai", **more)],
    ]


def items_of(store: Any, user: str = "ada") -> dict[tuple[tuple[str, ...], str], dict[str, Any]]:
    """Everything in a store of one user, by namespace and key."""
    found = store.search(("graph_memory", f"user:{user}:"), limit=10_000)
    return {(item.namespace, item.key): item.value for item in found}


def consolidated(store: Any, way: str = "consolidate", **more: Any) -> ConsolidationReport:
    """The report of a run at NOW."""
    options = {"dry_run": False, "now": NOW, **more}
    if way == "consolidate":
        return consolidate(store, "ada", **options)
    return asyncio.run(aconsolidate(store, "ada", **options))
