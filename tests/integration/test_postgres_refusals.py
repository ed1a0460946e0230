"""What a Postgres store refuses, each in one clear sentence, and nothing is lost or half written."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable
from typing import Any

import pytest
from langgraph.store.base import GetOp, ListNamespacesOp, MatchCondition, Op, PutOp, SearchOp

from graph_memory.checkpoints import open_checkpointer
from graph_memory.errors import ConfigurationError, StoreError, StoreUnavailableError
from graph_memory.opening import open_memory
from graph_memory.stores import open_store
from graph_memory.stores.migrations import migrate
from graph_memory.testing.stores import embed_concepts
from tests.postgres_databases import run_sql
from tests.postgres_faults import running
from tests.store_helpers import ADA
from tests.watchdog import ending

each_opener = pytest.mark.parametrize("opener", [open_store, open_checkpointer, open_memory])


def enter(opening: Any, mode: str) -> None:
    """Opens and closes, sync or async."""

    async def both() -> None:
        async with opening:
            pass

    if mode == "sync":
        with opening:
            return
    asyncio.run(both())


def test_a_wrong_password_is_said_and_not_shown() -> None:
    """Nor is it when none was given; the right one opens everything."""
    openers: list[Callable[..., Any]] = [open_store, open_checkpointer, open_memory]
    with running() as server:
        migrate(server.url)
        run_sql(server.url, "CREATE ROLE app SUPERUSER LOGIN PASSWORD 'right'")
        (server.home / "data" / "pg_hba.conf").write_text("host all app all scram-sha-256\nhost all all all trust\n")
        run_sql(server.url, "SELECT pg_reload_conf()")
        for opener in openers:
            for mode in ("sync", "async"):
                enter(opener(server.url.replace("postgres@", "app:right@"), timeout_seconds=20), mode)
                with pytest.raises(StoreError, match="refuses the password: correct it in the url") as caught:
                    enter(opener(server.url.replace("postgres@", "app:sesame@"), timeout_seconds=20), mode)
                assert "sesame" not in str(caught.value)


@each_opener
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_host_that_says_nothing_is_given_up(opener: Callable[..., Any], mode: str) -> None:
    """It takes the connection and is silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://ada:sesame@127.0.0.1:{silent.getsockname()[1]}/db"
        with pytest.raises(
            StoreUnavailableError, match=r"^the Postgres database db on 127\.0\.0\.1 gave no answer in time"
        ):
            ending(lambda: enter(opener(url, timeout_seconds=2), mode))


def test_a_server_without_pgvector_is_told_what_to_install() -> None:
    """Nothing is migrated."""
    with running(extension_control_path="/nowhere") as server:
        with pytest.raises(StoreError, match="has no pgvector: install it on the server"):
            migrate(server.url)
        with pytest.raises(StoreError, match="graph-memory migrate URL"), open_store(server.url):
            pass


def test_a_role_without_rights_is_told_who_migrates(new_database: str) -> None:
    """The owner of the database does."""
    role = "weak_" + new_database.partition("/test_")[2][:8]
    run_sql(new_database, f"CREATE ROLE {role} LOGIN")
    try:
        with pytest.raises(StoreError, match="migrate as the database's owner"):
            migrate(new_database.replace("postgres@", f"{role}@"))
    finally:
        run_sql(new_database, f"DROP ROLE {role}")


@pytest.mark.parametrize(
    "op",
    [
        PutOp(ADA, "a\0b", {"n": 1}),
        PutOp(("users", "a\0b"), "k", {"n": 1}),
        PutOp(ADA, "a\0b", None),
        GetOp(ADA, "a\0b"),
        SearchOp(("a\0b",)),
        ListNamespacesOp(match_conditions=(MatchCondition("suffix", ("a\0b",)),)),
    ],
)
def test_keys_and_namespaces_hold_no_nul(postgres_url: str, op: Op) -> None:
    """The others of the batch are not carried out."""
    with open_store(postgres_url) as store:
        with pytest.raises(ConfigurationError, match="Postgres keeps no NUL character"):
            store.batch([PutOp(ADA, "good", {"n": 1}), op])
        assert store.search(ADA) == []


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**400, 1e308, 5e-324, -0.0])
def test_numbers_beyond_64_bits_come_back_and_compare(postgres_url: str, number: float) -> None:
    """As numbers, to the last digit."""
    with open_store(postgres_url) as store:
        store.put(ADA, "k", {"n": number, "text": "tea"})
        assert store.get(ADA, "k").value["n"] == number
        assert len(store.search(ADA, filter={"n": {"$gte": number, "$lte": number}})) == 1
        assert store.search(ADA, filter={"n": {"$gt": number}}) == []


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, 1e39])
def test_vectors_with_nan_are_refused(postgres_url: str, wrong: float) -> None:
    """When they are written and when they are searched by; what was there stays."""
    with open_store(postgres_url, embed=embed_concepts) as store:
        store.put(ADA, "old", {"text": "the cat"})
    with open_store(postgres_url, embed=lambda texts: [[1.0, 0.0, 0.0, 0.0, wrong] for _ in texts]) as store:
        for op in (PutOp(ADA, "old", {"text": "a dog"}), SearchOp(ADA, query="dog")):
            with pytest.raises(StoreError, match="a vector with NaN or infinity in it"):
                store.batch([PutOp(ADA, "new", {"n": 1}, index=False), op])
        assert [(item.key, item.value) for item in store.search(ADA)] == [("old", {"text": "the cat"})]


@pytest.mark.parametrize("size", [4, 6])
def test_vectors_of_another_size_are_refused(postgres_url: str, size: int) -> None:
    """With both sizes; what was there stays."""
    with open_store(postgres_url, embed=embed_concepts) as store:
        store.put(ADA, "old", {"text": "the cat"})
    with open_store(postgres_url, embed=lambda texts: [[1.0] * size for _ in texts]) as store:
        for op in (PutOp(ADA, "old", {"text": "a dog"}), SearchOp(ADA, query="dog")):
            with pytest.raises(ConfigurationError, match=f"vectors of 5 dimensions, the embedder gives {size}"):
                store.batch([PutOp(ADA, "new", {"n": 1}, index=False), op])
        assert [(item.key, item.value) for item in store.search(ADA)] == [("old", {"text": "the cat"})]


def test_values_may_be_large_and_their_words_too(postgres_url: str) -> None:
    """Megabytes come back; words that are no words are cut."""
    text = " ".join(f"word{n}" for n in range(20_000)) + " " + "x" * 2_000_000
    with open_store(postgres_url, timeout_seconds=60) as store:
        store.put(ADA, "k", {"text": text})
        assert store.get(ADA, "k").value == {"text": text}
        assert [hit.key for hit in store.search(ADA, query="word19999")] == ["k"]
