"""What the tests of the outbox share: a memory that remembers in the background, graphs with it, what the store holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, Memory, MemoryState, Query, Section, Snippet, Turn, attach, new_key
from graph_memory.graph.worker import Worker, WorkerOptions
from graph_memory.memories.listing import listed
from graph_memory.memories.records import memo_id
from graph_memory.messages import said_at, text_of
from graph_memory.namespaces import ROOT, namespace
from graph_memory.steps import Call, Steps, StoreOps, run
from graph_memory.stores import open_store
from graph_memory.stores.redis import RedisStore
from graph_memory.types import Memo, Origin
from tests.fakes import MODES, call, in_thread

STORES: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[BaseStore]]] = {
    "InMemoryStore": lambda request: nullcontext(InMemoryStore()),
    "SqliteStore": lambda request: open_store("sqlite://"),
    "PostgresStore": lambda request: open_store(request.getfixturevalue("postgres_url")),
    "RedisStore": lambda request: open_store(request.getfixturevalue("redis_server").url, prefix=uuid4().hex),
    "SupabaseStore": lambda request: request.getfixturevalue("supabase").opened(open_store),
    "TieredStore": lambda request: open_store(
        request.getfixturevalue("postgres_url"),
        hot=RedisStore(request.getfixturevalue("redis_server").url, prefix=uuid4().hex),
    ),
    "EncryptedStore": lambda request: open_store("sqlite://", encrypt=new_key(), clear=["search", "speaker"]),
}
"""By name, how a store is opened that holds nothing and sees every user."""
each_store = pytest.mark.parametrize("make", STORES, indirect=True)
each_mode = pytest.mark.parametrize("mode", MODES)
QUICK = WorkerOptions(backoff_seconds=0, poll_seconds=0.01)


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Iterator[Callable[[], BaseStore]]:
    """Makes a store of the kind that `each_store` names."""
    with ExitStack() as opened:
        yield lambda: opened.enter_context(STORES[request.param](request))


@dataclass(frozen=True, kw_only=True)
class NoteMemory(Memory):
    """Keeps a note of every human message; how slowly and how reliably is up to `work`."""

    name: str = "notes"
    remembers: Any = "background"
    work: Callable[[str], object] = field(default=str)
    is_random: bool = False

    def recall(self, query: Query) -> Steps[Section]:
        """Every note."""
        items = yield from listed(namespace(query.scope, self.name))
        return self.section(Snippet(item.value["text"], memo_id=item.key) for item in items)

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """One note a message; under a new key each time when `is_random`, so that doing it twice shows."""
        turn, puts = turn.untold(), []
        for message in turn.messages:
            if message.type == "human":
                key = uuid4().hex if self.is_random else memo_id(turn.stem, message.id or "", self.name)
                origin = Origin(turn.root, turn_id=message.id or "", memory=self.name)
                yield Call(self.work, (text_of(message),))
                memo = Memo(key, text_of(message), origin, said_at(message, turn.now))
                puts.append(PutOp(namespace(turn.scope, self.name), key, memo.to_value(), index=False))
        yield StoreOps(puts)
        return self.state_after(turn)

    def state_after(self, turn: Turn) -> Mapping[str, Any]:
        """How many messages were noted."""
        return {"seq": int(turn.state.get("seq", 0)) + len(turn.untold().messages)}


class Clock:
    """A time that moves when told to, from a second after now on, so that what is posted at once is due."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC) + timedelta(seconds=1)

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Moves it on."""
        self.now += timedelta(seconds=seconds)


def noted_graph(store: BaseStore, saver: Any, *memories: Memory, answer: str = "aha") -> Any:
    """START → assistant → END with a buffer and a note memory, or these memories."""

    def assistant(state: MemoryState) -> dict[str, Any]:
        return {"messages": [AIMessage(answer)]}

    builder = StateGraph(MemoryState)
    builder.add_node("assistant", assistant)
    builder.add_edge(START, "assistant")
    builder.add_edge("assistant", END)
    attach(builder, "assistant", memories or (BufferMemory(), NoteMemory()), budget_tokens=2000)
    return builder.compile(store=store, checkpointer=saver)


def notes(store: BaseStore, name: str = "notes") -> list[str]:
    """The texts of all notes of all users."""
    items = run(listed((ROOT,)), store=store)
    return sorted(
        i.value["text"] for i in items if i.value.get("origin", {}).get("memory") == name and "text" in i.value
    )


def waiting(store: BaseStore) -> int:
    """How many entries there are, whoever's."""
    return sum("turn" in item.value for item in run(listed((ROOT,)), store=store))


def worker(store: BaseStore, *memories: Memory, clock: Any = None, **options: Any) -> Worker:
    """A worker for these memories."""
    settings = WorkerOptions(**{"backoff_seconds": 0, "poll_seconds": 0.01, **options})
    more = {"clock": clock} if clock is not None else {}
    return Worker(list(memories) or [NoteMemory()], store, options=settings, **more)


def drained(works: Worker, mode: str) -> int:
    """What is ready is taken in, sync or async."""
    return works.drain() if mode == "invoke" else asyncio.run(works.adrain())


def say(graph: Any, text: str, mode: str = "invoke", thread: str = "t", **more: Any) -> Any:
    """One turn."""
    return call(graph, mode, {"messages": [("user", text)]}, in_thread(thread, **more))
