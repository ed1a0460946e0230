"""The memories of this package in the background: what they remember is what they would have remembered in the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.base import BaseStore

from graph_memory import BufferMemory, EntityMemory, KeyValueMemory, Memory, Scope, VectorMemory
from graph_memory.extract.preferences import said_preferences
from graph_memory.graph.draining import lanes, opened
from graph_memory.graph.worker import Worker
from graph_memory.memories.listing import listed
from graph_memory.messages import SAID_AT
from graph_memory.namespaces import namespace
from graph_memory.steps import run
from graph_memory.stores.sqlite import SqliteStore
from tests.fakes import MODES, call, in_thread
from tests.outbox import noted_graph, worker

SAID = [
    "My sister Anna works at Siemens in Munich.",
    "I prefer tea to coffee, and I am vegetarian.",
    "Anna moved to Berlin last week.",
]
MAKES: list[Callable[[], Any]] = [
    VectorMemory,
    EntityMemory,
    lambda: KeyValueMemory(extract=said_preferences),
]
each_memory = pytest.mark.parametrize("make", MAKES, ids=["vector", "entity", "key_value"])


def lived(memory: Memory, mode: str) -> tuple[Any, BaseStore]:
    """A graph and its store after some turns, whose messages have the same ids and times each time."""
    store = SqliteStore(None)
    graph = noted_graph(store, InMemorySaver(), BufferMemory(), memory)
    for number, text in enumerate(SAID):
        when = {SAID_AT: f"2025-03-0{number + 1}T10:00:00+00:00"}
        call(graph, mode, {"messages": [HumanMessage(text, id=str(number), additional_kwargs=when)]}, in_thread())
    return graph, store


def memos(store: BaseStore, memory: Memory) -> list[Any]:
    """What a memory remembers."""
    items = run(listed(namespace(Scope(user_id="ada", thread_id="t"), memory.name)), store=store)
    return [item.value for item in items if "text" in item.value]


def remembered(store: BaseStore, memory: Memory) -> list[tuple[str, str]]:
    """The texts of a memory's memos, and the turns that they are of."""
    return sorted((memo["text"], memo["origin"]["turn_id"]) for memo in memos(store, memory))


@each_memory
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("debounce_seconds", [0, 0.001])
def test_the_background_remembers_what_the_run_would_have(make: Any, mode: str, debounce_seconds: float):
    """The same memos, each at the commit of its turn, one turn after the other or all told as one; and the same state is kept."""
    memory: Memory = make()
    later = replace(memory, remembers="background")
    inline, expected = lived(memory, mode)
    graph, store = lived(later, mode)
    assert remembered(store, later) == []

    assert worker(store, later, debounce_seconds=debounce_seconds).drain() == len(SAID)

    assert remembered(store, later) == remembered(expected, memory) != []
    assert all(memo["origin"]["commit"] == int(memo["origin"]["turn_id"]) + 1 for memo in memos(store, later))
    states = [g.get_state(in_thread()).values["memory"]["assistant"][memory.name] for g in (inline, graph)]
    assert states[0].get("seq") == states[1].get("seq")


@each_memory
def test_a_turn_that_is_posted_again_when_it_is_taken_in_changes_nothing(make: Any):
    """As a run does that crashed right after its turn was posted, when the worker is quicker than the one who resumes it."""
    memory: Memory = replace(make(), remembers="background")
    graph, store = lived(memory, "invoke")
    works = Worker(graph, store)
    [lane] = run(lanes(), store=store)
    entries = run(opened(lane, works._lease(lane)), store=store)
    run(works._lease(lane).release(), store=store)
    works.drain()
    before = remembered(store, memory)

    store.batch([put for entry in entries for put in entry.puts()])
    assert works.drain() == len(SAID)

    assert remembered(store, memory) == before
