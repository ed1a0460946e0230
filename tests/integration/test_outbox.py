"""Remembering in the background: graphs that post turns, workers that take them in, and what goes wrong between them."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory
from graph_memory.graph.background import background_worker
from graph_memory.graph.worker import Worker
from graph_memory.lifecycle.counting import statistics
from graph_memory.namespaces import ROOT
from graph_memory.stores.sqlite import SqliteStore
from tests.fakes import call, in_thread
from tests.outbox import (
    QUICK,
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
