"""The store on Supabase by itself: keys and tokens, one request, many at once, and everything that can be wrong."""

from __future__ import annotations

import asyncio
import socket
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from contextvars import ContextVar
from typing import Any

import pytest
from langgraph.store.base import GetOp, ListNamespacesOp, PutOp, SearchOp

from graph_memory.errors import ConfigurationError, SchemaOutdatedError, StoreError, StoreUnavailableError
from graph_memory.namespaces import namespace
from graph_memory.sql_files import migrations
from graph_memory.stores import open_store
from graph_memory.stores.migrations import migrate
from graph_memory.stores.supabase import SupabaseStore
from graph_memory.testing.postgrest import PostgrestServer
from graph_memory.testing.stores import embed_concepts
from graph_memory.types import Scope
from tests.fakes import MODES
from tests.postgres_databases import run_sql
from tests.supabase_projects import Project

ADA, BOB = namespace(Scope(user_id="ada"), "notes"), namespace(Scope(user_id="bob"), "notes")
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def store(supabase: Project) -> Iterator[SupabaseStore]:
    """A store of Ada's."""
    with open_store(supabase.url, embed=embed_concepts, **supabase.signed_in("ada")) as opened:
        assert isinstance(opened, SupabaseStore)
        yield opened


@contextmanager
def served(supabase_server: str, **options: Any) -> Iterator[tuple[PostgrestServer, str]]:
    """A stand-in with other settings over an empty database, and the url of that as its owner."""
    name = f"other_{time.monotonic_ns()}"
    run_sql(supabase_server.format("postgres", "postgres"), f"CREATE DATABASE {name}")
    with PostgrestServer(supabase_server.format("authenticator", name), **options) as server:
        yield server, supabase_server.format("postgres", name)
    run_sql(supabase_server.format("postgres", "postgres"), f"DROP DATABASE {name} WITH (FORCE)")


def ada(server: PostgrestServer) -> dict[str, Any]:
    """What Ada's application gives."""
    return {"key": server.anon_key, "token": server.token("ada")}


def entered(url: str, mode: str, **options: Any) -> None:
    """Opens and closes a store."""

    async def enter() -> None:
        async with open_store(url, **options):
            pass

    if mode == "ainvoke":
        asyncio.run(enter())
    else:
        with open_store(url, **options):
            pass


def test_a_batch_is_one_request(supabase_server: str) -> None:
    """Whatever is in it; a text that is not stored yet costs one more."""
    ops = [GetOp(ADA, "a"), SearchOp(ADA), SearchOp(ADA, query="tea"), ListNamespacesOp()]
    with served(supabase_server) as (server, database):
        migrate(database)
        with open_store(server.url, embed=embed_concepts, **ada(server)) as store:
            before = server.requests
            store.batch(ops)
            assert server.requests - before == 1
            store.batch([*ops, PutOp(ADA, "b", {"text": "tea"})])
            assert server.requests - before == 3


@pytest.mark.parametrize("mode", MODES)
def test_tokens_are_those_of_whoever_asks(supabase: Project, mode: str) -> None:
    """One store for all users of an application, many at once: none is taken for another."""
    asking: ContextVar[str] = ContextVar("asking")
    users = [f"user {n % 5}" for n in range(40)]

    def put(store: Any, user: str) -> None:
        asking.set(supabase.token(user))
        store.put(namespace(Scope(user_id=user), "notes"), "k", {"n": user})
        found = store.search((), limit=100)
        assert [hit.value for hit in found] == [{"n": user}]

    async def aput(store: Any, user: str) -> None:
        asking.set(supabase.token(user))
        await store.aput(namespace(Scope(user_id=user), "notes"), "k", {"n": user})
        found = await store.asearch((), limit=100)
        assert [hit.value for hit in found] == [{"n": user}]

    async def all_at_once() -> None:
        asking.set(supabase.token("nobody"))
        async with open_store(supabase.url, key=supabase.anon_key, token=asking.get) as store:
            await asyncio.gather(*(aput(store, user) for user in users))

    if mode == "ainvoke":
        asyncio.run(all_at_once())
        return
    asking.set(supabase.token("nobody"))
    with open_store(supabase.url, key=supabase.anon_key, token=asking.get) as store, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda user: put(store, user), users))


