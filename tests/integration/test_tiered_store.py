"""A tier of two stores: what is hot, what waits, and what happens while one of them is away."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.base import GetOp, PutOp, SearchOp

from graph_memory.errors import ConfigurationError, ConflictError, StoreError, StoreUnavailableError
from graph_memory.stores import open_store
from graph_memory.stores.claims import ClaimOp
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.stores.tiered import TieredStore
from tests.switched import Switched

ADA = ("users", "ada")
MODES = ("sync", "async")


@pytest.fixture
def hot() -> Iterator[Switched]:
    """A store for copies."""
    with SqliteStore(None) as store:
        yield Switched(store)


@pytest.fixture
def durable() -> Iterator[Switched]:
    """A store for what lasts."""
    with SqliteStore(None) as store:
        yield Switched(store)


def tier(hot: Switched, durable: Switched, **options: Any) -> TieredStore:
    """A tier that is quick to try again."""
    return TieredStore(hot, durable, **{"retry_seconds": 0.05, "trust_seconds": 0.02, **options})


def ask(store: TieredStore, mode: str, *ops: Any) -> list[Any]:
    """The results of a batch."""
    return store.batch(ops) if mode == "sync" else asyncio.run(store.abatch(ops))


def until(condition: Callable[[], Any]) -> None:
    """Waits for something that is to happen soon."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("mode", MODES)
def test_what_was_put_is_read_without_the_durable_store(hot: Switched, durable: Switched, mode: str) -> None:
    """And as it is there: value and times; also that an item is not there."""
    store = tier(hot, durable, trust_seconds=60)
    ask(store, mode, PutOp(ADA, "a", {"text": "tea", "n": [1, None]}))
    ask(store, mode, GetOp(ADA, "missing"))
    kept = durable.store.get(ADA, "a")
    durable.is_on = False
    assert ask(store, mode, GetOp(ADA, "a"), GetOp(ADA, "missing"), GetOp(ADA, "a")) == [kept, None, kept]


@pytest.mark.parametrize("mode", MODES)
def test_without_the_hot_store_everything_works(hot: Switched, durable: Switched, mode: str) -> None:
    """It is asked once, and then left alone for a while; what was hot before does not come back old."""
    store = tier(hot, durable, retry_seconds=60)
    ask(store, mode, PutOp(ADA, "a", {"text": "old"}))
    hot.is_on = False
    asked = len(hot.asked)
    for n in range(5):
        ask(store, mode, PutOp(ADA, "a", {"text": f"new {n}"}))
        assert ask(store, mode, GetOp(ADA, "a"))[0].value == {"text": f"new {n}"}
    assert [hit.key for hit in ask(store, mode, SearchOp(ADA, query="new"))[0]] == ["a"]
    assert len(hot.asked) == asked + 1


@pytest.mark.parametrize("mode", MODES)
def test_after_a_repair_nothing_old_is_read(hot: Switched, durable: Switched, mode: str) -> None:
    """By this process, nor by another that never lost the hot store; and then copies are used again."""
    store, other = tier(hot, durable), tier(Switched(hot.store), durable)
    ask(store, mode, PutOp(ADA, "a", {"n": 1}))
    assert ask(other, mode, GetOp(ADA, "a"))[0].value == {"n": 1}
    hot.is_on = False
    ask(store, mode, PutOp(ADA, "a", {"n": 2}))
    assert ask(other, mode, GetOp(ADA, "a"))[0].value == {"n": 2}
    hot.is_on = True

    def is_hot_again() -> bool:
        asked = len(durable.asked)
        assert ask(store, mode, GetOp(ADA, "a"))[0].value == {"n": 2}
        return len(durable.asked) == asked

    until(is_hot_again)
    ask(other, mode, PutOp(ADA, "a", {"n": 3}))
    assert ask(store, mode, GetOp(ADA, "a"))[0].value == {"n": 3}


