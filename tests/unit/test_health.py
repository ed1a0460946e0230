"""Health checks: they tell what works, name what does not, end in time, and leave no trace."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.store.base import GetOp, Op, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, Memory, Query, Scope, Section, Turn, VectorMemory, open_store
from graph_memory.errors import ConfigurationError, ModelError
from graph_memory.health import Health, acheck_health, check_health, reading_only
from graph_memory.namespaces import namespace
from graph_memory.steps import Generate, Steps, StoreOps, run
from tests.fakes import BrokenStore

MODES = ("check_health", "acheck_health")
ADA = Scope("ada", "t")
pytestmark = pytest.mark.parametrize("mode", MODES)


def check(mode: str, memories: Iterable[Memory], **more: Any) -> Health:
    """One check, by the sync or the async function."""
    if mode == "check_health":
        return check_health(memories, **more)
    return asyncio.run(acheck_health(memories, **more))


def everything(store: InMemoryStore) -> dict[Any, Any]:
    """All that a store holds, with its times."""
    return {
        (where, key): (item.value, item.updated_at)
        for where, items in store._data.items()
        for key, item in items.items()
    }


@dataclass(frozen=True, kw_only=True)
class Scripted(Memory):
    """Recalls by a function of the query."""

    body: Any = None

    def recall(self, query: Query) -> Steps[Section]:
        """What the script says."""
        return self.body(self, query)


def failing(memory: Memory, query: Query) -> Steps[Section]:
    """A bug."""
    yield StoreOps([])
    raise ZeroDivisionError("secret")


def poor(memory: Memory, query: Query) -> Steps[Section]:
    """Less than it should be."""
    yield from ()
    return memory.section(degraded="no embedder")


def writing(memory: Memory, query: Query) -> Steps[Section]:
    """Counts accesses as it reads, which a check must not do."""
    where = namespace(query.scope, "mine")
    ops = [PutOp(where, "a", {"n": 1}), GetOp(where, "a"), PutOp(where, "b", {}), SearchOp(where)]
    first, item, second, found = yield StoreOps(ops)
    assert (first, second) == (None, None)
    seen = f"{item and item.value} {len(found)}"
    return memory.section(degraded=seen)


def test_what_works_is_healthy(mode):
    """Every memory, the store and the whole, with the milliseconds that each took."""
    health = check(mode, [BufferMemory(), VectorMemory()], store=InMemoryStore())

    assert health.status == health.store.status == health.orchestrator.status == "healthy"
    assert {name: part.status for name, part in health.memories.items()} == {"buffer": "healthy", "vector": "healthy"}
    assert all(part.elapsed_ms > 0 and not part.reason for part in health.memories.values())
    assert json.loads(json.dumps(health.to_value()))["memories"]["buffer"]["status"] == "healthy"


def test_it_works_on_sqlite_and_leaves_nothing(mode):
    """The default store, whose items can expire."""

    async def on_sqlite() -> tuple[Health, list[Any]]:
        async with open_store("sqlite://") as store:
            health = await acheck_health([VectorMemory()], store=store)
            return health, await store.alist_namespaces()

    if mode == "acheck_health":
        health, left = asyncio.run(on_sqlite())
    else:
        with open_store("sqlite://") as store:
            health, left = check_health([VectorMemory()], store=store), store.list_namespaces()

    assert health.status == "healthy"
    assert left == []


def test_without_a_store_there_is_no_store_to_check(mode):
    """A buffer over the channel alone is well."""
    health = check(mode, [BufferMemory()])

    assert (health.status, health.store) == ("healthy", None)


def test_a_failing_memory_degrades_the_whole(mode):
    """It is named with its reason, which holds no content; the others go on."""
    memories = [BufferMemory(), Scripted(name="broken", body=failing), Scripted(name="poor", body=poor)]

    health = check(mode, memories, store=InMemoryStore())

    assert health.status == "degraded"
    assert health.memories["broken"].status == "unhealthy"
    assert health.memories["broken"].reason == "ZeroDivisionError in the memory"
    assert (health.memories["poor"].status, health.memories["poor"].reason) == ("degraded", "no embedder")
    assert health.memories["buffer"].status == health.orchestrator.status == "healthy"


def test_a_failing_required_memory_fails_the_whole(mode):
    """No context could be made without it."""
    health = check(mode, [BufferMemory(), Scripted(name="broken", body=failing, required=True)])

    assert health.status == health.orchestrator.status == "unhealthy"


def test_memories_that_all_fail_are_no_memory(mode):
    """The LLM node would still answer, but it would remember nothing."""
    assert check(mode, [Scripted(name="broken", body=failing)]).status == "unhealthy"


@pytest.mark.parametrize("body", [lambda memory, query: None, lambda memory, query: (yield from ())])
def test_a_memory_that_gives_no_section_is_told_apart(mode, body):
    """A mistake of whoever wrote the memory."""
    health = check(mode, [BufferMemory(), Scripted(name="wrong", body=body)])

    assert health.memories["wrong"].status == "unhealthy"
    assert health.memories["wrong"].reason


@pytest.mark.parametrize("broken", [PutOp, GetOp])
def test_a_broken_store_is_unhealthy(mode, broken):
    """Whichever half of the round trip fails; what was put is taken away again where that is possible."""
    store = BrokenStore(lambda op: isinstance(op, broken))

    health = check(mode, [BufferMemory()], store=store)

    assert health.status == health.store.status == "unhealthy"
    assert health.store.reason == "the store failed: RuntimeError"
    assert everything(store) == {}


class Forgetful(InMemoryStore):
    """Takes writes and forgets them, or keeps what it should delete."""

    def __init__(self, *, keeps: bool) -> None:
        super().__init__()
        self.keeps = keeps

    def batch(self, ops: Iterable[Op]) -> list[Any]:
        """As above."""
        return super().batch([self.twisted(op) for op in ops])

    async def abatch(self, ops: Iterable[Op]) -> list[Any]:
        """As `batch`."""
        return self.batch(ops)

    def twisted(self, op: Op) -> Op:
        """What it does instead."""
        if not isinstance(op, PutOp) or (op.value is None) != self.keeps:
            return op
        return GetOp(op.namespace, op.key)


@pytest.mark.parametrize(("keeps", "reason"), [(False, "did not give back"), (True, "keeps what was deleted")])
def test_a_store_that_does_something_else_is_unhealthy(mode, keeps, reason):
    """A read replica that lags, a policy that forbids deleting."""
    health = check(mode, [BufferMemory()], store=Forgetful(keeps=keeps))

    assert health.status == "unhealthy"
    assert reason in health.store.reason


class Hanging(InMemoryStore):
    """Answers when it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()

    def batch(self, ops: Iterable[Op]) -> list[Any]:
        """Late."""
        self.release.wait(60)
        return super().batch(ops)

    async def abatch(self, ops: Iterable[Op]) -> list[Any]:
        """Late."""
        await asyncio.sleep(60)
        return super().batch(ops)


