"""Tenants on Postgres: row-level security keeps them apart even where the application, or SQL by hand, asks for another's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.store.base import GetOp, ListNamespacesOp, PutOp, SearchOp

from graph_memory.errors import ConfigurationError, ConflictError, GraphMemoryError, StoreError
from graph_memory.namespaces import label, namespace, user_prefix
from graph_memory.stores import open_store
from graph_memory.stores.claims import ClaimOp
from graph_memory.stores.postgres import PostgresStore
from graph_memory.testing.stores import embed_concepts
from graph_memory.types import Scope

ADA, BOB = namespace(Scope(user_id="ada"), "notes"), namespace(Scope(user_id="bob"), "notes")
TABLES = ("namespaces", "items", "postings", "vectors")
slow = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
ids = st.one_of(
    st.sampled_from(
        [
            "ad",
            "adaa",
            "ada.b",
            "ada:",
            "ADA",
            "%",
            "_",
            "*",
            "ada' OR true --",
            "user:ada:",
            "=61da",
            "ada\x1f",
            "ädä",
            "ada ",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12),
)


@pytest.fixture
def everything(postgres_url: str) -> Iterator[PostgresStore]:
    """A store that sees all, with something of Ada's in it."""
    with open_store(postgres_url, embed=embed_concepts) as store:
        assert isinstance(store, PostgresStore)
        store.put(ADA, "k", {"text": "the cat", "n": 1})
        yield store


def state(store: PostgresStore) -> Any:
    """All that is stored, times included."""
    return [hit.dict() for hit in store.search((), limit=100)]


def attempts() -> list[Any]:
    """Whatever somebody might try to get at Ada's memory, by every operation."""
    return [
        GetOp(ADA, "k"),
        SearchOp(ADA),
        SearchOp((), query="cat"),
        SearchOp(user_prefix("ada"), filter={"n": {"$gte": 0}}, query="feline"),
        SearchOp(("graph_memory",), filter={"n": 1}),
        ListNamespacesOp(),
    ]


@slow
@given(user=ids, attempt=st.sampled_from(attempts()))
def test_a_principal_reads_nothing_of_another(
    everything: PostgresStore, postgres_url: str, user: str, attempt: Any
) -> None:
    """Whatever namespace the application passes, and whatever the id looks like."""
    with closing(open_store(postgres_url, user=user, embed=embed_concepts)) as store:
        [found] = store.batch([attempt])

    assert not found
    if found is not None and hasattr(found, "statistics"):
        assert found.statistics.documents == 0
        assert set(found.statistics.frequencies.values()) <= {0}


@slow
@given(user=ids)
def test_a_principal_changes_nothing_of_another(everything: PostgresStore, postgres_url: str, user: str) -> None:
    """Not by putting, deleting, claiming, taking a free key or sweeping."""
    before = state(everything)
    with closing(open_store(postgres_url, user=user)) as store:
        for op in (
            PutOp(ADA, "k", {"n": 2}),
            PutOp(ADA, "new", {"n": 2}),
            PutOp(ADA, "k", None),
            ClaimOp(ADA, "k", {"n": 2}),
        ):
            with pytest.raises(StoreError) as refused:
                store.batch([op])
            assert "cat" not in str(refused.value)
        with pytest.raises(StoreError):
            store.put_if_absent(ADA, "new", {"n": 2})
        store.sweep_ttl()

    assert state(everything) == before


@slow
@given(user=ids)
def test_a_principal_has_all_of_its_own(everything: PostgresStore, postgres_url: str, user: str) -> None:
    """Python and SQL make the same label of every id."""
    own = namespace(Scope(user_id=user), "notes")
    with closing(open_store(postgres_url, user=user, embed=embed_concepts)) as store:
        store.put(own, "k", {"text": "a kitten"})
        assert [hit.key for hit in store.search((), query="feline")] == ["k"]
        assert store.list_namespaces() == [own]
        store.delete(own, "k")
        assert store.get(own, "k") is None


def test_the_same_label_is_made_in_sql(postgres_url: str) -> None:
    """Of every byte."""
    user = "".join(map(chr, range(1, 300)))
    with closing(psycopg.connect(postgres_url)) as connection:
        assert connection.execute("SELECT graph_memory.label('user', %s)", [user]).fetchone() == (label("user", user),)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("graph_memory.user_id", None),
        ("graph_memory.user_id", ""),
        ("graph_memory.user_id", "bob"),
        ("request.jwt.claims", json.dumps({"sub": "bob"})),
        ("request.jwt.claims", json.dumps({"role": "authenticated"})),
        ("request.jwt.claims", json.dumps({"sub": ""})),
        ("request.jwt.claims", json.dumps({"sub": None})),
    ],
)
@pytest.mark.parametrize("table", TABLES)
def test_sql_by_hand_sees_nothing_of_another(
    everything: PostgresStore, postgres_url: str, table: str, setting: str, value: str | None
) -> None:
    """Without a claim nothing rather than everything; also after a transaction, when settings turn from null to empty."""
    with closing(psycopg.connect(postgres_url, autocommit=True)) as connection:
        connection.execute("SET ROLE graph_memory_user")
        for _ in range(2):
            with connection.transaction():
                if value is not None:
                    connection.execute("SELECT set_config(%s, %s, true)", [setting, value])
                assert connection.execute(f"SELECT count(*) FROM graph_memory.{table}").fetchone() == (0,)
                assert connection.execute(f"DELETE FROM graph_memory.{table}").rowcount == 0
    assert everything.get(ADA, "k") is not None


