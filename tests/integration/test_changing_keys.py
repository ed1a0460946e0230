"""Keys are changed on every back end of this package, and nothing is lost by it: what is found, what is not, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langgraph.store.base import GetOp, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore
from typer.testing import CliRunner

from graph_memory import areencrypt, new_key, open_store, reencrypt
from graph_memory.cli.app import app
from graph_memory.errors import ConfigurationError, StoreError
from graph_memory.stores.encrypted import EncryptedStore
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.stores.swaps import SwapOp
from graph_memory.testing.stores import embed_concepts
from tests.redis_servers import Running
from tests.store_helpers import Clock

Opened = Callable[..., AbstractContextManager[Any]]
ADA, BOB = ("users", "ada"), ("users", "bob")
OLD, NEW = new_key(), new_key()
CLEAR = ["text", "title", "speaker"]


@pytest.fixture(params=["sqlite", "redis", "redis_cluster", "postgres", "supabase", "tier"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """Opens the same empty store each time, with these options."""
    if request.param == "sqlite":
        return lambda **options: open_store(f"sqlite:///{tmp_path / 'memory.db'}", **options)
    if request.param == "supabase":
        project = request.getfixturevalue("supabase")
        return lambda **options: project.opened(open_store, **options)
    if request.param == "postgres":
        database = request.getfixturevalue("postgres_url")
        return lambda **options: open_store(database, **options)
    server, prefix = request.getfixturevalue("redis_server"), uuid4().hex
    if request.param == "tier":
        path = f"sqlite:///{tmp_path / 'memory.db'}"
        return lambda **options: open_store(path, hot=server.url, **options)
    if request.param == "redis_cluster":
        server = request.getfixturevalue("redis_cluster")[0]
    return lambda **options: open_store(server.url, prefix=prefix, **options)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_nothing_changes_but_the_key(opened: Opened, mode: str) -> None:
    """With no embedder, and nothing said of what is in the clear: words, meaning, filters, times and ends stay as they are."""
    with opened(encrypt=OLD, clear=CLEAR, embed=embed_concepts) as store:
        store.put(ADA, "cat", {"text": "a kitten", "speaker": "Ada", "n": 1})
        store.put(ADA, "title", {"title": "a cat", "text": "of a dog", "n": 2}, index=["title"])
        store.put(ADA, "hidden", {"text": "a cat that nobody finds", "n": 3}, index=False)
        store.put(BOB, "brief", {"text": "a cat", "n": 4}, ttl=5)
        before = seen(store)

    def change() -> Any:
        with opened(encrypt=[NEW, OLD]) as store:
            return reencrypt(store)

    async def achange() -> Any:
        async with opened(encrypt=[NEW, OLD]) as store:
            return await areencrypt(store)

    done = change() if mode == "sync" else asyncio.run(achange())
    assert (done.written, done.left) == (4, 0)
    with opened(encrypt=NEW, clear=CLEAR, embed=embed_concepts) as store:
        assert seen(store) == before
        assert {key for key, *_ in before[0]} == {"cat", "title", "brief"}
        assert reencrypt(store).written == 0


def seen(store: Any) -> Any:
    """All that a user sees of a store."""
    searches = [SearchOp(("users",), query="cat", refresh_ttl=False), SearchOp(("users",), filter={"speaker": "Ada"})]
    found, filtered, everything = store.batch([*searches, SearchOp(("users",), refresh_ttl=False)])
    gets = store.batch([GetOp(one.namespace, one.key, refresh_ttl=False) for one in everything])
    times = [(one.key, one.value, one.created_at, one.updated_at) for one in gets]
    return [(one.key, one.score, one.parts) for one in found], [one.key for one in filtered], times


def test_what_ends_still_ends() -> None:
    """When it would have, though it was sealed again."""
    clock = Clock()
    with SqliteStore(None, clock=clock) as beneath:
        EncryptedStore(beneath, OLD).put(ADA, "k", {"n": 1}, ttl=5)
        clock.advance(minutes=4)
        assert reencrypt(EncryptedStore(beneath, [NEW, OLD])).written == 1
        clock.advance(minutes=2)
        assert EncryptedStore(beneath, NEW).get(ADA, "k") is None


def test_copies_in_a_hot_store_are_sealed_again(redis_server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """By the command, which takes the hot store from the environment; then the old key may go."""
    url = f"sqlite:///{tmp_path / 'memory.db'}"
    with open_store(url, hot=redis_server.url, encrypt=OLD) as store:
        store.batch([PutOp(ADA, str(n), {"n": n}) for n in range(3)])
        assert store.get(ADA, "0").value == {"n": 0}
    monkeypatch.setenv("GRAPH_MEMORY_HOT", redis_server.url)
    monkeypatch.setenv("GRAPH_MEMORY_ENCRYPTION_KEYS", f"{NEW},{OLD}")
    assert CliRunner().invoke(app, ["reencrypt", url]).output == "sealed again: 3; left: 0\n"
    for options in ({}, {"hot": redis_server.url}):
        with open_store(url, encrypt=NEW, **options) as store:
            assert [store.get(ADA, str(n)).value for n in range(3)] == [{"n": n} for n in range(3)]


def test_the_gate_of_a_tier_is_not_sealed(tmp_path: Path) -> None:
    """It says whether copies count, and is no memory, though it stands among it."""
    url, gate = f"sqlite:///{tmp_path / 'memory.db'}", {"operation": "1f", "closed": True}
    with open_store(url) as plain:
        plain.put(("graph_memory_tier",), "gate", gate, index=False)
        plain.put(ADA, "k", {"n": 1})
    with open_store(url, encrypt=NEW, reads_plain=True) as store:
        assert reencrypt(store).written == 1
        assert reencrypt(store).left == 0
    with open_store(url) as plain:
        assert plain.get(("graph_memory_tier",), "gate").value == gate


def test_a_store_of_another_package_is_refused() -> None:
    """Neither how its items are indexed nor when they end can be known; nothing is reported as done, or as about to end."""
    beneath = InMemoryStore()
    EncryptedStore(beneath, OLD).put(ADA, "k", {"n": 1})
    with pytest.raises(ConfigurationError, match="InMemoryStore cannot change a value and leave its index"):
        reencrypt(EncryptedStore(beneath, [NEW, OLD]))


def test_what_is_from_before_encryption_and_ends_is_left(tmp_path: Path) -> None:
    """Because its end would be lost; it is counted."""
    with open_store(f"sqlite:///{tmp_path / 'memory.db'}") as plain:
        plain.put(ADA, "brief", {"n": 1}, ttl=5)
        plain.put(ADA, "k", {"text": "tea"})
    with open_store(f"sqlite:///{tmp_path / 'memory.db'}", encrypt=NEW, reads_plain=True) as store:
        done = reencrypt(store)
        assert (done.written, done.left) == (1, 1)


def test_plain_text_that_would_lose_its_vectors_is_refused(redis_server: Running) -> None:
    """On Redis, where only who has the embedder can write it again."""
    prefix = uuid4().hex
    with open_store(redis_server.url, prefix=prefix, embed=embed_concepts) as plain:
        plain.put(ADA, "k", {"text": "a kitten"})
    options = {"prefix": prefix, "encrypt": NEW, "clear": ["text"]}
    with (
        open_store(redis_server.url, reads_plain=True, **options) as store,
        pytest.raises(ConfigurationError, match="open the store with embed="),
    ):
        reencrypt(store)
    with open_store(redis_server.url, reads_plain=True, embed=embed_concepts, **options) as store:
        assert reencrypt(store).written == 1
        assert [hit.key for hit in store.search(ADA, query="cat")] == ["k"]


def test_a_value_that_changed_meanwhile_is_not_overwritten(opened: Opened) -> None:
    """A swap compares; whether it is there now is its result, also when it is asked twice."""
    with opened() as store:
        store.put(ADA, "k", {"n": 1, "text": "tea\0\ud800"})
        [[hit]] = store.batch([SearchOp(ADA)])
        seen = hit.json
        store.put(ADA, "k", {"n": 2})
        assert store.batch([SwapOp(ADA, "k", seen, {"n": 3}), SwapOp(ADA, "none", seen, {"n": 3})]) == [False, False]
        assert store.get(ADA, "k").value == {"n": 2}
        [[hit]] = store.batch([SearchOp(ADA)])
        swap = SwapOp(ADA, "k", hit.json, {"operation": "a\0", "n": 4})
        assert store.batch([GetOp(ADA, "k"), swap])[1] is True
        assert store.batch([swap]) == [True]
        assert [one.value for one in store.search(ADA, filter={"n": 4})] == [{"operation": "a\0", "n": 4}]


def test_it_goes_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never is more than one page asked for, and none is missed."""
    limits: list[int] = []

    class Watched(SqliteStore):
        def batch(self, ops: Any) -> Any:
            ops = list(ops)
            limits.extend(op.limit for op in ops if isinstance(op, SearchOp))
            return super().batch(ops)

    monkeypatch.setattr("graph_memory.memories.listing.PAGE", 7)
    monkeypatch.setattr("graph_memory.lifecycle.reencrypting.PAGE", 7)
    with Watched(None) as beneath:
        EncryptedStore(beneath, OLD).batch([PutOp(ADA, str(n), {"n": n}) for n in range(20)])
        assert reencrypt(EncryptedStore(beneath, [NEW, OLD])).written == 20
        assert limits == [7] * 6
        assert len(EncryptedStore(beneath, NEW).search(ADA, limit=100)) == 20


def test_an_encrypted_store_swaps_nothing_itself() -> None:
    """Or a value would reach the disk in the clear."""
    with open_store("sqlite://", encrypt=NEW) as store, pytest.raises(ConfigurationError, match="swaps no values"):
        store.batch([SwapOp(ADA, "k", "{}", {"n": 1})])


@pytest.mark.parametrize("text", ["my doctor said. no more tea", "0123456.x", "0123456789.x", 7])
def test_a_plain_value_of_that_name_is_not_taken_for_a_sealed_one(text: Any) -> None:
    """So no message shows it, as what a key is called."""
    with SqliteStore(None) as beneath:
        beneath.put(ADA, "k", {"sealed": text, "text": "tea"}, index=False)
        with pytest.raises(StoreError, match="not encrypted") as refused:
            EncryptedStore(beneath, NEW).get(ADA, "k")
        assert str(text) not in str(refused.value)
        both = EncryptedStore(beneath, NEW, reads_plain=True)
        assert both.get(ADA, "k").value == {"sealed": text, "text": "tea"}
        assert reencrypt(both).written == 1
        assert EncryptedStore(beneath, NEW).get(ADA, "k").value == {"sealed": text, "text": "tea"}
