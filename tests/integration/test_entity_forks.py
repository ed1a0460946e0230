"""Entity memory in forks, replays and runs that were cut short: each line of a thread knows its own facts, once each."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, EntityMemory, EntityView, MemoryState, Scope, attach
from graph_memory.graph.lineage import lineage_of
from graph_memory.graph.state import MEMORY
from graph_memory.graph.view import seen_by
from tests.entity_helpers import current
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import plain, said

ADA = Scope(user_id="ada", thread_id="t")


def graph_of(node: Any, store: Any) -> Any:
    """START → assistant → END with the newest turn and entity memory."""
    memories = [BufferMemory(turns=1), EntityMemory(remember_deadline_seconds=None)]
    return plain(node, memories, budget_tokens=20_000).compile(checkpointer=InMemorySaver(), store=store)


def moment(graph: Any) -> Any:
    """Where the thread is now, to come back to."""
    return in_thread(**graph.get_state(in_thread()).config["configurable"])


def seen(graph: Any, store: Any, name: str, config: Any = None) -> EntityView | None:
    """The entity as the line knows it that ends at a checkpoint."""
    values = graph.get_state(config or in_thread()).values
    lineage = lineage_of(values[MEMORY], ADA, values["messages"], in_thread())
    return EntityMemory().entity(ADA, name, store=seen_by(lineage, store))


def facts(view: EntityView | None) -> dict[str, str]:
    """Slot to current value; nothing of somebody unknown."""
    return {} if view is None else current(view)


@pytest.mark.parametrize("mode", MODES)
def test_a_fork_knows_nothing_of_the_abandoned_line(mode: str) -> None:
    """Neither facts nor names; the line that was left knows its own still."""
    store, node = InMemoryStore(), Assistant()
    graph = graph_of(node, store)
    call(graph, mode, said("Robert Smith works at Acme."), in_thread())
    before = moment(graph)
    call(
        graph,
        mode,
        said("Robert Smith joined Globex. Robert Jones lives in Rome. My name is Ada Lovelace."),
        in_thread(),
    )
    left = moment(graph)

    call(graph, mode, said("Bob lives in Oslo."), before)

    view = seen(graph, store, "Bob")
    assert facts(view) == {"employer": "Acme", "home": "Oslo"}
    assert view is not None
    assert (view.name, view.history, view.mentions) == ("Robert Smith", (), 2)
    assert seen(graph, store, "Robert Jones") is None
    assert seen(graph, store, "Ada Lovelace") is None
    assert facts(seen(graph, store, "Robert Smith", left)) == {"employer": "Globex"}
    call(graph, mode, said("What of Bob?"), in_thread())
    assert "Robert Smith (person) (also Bob): works at Acme; lives in Oslo" in node.text
    assert "Globex" not in node.text


@pytest.mark.parametrize("mode", MODES)
def test_a_replay_tells_the_same_message_again(mode: str) -> None:
    """What the first telling read is not seen on the new line, so the message is read anew: its facts once each, on both."""
    store = InMemoryStore()
    graph = graph_of(Assistant(), store)
    call(graph, mode, said("Bob works at Acme."), in_thread())
    call(graph, mode, said("Bob joined Globex. Bob lives in Rome."), in_thread())
    left = moment(graph)
    asked = [
        s
        for s in graph.get_state_history(in_thread())
        if s.values["messages"] and s.values["messages"][-1].type == "human"
    ]

    call(graph, mode, None, in_thread(checkpoint_id=asked[0].config["configurable"]["checkpoint_id"]))

    for config in (left, in_thread()):
        view = seen(graph, store, "Bob", config)
        assert facts(view) == {"employer": "Globex", "home": "Rome"}
        assert view is not None
        assert ([fact.value for fact in view.history], view.mentions) == (["Acme"], 2)


@pytest.mark.parametrize("mode", MODES)
def test_lines_of_one_name_do_not_take_it_from_one_another(mode: str) -> None:
    """Both lines meet Robert Smith for the first time; each still knows that Bob is he."""
    store = InMemoryStore()
    graph = graph_of(Assistant(), store)
    call(graph, mode, said("Hello."), in_thread())
    before = moment(graph)
    call(graph, mode, said("Robert Smith works at Acme."), in_thread())
    left = moment(graph)
    call(graph, mode, said("Robert Smith works at Globex."), before)

    assert facts(seen(graph, store, "Bob", left)) == {"employer": "Acme"}
    assert facts(seen(graph, store, "Bob")) == {"employer": "Globex"}


class Dying(InMemoryStore):
    """A store whose process dies once, right after the batch that writes a memo."""

    def __init__(self) -> None:
        super().__init__()
        self.dies = True

    def batch(self, ops: Any) -> list[Any]:
        """As in the class above; then the process dies."""
        asked = list(ops)
        results = super().batch(asked)
        if self.dies and any("Rome" in str(getattr(op, "value", "")) for op in asked):
            self.dies = False
            raise KeyboardInterrupt
        return results


def test_a_run_that_is_resumed_keeps_what_it_wrote() -> None:
    """Killed after its facts and receipts were written: they belong to no checkpoint yet, so the message is read again."""
    store = Dying()
    graph = graph_of(Assistant(), store)
    with pytest.raises(KeyboardInterrupt):
        graph.invoke(said("Bob lives in Rome."), in_thread())

    graph.invoke(None, in_thread())

    view = seen(graph, store, "Bob")
    assert facts(view) == {"home": "Rome"}
    texts = [
        item.value["text"]
        for item in store.search((), limit=100)
        if "text" in item.value and item.value["kind"] == "relation"
    ]
    assert texts == ["Bob lives in Rome"]


@pytest.mark.parametrize("mode", MODES)
def test_a_turn_that_grows_is_read_in_parts(mode: str) -> None:
    """Two nodes with memory in one turn: what the first one's memory took in is not told to it again."""
    store = InMemoryStore()
    node = Assistant([AIMessage("", tool_calls=[{"name": "look", "args": {}, "id": "1"}]), "Bob it is."])

    def look(state: Any) -> dict[str, Any]:
        return {"messages": [ToolMessage("found", tool_call_id="1"), AIMessage("Ann joined Acme.", name="Kim")]}

    builder = StateGraph(MemoryState)
    builder.add_node("assistant", node)
    builder.add_node("look", look)
    builder.add_edge(START, "assistant")
    builder.add_conditional_edges(
        "assistant", lambda state: "look" if state["messages"][-1].tool_calls else END, ["look", END]
    )
    builder.add_edge("look", "assistant")
    attach(builder, "assistant", [BufferMemory(), EntityMemory(roles=("human", "ai"))], budget_tokens=5000)
    graph = builder.compile(checkpointer=InMemorySaver(), store=store)

    call(graph, mode, said("Bob works at Acme."), in_thread())

    assert facts(seen(graph, store, "Bob")) == {"employer": "Acme"}
    assert facts(seen(graph, store, "Ann")) == {"employer": "Acme"}
    state = graph.get_state(in_thread()).values[MEMORY]["assistant"]["entity"]
    assert state["seq"] == 3
