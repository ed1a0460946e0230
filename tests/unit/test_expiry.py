"""Time to live: what is over is not read any more, on stores that keep it and on those that do not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.store.base import GetOp, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, Scope, VectorMemory, forget, search
from graph_memory.expiry import ENDS_AT, living
from graph_memory.lifecycle import statistics
from graph_memory.lockstep import arun_all
from graph_memory.memories.listing import listed
from graph_memory.steps import Steps, StoreOps, arun, run
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import plain
from tests.said import ADA, NOW, STORES, items_of, said, store_of, tell

AT_ONCE, LATER = 1e-9, 3600.0
"""Seconds, or minutes: what is shorter than a microsecond is over when it is written."""
HERE = ("here",)


def asked(store: Any, *ops: Any, after: float = 0.0, **more: Any) -> list[Any]:
    """What a store without TTL answers so many minutes after NOW."""
    exchange = living(ops, NOW + timedelta(minutes=after), **more)
    sent = next(exchange)
    while True:
        try:
            sent = exchange.send(store.batch(sent))
        except StopIteration as stop:
            return list(stop.value)


def keys(found: list[Any]) -> list[str]:
    """Of a search."""
    return sorted(item.key for item in found)


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize(("ttl_seconds", "count"), [(AT_ONCE, 0), (LATER, 2), (None, 2)])
def test_vector_memory_forgets_when_its_time_is_over(kind: str, ttl_seconds: float | None, count: int) -> None:
    """Neither its search nor the one over everything finds it; nor the list, nor the statistics."""
    memory = VectorMemory(ttl_seconds=ttl_seconds)
    with store_of(kind) as store:
        tell(store, [[said("My dog is called Rex.", NOW, "h1"), said("Good dog.", NOW, "h2")]], memory=memory)

        assert len(memory.search(ADA, "dog", store=store)) == count
        assert len(search(Scope("ada"), "dog", store=store)) == count
        assert len(search(Scope("ada"), "", store=store)) == count
        assert statistics(store, "ada").memos == count


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("ttl_seconds", "is_there"), [(AT_ONCE, False), (LATER, True)])
def test_a_buffers_archive_forgets_when_its_time_is_over(
    kind: str, mode: str, ttl_seconds: float, is_there: bool
) -> None:
    """A graph without a checkpointer has its window from there."""
    with store_of(kind) as store:
        node = Assistant([AIMessage("Hello Ines."), AIMessage("Hm.")])
        graph = plain(node, [BufferMemory(ttl_seconds=ttl_seconds)]).compile(store=store)
        call(graph, mode, {"messages": [HumanMessage("I am Ines.")]}, in_thread())
        call(graph, mode, {"messages": [HumanMessage("Who am I?")]}, in_thread())

    assert ("Ines" in node.text) is is_there


def test_memories_see_what_they_wrote() -> None:
    """The end of an item's time stands in the store alone, and goes when the item is written without one."""
    store = InMemoryStore()
    asked(store, PutOp(HERE, "a", {"n": 1}, ttl=5))
    [item] = asked(store, GetOp(HERE, "a"))

    assert item.value == {"n": 1}
    assert ENDS_AT in store.get(HERE, "a").value
    asked(store, PutOp(HERE, "a", item.value))
    assert keys(asked(store, SearchOp(HERE), after=9)[0]) == ["a"]


def test_what_is_over_takes_nobodys_place() -> None:
    """A search asks on until it has as many as it wants, or there are no more."""
    store = InMemoryStore()
    asked(store, *(PutOp(HERE, f"old{i:02}", {"n": i}, ttl=1) for i in range(30)))
    asked(store, *(PutOp(HERE, f"new{i}", {"n": i}) for i in range(5)))

    assert keys(asked(store, SearchOp(HERE, limit=3), after=1)[0]) == ["new0", "new1", "new2"]
    assert len(asked(store, SearchOp(HERE, limit=20), after=1)[0]) == 5
    assert len(asked(store, SearchOp(HERE, limit=20), after=1, with_expired=True)[0]) == 20


def test_everything_is_listed_though_much_is_over() -> None:
    """Page by page, none is missing."""
    store = InMemoryStore()
    for i in range(1500):
        ttl = AT_ONCE if i % 3 else None
        run(put("k", f"{i:04}", ttl), store=store)

    assert {item.key for item in run(listed(("k",)), store=store)} == {f"{i:04}" for i in range(0, 1500, 3)}


def put(where: str, key: str, ttl: float | None) -> Steps[None]:
    """A memory that writes one item."""
    yield StoreOps([PutOp((where,), key, {"n": 1}, ttl=ttl)])


def reading(where: str) -> Steps[list[Any]]:
    """A memory that reads everything of a namespace."""
    [found] = yield StoreOps([SearchOp((where,))])
    return list(found)


def test_each_way_to_run_a_memory_keeps_its_time() -> None:
    """Alone, awaited, and several at once."""

    async def awaited(store: Any) -> list[Any]:
        await arun(put("b", "k", AT_ONCE), store=store)
        await arun_all({"c": put("c", "k", AT_ONCE), "d": put("d", "k", LATER)}, store=store)
        found = await arun_all({where: reading(where) for where in "abcd"}, store=store)
        return [len(found[where].value) for where in "abcd"] + [len(await arun(reading("c"), store=store))]

    store = InMemoryStore()
    run(put("a", "k", AT_ONCE), store=store)

    assert asyncio.run(awaited(store)) == [0, 0, 0, 1, 0]


def test_forgetting_takes_what_is_over_along() -> None:
    """It is not read any more, but it is there."""
    store = InMemoryStore()
    tell(store, [[said("My dog is called Rex.", NOW, "h1")]], memory=VectorMemory(ttl_seconds=AT_ONCE))
    there = len(items_of(store))

    assert there
    assert forget(store, "ada") == there
    assert not items_of(store)


def test_a_time_that_never_ends_is_none() -> None:
    """Beyond the calendar."""
    store = InMemoryStore()
    asked(store, PutOp(HERE, "a", {}, ttl=1e15))

    assert asked(store, GetOp(HERE, "a"))[0] is not None


acts = st.lists(
    st.tuples(
        st.sampled_from(["put", "delete", "wait"]),
        st.sampled_from("abcd"),
        st.sampled_from([None, 1, 5]),
        st.integers(0, 3),
    ),
    max_size=25,
)


@given(acts, st.integers(1, 5))
def test_a_store_without_ttl_answers_as_one_with_it(lives: list[tuple[str, str, int | None, int]], limit: int) -> None:
    """Under any order of operations, whatever page is asked for: nothing that is over, and nothing else is missing."""
    store, minute, model = InMemoryStore(), 0, dict[str, float]()
    for act, key, ttl, step in lives:
        if act == "wait":
            minute += step
        else:
            asked(store, PutOp(HERE, key, {"key": key} if act == "put" else None, ttl=ttl), after=minute)
            model.pop(key, None)
            if act == "put":
                model[key] = float("inf") if ttl is None else minute + ttl
    alive = sorted(key for key, end in model.items() if end > minute)
    gets = asked(store, *(GetOp(HERE, key) for key in "abcd"), after=minute)
    pages = [asked(store, SearchOp(HERE, limit=limit, offset=at), after=minute)[0] for at in range(0, 5, limit)]

    assert [item.key for item in gets if item is not None] == alive
    assert sorted({item.key for page in pages for item in page}) == alive
    assert all(item.value == {"key": item.key} for page in pages for item in page)
    assert keys(asked(store, SearchOp(HERE, limit=9), after=minute)[0]) == alive
