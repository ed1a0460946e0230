"""The store on Postgres by itself: its urls and options, one round trip, many at once, and a server that goes away."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg
import pytest
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.base import BaseStore, GetOp, ListNamespacesOp, PutOp, SearchOp

from graph_memory.checkpoints import open_checkpointer
from graph_memory.errors import ConfigurationError, StoreError, StoreUnavailableError
from graph_memory.opening import open_memory
from graph_memory.stores import open_store
from graph_memory.stores.postgres import PostgresStore
from graph_memory.testing.stores import embed_concepts
from tests.postgres_databases import run_sql
from tests.redis_servers import wait_until
from tests.store_helpers import ADA, BOB
from tests.watchdog import ending

NOWHERE = "postgresql://ada:secret@127.0.0.1:1/db"
CONFIG: Any = {"configurable": {"thread_id": "1"}}


@pytest.fixture
def store(postgres_url: str) -> Iterator[PostgresStore]:
    """An open store."""
    with open_store(postgres_url, timeout_seconds=5) as opened:
        assert isinstance(opened, PostgresStore)
        yield opened


def test_a_batch_is_one_statement(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is in it."""
    sent: list[Any] = []
    run = store._pools.run
    monkeypatch.setattr(store._pools, "run", lambda *args, **options: sent.append(args) or run(*args, **options))

    store.batch(
        [
            GetOp(ADA, "a"),
            SearchOp(ADA),
            SearchOp(ADA, query="tea"),
            ListNamespacesOp(),
            PutOp(ADA, "b", {"text": "tea"}),
        ]
    )

    assert len(sent) == 1


@pytest.mark.parametrize("opener", [open_store, open_checkpointer, open_memory])
def test_what_cannot_be_reached_is_said_in_one_sentence(opener: Any) -> None:
    """Without the password."""
    for is_async in (False, True):
        with pytest.raises(StoreUnavailableError, match=r"database db on 127.0.0.1") as caught:
            ending(lambda is_async=is_async: _entered(opener(NOWHERE, timeout_seconds=2), is_async))
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)


def _entered(opening: Any, is_async: bool) -> None:
    async def aenter() -> None:
        async with opening:
            pass

    asyncio.run(aenter()) if is_async else opening.__enter__()


def test_the_seconds_given_are_those_that_the_driver_waits(postgres_url: str) -> None:
    """For a connection, whole seconds and two at least, as libpq has it; and for each answer, in threads and in an event loop."""

    async def patience(store: PostgresStore) -> Any:
        await store._pools.aopen()
        pool = store._pools._apool
        assert pool is not None
        async with pool.connection() as connection:
            found = connection.patience_seconds
        await store.aclose()
        return found, pool.timeout, pool.kwargs

    for seconds, whole in ((0.5, 2), (7.0, 7)):
        store = PostgresStore(postgres_url, timeout_seconds=seconds, pool_size=1)
        with store._pools._opened().connection() as connection:
            assert connection.patience_seconds == seconds
        found, timeout, settings = asyncio.run(patience(store))
        assert (found, timeout, settings["connect_timeout"]) == (seconds, seconds, whole)


def test_a_database_that_is_not_there_is_named(postgres_server: str) -> None:
    """With what to do."""
    with (
        pytest.raises(StoreError, match=r"the Postgres database nothing on .* does not exist"),
        open_store(postgres_server.format("nothing")),
    ):
        pass


@pytest.mark.parametrize(
    "options", [{"clock": None}, {"cache_mb": 1}, {"pool_size": 0}, {"timeout_seconds": -1}, {"dims": 0}]
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    """Those of other stores too."""
    with pytest.raises(ConfigurationError):
        open_store(NOWHERE, **options)


def test_another_size_of_vectors_is_refused_on_opening(postgres_url: str) -> None:
    """Where the database was migrated for one."""
    with pytest.raises(ConfigurationError, match="vectors of 5 dimensions, the embedder gives 7"):
        open_store(postgres_url, embed=embed_concepts, dims=7).__enter__()


def test_a_closed_store_says_so(postgres_url: str) -> None:
    """However it was used."""
    with open_store(postgres_url) as store:
        pass
    with pytest.raises(StoreError, match="closed"):
        store.get(ADA, "k")


def test_a_store_serves_several_event_loops(postgres_url: str) -> None:
    """One of its own in an `async with` block, and any other besides."""

    async def use() -> None:
        async with open_store(postgres_url) as store:
            await store.aput(ADA, "k", {"n": 1})
            await asyncio.gather(*(store.aget(ADA, "k") for _ in range(30)))
            assert (await asyncio.to_thread(lambda: asyncio.run(store.aget(ADA, "k")))).value == {"n": 1}
            assert store.get(ADA, "k").value == {"n": 1}

    asyncio.run(use())
    with open_store(postgres_url) as store:
        assert asyncio.run(store.aget(ADA, "k")).value == asyncio.run(store.aget(ADA, "k")).value


def test_many_writers_leave_counters_right(store: PostgresStore, postgres_url: str) -> None:
    """Of one namespace and of several in any order; nobody waits for ever."""

    def work(worker: int) -> None:
        for n in range(15):
            places = (ADA, BOB) if (worker + n) % 2 else (BOB, ADA)
            store.batch(
                [PutOp(place, f"{(worker * n) % 7}", {"text": f"tea {n}"} if n % 5 else None) for place in places]
            )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    counted = "SELECT n.documents, n.length, count(i.id), coalesce(sum(i.length), 0) FROM graph_memory.namespaces AS n "
    with closing(psycopg.connect(postgres_url)) as connection:
        rows = connection.execute(
            counted + "LEFT JOIN graph_memory.items AS i ON i.space = n.id GROUP BY n.id"
        ).fetchall()
        [stray] = connection.execute(
            "SELECT count(*) FROM graph_memory.postings WHERE item NOT IN (SELECT id FROM graph_memory.items)"
        )
    assert [(documents, length) for documents, length, _, _ in rows] == [(count, sum_) for _, _, count, sum_ in rows]
    assert stray == (0,)


def test_of_many_at_once_one_takes_a_free_key(store: PostgresStore) -> None:
    """Everybody else is told."""
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda n: store.put_if_absent(ADA, "k", {"n": n}), range(16)))
    assert sum(taken) == 1
    assert store.get(ADA, "k").value == {"n": taken.index(True)}