def test_a_service_key_is_warned_about(supabase: Project) -> None:
    """As key, as token, as what a function gives; a user's token beside it is fine."""
    for options in (
        {"key": supabase.service_key},
        {"key": supabase.anon_key, "token": supabase.service_key},
        {"key": "sb_secret_x"},
    ):
        with pytest.warns(UserWarning, match="above row-level security"):
            open_store(supabase.url, **options)
    with pytest.warns(UserWarning, match="above row-level security"):
        entered(supabase.url, "invoke", key=supabase.anon_key, token=lambda: supabase.service_key)
    with warnings.catch_warnings(action="error"):
        entered(supabase.url, "invoke", key=supabase.service_key, token=supabase.token("ada"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda project: {"key": "nonsense"}, StoreError, "refuses the key"),
        (lambda project: {"token": project.token("ada", seconds=-60)}, StoreError, "expired"),
        (lambda project: {"token": "a.b.c"}, StoreError, "not made for this project"),
        (lambda project: {"token": None}, StoreError, "no right to that"),
    ],
)
def test_wrong_keys_and_tokens_are_said_on_opening(
    supabase: Project, mode: str, change: Any, error: Any, message: str
) -> None:
    """In one sentence that shows neither."""
    options = {**supabase.signed_in("ada"), **change(supabase)}
    with pytest.raises(error, match=message) as caught:
        entered(supabase.url, mode, **options)
    assert "\n" not in str(caught.value)
    assert all(text not in str(caught.value) for text in options.values() if text)


@pytest.mark.parametrize("give", [lambda: None, lambda: "", lambda: "a b", lambda: "a\nb", lambda: 7])
def test_a_function_that_gives_no_token_is_refused(supabase: Project, give: Any) -> None:
    """Nobody is taken for whoever holds the key."""
    with (
        pytest.raises(ConfigurationError, match="what token"),
        open_store(supabase.url, key=supabase.anon_key, token=give),
    ):
        pass


@pytest.mark.parametrize(
    ("url", "options"),
    [
        (NOWHERE, {}),
        (NOWHERE, {"key": ""}),
        (NOWHERE, {"key": "k", "token": ""}),
        (NOWHERE, {"key": "k", "timeout_seconds": 0}),
        (NOWHERE, {"key": "k", "max_connections": 0}),
        (NOWHERE, {"key": "k", "user": "ada"}),
        ("https://", {"key": "k"}),
        ("https://x.supabase.co/rest/v1", {"key": "k"}),
        ("https://user@x.supabase.co", {"key": "k"}),
        ("https://x:port", {"key": "k"}),
    ],
)
def test_wrong_options_are_refused(url: str, options: dict[str, Any]) -> None:
    """Before anything is tried."""
    with pytest.raises(ConfigurationError):
        open_store(url, **options)


@pytest.mark.parametrize("mode", MODES)
def test_what_cannot_be_reached_is_said_in_time(mode: str) -> None:
    """A closed port at once, a silent one after the seconds given."""
    with pytest.raises(StoreUnavailableError, match=r"127.0.0.1:1 cannot be reached"):
        entered(NOWHERE, mode, key="k")
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        begun = time.monotonic()
        with pytest.raises(StoreUnavailableError, match=r"no answer within 0.5 s"):
            entered(f"http://127.0.0.1:{silent.getsockname()[1]}", mode, key="k", timeout_seconds=0.5)
        assert time.monotonic() - begun < 5


def test_missing_and_newer_migrations_are_told_apart(supabase_server: str) -> None:
    """With what to do."""
    with served(supabase_server) as (server, database):
        with pytest.raises(SchemaOutdatedError, match="graph-memory migrate URL"):
            entered(server.url, "invoke", **ada(server))
        migrate(database)
        entered(server.url, "invoke", **ada(server))
        run_sql(database, f"DELETE FROM graph_memory.migrations WHERE version = {len(migrations())}")
        with pytest.raises(SchemaOutdatedError, match="graph-memory migrate URL"):
            entered(server.url, "invoke", **ada(server))
        run_sql(database, f"INSERT INTO graph_memory.migrations VALUES ({len(migrations()) + 1}, 'later', '')")
        with pytest.raises(SchemaOutdatedError, match="install a newer graph_memory"):
            entered(server.url, "invoke", **ada(server))


def test_a_schema_that_is_not_exposed_is_said(supabase_server: str) -> None:
    """With where to add it."""
    with (
        served(supabase_server, schemas=("public",)) as (server, _),
        pytest.raises(ConfigurationError, match=r"does not expose the schema graph_memory: add it in Settings"),
    ):
        entered(server.url, "invoke", **ada(server))


