"""Remembering in the background: graphs that post turns, workers that take them in, and what goes wrong between them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, VectorMemory, forget
from graph_memory.graph.queues import adead_letters, apending, arequeue, dead_letters, pending, requeue
from graph_memory.graph.worker import Worker, background_worker
from graph_memory.lifecycle.counting import statistics
from graph_memory.memories.listing import listed
from graph_memory.namespaces import ROOT, user_prefix
from graph_memory.steps import run
from graph_memory.stores.sqlite import SqliteStore
from tests.fakes import MODES, call, in_thread
from tests.lineage_faults import CrashError, Fuse, FusedSaver, FusedStore
from tests.outbox import QUICK, Clock, NoteMemory, noted_graph, notes, waiting, worker

STORES: list[Callable[[], BaseStore]] = [InMemoryStore, lambda: SqliteStore(None)]
each_store = pytest.mark.parametrize("make", STORES, ids=["InMemoryStore", "SqliteStore"])
each_mode = pytest.mark.parametrize("mode", MODES)


def drained(works: Worker, mode: str) -> int:
    """What is ready is taken in, sync or async."""
    return works.drain() if mode == "invoke" else asyncio.run(works.adrain())


def say(graph: Any, text: str, mode: str = "invoke", thread: str = "t", **more: Any) -> Any:
    """One turn."""
    return call(graph, mode, {"messages": [("user", text)]}, in_thread(thread, **more))


def unsteady(failures: int) -> Callable[[str], str]:
    """Work that fails so often, and then succeeds."""
    left = iter(range(failures))

    def work(text: str) -> str:
        if next(left, None) is not None:
            raise RuntimeError(f"no answer about {text}")
        return text

    return work


@each_store
@each_mode
def test_a_turn_is_durable_at_once_and_remembered_later(make: Any, mode: str):
    """The run does none of the slow work; the worker does, and the next turn recalls it."""
    store, asked = make(), []
    graph = noted_graph(store, InMemorySaver(), BufferMemory(turns=1), NoteMemory(work=asked.append))

    say(graph, "I like tea", mode)
    assert (notes(store), waiting(store), asked) == ([], 1, [])

    assert drained(Worker(graph, store), mode) == 1
    assert (notes(store), waiting(store), asked) == (["I like tea"], 0, ["I like tea"])

    say(graph, "Hello", mode)
    lines = say(graph, "What do I like?", mode)["memory_context"].kept
    assert "I like tea" in {line.text for line in lines if line.memory == "notes"}
    state = graph.get_state(in_thread()).values["memory"]["assistant"]["notes"]
    assert state["seq"] == 6


@each_store
@each_mode
def test_without_a_checkpointer_turns_are_posted_as_well(make: Any, mode: str):
    """There is no lineage then; two users with equal threads and words keep apart."""
    store = make()
    graph = noted_graph(store, None, NoteMemory())
    for user in ("ada", "bob"):
        say(graph, "hello", mode, user_id=user)

    assert waiting(store) == 2
    assert drained(worker(store), mode) == 2
    assert notes(store) == ["hello", "hello"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("moment", range(1, 12))
def test_a_worker_that_crashes_at_any_moment_leaves_nothing_undone_or_doubled(moment: int, after: bool):
    """Before and after each store operation. The notes' keys are random, so that doing it twice would show."""
    clock = Clock()
    store = SqliteStore(None, clock=clock)
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
def test_a_fork_does_not_see_what_an_abandoned_branch_left_to_the_background(make: Any, mode: str):
    """Whether the worker came before the fork or after it."""
    store = make()
    graph = noted_graph(store, InMemorySaver(), BufferMemory(turns=1), NoteMemory())
    say(graph, "first", mode)
    moment = graph.get_state(in_thread()).config
    say(graph, "abandoned early", mode)
    drained(worker(store), mode)
    say(graph, "abandoned late", mode)
    config = {"configurable": {**moment["configurable"], **in_thread()["configurable"]}}

    call(graph, mode, {"messages": [("user", "instead")]}, config)
    drained(worker(store), mode)
    context = say(graph, "What did I say?", mode)["memory_context"]

    assert notes(store) == ["abandoned early", "abandoned late", "first", "instead"]
    assert {line.text for line in context.lines if line.memory == "notes"} == {"first", "instead"}


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
def test_a_quick_exchange_is_taken_in_once_when_it_rests(make: Any, mode: str):
    """Its turns wait for the thread to rest, and are told as one; a fork from its middle sees what was said until then."""
    store, clock, told = make(), Clock(), []

    class Counting(NoteMemory):
        def remember(self, turn: Any) -> Any:
            told.append(len(turn.messages))
            return (yield from super().remember(turn))

    graph = noted_graph(store, InMemorySaver(), BufferMemory(turns=1), NoteMemory())
    say(graph, "one", mode)
    middle = graph.get_state(in_thread()).config
    say(graph, "two", mode)
    say(graph, "three", mode)
    works = worker(store, Counting(), clock=clock, debounce_seconds=5)

    assert drained(works, mode) == 0
    clock.advance(6)
    assert drained(works, mode) == 3
    assert (told, notes(store)) == ([6], ["one", "three", "two"])

    config = {"configurable": {**middle["configurable"], **in_thread()["configurable"]}}
    context = call(graph, mode, {"messages": [("user", "instead")]}, config)["memory_context"]
    assert {line.text for line in context.lines if line.memory == "notes"} == {"one"}


