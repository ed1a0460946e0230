"""Random attempts of strangers at what others keep, on every store; a new store is one line of `STORES`.

`make check` makes 500 per store, `make soak` 10,000.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from graph_memory import new_key, open_store
from graph_memory.context.fusion import FusionWeights
from graph_memory.errors import GraphMemoryError
from graph_memory.stores._plan import plan
from graph_memory.stores._postgres_plan import Batch, to_text
from graph_memory.stores.claims import ClaimOp
from tests.postgres_databases import TABLES, run_sql
from tests.strangers import SECRET, VICTIMS, by_id, by_namespace, by_wrong_id, kept, settle, shown, stranger
from tests.supabase_projects import Project

STRANGERS, EACH = (200, 50) if os.environ.get("GRAPH_MEMORY_SOAK") else (25, 20)
Open = Callable[[str | None], AbstractContextManager[BaseStore]]
"""Opens a store as a user, or as the operator who sees all."""


@contextmanager
def shared(opening: AbstractContextManager[BaseStore]) -> Iterator[Open]:
    """One store for everybody, which knows no users."""
    with opening as store:
        yield lambda user: nullcontext(store)


def redis(url: str) -> AbstractContextManager[Open]:
    """A store of this test alone."""
    return shared(open_store(url, prefix=uuid4().hex))


def as_role(url: str, **options: Any) -> Open:
    """A Postgres store for each user."""
    return lambda user: open_store(url, **({} if user is None else {"user": user, **options}))


def signed_in(project: Project) -> Open:
    """A Supabase store for each user's token; the operator looks into the database itself."""
    return lambda user: (
        open_store(project.database) if user is None else open_store(project.url, **project.signed_in(user))
    )


STORES: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Open]]] = {
    "InMemoryStore": lambda request: shared(nullcontext(InMemoryStore())),
    "SqliteStore": lambda request: shared(open_store("sqlite://")),
    "RedisStore": lambda request: redis(request.getfixturevalue("redis_server").url),
    "RedisStore on a cluster": lambda request: redis(request.getfixturevalue("redis_cluster")[0].url),
    "EncryptedStore": lambda request: shared(open_store("sqlite://", encrypt=new_key(), clear=["search", "speaker"])),
    "PostgresStore without users": lambda request: shared(open_store(request.getfixturevalue("postgres_url"))),
}
COLUMNS = {
    "graph_memory.items": ("value", "doc", "key", "expires_at", "space"),
    "graph_memory.namespaces": ("path", "documents", "length"),
    "graph_memory.postings": ("term", "count"),
    "graph_memory.vectors": ("embedding", "graphed"),
    "graph_memory.threads": ("owner", "name", "expires_at"),
    "graph_memory.checkpoints": ("body", "parent"),
    "graph_memory.channel_values": ("value",),
    "graph_memory.channel_writes": ("value",),
}
GUARDED: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Open]]] = {
    "PostgresStore": lambda request: nullcontext(as_role(request.getfixturevalue("postgres_url"))),
    "TieredStore": lambda request: nullcontext(
        as_role(request.getfixturevalue("postgres_url"), hot=f"{request.getfixturevalue('redis_server').url}/2")
    ),
    "SupabaseStore": lambda request: nullcontext(signed_in(request.getfixturevalue("supabase"))),
}
"""Stores that are opened for a user, and hold to that whatever the application asks."""


def try_all(store: Any, user: str, chance: random.Random, *, is_guarded: bool) -> None:
    """Some attempts of one stranger; none shows a secret."""
    for _ in range(EACH):
        if chance.random() < 0.4:
            attempt = by_id(user, chance)
        else:
            op = by_wrong_id(chance) if is_guarded and chance.random() < 0.6 else by_namespace(user, chance)
            if isinstance(op, ClaimOp) and not getattr(store, "takes_claims", False):
                continue
            attempt = asked(op, is_async=chance.random() < 0.2)
        try:
            found = attempt(store)
        except (GraphMemoryError, TypeError) as exc:  # LangGraph's InMemoryStore compares what has no order
            found = str(exc)
        assert SECRET not in shown(found), (user, found)


def asked(op: Any, *, is_async: bool) -> Callable[[Any], Any]:
    """An operation by either interface of a store."""
    return lambda store: asyncio.run(store.abatch([op])) if is_async else store.batch([op])


