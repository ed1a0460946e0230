"""Every way to an LLM node and out of it: memory is there."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.store.base import SearchOp
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, Send, interrupt

from graph_memory import BufferMemory, MemoryState, VectorMemory, attach
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import plain, remembered, said

pytestmark = pytest.mark.parametrize("mode", MODES)


class Searches(InMemoryStore):
    """Counts what is searched for; lists are none."""

    def __init__(self) -> None:
        super().__init__()
        self.searches = 0
        self.puts = 0

    def _note(self, ops: list[Any]) -> None:
        self.searches += sum(isinstance(op, SearchOp) and op.query is not None for op in ops)
        self.puts += sum(type(op).__name__ == "PutOp" and "memory:vector:" in op.namespace for op in ops)

    def batch(self, ops: Any) -> Any:
        """Notes and goes on."""
        self._note(list(ops))
        return super().batch(ops)

    async def abatch(self, ops: Any) -> Any:
        """Notes and goes on."""
        self._note(list(ops))
        return await super().abatch(ops)


def tool_call(name: str, number: int) -> AIMessage:
    """An assistant's message that calls a tool."""
    return AIMessage("", tool_calls=[{"name": name, "args": {}, "id": f"call-{number}"}])


def looped(node: Any, **options: Any) -> StateGraph[Any, Any, Any, Any]:
    """An assistant with a tool loop, by conditional edges."""

    def tools(state: MessagesState) -> dict[str, Any]:
        return {"messages": [ToolMessage("42", tool_call_id=c["id"]) for c in state["messages"][-1].tool_calls]}

    def route(state: MessagesState) -> Literal["tools", "__end__"]:
        return "tools" if state["messages"][-1].tool_calls else END

    builder = StateGraph(MessagesState)
    builder.add_node("assistant", node)
    builder.add_node("tools", tools)
    builder.add_edge(START, "assistant")
    builder.add_conditional_edges("assistant", route)
    builder.add_edge("tools", "assistant")
    attach(builder, "assistant", [BufferMemory(), VectorMemory()], **{"budget_tokens": 1000, **options})
    return builder


def test_a_tool_loop_retrieves_once_and_remembers_once(mode: str) -> None:
    """Three calls of the model in one turn: one search, and the turn is remembered when it is over."""
    store = Searches()
    node = Assistant([tool_call("a", 1), tool_call("b", 2), "it is 42"])
    graph = looped(node).compile(checkpointer=InMemorySaver(), store=store)

    call(graph, mode, said("what is it?"), in_thread())

    assert store.searches == 1
    assert [type(m).__name__ for m in node.messages] == [
        "HumanMessage", "AIMessage", "ToolMessage", "AIMessage", "ToolMessage",
    ]  # fmt: skip
    assert store.puts == 2


def test_command_goto_does_not_bypass_memory(mode: str) -> None:
    """A jump straight to the node recalls inline."""
    node = Assistant()

    def router(state: MessagesState) -> Command[Literal["assistant"]]:
        return Command(goto="assistant")

    builder = StateGraph(MemoryState)
    builder.add_node("router", router)
    builder.add_node("assistant", node)
    builder.add_edge(START, "router")
    attach(builder, "assistant", [BufferMemory(), VectorMemory()], budget_tokens=1000)
    graph = builder.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    result = call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    assert "My sister lives in Ghent" in node.text
    assert result["memory_context"].turn_id == node.messages[-1].id


def test_routes_without_a_map_do_not_bypass_memory(mode: str) -> None:
    """A conditional edge that names nodes at run time is drawn past memory, and reaches it all the same."""
    node = Assistant()

    def route(state):  # type: ignore[no-untyped-def]  # a Literal return type would be a map
        return "assistant"

    builder = StateGraph(MessagesState)
    builder.add_node("assistant", node)
    builder.add_conditional_edges(START, route)
    attach(builder, "assistant", [BufferMemory(), VectorMemory()], budget_tokens=1000)
    graph = builder.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    assert "My sister lives in Ghent" in node.text


