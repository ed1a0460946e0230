"""Working memory on real graphs, over invoke and ainvoke, with and without store and checkpointer."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, MemoryState, Scope, VectorMemory, attach, open_store
from graph_memory.memories.working.memory import WorkingMemory
from graph_memory.memories.working.state import together
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import plain, said

ADA = Scope(user_id="ada", thread_id="t")


def tool_loop(memory: WorkingMemory, seen: list[list[Any]], *, notes: bool = False, buffer_turns: int = 1) -> Any:
    """An assistant that calls one tool a turn and then answers; with notes of its own when asked."""

    def assistant(state: MemoryState) -> dict[str, Any]:
        seen.append(list(state["messages"]))
        last = state["messages"][-1]
        if last.type == "tool":
            return {"messages": [AIMessage("done")]}
        call = {"name": "look", "args": {"at": last.content.split()[-1]}, "id": f"c{last.id}"}
        made = {"messages": [AIMessage("I look.", tool_calls=[call])]}
        return {**made, **memory.noted("goal", "find it", node="assistant", state=state)} if notes else made

    def tools(state: MemoryState) -> dict[str, Any]:
        [asked] = state["messages"][-1].tool_calls
        return {"messages": [ToolMessage(f"saw {asked['args']['at']}", tool_call_id=asked["id"])]}

    builder = StateGraph(MemoryState)
    builder.add_node("assistant", assistant)
    builder.add_node("tools", tools)
    builder.add_edge(START, "assistant")
    builder.add_conditional_edges(
        "assistant", lambda state: "tools" if state["messages"][-1].tool_calls else END, ["tools", END]
    )
    builder.add_edge("tools", "assistant")
    attach(builder, "assistant", [BufferMemory(turns=buffer_turns), memory], budget_tokens=1000)
    return builder


def shown(messages: list[Any]) -> str:
    """All that a call could read."""
    return "\n".join(str(message.content) for message in messages)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shared", [False, True], ids=["state", "store"])
def test_the_chain_goes_on_from_turn_to_turn(mode: str, shared: bool) -> None:
    """Steps of earlier turns are shown, unless their messages are in the window; the model never sees them twice."""
    seen: list[list[Any]] = []
    memory = WorkingMemory(shared=shared)
    graph = tool_loop(memory, seen).compile(store=InMemoryStore(), checkpointer=InMemorySaver())

    for text in ("first", "second", "third"):
        call(graph, mode, said(text), in_thread())

    asked = shown(seen[4])
    assert 'step 1: I look. [look(at="first")] → saw first' in asked
    assert 'step 2: I look. [look(at="second")] → saw second' in asked
    assert asked.index("step 1") < asked.index("step 2")


@pytest.mark.parametrize("mode", MODES)
def test_what_the_window_shows_is_not_repeated(mode: str) -> None:
    """A step whose messages are there is left out."""
    seen: list[list[Any]] = []
    graph = tool_loop(WorkingMemory(), seen, buffer_turns=9).compile(checkpointer=InMemorySaver())

    for text in ("first", "second"):
        call(graph, mode, said(text), in_thread())

    assert "saw first" in shown(seen[2])
    assert "step 1" not in shown(seen[2])


@pytest.mark.parametrize("mode", MODES)
def test_notes_of_a_node_are_shown_and_time_travel_restores_them(mode: str) -> None:
    """They stand in the checkpointed state, so a fork finds them as they were."""
    memory = WorkingMemory()

    def noting(state: MemoryState) -> dict[str, Any]:
        text = state["messages"][-1].content
        return memory.noted("plan", text, node="assistant", state=state) if "?" not in text else {}

    node = Assistant()
    builder = plain(node, [BufferMemory(), memory])
    builder.edges = {(a, "noting" if a == START else b) for a, b in builder.edges}
    builder.add_node("noting", noting)
    builder.add_edge("noting", "assistant_memory")
    graph = builder.compile(store=InMemoryStore(), checkpointer=InMemorySaver())

    call(graph, mode, said("go by train"), in_thread())
    earlier = graph.get_state(in_thread()).config
    assert "plan: go by train" in node.text
    call(graph, mode, said("go by ship"), in_thread())
    assert "plan: go by ship" in node.text

    call(graph, mode, said("how do I go?"), earlier)
    assert "plan: go by train" in node.text
    assert "plan: go by ship" not in node.text
    call(graph, mode, said("how?"), in_thread("another"))
    assert "plan" not in node.text


@pytest.mark.parametrize("mode", MODES)
def test_parallel_nodes_lose_nothing(mode: str) -> None:
    """Two nodes of one superstep note and step at once; both are there."""
    memory = WorkingMemory()
    builder = StateGraph(MemoryState)
    for name in ("one", "two"):
        update = together(memory.noted(name, 1, node="assistant"), memory.stepped(name, node="assistant"))
        builder.add_node(name, lambda state, update=update: update)
        builder.add_edge(START, name)
    builder.add_node("assistant", Assistant())
    builder.add_edge(["one", "two"], "assistant")
    attach(builder, "assistant", [memory], budget_tokens=500)
    graph = builder.compile(checkpointer=InMemorySaver())

    for text in ("hello", "again"):
        result = call(graph, mode, said(text), in_thread())

    pad = memory.pad(result, node="assistant")
    assert sorted(item.key for item in pad.items) == ["one", "two"]
    assert sorted(step.thought for step in pad.steps) == ["one", "two"]


@pytest.mark.parametrize("mode", MODES)
def test_without_a_checkpointer_it_lasts_for_the_run(mode: str) -> None:
    """And is empty in the next; nothing fails."""
    seen: list[list[Any]] = []
    memory = WorkingMemory()
    graph = tool_loop(memory, seen, notes=True).compile()

    first = call(graph, mode, said("first"), in_thread())
    call(graph, mode, said("second"), in_thread())

    assert [item.key for item in memory.pad(first, node="assistant").items] == ["goal"]
    assert "saw first" not in shown(seen[2])


@pytest.mark.parametrize("mode", MODES)
def test_a_note_does_not_hide_the_archive(mode: str) -> None:
    """Without a checkpointer the history comes from the store, also when a node notes something before the model is called."""
    store, node, memory = InMemoryStore(), Assistant(), WorkingMemory()
    builder = StateGraph(MemoryState)
    builder.add_node("noting", lambda state: memory.noted("x", 1, node="assistant"))
    builder.add_node("assistant", node)
    builder.add_edge(START, "noting")
    builder.add_edge("noting", "assistant")
    attach(builder, "assistant", [BufferMemory(), memory], budget_tokens=500)
    graph = builder.compile(store=store)

    call(graph, mode, said("my name is Ada"), in_thread())
    call(graph, mode, said("who am I?"), in_thread())

    assert "my name is Ada" in node.text


@pytest.mark.parametrize("mode", MODES)
def test_a_shared_memory_without_a_store_says_so(mode: str) -> None:
    """Law 7."""
    graph = plain(Assistant(), [WorkingMemory(shared=True)]).compile()

    result = call(graph, mode, said("hello"), in_thread())

    assert "no store" in result["memory_context"].degradations["working"]


@pytest.mark.parametrize("mode", MODES)
def test_what_proved_useful_reaches_other_threads(mode: str) -> None:
    """An important note is promoted at the end of the turn, on disk or in memory, and recalled by vector memory."""
    memory, node = WorkingMemory(promote_to="vector"), Assistant()

    def assistant(state: MemoryState) -> dict[str, Any]:
        noted = memory.noted("gate", "the gate is B7", node="assistant", state=state, importance=0.9)
        return {**node(state), **noted}

    with open_store("sqlite://") as store:
        graph = plain(assistant, [memory, VectorMemory()]).compile(store=store, checkpointer=InMemorySaver())
        call(graph, mode, said("hello"), in_thread())
        call(graph, mode, said("which gate is it?"), in_thread("another"))

    assert "gate: the gate is B7" in node.text


@pytest.mark.parametrize("shared", [False, True], ids=["state", "store"])
def test_a_run_that_is_resumed_records_once(shared: bool) -> None:
    """Law 4: the process dies after the turn was remembered in the store, before the checkpoint."""

    class Dying(InMemoryStore):
        left = 3

        def batch(self, ops: Any) -> list[Any]:
            ops = list(ops)
            done = super().batch(ops)
            self.left -= any(hasattr(op, "value") for op in ops)
            if self.left == 0:
                self.left = -1
                raise KeyboardInterrupt
            return done

    def steps(store: Any) -> list[str]:
        memory = WorkingMemory(shared=shared)
        graph = tool_loop(memory, []).compile(store=store, checkpointer=InMemorySaver())
        for text in ("first", "second"):
            try:
                result = graph.invoke({"messages": [HumanMessage(text, id=text)]}, in_thread())
            except KeyboardInterrupt:
                result = graph.invoke(None, in_thread())
        pad = memory.read(ADA, store=store) if shared else memory.pad(result, node="assistant")
        return [step.result for step in pad.steps]

    assert steps(Dying()) == steps(InMemoryStore()) == ["saw first", "saw second"]
