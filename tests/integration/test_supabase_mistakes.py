"""Everything that can be wrong with a Supabase, each said in one clear sentence, and nothing half written."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import psycopg
import pytest
from langgraph.store.base import GetOp, PutOp, SearchOp

from graph_memory.errors import ConfigurationError, SchemaOutdatedError, StoreError, StoreUnavailableError
from graph_memory.namespaces import namespace
from graph_memory.sql_files import migrations
from graph_memory.stores import open_store
from graph_memory.stores.migrations import migrate
from graph_memory.stores.supabase import SupabaseStore
from graph_memory.testing.stores import embed_concepts
from graph_memory.types import Scope
from tests.fakes import MODES
from tests.postgres_databases import run_sql
from tests.supabase_projects import Project, ada, entered, served
from tests.watchdog import ending

ADA, BOB = namespace(Scope(user_id="ada"), "notes"), namespace(Scope(user_id="bob"), "notes")
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def store(supabase: Project) -> Iterator[SupabaseStore]:
    """A store of Ada's."""
    with open_store(supabase.url, embed=embed_concepts, **supabase.signed_in("ada")) as opened:
        assert isinstance(opened, SupabaseStore)
        yield opened


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
def test_what_cannot_be_reached_is_said(mode: str) -> None:
    """A closed port, and a silent one after the seconds given."""
    with pytest.raises(StoreUnavailableError, match=r"127.0.0.1:1 cannot be reached"):
        entered(NOWHERE, mode, key="k")
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(StoreUnavailableError, match=r"no answer within 0.5 s"):
            ending(lambda: entered(url, mode, key="k", timeout_seconds=0.5))


def test_the_seconds_given_are_those_that_httpx_waits() -> None:
    """For a connection and for an answer, in threads and in an event loop; trying again ends with them."""

    async def waits(store: SupabaseStore) -> Any:
        await store._api.aopen()
        http = store._api._ahttp
        assert http is not None
        await store.aclose()
        return http.timeout

    store = SupabaseStore(NOWHERE, key="k", timeout_seconds=0.5)
    assert store._api._http.timeout == httpx.Timeout(0.5)
    assert asyncio.run(waits(store)) == httpx.Timeout(0.5)


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


def test_a_statement_that_takes_too_long_is_said(supabase_server: str) -> None:
    """After Supabase's own limit; then it works again."""
    with served(supabase_server, statement_timeout_seconds=0.5) as (server, database):
        migrate(database)
        with open_store(server.url, **ada(server)) as store, closing(psycopg.connect(database)) as blocker:
            blocker.execute("LOCK TABLE graph_memory.items IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(StoreUnavailableError, match="no answer in time"):
                store.get(ADA, "k")
            blocker.rollback()
            assert store.get(ADA, "k") is None