def test_claims_stand_above_the_session_setting(everything: PostgresStore, postgres_url: str) -> None:
    """A signed token cannot be outdone by a setting."""
    with closing(psycopg.connect(postgres_url, autocommit=True)) as connection:
        connection.execute("SET ROLE graph_memory_user")
        connection.execute("SET graph_memory.user_id = 'ada'")
        count = "SELECT count(*) FROM graph_memory.items"
        assert connection.execute(count).fetchone() == (1,)
        connection.execute("""SET request.jwt.claims = '{"sub": "bob"}'""")
        assert connection.execute(count).fetchone() == (0,)
        connection.execute("""SET request.jwt.claims = '{"sub": "ada"}'""")
        assert connection.execute(count).fetchone() == (1,)


def test_every_table_has_row_level_security(postgres_url: str) -> None:
    """And a policy; nobody else may call the functions."""
    with closing(psycopg.connect(postgres_url)) as connection:
        tables = connection.execute(
            "SELECT relname, relrowsecurity, EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid) FROM pg_class AS c "
            "WHERE relnamespace = 'graph_memory'::regnamespace AND relkind IN ('r', 'p')"
        ).fetchall()
        public = connection.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'graph_memory'::regnamespace "
            "AND (proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0) OR prosecdef)"
        ).fetchall()

    assert {name for name, _, _ in tables} >= {*TABLES, "migrations"}
    assert [name for name, is_secured, has_policy in tables if not (is_secured and has_policy)] == []
    assert public == []


def test_an_application_without_rights_of_its_own_needs_a_principal(
    postgres_url: str, everything: PostgresStore
) -> None:
    """A role that may only become graph_memory_user sees what its store's user may see, and nothing without one."""
    with closing(psycopg.connect(postgres_url, autocommit=True)) as connection:
        connection.execute("DROP ROLE IF EXISTS test_application")
        connection.execute("CREATE ROLE test_application LOGIN IN ROLE graph_memory_user")
    try:
        as_application = postgres_url.replace("postgres@", "test_application@")
        with open_store(as_application) as store:
            assert store.search(()) == []
        with open_store(as_application, user="ada") as store:
            assert [hit.key for hit in store.search(())] == ["k"]
    finally:
        with closing(psycopg.connect(postgres_url, autocommit=True)) as connection:
            connection.execute("DROP ROLE test_application")


def test_a_principal_ends_with_its_batch(everything: PostgresStore, postgres_url: str) -> None:
    """A connection that goes back to the pool belongs to nobody."""
    with open_store(postgres_url, user="ada", pool_size=1) as store:
        assert isinstance(store, PostgresStore)
        store.search(())
        with store._pools._opened().connection() as connection:
            row = connection.execute("SELECT current_user, current_setting('graph_memory.user_id', true)").fetchone()
    assert row == ("postgres", "")


def test_words_of_others_neither_rank_nor_show(everything: PostgresStore, postgres_url: str) -> None:
    """Statistics come from what the principal may see."""
    everything.put(BOB, "b", {"text": "a cat"})
    with open_store(postgres_url, user="ada") as store:
        [hits] = store.batch([SearchOp(("graph_memory",), query="cat")])
    assert (hits.statistics.documents, hits.statistics.frequencies) == (1, {"cat": 1})


def test_a_batch_of_which_one_claim_is_lost_writes_nothing(everything: PostgresStore) -> None:
    """Neither the other claims nor the puts."""
    everything.batch([ClaimOp(ADA, "slot", {"operation": "first"})])
    before = state(everything)
    for claim in (
        ClaimOp(ADA, "slot", {"operation": "second"}),
        ClaimOp(ADA, "none", {"operation": "x"}, must_exist=True),
    ):
        with pytest.raises(ConflictError):
            everything.batch([PutOp(BOB, "b", {"n": 1}), ClaimOp(ADA, "free", {"operation": "second"}), claim])
    assert state(everything) == before
    everything.batch([ClaimOp(ADA, "slot", {"operation": "first", "n": 2}, must_exist=True)])
    assert everything.get(ADA, "slot").value["n"] == 2


@pytest.mark.parametrize("user", ["", "a\0", 7, "a" * 501])
def test_a_principal_that_names_nobody_is_refused(user: Any) -> None:
    """Before anything is opened."""
    with pytest.raises(ConfigurationError, match="user must be"):
        open_store("postgresql://nobody@/nowhere", user=user)


@pytest.mark.parametrize("op", [GetOp(ADA, "\0"), GetOp(("a\0",), "k"), PutOp(ADA, "\0", {}), SearchOp(("\0",))])
def test_a_nul_in_a_name_is_refused(everything: PostgresStore, op: Any) -> None:
    """Postgres has no such text."""
    with pytest.raises(GraphMemoryError, match="NUL"):
        everything.batch([op])