def test_an_exchange_that_never_rests_is_taken_in_nevertheless():
    """After ten times as long as it should have rested."""
    store, clock = InMemoryStore(), Clock()
    graph = noted_graph(store, InMemorySaver())
    say(graph, "one")
    works = worker(store, clock=clock, debounce_seconds=3600)

    clock.advance(3599)
    assert works.drain() == 0
    clock.advance(2)
    assert works.drain() == 1


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


def test_a_worker_leaves_alone_what_is_not_its_own():
    """Turns of memories that it was not given wait for a worker that was."""
    store = InMemoryStore()
    say(noted_graph(store, InMemorySaver()), "one")

    assert worker(store, NoteMemory(name="other")).drain() == 0
    assert worker(store).drain() == 1


def test_stop_lets_the_turn_at_hand_be_finished():
    """The next one is left to the next worker, with its lane free."""
    store = SqliteStore(None)
    graph = noted_graph(store, InMemorySaver())
    say(graph, "one")
    say(graph, "two")
    works: Worker = worker(store, NoteMemory(work=lambda text: works.stop()))

    works.run()

    assert notes(store) == ["one"]
    assert worker(store).drain() == 1


@each_store
def test_a_worker_runs_beside_a_sync_graph(make: Any):
    """In a thread for as long as the block lasts; what is left when it ends stays in the outbox."""
    store = make()
    graph, done = noted_graph(store, InMemorySaver()), threading.Event()
    memory = NoteMemory(work=lambda text: done.set())

    with background_worker([memory], store, options=QUICK):
        say(graph, "one")
        assert done.wait(10)
    say(graph, "two")

    assert (notes(store), waiting(store)) == (["one"], 1)


@each_store
async def test_a_worker_runs_beside_an_async_graph(make: Any):
    """As a task; leaving the block waits for the turn at hand."""
    store = make()
    graph, done = noted_graph(store, InMemorySaver()), threading.Event()
    memory = NoteMemory(work=lambda text: done.set())

    async with background_worker([memory], store, options=QUICK):
        await graph.ainvoke({"messages": [("user", "one")]}, in_thread())
        assert await asyncio.to_thread(done.wait, 10)

    assert (notes(store), waiting(store)) == (["one"], 0)


@each_store
async def test_several_workers_share_the_work(make: Any):
    """Beside each other on one store; each turn is noted once."""
    store = make()
    graph = noted_graph(store, InMemorySaver())
    for number in range(24):
        say_in = in_thread(f"t{number % 6}")
        await graph.ainvoke({"messages": [("user", f"turn {number}")]}, say_in)

    done = await asyncio.gather(*(worker(store).adrain() for _ in range(4)))

    assert sum(done) == 24
    assert notes(store) == sorted(f"turn {number}" for number in range(24))


def test_what_waits_is_no_memo():
    """Searches, statistics and listings of memos do not meet it."""
    store = SqliteStore(None)
    say(noted_graph(store, InMemorySaver()), "zebra")

    assert all("zebra" not in str(item.value) for item in store.search((ROOT,), query="zebra", limit=100))
    assert statistics(store, "ada").memos == 0
