"""Working memory that agents share through the store, and what is promoted to vector memory."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.memory import InMemoryStore

from graph_memory import Query, Scope, Turn, VectorMemory, forget, search
from graph_memory.memories.working.memory import WorkingMemory
from graph_memory.namespaces import ROOT
from graph_memory.steps import run
from tests.fakes import BrokenStore, words_counter
from tests.store_helpers import Clock

ADA = Scope(user_id="ada", thread_id="t")


def lines(memory: WorkingMemory, store: BaseStore, text: str = "", now: datetime | None = None) -> list[str]:
    """What the context is offered."""
    query = Query(ADA, text, (), "q", 1000, words_counter(), now or datetime.now(UTC))
    return [snippet.text for snippet in run(memory.recall(query), store=store).snippets]


def tool_turn(answer: str = "booked", now: datetime | None = None) -> Turn:
    """A turn with one tool call."""
    messages = (
        HumanMessage("book it", id="h"),
        AIMessage("I book.", id="a", tool_calls=[{"name": "book", "args": {}, "id": "1"}]),
        ToolMessage("seat 7", id="t", tool_call_id="1"),
        AIMessage(answer, id="b"),
    )
    return Turn(ADA, messages, "t", now or datetime.now(UTC), turn_id="h")


def test_agents_and_threads_of_a_user_share(store: BaseStore) -> None:
    """What one notes, the other reads; namespaces are apart."""
    memory = WorkingMemory(shared=True)
    planner, worker = replace(ADA, agent="planner"), Scope(user_id="ada", thread_id="other", agent="worker")

    memory.note(planner, "plan", ["fly", "stay"], store=store, importance=0.9)
    memory.note(worker, "fare", 42, store=store)
    memory.note(worker, "plan", "elsewhere", store=store, namespace="other")
    memory.step(planner, "find a flight", "KLM", store=store, step="flight")
    memory.step(worker, "find a bed", "Ibis", store=store, links=["flight"])

    pad = memory.read(worker, store=store)
    assert {item.key: item.value for item in pad.items} == {"plan": ["fly", "stay"], "fare": 42}
    assert [step.result for step in pad.steps] == ["KLM", "Ibis"]
    assert lines(memory, store)[-1] == "step 2: find a bed → Ibis (after 1)"
    assert memory.read(Scope("eve"), store=store).items == ()
    assert {found.memo.kind for found in search(ADA, "", store=store)} == {"working", "step"}
    memory.drop(worker, ["plan"], store=store)
    assert [item.key for item in memory.read(planner, store=store).items] == ["fare"]
    assert forget(store, "ada") > 0
    assert memory.read(worker, store=store).steps == ()


def test_the_async_twins_do_the_same(store: BaseStore) -> None:
    """Over `abatch`."""
    memory = WorkingMemory(shared=True)

    async def use() -> None:
        await memory.anote(ADA, "plan", 1, store=store)
        await memory.anote(ADA, "old", 1, store=store)
        await memory.astep(ADA, "think", store=store)
        await memory.ause(ADA, ["plan"], store=store)
        await memory.adrop(ADA, ["old"], store=store)
        pad = await memory.aread(ADA, store=store)
        assert [(item.key, item.uses) for item in pad.items] == [("plan", 1)]
        assert len(pad.steps) == 1
        assert await memory.apromote(ADA, store=store, keys=["plan"]) == ["plan"]

    asyncio.run(use())


def test_two_writers_lose_nothing(store: BaseStore) -> None:
    """Each item and each step is a record of its own."""
    memory = WorkingMemory(shared=True)

    def write(name: str) -> None:
        for i in range(10):
            memory.note(ADA, f"{name}{i}", i, store=store)
            memory.step(ADA, f"{name}{i}", store=store)

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    pad = memory.read(ADA, store=store)
    assert (len(pad.items), len(pad.steps)) == (20, 20)


def test_what_expired_is_gone_and_swept() -> None:
    """Also from a store without TTL, with the next write."""
    clock, store = Clock(), InMemoryStore()
    memory = WorkingMemory(shared=True, ttl_seconds=60, clock=clock)
    memory.note(ADA, "old", 1, store=store)
    memory.use(ADA, ["old"], store=store)
    memory.step(ADA, "old", store=store)

    clock.advance(seconds=60)
    assert memory.read(ADA, store=store).items == ()
    assert lines(memory, store, now=clock()) == []
    memory.note(ADA, "new", 1, store=store)

    assert [item.value["text"] for item in store.search((ROOT,))] == ["new: 1"]


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 1), st.integers(-50, 50)), max_size=25),
    st.sampled_from(["importance", "lru", "fifo"]),
)
def test_capacity_and_ttl_hold_in_the_store(notes: list[tuple[str, float, int]], eviction: Any) -> None:
    """Whatever is noted, when, by whichever clock: neither what is read nor what is stored grows over it."""
    clock, store = Clock(), InMemoryStore()
    memory, ends = WorkingMemory(shared=True, capacity=3, eviction=eviction, ttl_seconds=40, clock=clock), {}
    for key, importance, seconds in notes:
        memory.note(ADA, key, 1, store=store, importance=importance)
        memory.use(ADA, [key], store=store)
        ends[key] = clock() + timedelta(seconds=40)
        pad = memory.read(ADA, store=store)
        assert len(pad.items) <= 3
        assert all(clock() < ends[item.key] for item in pad.items)
        assert len([i for i in store.search((ROOT,), limit=100) if "text" in i.value]) <= 3
        clock.advance(seconds=seconds)


IDS = st.sampled_from(["", "a", "a.b", "A", "*", "%", "ada", "ada:", "user:ada:", "адa"])


@given(IDS, IDS)
def test_no_user_reaches_another(one: str, other: str) -> None:
    """Law 6; an empty id is nobody's, and private to the thread."""
    store, memory = InMemoryStore(), WorkingMemory(shared=True)
    memory.note(Scope(one, "t"), "secret", 7731, store=store)

    assert bool(memory.read(Scope(other, "u"), store=store).items) == (one == other != "")