@pytest.mark.parametrize("mode", MODES)
def test_without_the_durable_store_writes_and_searches_fail(hot: Switched, durable: Switched, mode: str) -> None:
    """Loudly; and nothing of them is seen, then or later."""
    store = tier(hot, durable)
    ask(store, mode, PutOp(ADA, "a", {"n": 1}))
    durable.is_on = False
    for op in (PutOp(ADA, "b", {"n": 2}), SearchOp(ADA), GetOp(ADA, "never read")):
        with pytest.raises(StoreUnavailableError, match="switched off"):
            ask(store, mode, op)
    durable.is_on = True
    assert ask(store, mode, GetOp(ADA, "a"), GetOp(ADA, "b"))[1] is None


def test_many_readers_of_one_item_ask_the_durable_store_once(hot: Switched, durable: Switched) -> None:
    """The others wait for the copy, in this process and in another."""
    durable.store.put(ADA, "a", {"n": 1})
    stores = [tier(hot, durable, trust_seconds=60) for _ in range(2)]
    for store in stores:
        store.get(ADA, "something else")
    asked, slow = len(durable.asked), durable.store.batch
    durable.store.batch = lambda ops: (time.sleep(0.05), slow(ops))[1]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda n: stores[n % 2].get(ADA, "a").value, range(32)))
    del durable.store.batch
    assert found == [{"n": 1}] * 32
    assert len(durable.asked) == asked + 1


def test_what_expires_is_never_copied(hot: Switched, durable: Switched) -> None:
    """The durable store alone knows when it ends, and reading it there makes it last."""
    store = tier(hot, durable)
    store.put(ADA, "a", {"n": 1}, ttl=60)
    for _ in range(3):
        asked = len(durable.asked)
        assert store.get(ADA, "a").value == {"n": 1}
        assert len(durable.asked) > asked


@pytest.mark.parametrize("mode", MODES)
def test_bad_input_is_refused_and_trips_nothing(hot: Switched, durable: Switched, mode: str) -> None:
    """What is wrong with an operation says nothing about a store."""
    store = tier(hot, durable, retry_seconds=60)
    for op in (GetOp((), None), PutOp((), "k", {}), PutOp(ADA, "k", {"x": {1}}), "nonsense"):
        with pytest.raises(StoreError if op == PutOp(ADA, "k", {"x": {1}}) else ConfigurationError):
            ask(store, mode, op)
    store.put(ADA, "a", {"n": 1})
    assert store.get(ADA, "a").value == {"n": 1}
    assert hot.store.search(ADA)


def test_a_slot_that_another_holds_is_claimed_by_nobody(hot: Switched, durable: Switched) -> None:
    """As the durable store says; and the copy is what is there."""
    store = tier(hot, durable)
    store.batch([ClaimOp(ADA, "slot", {"operation": "one"})])
    with pytest.raises(ConflictError):
        store.batch([ClaimOp(ADA, "slot", {"operation": "two"}), PutOp(ADA, "beside", {})])
    assert store.get(ADA, "slot").value == {"operation": "one"}
    assert store.get(ADA, "beside") is None
    assert not store.put_if_absent(ADA, "slot", {"n": 2})


@pytest.mark.parametrize("mode", MODES)
def test_queued_writes_are_read_and_carried_out_in_order(
    hot: Switched, durable: Switched, mode: str, tmp_path: Path
) -> None:
    """By everybody with the same queue; searches and claims wait, and fail meanwhile."""
    queue = str(tmp_path / "queue.db")
    with tier(hot, durable, queue=queue) as store, tier(hot, durable, queue=queue) as other:
        ask(store, mode, PutOp(ADA, "a", {"n": 0}), PutOp(ADA, "gone", {"n": 0}))
        durable.is_on = False
        for n in range(1, 4):
            ask(store, mode, PutOp(ADA, "a", {"n": n}), PutOp(ADA, f"b{n}", {"n": n}), PutOp(ADA, "gone", None))
        assert [item and item.value for item in ask(other, mode, GetOp(ADA, "a"), GetOp(ADA, "gone"))] == [
            {"n": 3},
            None,
        ]
        assert store.queued == 9
        for op in (SearchOp(ADA), ClaimOp(ADA, "slot", {"operation": "one"})):
            with pytest.raises(StoreUnavailableError, match="wait in the queue"):
                ask(store, mode, op)
        durable.is_on = True
        until(lambda: store.queued == 0)
        assert sorted(hit.key for hit in ask(other, mode, SearchOp(ADA))[0]) == ["a", "b1", "b2", "b3"]
        assert ask(other, mode, GetOp(ADA, "a"))[0].value == {"n": 3}