def test_another_size_of_vectors_is_refused(supabase: Project) -> None:
    """On opening where the size is given, else when the first vector comes; nothing is written."""
    with pytest.raises(ConfigurationError, match="vectors of 5 dimensions, the embedder gives 7"):
        entered(supabase.url, "invoke", embed=embed_concepts, dims=7, **supabase.signed_in("ada"))
    with open_store(
        supabase.url, embed=lambda texts: [[1.0, 2, 3] for _ in texts], **supabase.signed_in("ada")
    ) as store:
        with pytest.raises(ConfigurationError, match="vectors of 5 dimensions, the embedder gives 3"):
            store.put(ADA, "k", {"text": "tea"})
        assert store.search(()) == []


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (PutOp(ADA, "bad", {"x": float("nan")}), "not JSON"),
        (PutOp(ADA, "bad\0", {"n": 1}), "NUL"),
        (GetOp(("a\0",), "k"), "NUL"),
        (PutOp(ADA, "k" * 10_000 + str(list(range(3000))), {"n": 1}), "too large"),
        (SearchOp(ADA, filter={"x": float("nan")}), "a filter compares"),
        (SearchOp(ADA, filter={"x": {1}}), "a filter compares"),
    ],
)
def test_what_cannot_be_stored_is_refused(store: SupabaseStore, op: Any, message: str) -> None:
    """In one sentence; nothing else of the batch is written."""
    with pytest.raises((StoreError, ConfigurationError), match=message) as caught:
        store.batch([PutOp(ADA, "good", {"n": 1}), op])
    assert len(str(caught.value)) < 300
    assert store.search(ADA) == []


def test_a_vector_with_nan_is_refused(supabase: Project) -> None:
    """It never reaches the database."""
    with open_store(supabase.url, embed=lambda texts: [[float("nan")] * 5], **supabase.signed_in("ada")) as store:
        with pytest.raises(StoreError, match="NaN"):
            store.put(ADA, "k", {"text": "tea"})
        assert store.get(ADA, "k") is None


def test_a_request_that_is_too_large_is_said(supabase_server: str) -> None:
    """By whatever stands before the database."""
    with served(supabase_server, most_bytes=2000) as (server, database):
        migrate(database)
        with open_store(server.url, **ada(server)) as store:
            with pytest.raises(StoreError, match="too large; nothing was written"):
                store.put(ADA, "k", {"text": "tea" * 1000})
            assert store.get(ADA, "k") is None


def test_a_statement_that_takes_too_long_is_said(supabase: Project, supabase_server: str) -> None:
    """After Supabase's own limit; then it works again."""
    import psycopg

    database = supabase.database.replace("postgres@", "authenticator@", 1)
    with (
        PostgrestServer(database, statement_timeout_seconds=0.2) as server,
        open_store(server.url, **ada(server)) as store,
        closing(psycopg.connect(supabase.database)) as blocker,
    ):
        blocker.execute("LOCK TABLE graph_memory.items IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailableError, match="no answer in time"):
            store.get(ADA, "k")
        blocker.rollback()
        assert store.get(ADA, "k") is None


def test_a_closed_store_says_so(supabase: Project) -> None:
    """However it is used."""
    with open_store(supabase.url, **supabase.signed_in("ada")) as store:
        pass
    with pytest.raises(StoreError, match="closed"):
        store.get(ADA, "k")
    with pytest.raises(StoreError, match="closed"):
        asyncio.run(store.aget(ADA, "k"))


def test_of_many_at_once_one_takes_a_free_key(store: SupabaseStore) -> None:
    """Everybody else is told."""
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda n: store.put_if_absent(ADA, "k", {"n": n}), range(16)))
    assert sum(taken) == 1
    assert store.get(ADA, "k").value == {"n": taken.index(True)}


def test_a_store_serves_several_event_loops(store: SupabaseStore, supabase: Project) -> None:
    """One of its own in an `async with` block, and any other besides."""

    async def use() -> None:
        async with open_store(supabase.url, **supabase.signed_in("ada")) as opened:
            await opened.aput(ADA, "k", {"n": 1})
            await asyncio.gather(*(opened.aget(ADA, "k") for _ in range(30)))
            assert (await asyncio.to_thread(lambda: asyncio.run(opened.aget(ADA, "k")))).value == {"n": 1}
            assert opened.get(ADA, "k").value == {"n": 1}

    asyncio.run(use())
    assert asyncio.run(store.aget(ADA, "k")).value == store.get(ADA, "k").value


def test_expired_items_are_swept(store: SupabaseStore) -> None:
    """Those of the user; the others stay."""
    soon = [PutOp(ADA, str(n), {"text": "tea"}, ttl=0.001) for n in range(3)]
    store.batch([*soon, PutOp(ADA, "k", {"text": "tea"})])
    time.sleep(0.1)
    assert store.sweep_ttl() == 3
    assert [hit.key for hit in store.search(ADA)] == ["k"]
