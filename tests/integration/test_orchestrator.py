"""The orchestrator by itself: as a graph, as a node that the user places, inline; and what it rests on in LangGraph."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.channels import UntrackedValue
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import Send

from graph_memory import BufferMemory, ConfigurationError, MemoryState, Scope, VectorMemory, aget_context, orchestrator
from graph_memory.steps import run
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import plain
from tests.unit.test_memories import turn

LANGGRAPH = version("langgraph")


def remembered() -> InMemoryStore:
    """A store in which ada's sister lives in Ghent."""
    store = InMemoryStore()
    run(VectorMemory().remember(turn("My sister lives in Ghent", "Noted.")), store=store)
    return store


@pytest.mark.parametrize("mode", MODES)
def test_it_runs_by_itself(mode: str) -> None:
    """Invoked alone, with a store of its own, it turns messages into a context."""
    graph = orchestrator([BufferMemory(), VectorMemory()], budget_tokens=500, store=remembered())

    result = call(graph, mode, {"messages": [HumanMessage("Where does my sister live?", id="q")]}, in_thread())

    context = result["memory_context"]
    assert "My sister lives in Ghent" in context.messages[-1].text
    assert context.total_tokens <= 500
    assert set(context.elapsed_ms) == {"buffer", "vector"}


@pytest.mark.parametrize("mode", MODES)
def test_it_is_a_node_that_the_user_places(mode: str) -> None:
    """Over MemoryState; the node after it reads the context, and the drawing shows the whole."""

    def assistant(state: MemoryState) -> dict[str, Any]:
        return {"messages": [AIMessage(state["memory_context"].messages[-1].text)]}

    builder = StateGraph(MemoryState)
    builder.add_node("memory", orchestrator([BufferMemory(), VectorMemory()], budget_tokens=500))
    builder.add_node("assistant", assistant)
    builder.add_edge(START, "memory")
    builder.add_edge("memory", "assistant")
    graph = builder.compile(checkpointer=InMemorySaver(), store=remembered())

    result = call(graph, mode, {"messages": [HumanMessage("Where does my sister live?")]}, in_thread())

    assert "My sister lives in Ghent" in result["messages"][-1].text
    assert {"memory:plan", "memory:buffer", "memory:vector", "memory:merge"} <= set(graph.get_graph(xray=True).nodes)


@pytest.mark.parametrize("mode", MODES)
def test_the_sequential_mode_asks_one_memory_after_the_other(mode: str) -> None:
    """In their order, with the same context in the end; the drawing shows the chain."""
    memories, messages = (
        [BufferMemory(), VectorMemory(), VectorMemory(name="other")],
        [HumanMessage("My sister?", id="q")],
    )
    built = {
        way: orchestrator(memories, budget_tokens=500, store=remembered(), mode=way)  # type: ignore[arg-type]
        for way in ("parallel", "sequential")
    }

    contexts = {
        way: call(graph, mode, {"messages": messages}, in_thread())["memory_context"] for way, graph in built.items()
    }

    chain = {(edge.source, edge.target) for edge in built["sequential"].get_graph().edges}
    assert {("plan", "buffer"), ("buffer", "vector"), ("vector", "other"), ("other", "merge")} <= chain
    assert contexts["sequential"].messages == contexts["parallel"].messages
    assert "Ghent" in contexts["sequential"].messages[-1].text


@pytest.mark.parametrize("mode", MODES)
def test_attached_memory_can_be_asked_sequentially(mode: str) -> None:
    """A graph that is drawn so runs so."""
    node = Assistant()
    graph = plain(node, [BufferMemory(), VectorMemory()], mode="sequential").compile(store=remembered())
    call(graph, mode, {"messages": [HumanMessage("Where does my sister live?")]}, in_thread("u"))
    chain = {(edge.source, edge.target) for edge in graph.get_graph(xray=True).edges}

    assert "Ghent" in node.text
    assert ("assistant_memory:buffer", "assistant_memory:vector") in chain


def test_an_unknown_mode_is_refused() -> None:
    """In one sentence, before anything is built."""
    with pytest.raises(ConfigurationError, match="choose 'parallel' or 'sequential'"):
        orchestrator([BufferMemory()], budget_tokens=500, mode="both")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="choose 'parallel' or 'sequential'"):
        plain(Assistant(), mode="both")


def test_both_modes_give_the_same_messages() -> None:
    """The subgraph and the inline mode plan and merge by the same code."""
    memories, store = [BufferMemory(), VectorMemory()], remembered()
    graph = orchestrator(memories, budget_tokens=500, store=store)

    drawn = graph.invoke({"messages": [HumanMessage("Where does my sister live?", id="q")]}, in_thread())
    inline = asyncio.run(
        aget_context(memories, Scope("ada", "t"), "Where does my sister live?", store=store, budget_tokens=500)
    )

    assert [m.content for m in drawn["memory_context"].messages] == [m.content for m in inline.messages]


def test_langgraph_says_when_a_node_was_sent_its_state() -> None:
    """`attach` rests on the run's metadata for that; should this fail, see `graph/recalling.py`, was_sent."""
    paths: dict[str, Any] = {}

    def note(state: Any, config: RunnableConfig) -> dict[str, Any]:
        paths[state["messages"][-1].text] = config["metadata"]["langgraph_path"][0]
        return {}

    builder = StateGraph(MessagesState)
    builder.add_node("note", note)
    builder.add_conditional_edges(
        START, lambda s: ["note", Send("note", {"messages": [HumanMessage("sent")]})], ["note"]
    )
    builder.compile().invoke({"messages": [HumanMessage("drawn")]})

    assert paths == {"drawn": "__pregel_pull", "sent": "__pregel_push"}, LANGGRAPH


def test_langgraph_looks_for_subgraphs_in_what_a_runnable_shows() -> None:
    """Drawings find the recalling subgraph through `RunnableLambda.deps`; should this fail, see `graph/runnables.py`."""
    inner = StateGraph(MessagesState).add_node("inner", lambda s: {}).add_edge(START, "inner").compile()

    class Showing(RunnableLambda[Any, Any]):
        @property
        def deps(self) -> Any:
            return [inner]

    builder = StateGraph(MessagesState).add_node("outer", Showing(lambda s: {})).add_edge(START, "outer")

    assert "outer:inner" in builder.compile().get_graph(xray=True).nodes, LANGGRAPH


def test_langgraph_keeps_untracked_values_out_of_checkpoints() -> None:
    """The context is one; should this fail, checkpoints grow with every context."""
    assert isinstance(StateGraph(MemoryState).channels["memory_context"], UntrackedValue), LANGGRAPH