def test_what_waits_survives_the_process(hot: Switched, durable: Switched, tmp_path: Path) -> None:
    """The next one carries it out, before anything else."""
    queue = str(tmp_path / "queue.db")
    with tier(hot, durable, queue=queue) as store:
        durable.is_on = False
        store.put(ADA, "a", {"n": 1})
    durable.is_on = True
    with tier(hot, durable, queue=queue, retry_seconds=60) as store:
        assert [hit.value for hit in store.search(ADA)] == [{"n": 1}]
        assert store.queued == 0


WRITER = """
import sys
from langgraph.store.base import PutOp
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.stores.tiered import TieredStore
from tests.switched import Switched
durable = Switched(SqliteStore(None))
durable.is_on = False
with TieredStore(SqliteStore(None), durable, queue=sys.argv[1]) as store:
    for n in range(100_000):
        store.batch([PutOp(("users", "ada"), f"{n} {half}", {"n": n}) for half in "ab"])
        print(n, flush=True)
"""


def test_what_was_acknowledged_into_the_queue_survives_a_kill(hot: Switched, durable: Switched, tmp_path: Path) -> None:
    """At any moment; and a batch is there as a whole or not at all."""
    queue = str(tmp_path / "queue.db")
    with subprocess.Popen([sys.executable, "-c", WRITER, queue], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(30):
            acknowledged = int(writer.stdout.readline())
        writer.kill()
    with tier(hot, durable, queue=queue) as store:
        until(store.drain)
        kept = {hit.key for hit in store.search(ADA, limit=10_000)}
    assert {f"{n} {half}" for n in range(acknowledged + 1) for half in "ab"} <= kept
    assert {key[:-1] for key in kept if key.endswith("a")} == {key[:-1] for key in kept if key.endswith("b")}


def test_a_queued_write_that_is_refused_holds_up_nobody(hot: Switched, durable: Switched, tmp_path: Path) -> None:
    """It stays in the file, and is said in the log."""
    refusing, carry_out = [True], durable.store.batch

    def batch(ops: Any) -> Any:
        if refusing and any(isinstance(op, PutOp) and op.key == "bad" for op in ops):
            raise StoreError("too large")
        return carry_out(ops)

    durable.store.batch = batch
    with tier(hot, durable, queue=str(tmp_path / "queue.db")) as store:
        durable.is_on = False
        for key in ("a", "bad", "b"):
            store.put(ADA, key, {"n": 1})
        durable.is_on = True
        until(store.drain)
        assert sorted(hit.key for hit in store.search(ADA)) == ["a", "b"]
    del durable.store.batch


def test_a_foreign_file_is_no_queue(tmp_path: Path) -> None:
    """It is left alone."""
    path = tmp_path / "memory.db"
    with open_store(f"sqlite:///{path}") as store:
        store.put(ADA, "a", {"n": 1})
    with pytest.raises(StoreError, match="name another file"), open_store("sqlite://", hot="sqlite://", queue=path):
        pass


def test_options_of_a_tier_need_a_hot_store() -> None:
    """And a tier needs two stores."""
    with pytest.raises(ConfigurationError, match="name its hot store"):
        open_store("sqlite://", queue="queue.db")
    store = SqliteStore(None)
    with pytest.raises(ConfigurationError, match="two different stores"):
        TieredStore(store, store)


def test_copies_are_not_read_past_the_rights_of_a_user() -> None:
    """A hot store checks nobody, so each user's copies are apart; where that cannot be, there are none."""
    for options in ({"user": "ada", "hot": SqliteStore(None)}, {"user": "ada", "hot": "sqlite://"}):
        with pytest.raises(ConfigurationError, match="readable past the rights"):
            open_store("postgresql://u@localhost/d", **options)
