"""SqliteStore shared: its caches beside other writers, threads, tasks, the event loop, closing."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.base import PutOp

from graph_memory.errors import StoreError
from graph_memory.stores import _base
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.testing.stores import embed_concepts
from tests.store_helpers import ADA, BOB, keys, rows, scores


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A file that does not exist yet."""
    return str(tmp_path / "memory.db")


_TEXTS = ("a cat and tea", "the truck", "tea", "ocean wave", "cat cat cat", "vehicle of tea")
_STEPS = st.lists(
    st.tuples(
        st.booleans(), st.sampled_from("abcde"), st.sampled_from(["ada", "bob"]), st.sampled_from([*_TEXTS, None])
    ),
    max_size=25,
)


@given(_STEPS)
def test_a_long_lived_store_ranks_like_a_fresh_one(tmp_path_factory, steps):
    """Whoever writes, and whatever was cached before: added, changed and removed items are seen at once."""
    path = str(tmp_path_factory.mktemp("cache") / "memory.db")
    with SqliteStore(path, embed=embed_concepts) as one, SqliteStore(path, embed=embed_concepts) as other:
        for own, key, user, text in steps:
            (one if own else other).batch([PutOp(("users", user), key, None if text is None else {"text": text})])
            scores(one, "cat with tea")
        with SqliteStore(path, embed=embed_concepts) as fresh:
            for prefix in (("users",), ADA, BOB):
                assert scores(one, "cat with tea", prefix) == scores(fresh, "cat with tea", prefix)


def test_a_cache_too_small_for_anything_changes_nothing():
    """It costs time, not results."""
    found = []
    for cache_mb in (0.000001, 0.002, 256):
        with SqliteStore(None, embed=embed_concepts, cache_mb=cache_mb) as store:
            store.batch([PutOp(("users", str(n % 3)), str(n), {"text": f"cat number {n}"}) for n in range(30)])
            found.append([scores(store, "cat number 7", ("users", str(n))) for n in (0, 1, 2, 0)])
    assert found[0] == found[1] == found[2]


def test_no_namespace_id_is_used_twice(path):
    """A cache must not take a new tenant's namespace for one that was deleted."""
    with SqliteStore(path, embed=embed_concepts) as store:
        store.put(ADA, "secret", {"text": "ada's cat"})
        assert keys(store, ADA, query="cat") == ["secret"]
        store.delete(ADA, "secret")
        store.put(BOB, "own", {"text": "bob's cat"})
        assert keys(store, BOB, query="cat") == ["own"]
        assert keys(store, ADA, query="cat") == []
        assert rows(path) == {"gm_namespaces": 1, "gm_items": 1, "gm_vectors": 1, "gm_postings": 2}


def test_deleting_leaves_no_row_behind(path):
    """Not in the indexes either, nor the namespace's name."""
    with SqliteStore(path, embed=embed_concepts) as store:
        store.batch([PutOp(ADA, str(n), {"text": f"cat {n}", "before": "x y z"}) for n in range(20)])
        store.batch([PutOp(ADA, str(n), {"text": f"dog {n}"}) for n in range(20)])
        store.batch([PutOp(ADA, str(n), None) for n in range(20)])
        assert set(rows(path).values()) == {0}


def test_threads_share_a_store():
    """In memory, with one connection: every write arrives."""
    with SqliteStore(None, embed=embed_concepts) as store, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store.put((f"u{n % 4}",), str(n), {"text": f"cat {n}"}), range(100)))
        assert len(store.search((), limit=200)) == 100
        found = pool.map(lambda n: store.search((f"u{n % 4}",), query="cat", limit=50), range(20))
        assert {len(hits) for hits in found} == {25}


def test_searching_while_others_write_never_fails(path):
    """Threads add, change, delete and search on two stores of one file; in the end both rank like a fresh one."""
    with SqliteStore(path, embed=embed_concepts) as one, SqliteStore(path, embed=embed_concepts) as other:

        def work(n: int) -> None:
            store = (one, other)[n % 2]
            store.put(ADA, str(n % 20), {"text": f"cat {n}"})
            store.batch([PutOp(ADA, str(n % 7), None)] if n % 3 == 0 else [PutOp(ADA, f"new {n}", {"text": "tea cat"})])
            assert all(hit.value["text"] for hit in store.search(ADA, query="cat and tea", limit=100))

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(150)))
        with SqliteStore(path, embed=embed_concepts) as fresh:
            assert scores(one, "cat and tea") == scores(other, "cat and tea") == scores(fresh, "cat and tea")