def test_edges_may_come_before_or_after(mode: str) -> None:
    """Edges that are added after attach reach memory too; a join of several nodes as well."""
    node = Assistant()
    builder = StateGraph(MessagesState)
    builder.add_node("assistant", node)
    for name in ("left", "right"):
        builder.add_node(name, lambda state: {})
        builder.add_edge(START, name)
    attach(builder, "assistant", [VectorMemory()], budget_tokens=1000)
    builder.add_edge(["left", "right"], "assistant")
    builder.add_edge("assistant", END)
    graph = builder.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    assert "My sister lives in Ghent" in node.text
    assert len(node.seen) == 2


def test_a_node_that_leaves_by_command_is_remembered(mode: str) -> None:
    """The node itself may say where to go next."""
    seen: list[Any] = []

    def assistant(state: MessagesState) -> Command[Literal["after"]]:
        seen.append(state["messages"])
        return Command(goto="after", update={"messages": [AIMessage("noted")]})

    builder = StateGraph(MessagesState)
    builder.add_node("assistant", assistant)
    builder.add_node("after", lambda state: {})
    builder.add_edge(START, "assistant")
    attach(builder, "assistant", [VectorMemory()], budget_tokens=1000)
    graph = builder.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    assert "My sister lives in Ghent" in seen[-1][-1].text


def test_a_node_that_leaves_for_the_parent_graph_is_remembered(mode: str) -> None:
    """A hand-off out of a subgraph runs no edge of it; the turn is remembered all the same."""
    seen: list[Any] = []

    def assistant(state: MessagesState) -> Command[Any]:
        seen.append(state["messages"])
        return Command(goto="after", graph=Command.PARENT, update={"messages": [AIMessage("noted", id="a1")]})

    inner = StateGraph(MessagesState)
    inner.add_node("assistant", assistant)
    inner.add_edge(START, "assistant")
    attach(inner, "assistant", [VectorMemory()], budget_tokens=1000)
    outer = StateGraph(MessagesState)
    outer.add_node("inner", inner.compile())
    outer.add_node("after", lambda state: {})
    outer.add_edge(START, "inner")
    graph = outer.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    assert "My sister lives in Ghent" in seen[-1][-1].text


def test_send_carries_its_own_state_and_is_remembered(mode: str) -> None:
    """Work that is fanned out by Send sees memory for its own message, and its exchange is remembered."""
    node = Assistant()

    def fan(state: MessagesState) -> list[Send]:
        return [Send("assistant", {"messages": [HumanMessage(state["messages"][-1].text + " (part)")]})]

    builder = StateGraph(MessagesState)
    builder.add_node("assistant", node)
    builder.add_conditional_edges(START, fan, ["assistant"])
    attach(builder, "assistant", [VectorMemory()], budget_tokens=1000)
    store = InMemoryStore()
    graph = builder.compile(checkpointer=InMemorySaver(), store=store)

    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    assert "My sister lives in Ghent (part)" in node.text
    texts = remembered(store)
    assert sorted(texts).count("My sister lives in Ghent (part)") == 1


def test_resume_after_an_interrupt_has_the_context(mode: str) -> None:
    """The context is not checkpointed; a resumed node recalls it again."""
    seen: list[Any] = []

    def assistant(state: MessagesState) -> dict[str, Any]:
        answer = interrupt("may I?")
        seen.append(state)
        return {"messages": [AIMessage(f"you said {answer}")]}

    graph = plain(assistant).compile(checkpointer=InMemorySaver(), store=InMemoryStore())
    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    call(graph, mode, Command(resume="yes"), in_thread("one"))
    call(graph, mode, said("Where does my sister live?"), in_thread("two"))
    call(graph, mode, Command(resume="no"), in_thread("two"))

    assert "My sister lives in Ghent" in seen[-1]["messages"][-1].text
    assert seen[-1]["memory_context"].turn_id


def test_interrupt_before_the_node_by_name(mode: str) -> None:
    """`interrupt_before` names the node as before, and the resumed node has its context."""
    node = Assistant()
    graph = plain(node).compile(checkpointer=InMemorySaver(), store=InMemoryStore(), interrupt_before=["assistant"])
    call(graph, mode, said("hello"), in_thread())
    assert node.seen == []

    call(graph, mode, None, in_thread())

    assert node.messages[-1].text.endswith("hello")