def test_uses_are_counted_once_a_turn_and_not_lost_by_noting_again(store: BaseStore) -> None:
    """Telling a turn again counts nothing; another value begins anew."""
    memory = WorkingMemory(shared=True)
    memory.note(ADA, "seat", "seat seven window", store=store)
    for _ in range(3):
        run(memory.remember(tool_turn("You have seat seven.")), store=store)

    memory.note(ADA, "seat", "seat seven window", store=store)
    [item] = memory.read(ADA, store=store).items
    assert item.uses == 1
    assert len(memory.read(ADA, store=store).steps) == 1
    memory.note(ADA, "seat", "seat eight", store=store)
    [item] = memory.read(ADA, store=store).items
    assert item.uses == 0


def test_what_proved_useful_is_promoted(store: BaseStore) -> None:
    """Important or often used: a fact that vector memory recalls, once; what did not, is not."""
    memory, vector = WorkingMemory(shared=True, promote_to="vector", promote_uses=2), VectorMemory()
    memory.note(ADA, "gate", "the gate is B7", store=store, importance=0.9)
    memory.note(ADA, "snack", "the snack is an apple", store=store)
    memory.note(ADA, "weather", "rain", store=store)
    memory.use(ADA, ["snack"], store=store)

    run(memory.remember(tool_turn("Take the snack, the apple.")), store=store)
    puts = [op for op in _ops(memory, tool_turn(), store) if "fact" in str(op.value)]

    facts = vector.search(ADA, "which gate and which snack?", store=store)
    assert {found.memo.text for found in facts} == {"gate: the gate is B7", "snack: the snack is an apple"}
    assert {found.memo.kind for found in facts} == {"fact"}
    assert puts == []
    assert memory.promote(ADA, store=store, keys=["weather"]) == ["weather"]
    assert memory.promote(ADA, store=store, keys=["weather"]) == ["weather"]
    assert [f.memo.text for f in vector.search(ADA, "weather", store=store, limit=1)] == ["weather: rain"]


def _ops(memory: WorkingMemory, turn: Turn, store: BaseStore) -> list[PutOp]:
    """What remembering writes."""
    steps, puts = memory.remember(turn), list[PutOp]()
    try:
        request = next(steps)
        while True:
            puts += [op for op in request.ops if isinstance(op, PutOp)]  # type: ignore[union-attr]
            request = steps.send(store.batch(request.ops))  # type: ignore[union-attr]
    except StopIteration:
        return puts


def test_a_promotion_that_fails_is_tried_again() -> None:
    """The turn is remembered all the same."""
    broken = [True]
    store = BrokenStore(lambda op: broken[0])
    memory = WorkingMemory(promote_to="vector")
    state = memory.noted("gate", "B7", node="n", importance=1.0)["memory"]["n"]["working"]

    update = run(memory.remember(replace(tool_turn(), state=state)), store=store)
    assert update["a"]["steps"]
    assert "items" not in update["a"]
    broken[0] = False
    run(memory.remember(replace(tool_turn(), state=state)), store=store)

    assert len(VectorMemory().search(ADA, "gate", store=store)) == 1


def test_a_damaged_item_is_passed_over(store: BaseStore) -> None:
    """The others are read."""
    memory = WorkingMemory(shared=True)
    memory.note(ADA, "fine", 1, store=store)
    [item] = store.search((ROOT,))
    damaged = {key: value for key, value in item.value.items() if key != "value"}
    store.put(item.namespace, "damaged", damaged, index=False)
    store.put(item.namespace, "junk", {"x": 1}, index=False)
    store.put(item.namespace, "step", {**damaged, "kind": "step", "id": "step"}, index=False)

    assert [one.key for one in memory.read(ADA, store=store).items] == ["fine"]
