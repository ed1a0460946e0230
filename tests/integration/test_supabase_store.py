"""The store on Supabase by itself: keys and tokens, one request, many at once, and everything that can be wrong."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import pytest
from langgraph.store.base import GetOp, ListNamespacesOp, PutOp, SearchOp

from graph_memory.errors import StoreError
from graph_memory.namespaces import namespace
from graph_memory.stores import open_store
from graph_memory.stores.migrations import migrate
from graph_memory.stores.supabase import SupabaseStore
from graph_memory.testing.stores import embed_concepts
from graph_memory.types import Scope
from tests.fakes import MODES
from tests.supabase_projects import Project, ada, entered, served

ADA, BOB = namespace(Scope(user_id="ada"), "notes"), namespace(Scope(user_id="bob"), "notes")
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def store(supabase: Project) -> Iterator[SupabaseStore]:
    """A store of Ada's."""
    with open_store(supabase.url, embed=embed_concepts, **supabase.signed_in("ada")) as opened:
        assert isinstance(opened, SupabaseStore)
        yield opened


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


def test_more_than_a_thousand_rows_come_back(store: SupabaseStore) -> None:
    """Supabase cuts off longer results of functions; items, hits with statistics, texts without a vector are all there."""
    for start in range(0, 1200, 400):
        store.batch([PutOp(ADA, str(n), {"text": f"tea {n}"}) for n in range(start, start + 400)])
    listed, hits = store.batch([SearchOp(ADA, limit=2000), SearchOp(ADA, query="tea", limit=1100)])
    assert (len(listed), len(hits), hits.statistics.documents) == (1200, 1100, 1200)
    store.batch([PutOp(ADA, str(n), {"text": f"tea is {n}"}) for n in range(1200)])
    assert all("meaning_raw" in hit.parts for hit in store.search(ADA, query="tea", limit=1200))
