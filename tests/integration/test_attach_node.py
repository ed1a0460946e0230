"""What the LLM node is handed and what it returns: its own type of state, its name, its stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph, add_messages
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel

from graph_memory import BufferMemory, VectorMemory, attach
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import plain, said

pytestmark = pytest.mark.parametrize("mode", MODES)


def test_the_node_may_be_a_subgraph(mode: str) -> None:
    """An agent that is a compiled graph is handed the context, is drawn, and returns only what is new."""
    inner_node = Assistant()
    inner = StateGraph(MessagesState).add_node("llm", inner_node).add_edge(START, "llm").compile(name="agent")
    graph = plain(inner).compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    result = call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    assert "My sister lives in Ghent" in inner_node.text
    assert [m.content for m in result["messages"]] == ["Where does my sister live?", "answer 2"]
    assert "assistant:llm" in graph.get_graph(xray=True).nodes
    assert "assistant" in dict(graph.get_subgraphs())


def test_the_state_of_a_thread_can_be_looked_up_with_subgraphs(mode: str) -> None:
    """The drawn twin of the recalling subgraph has no checkpoints of its own, and none are looked for in vain."""
    graph = plain(Assistant()).compile(checkpointer=InMemorySaver(), interrupt_before=["assistant"])
    call(graph, mode, said("hello"), in_thread())

    assert graph.get_state(in_thread(), subgraphs=True).next == ("assistant",)


def test_tokens_stream_under_the_name_of_the_node(mode: str) -> None:
    """`stream_mode="messages"` gives the same tokens and node name as without memory, and nothing of the memories'."""

    def graph_with(memory: bool) -> Any:
        model = GenericFakeChatModel(messages=iter([AIMessage("one two three"), AIMessage("four five six")]))

        def sync_node(state: MessagesState) -> dict[str, Any]:
            return {"messages": [model.invoke(state["messages"])]}

        async def async_node(state: MessagesState) -> dict[str, Any]:
            return {"messages": [await model.ainvoke(state["messages"])]}

        builder = StateGraph(MessagesState)
        builder.add_node("assistant", sync_node if mode == "invoke" else async_node)
        builder.add_edge(START, "assistant")
        if memory:
            attach(builder, "assistant", [BufferMemory(), VectorMemory()], budget_tokens=1000)
        return builder.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    def streamed(graph: Any) -> list[tuple[str, str]]:
        if mode == "invoke":
            chunks = list(graph.stream(said("hi"), in_thread(), stream_mode="messages"))
        else:
            import asyncio

            async def collect() -> list[Any]:
                return [c async for c in graph.astream(said("hi"), in_thread(), stream_mode="messages")]

            chunks = asyncio.run(collect())
        return [(message.content, meta["langgraph_node"]) for message, meta in chunks]

    with_memory, without = graph_with(True), graph_with(False)

    assert streamed(with_memory) == streamed(without) != []
    assert streamed(with_memory) == streamed(without) != []


def test_a_node_that_returns_its_whole_list_writes_the_threads_own(mode: str) -> None:
    """Our system message and the memory in the question never reach the channel."""

    def assistant(state: MessagesState) -> dict[str, Any]:
        return {"messages": [*state["messages"], AIMessage("fine")]}

    graph = plain(assistant).compile(checkpointer=InMemorySaver(), store=InMemoryStore())
    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    result = call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    assert [m.content for m in result["messages"]] == ["Where does my sister live?", "fine"]


class Whole(TypedDict):
    """Messages without a reducer: what a node returns replaces the list."""

    messages: list[Any]


def test_a_channel_without_reducer_keeps_its_history(mode: str) -> None:
    """There the node's whole list is the new state: the original messages are put back in place of the handed ones."""

    def assistant(state: Whole) -> dict[str, Any]:
        return {"messages": [*state["messages"], AIMessage("fine", id="a")]}

    builder = StateGraph(Whole)
    builder.add_node("assistant", assistant)
    builder.add_edge(START, "assistant")
    attach(builder, "assistant", [BufferMemory(turns=1)], budget_tokens=1000)
    thread = [HumanMessage("one", id="1"), AIMessage("two", id="2"), HumanMessage("three", id="3")]

    result = call(builder.compile(), mode, {"messages": thread})

    assert [m.content for m in result["messages"]] == ["one", "two", "three", "fine"]


class Model(BaseModel):
    """A pydantic state."""

    messages: Annotated[list[AnyMessage], add_messages] = []
    mood: str = "calm"


@dataclass
class Data:
    """A dataclass state."""

    messages: Annotated[list[AnyMessage], add_messages] = field(default_factory=list)
    mood: str = "calm"


@pytest.mark.parametrize("schema", [Model, Data])
def test_states_may_be_models_or_dataclasses(mode: str, schema: type[Any]) -> None:
    """The node is handed its own type, with the assembled messages in it."""
    node = Assistant()
    builder = StateGraph(schema)
    builder.add_node("assistant", node, input_schema=schema)
    builder.add_edge(START, "assistant")
    attach(builder, "assistant", [BufferMemory(), VectorMemory()], budget_tokens=1000)
    graph = builder.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("I live in Ghent", mood="glad"), in_thread())
    call(graph, mode, said("Where do I live?"), in_thread())

    assert isinstance(node.seen[-1], schema)
    assert node.seen[-1].mood == "glad"
    assert [m.content for m in node.messages] == ["I live in Ghent", "answer 1", "Where do I live?"]


def test_two_nodes_have_memories_of_their_own(mode: str) -> None:
    """Two LLM nodes of one graph, each with its own budget, window and agent."""
    first, second = Assistant(), Assistant()
    builder = StateGraph(MessagesState)
    builder.add_node("first", first)
    builder.add_node("second", second)
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    attach(builder, "first", [BufferMemory(turns=1)], budget_tokens=500, agent="first")
    attach(builder, "second", [BufferMemory(), VectorMemory()], budget_tokens=1000, agent="second")
    graph = builder.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("I live in Ghent"), in_thread())
    call(graph, mode, said("Where do I live?"), in_thread())

    assert [m.content for m in first.messages] == ["Where do I live?"]
    assert [m.content for m in second.messages][:2] == ["I live in Ghent", "answer 1"]


def test_the_drawing_shows_each_memory_as_a_node(mode: str) -> None:
    """With xray the orchestrator is a subgraph; the LLM node keeps its name and stays a leaf."""
    drawn = plain(Assistant()).compile(checkpointer=InMemorySaver()).get_graph(xray=True)

    assert {
        "assistant",
        "assistant_remember",
        "assistant_memory:plan",
        "assistant_memory:buffer",
        "assistant_memory:vector",
        "assistant_memory:merge",
    } <= set(drawn.nodes)


def test_custom_events_tell_what_each_memory_gave(mode: str) -> None:
    """Whoever streams "custom" sees what was recalled and remembered."""
    graph = plain(Assistant()).compile(checkpointer=InMemorySaver(), store=InMemoryStore())
    if mode == "invoke":
        events = list(graph.stream(said("hi"), in_thread(), stream_mode="custom"))
    else:
        import asyncio

        async def collect() -> list[Any]:
            return [e async for e in graph.astream(said("hi"), in_thread(), stream_mode="custom")]

        events = asyncio.run(collect())

    told = {(e["graph_memory"]["event"], e["graph_memory"].get("memory")) for e in events}
    assert told == {(e, m) for e in ("recalled", "remembered") for m in ("buffer", "vector")} | {("assembled", None)}
