"""Key-value memory on real graphs, over invoke and ainvoke, with and without store and checkpointer."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, Scope, VectorMemory, open_store
from graph_memory.extract.preferences import said_preferences
from graph_memory.memories.key_value.memory import KeyValueMemory
from graph_memory.namespaces import ROOT
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import plain, said

ADA, EVE = Scope(user_id="ada"), Scope(user_id="eve")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("saver", [None, InMemorySaver()], ids=["no checkpointer", "checkpointer"])
def test_a_profile_stands_before_the_conversation_in_every_thread(mode: str, saver: Any) -> None:
    """What application code set and what was learnt in another thread; of this user alone."""
    store, node = InMemoryStore(), Assistant()
    memory = KeyValueMemory(extract=said_preferences)
    graph = plain(node, [BufferMemory(), memory]).compile(store=store, checkpointer=saver)
    memory.set(ADA, "theme", "dark", store=store)
    memory.set(EVE, "theme", "7731", store=store)

    call(graph, mode, said("Please call me Sam."), in_thread(f"1{mode}"))
    result = call(graph, mode, said("hello"), in_thread(f"2{mode}"))

    system = node.messages[0]
    assert system.type == "system"
    assert "- theme: dark\n- name: Sam" in system.content
    assert "7731" not in node.text
    assert {line.memory for line in result["memory_context"].kept} >= {"key_value"}


@pytest.mark.parametrize("mode", MODES)
def test_the_prefix_stays_while_the_profile_does(mode: str) -> None:
    """Law 8: the same bytes from turn to turn, whatever is asked."""
    store, node = InMemoryStore(), Assistant()
    memory = KeyValueMemory()
    for key in ("theme", "language", "city"):
        memory.set(ADA, key, f"my {key}", store=store)
    graph = plain(node, [BufferMemory(), memory]).compile(store=store, checkpointer=InMemorySaver())

    systems = set()
    for text in ("which city?", "which theme?", "hello"):
        call(graph, mode, said(text), in_thread())
        systems.add(node.messages[0].content)

    assert len(systems) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_profile_that_is_longer_than_its_share_is_cut_alike(mode: str) -> None:
    """Law 8: whatever the other memories find or leave, what stands before the conversation is the same bytes."""
    store, node, memory = InMemoryStore(), Assistant(), KeyValueMemory()
    for number in range(60):
        memory.set(ADA, f"setting {number}", f"value {number} of the profile", store=store)
    memories = [BufferMemory(), memory, VectorMemory()]
    graph = plain(node, memories, budget_tokens=1500).compile(store=store, checkpointer=InMemorySaver())

    systems = []
    for text in ("hi", "the profile " * 60, "setting 3?", "value 7 of the profile " * 20, "so?", "bye"):
        call(graph, mode, said(text), in_thread())
        systems.append(node.messages[0].content)

    assert "setting 59" in systems[0]
    assert "setting 0:" not in systems[0]
    assert len(set(systems)) == 1


@pytest.mark.parametrize("mode", MODES)
def test_without_a_store_the_call_goes_on(mode: str) -> None:
    """Law 7: the section is empty and says why."""
    graph = plain(Assistant(), [KeyValueMemory(extract=said_preferences)]).compile(checkpointer=InMemorySaver())

    result = call(graph, mode, said("call me Sam"), in_thread())

    assert "no store" in result["memory_context"].degradations["key_value"]
    assert result["messages"][-1].content == "answer 1"


@pytest.mark.parametrize("mode", MODES)
def test_a_profile_survives_the_process(mode: str, tmp_path: Any) -> None:
    """On disk, by our store."""
    memory = KeyValueMemory(extract=said_preferences)
    for text in ("my city is Ghent", "hello"):
        node = Assistant()
        with open_store(f"sqlite:///{tmp_path}/m.db") as store:
            call(plain(node, [memory]).compile(store=store), mode, said(text), in_thread(text))

    assert "city: Ghent" in node.text


class Dying(InMemoryStore):
    """A store whose process dies right after its nth batch that puts something."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def batch(self, ops: Any) -> list[Any]:
        """Writes, then dies once."""
        ops = list(ops)
        done = super().batch(ops)
        if any(hasattr(op, "value") for op in ops):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return done


@pytest.mark.parametrize("at", range(1, 5))
def test_a_run_that_is_resumed_learns_once(at: int) -> None:
    """Law 4: killed after a write and resumed, it leaves what an undisturbed run leaves."""

    def records(store: InMemoryStore) -> list[str]:
        memory = KeyValueMemory(extract=said_preferences)
        graph = plain(Assistant(), [memory]).compile(store=store, checkpointer=InMemorySaver())
        for text in ("call me Sam", "call me Max. My city is Ghent.", "my city is Bruges"):
            try:
                graph.invoke(said(text), in_thread())
            except KeyboardInterrupt:
                graph.invoke(None, in_thread())
        assert memory.items(ADA, store=store) == {"name": "Max", "city": "Bruges"}
        return sorted(item.value["text"] for item in store.search((ROOT,), limit=100) if "text" in item.value)

    assert records(Dying(at)) == records(InMemoryStore())


def test_a_fork_reads_the_value_of_its_own_past() -> None:
    """Law 5: what the abandoned future learnt is not in its profile."""
    store, node, saver = InMemoryStore(), Assistant(), InMemorySaver()
    graph = plain(node, [BufferMemory(), KeyValueMemory(extract=said_preferences)]).compile(
        store=store, checkpointer=saver
    )
    graph.invoke(said("call me Sam"), in_thread())
    earlier = in_thread(**graph.get_state(in_thread()).config["configurable"])
    graph.invoke(said("call me Max"), in_thread())

    graph.invoke(said("who am I?"), earlier)
    assert "name: Sam" in node.text
    graph.invoke(said("who am I?"), in_thread("another"))
    assert "name: Max" in node.text