def test_one_of_many_puts_if_absent_wins(path):
    """Between threads on two stores of one file, and between tasks."""
    with SqliteStore(path) as one, SqliteStore(path) as other, ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: (one, other)[n % 2].put_if_absent(ADA, "slot", {"n": n}), range(20)))
        assert won.count(True) == 1
        assert one.get(ADA, "slot").value == {"n": won.index(True)}

        async def race() -> list[bool]:
            return await asyncio.gather(*(one.aput_if_absent(ADA, "next", {"n": n}, ttl=5) for n in range(10)))

        assert asyncio.run(race()).count(True) == 1


def test_abatch_never_blocks_the_event_loop(monkeypatch: pytest.MonkeyPatch):
    """A batch is analysed, embedded by a slow function and written in other threads than the loop's."""
    threads = dict[str, set[int]]()

    def noting(name: str, work: Any) -> Any:
        def noted(*args: Any, **kwargs: Any) -> Any:
            threads.setdefault(name, set()).add(threading.get_ident())
            return work(*args, **kwargs)

        return noted

    monkeypatch.setattr(_base, "plan", noting("plan", _base.plan))
    monkeypatch.setattr(SqliteStore, "_execute", noting("execute", SqliteStore._execute))
    with SqliteStore(None, embed=noting("embed", embed_concepts)) as store:

        async def use() -> None:
            await store.abatch([PutOp(ADA, str(n), {"text": f"the {n}th cat"}) for n in range(10)])
            await store.asearch(ADA, query="cat")

        asyncio.run(use())

    assert threading.get_ident() not in threads["embed"] | threads["execute"]
    assert threads["plan"] - {threading.get_ident()}, "a batch that writes is analysed in the loop's thread"


def test_a_cancelled_batch_leaves_the_store_usable(path):
    """Cancelled while it writes, the worker thread finishes in peace and nothing stays locked."""
    writing, go_on = threading.Event(), threading.Event()

    def clock() -> datetime:
        writing.set()
        go_on.wait(5)
        return datetime.now(UTC)

    async def cancel(store: SqliteStore) -> None:
        task = asyncio.create_task(store.aput(ADA, "cancelled", {"text": "cat"}))
        await asyncio.to_thread(writing.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        await store.aput(ADA, "after", {"text": "cat"})

    with SqliteStore(path, clock=clock) as store:
        asyncio.run(cancel(store))
        assert sorted(keys(store, ADA)) in (["after"], ["after", "cancelled"])


def test_a_batch_cancelled_while_embedding_writes_nothing(path):
    """The embedder is told, and the items were never there."""

    async def never(texts: Sequence[str]) -> list[list[float]]:
        await asyncio.Event().wait()
        return embed_concepts(texts)

    async def cancel(store: SqliteStore) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(store.aput(ADA, "a", {"text": "cat"}), 0.05)
        assert await store.asearch(ADA) == []

    with SqliteStore(path, embed=never) as store:
        asyncio.run(cancel(store))


def test_a_closed_store_says_so(path):
    """Closing twice is fine, using it afterwards is not."""
    store = SqliteStore(path)
    store.put(ADA, "a", {"n": 1})
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.get(ADA, "a")


def test_a_store_that_is_forgotten_leaks_nothing(path):
    """Its connections are closed with it (warnings are errors here)."""
    store = SqliteStore(path)
    store.put(ADA, "a", {"n": 1})
    del store
    gc.collect()


def test_closing_waits_for_nobody_and_leaks_nothing(path):
    """A connection that is in use is closed when it comes back."""
    started, finish = threading.Event(), threading.Event()

    def embed(texts: Sequence[str]) -> list[list[float]]:
        started.set()
        finish.wait(5)
        return embed_concepts(texts)

    store = SqliteStore(path, embed=embed)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(store.put, ADA, "a", {"text": "cat"})
        assert started.wait(5)
        store.close()
        finish.set()
        with pytest.raises(StoreError, match="closed"):
            pending.result(5)