def test_a_check_ends_in_time(mode):
    """A store that hangs does not hang the check, even for a memory that would wait for ever."""
    store = Hanging()

    health = check(mode, [VectorMemory(deadline_seconds=None)], store=store, deadline_seconds=0.1)

    store.release.set()
    assert health.status == health.memories["vector"].status == health.store.status == "unhealthy"
    assert "deadline" in health.store.reason or "within" in health.store.reason


def test_nobodys_data_is_touched(mode):
    """Looking into a user's own memory reads only, and leaves nothing beside it."""
    store = InMemoryStore()
    said = (HumanMessage("I live in Riga", id="1"), AIMessage("Noted", id="2"))
    memories = [BufferMemory(), VectorMemory(), Scripted(name="writing", body=writing)]
    for memory in memories:
        run(memory.remember(Turn(ADA, said, "root", Health("healthy", {}, None).checked_at)), store=store)
    store.put(namespace(ADA, "mine"), "a", {"n": 0})
    before = everything(store)

    health = check(mode, memories, store=store, scope=ADA)

    assert everything(store) == before
    assert health.memories["writing"].reason == "{'n': 0} 1"


def test_an_empty_scope_finds_nothing(mode):
    """Without a scope the check looks where nobody's memory is."""
    store = InMemoryStore()
    store.put(namespace(ADA, "mine"), "a", {"n": 0})

    health = check(mode, [Scripted(name="writing", body=writing)], store=store)

    assert health.memories["writing"].reason == "None 0"


def test_memories_that_cannot_be_together_are_refused(mode):
    """A mistake in the settings is no state of health."""
    with pytest.raises(ConfigurationError, match="two memories"):
        check(mode, [BufferMemory(), BufferMemory()])


def test_reads_prolong_nobodys_life(mode):
    """Times to live are not refreshed, other requests pass, and errors reach the body."""

    def body() -> Steps[str]:
        yield StoreOps([GetOp(("a",), "k"), SearchOp(("a",))])
        try:
            yield Generate("model", [])
        except ModelError:
            return "recovered"
        return "nothing happened"

    steps = reading_only(body())

    asked = next(steps)
    assert [op.refresh_ttl for op in asked.ops] == [False, False]
    assert isinstance(steps.send([None, []]), Generate)
    with pytest.raises(StopIteration, match="recovered"):
        steps.throw(ModelError("down"))
