"""Remembering in the background when something goes wrong: crashes, failures, lost leases, users who are forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.base import BaseStore

from graph_memory import BufferMemory, VectorMemory, forget, new_key
from graph_memory.graph.queues import adead_letters, apending, arequeue, dead_letters, pending, requeue
from graph_memory.memories.listing import listed
from graph_memory.namespaces import user_prefix
from graph_memory.steps import run
from graph_memory.stores.encrypted import EncryptedStore
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.stores.tiered import TieredStore
from tests.fakes import call, in_thread
from tests.lineage_faults import CrashError, Fuse, FusedSaver, FusedStore
from tests.outbox import (
    Clock,
    NoteMemory,
    drained,
    each_mode,
    each_store,
    noted_graph,
    notes,
    say,
    waiting,
    worker,
)


def unsteady(failures: int) -> Callable[[str], str]:
    """Work that fails so often, and then succeeds."""
    left = iter(range(failures))

    def work(text: str) -> str:
        if next(left, None) is not None:
            raise RuntimeError(f"no answer about {text}")
        return text

    return work


AROUND: dict[str, Callable[[BaseStore], BaseStore]] = {
    "alone": lambda store: store,
    "encrypted": lambda store: EncryptedStore(store, new_key()),
    "tiered": lambda store: TieredStore(SqliteStore(None), store),
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("moment", range(1, 12))
def test_a_worker_that_crashes_at_any_moment_leaves_nothing_undone_or_doubled(moment: int, after: bool, around: str):
    """Before and after each store operation. The notes' keys are random, so that doing it twice would show."""
    clock = Clock()
    store = AROUND[around](SqliteStore(None, clock=clock))
    graph, memory = noted_graph(store, InMemorySaver()), NoteMemory(is_random=True)
    fuse = Fuse(moment, after, stays=True)
    say(graph, "one")
    say(graph, "two")

    try:
        worker(FusedStore(store, fuse, Fuse()), memory, clock=clock, lease_seconds=60).drain()
    except CrashError:
        clock.advance(61)
    worker(store, memory, clock=clock).drain()

    assert notes(store) == ["one", "two"]
    assert (waiting(store), pending(store)) == (0, [])


@each_mode
@pytest.mark.parametrize("moment", range(1, 30))
def test_a_run_that_crashes_and_is_resumed_posts_once(moment: int, mode: str):
    """At any moment of its writes to store and checkpointer, with a worker that is quicker than the resumed run."""
    store, fuse = SqliteStore(None), Fuse(moment, stays=True)
    memory = NoteMemory(is_random=True)
    graph = noted_graph(FusedStore(store, fuse, Fuse()), FusedSaver(fuse), BufferMemory(), VectorMemory(), memory)
    works = worker(store, memory)

    try:
        call(graph, "invoke", {"messages": [("user", "one")]}, in_thread(), durability="sync")
    except CrashError:
        works.drain()
        fuse.mend()
        if graph.get_state(in_thread()).values.get("messages"):
            call(graph, mode, None, in_thread(), durability="sync")
        else:
            say(graph, "one", mode)
    works.drain()

    assert notes(store) == ["one"]
    assert notes(store, "vector") == ["aha", "one"]
    assert waiting(store) == 0


@each_store
@each_mode
def test_what_fails_is_tried_again_and_then_laid_aside(make: Any, mode: str):
    """Later and later; a dead letter does not hold up what came after it, and can be put back."""
    store, clock = make(), Clock()
    graph, memory = noted_graph(store, InMemorySaver()), NoteMemory(work=unsteady(3))
    say(graph, "one", mode)
    say(graph, "two", mode)
    works = worker(store, memory, clock=clock, attempts=3, backoff_seconds=10)

    tries = []
    for seconds in (0, 9, 2, 19, 2):
        clock.advance(seconds)
        tries.append(drained(works, mode))

    assert tries == [0, 0, 0, 0, 2]
    [letter] = dead_letters(store) if mode == "invoke" else asyncio.run(adead_letters(store))
    assert letter.attempts == 3
    assert letter.reason == "the function failed: RuntimeError"
    assert notes(store) == ["two"]

    assert requeue(store, ["unknown"]) == 0
    assert (requeue(store) if mode == "invoke" else asyncio.run(arequeue(store))) == 1
    assert len(pending(store) if mode == "invoke" else asyncio.run(apending(store))) == 1
    assert drained(works, mode) == 1
    assert notes(store) == ["one", "two"]
    assert dead_letters(store) == []


@each_store
@each_mode
def test_a_user_who_is_forgotten_leaves_nothing_to_remember(make: Any, mode: str):
    """Entries, dead letters and the pointers to both go with everything else; other users' stay."""
    store = make()
    graph = noted_graph(store, InMemorySaver())
    say(graph, "dead", mode)
    drained(worker(store, NoteMemory(work=unsteady(1)), attempts=1), mode)
    say(graph, "waiting", mode)
    say(graph, "mine", mode, thread="b", user_id="bob")

    forget(store, "ada")

    assert [pointer.where[1] for pointer in pending(store)] == ["user:bob:"]
    assert dead_letters(store) == []
    assert requeue(store) == 0
    drained(worker(store), mode)
    assert notes(store) == ["mine"]
    assert run(listed(user_prefix("ada")), store=store) == []


@each_store
@each_mode
def test_a_worker_that_was_at_it_writes_nothing_of_a_user_who_was_forgotten(make: Any, mode: str):
    """Forgotten while the model thinks: its answer comes too late."""
    store = make()
    say(noted_graph(store, InMemorySaver()), "secret", mode)

    drained(worker(store, NoteMemory(work=lambda text: forget(store, "ada"))), mode)

    assert run(listed(user_prefix("ada")), store=store) == []
    assert (pending(store), dead_letters(store)) == ([], [])


def test_a_worker_that_lost_its_lease_writes_nothing():
    """It was too slow, another has taken the turn in: what it would write now is refused."""
    clock = Clock()
    store = SqliteStore(None, clock=clock)
    say(noted_graph(store, InMemorySaver()), "one")

    def overtaken(text: str) -> None:
        clock.advance(61)
        assert worker(store, NoteMemory(is_random=True), clock=clock).drain() == 1

    worker(store, NoteMemory(is_random=True, work=overtaken), clock=clock, lease_seconds=60).drain()

    assert notes(store) == ["one"]
    assert (waiting(store), dead_letters(store)) == (0, [])


@each_store
def test_what_nobody_can_read_is_laid_aside(make: Any):
    """An entry of another version does not stop a worker, and requeuing it does nothing."""
    store = make()
    graph = noted_graph(store, InMemorySaver())
    say(graph, "one")
    say(graph, "two")
    [first, _] = pending(store)
    store.put(first.where, first.id, {"version": 9})

    assert worker(store).drain() == 1
    [letter] = dead_letters(store)
    assert letter.reason == "a turn in the outbox cannot be read: another version of graph_memory wrote it"
    assert requeue(store) == 0
    assert notes(store) == ["two"]