@pytest.mark.parametrize("store", [*STORES, *GUARDED])
def test_a_stranger_reads_and_changes_nothing_of_others(store: str, request: pytest.FixtureRequest) -> None:
    """Whatever the ids look like; where the store knows its user, whatever the application asks for, too."""
    chance, is_guarded = random.Random(store), store in GUARDED
    with {**STORES, **GUARDED}[store](request) as opened, opened(None) as everything:
        for victim in VICTIMS:
            with opened(victim) as own:
                settle(own, victim)
        before = kept(everything)
        assert all(SECRET in repr(items) for items in before.values())
        for _ in range(STRANGERS):
            user = stranger(chance)
            with opened(user or "nobody in particular") as theirs:
                try_all(theirs, user, chance, is_guarded=is_guarded)
            assert kept(everything) == before


def test_ids_that_are_not_told_apart_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test can fail."""
    monkeypatch.setattr("graph_memory.namespaces.escape", lambda value: re.sub(r"\W", "", value).lower())
    with open_store("sqlite://") as store:
        settle(store, "ada.b")
        before = kept(store, ["ada.b"])

        def check() -> None:
            for seed in range(100):
                try_all(store, "adab", random.Random(seed), is_guarded=False)
                assert kept(store, ["ada.b"]) == before

        with pytest.raises(AssertionError):
            check()


def test_a_store_that_knows_no_user_does_not_withstand_a_wrong_id(postgres_url: str) -> None:
    """That test can fail too."""
    with open_store(postgres_url) as store:
        for victim in VICTIMS:
            settle(store, victim)
        with pytest.raises(AssertionError):
            [try_all(store, "stranger", random.Random(seed), is_guarded=True) for seed in range(30)]


@pytest.fixture
def as_application(postgres_url: str) -> Iterator[str]:
    """The url of a role that may do what `graph_memory_user` may."""
    role = f"application_{uuid4().hex}"
    run_sql(postgres_url, f"CREATE ROLE {role} LOGIN IN ROLE graph_memory_user")
    yield postgres_url.replace("postgres@", f"{role}@")
    run_sql(postgres_url, f"DROP ROLE {role}")


def test_sql_by_hand_reads_and_changes_nothing_of_others(postgres_url: str, as_application: str) -> None:
    """With the application bypassed: every table and every function, as a user who is somebody else or nobody."""
    chance = random.Random(0)
    with open_store(postgres_url) as everything, psycopg.connect(as_application, autocommit=True) as connection:
        for victim in VICTIMS:
            settle(everything, victim)
        before = kept(everything)
        for n in range(STRANGERS * EACH):
            setting, value = claim(stranger(chance), chance)
            statement, values = by_hand(chance)
            try:
                with connection.transaction():
                    connection.execute("SELECT set_config(%s, %s, true)", [setting, value])
                    cursor = connection.execute(statement.encode(), values)
                    found = cursor.fetchall() if cursor.description else []
            except psycopg.Error as exc:
                found = [str(exc)]
            assert SECRET not in repr(found), (setting, value, statement)
            if n % EACH == 0:
                assert kept(everything) == before
        assert kept(everything) == before


def claim(user: str, chance: random.Random) -> tuple[str, str]:
    """A setting that says who asks."""
    claims: list[Any] = [{"sub": user}, {"sub": None}, {"role": "authenticated"}, [user], user]
    return chance.choice([("graph_memory.user_id", user), ("request.jwt.claims", json.dumps(chance.choice(claims)))])


def by_hand(chance: random.Random) -> tuple[str, list[Any]]:
    """A statement and its values."""
    table = chance.choice(TABLES.split(", "))
    todo = plan([by_wrong_id(chance)], None)
    payload = Batch(todo, {}, FusionWeights()).payload({})
    return chance.choice(
        [
            (f"SELECT * FROM {table}", []),
            (f"SELECT count(*) || '{SECRET}' FROM {table} HAVING count(*) > 0", []),
            (f"UPDATE {table} SET {chance.choice(COLUMNS[table])} = DEFAULT", []),
            (f"DELETE FROM {table}", []),
            (f"TRUNCATE {table}", []),
            ("SELECT * FROM graph_memory.batch(%s)", [to_text(payload)]),
            ("SELECT graph_memory.put_if_absent(%s)", [to_text(payload["writes"])]),
            ("SELECT graph_memory.sweep(1000)", []),
            ("SELECT graph_memory.remove(array(SELECT generate_series(1, 1000)))", []),
            ("SELECT graph_memory.unindex(array(SELECT generate_series(1, 1000)))", []),
            ("SELECT graph_memory.set_dimension(3)", []),
        ]
    )