def test_expired_items_are_swept(store: PostgresStore, postgres_url: str) -> None:
    """With their index rows and their namespaces; the others stay."""
    store.batch([PutOp((place,), "k", {"text": "tea"}, ttl=0.001) for place in "abc"])
    store.put(ADA, "k", {"text": "tea"})
    time.sleep(0.1)
    assert store.sweep_ttl() == 3
    with closing(psycopg.connect(postgres_url)) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM graph_memory.{t}").fetchone() for t in ("namespaces", "postings")
        ]
    assert counts == [(1,), (1,)]


@pytest.mark.parametrize(
    ("value", "message"),
    [({"x": float("nan")}, "not JSON"), ({"x": {1}}, "not JSON"), ({"x": 10**200_000}, "JSON|too large")],
)
def test_what_cannot_be_stored_is_refused(store: PostgresStore, value: dict[str, Any], message: str) -> None:
    """In one sentence; nothing else of the batch is written."""
    with pytest.raises(StoreError, match=message):
        store.batch([PutOp(ADA, "good", {"n": 1}), PutOp(ADA, "bad", value)])
    assert store.search(ADA) == []


def test_a_key_that_is_too_long_is_refused(store: PostgresStore) -> None:
    """Without its content in the message."""
    with pytest.raises(StoreError, match="too large") as caught:
        store.put(ADA, os.urandom(5000).hex(), {"n": 1})
    assert len(str(caught.value)) < 300


def test_cut_connections_are_replaced(store: PostgresStore, postgres_url: str) -> None:
    """All of a pool's at once; the batch that finds out is tried again."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store.put(ADA, str(n), {"n": n}), range(40)))
    run_sql(
        postgres_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    store.put(ADA, "after", {"n": 1})
    assert len(store.search(ADA, limit=100)) == 41


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_server_that_does_not_answer_is_given_up(postgres_url: str, mode: str) -> None:
    """When it answers again, so does the store."""

    async def aget(store: BaseStore) -> Any:
        return await store.aget(ADA, "k")

    with closing(psycopg.connect(postgres_url)) as blocker, open_store(postgres_url, timeout_seconds=1) as store:
        store.put(ADA, "k", {"n": 1})
        blocker.execute("LOCK TABLE graph_memory.items IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailableError, match="no answer in time"):
            ending(lambda: store.get(ADA, "k") if mode == "sync" else asyncio.run(aget(store)))
        blocker.rollback()
        assert store.get(ADA, "k").value == {"n": 1}


def test_a_full_pool_is_said(postgres_url: str) -> None:
    """After the time allowed."""
    with open_store(postgres_url, timeout_seconds=1, pool_size=1) as store:
        assert isinstance(store, PostgresStore)
        with store._pools._opened().connection(), pytest.raises(StoreUnavailableError, match="no connection in time"):
            store.get(ADA, "k")
        assert store.get(ADA, "k") is None


def test_nothing_is_left_open(postgres_url: str) -> None:
    """Neither connections nor threads."""
    before = threading.active_count()
    with open_memory(postgres_url) as memory:
        memory.store.put(ADA, "k", {"n": 1})
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    with closing(psycopg.connect(postgres_url, autocommit=True)) as connection:
        wait_until(lambda: connection.execute(count).fetchone() == (1,))  # the server takes a moment to notice
    wait_until(lambda: threading.active_count() <= before)


def test_store_and_checkpoints_share_a_database(postgres_url: str) -> None:
    """Invoked and awaited, one after the other."""

    def say(state: MessagesState, *, store: BaseStore) -> dict[str, Any]:
        store.put(ADA, f"turn {len(state['messages'])}", {"text": "a cat"})
        return {"messages": [("ai", "ok")]}

    builder = StateGraph(MessagesState)
    builder.add_node("say", say)
    builder.add_edge(START, "say")
    with open_memory(postgres_url, embed=embed_concepts, pool_size=2) as memory:
        assert isinstance(memory.checkpointer, PostgresSaver)
        graph = builder.compile(store=memory.store, checkpointer=memory.checkpointer)
        graph.invoke({"messages": [("user", "hello")]}, CONFIG)

    async def second() -> list[str]:
        async with open_memory(postgres_url, embed=embed_concepts) as memory:
            assert isinstance(memory.checkpointer, AsyncPostgresSaver)
            graph = builder.compile(store=memory.store, checkpointer=memory.checkpointer)
            await graph.ainvoke({"messages": [("user", "again")]}, CONFIG)
            assert len(await memory.store.asearch(ADA, query="feline")) == 2
            return [message.content for message in (await graph.aget_state(CONFIG)).values["messages"]]

    assert asyncio.run(second()) == ["hello", "ok", "again", "ok"]


def test_many_may_make_the_tables_of_checkpoints_at_once(new_database: str) -> None:
    """The first does, the others wait."""

    def make(_: int) -> str:
        with open_checkpointer(new_database, timeout_seconds=30) as saver:
            return type(saver).__name__

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(make, range(6))) == ["PostgresSaver"] * 6
