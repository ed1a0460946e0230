"""Odd graphs: caches, graphs within graphs, copies, cleared chats, messages without ids."""

from __future__ import annotations

import asyncio
import copy
import operator
from collections.abc import Iterable
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, SystemMessage
from langgraph.cache.memory import InMemoryCache
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.store.base import Op
from langgraph.store.memory import InMemoryStore
from langgraph.types import CachePolicy, Command

from graph_memory import BufferMemory, MemoryState, VectorMemory, attach, orchestrator
from tests.attaching import both, remembering, said
from tests.fakes import Assistant, call, in_thread


@both
def test_a_default_cache_policy_does_not_share_memories(mode: str) -> None:
    """Law 6: a cache's key knows the input and no user, so recall is never taken from it."""
    node = Assistant()
    builder = StateGraph(MessagesState)
    builder.add_node("assistant", node)
    builder.add_edge(START, "assistant")
    builder.set_node_defaults(cache_policy=CachePolicy())
    attach(builder, "assistant", [VectorMemory()], budget_tokens=1000)
    graph = builder.compile(cache=InMemoryCache(), store=InMemoryStore())

    call(graph, mode, said("my code is 7731"), in_thread(user_id="ada"))
    for user in ("ada", "bob"):
        call(graph, mode, {"messages": [HumanMessage("what is my code?", id="1")]}, in_thread(user_id=user))

    assert ["7731" in state["messages"][-1].text for state in node.seen] == [True, True, False]


@both
def test_graphs_within_graphs_keep_their_memories_apart(mode: str) -> None:
    """An inner node of the same name, with an agent of its own, is not handed the outer one's context."""
    inner_node, outer_node = Assistant(["inner"] * 4), Assistant(["outer"] * 4)
    inner = StateGraph(MemoryState).add_node("assistant", inner_node).add_edge(START, "assistant")
    attach(inner, "assistant", [VectorMemory()], budget_tokens=500, agent="inner")
    outer = StateGraph(MemoryState).add_node("assistant", outer_node).add_node("inner", inner.compile())
    outer.add_edge(START, "assistant")
    outer.add_edge("assistant", "inner")
    attach(outer, "assistant", [BufferMemory(), VectorMemory()], budget_tokens=1000, agent="outer")
    graph = outer.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    for text in ("first", "second"):
        call(graph, mode, said(text), in_thread())

    assert [s.memory for s in inner_node.seen[-1]["memory_context"].sections] == ["vector"]
    assert inner_node.seen[-1]["memory_context"].budget_tokens == 500


async def test_a_store_that_cancels_does_not_hang_the_run() -> None:
    """A driver that raises CancelledError by itself is a failure like any other."""

    class Cancelling(InMemoryStore):
        async def abatch(self, ops: Iterable[Op]) -> list[Any]:
            raise asyncio.CancelledError

    graph = remembering(Assistant(), schema=MemoryState, store=Cancelling())

    result = await asyncio.wait_for(graph.ainvoke(said("hello"), in_thread()), timeout=5)

    assert "cancelled" in result["memory_context"].degradations["vector"]


@both
def test_clearing_the_chat_clears_the_pruned_window_too(mode: str) -> None:
    """What the user removed from the channel does not come back from the archive."""
    clear = [False]
    node = Assistant()

    def first(state: MessagesState) -> dict[str, Any]:
        return {"messages": [RemoveMessage(id=REMOVE_ALL_MESSAGES), state["messages"][-1]]} if clear[0] else {}

    builder = StateGraph(MessagesState)
    builder.add_node("first", first)
    builder.add_node("assistant", node)
    builder.add_edge(START, "first")
    builder.add_edge("first", "assistant")
    attach(builder, "assistant", [BufferMemory(prune=True)], budget_tokens=1000)
    graph = builder.compile(checkpointer=InMemorySaver(), store=InMemoryStore())
    for turn in range(4):
        call(graph, mode, said(f"q{turn}"), in_thread())
    clear[0] = True

    call(graph, mode, said("fresh"), in_thread())

    assert [m.content for m in node.messages] == ["fresh"]


@both
def test_a_question_that_is_rewritten_within_the_run_is_recalled_anew(mode: str) -> None:
    """The context belongs to the question as it reads, not to its id."""
    node = Assistant([AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "c"}]), "done"])

    def rewrite(state: MessagesState) -> Command[Any]:
        human = next(m for m in state["messages"] if m.type == "human")
        update = [human.model_copy(update={"content": "rewritten"}), RemoveMessage(id=state["messages"][-1].id)]
        return Command(goto="assistant", update={"messages": update})

    builder = StateGraph(MessagesState)
    builder.add_node("assistant", node)
    builder.add_node("rewrite", rewrite)
    builder.add_edge(START, "assistant")
    builder.add_conditional_edges("assistant", lambda s: "rewrite" if s["messages"][-1].tool_calls else "__end__")
    attach(builder, "assistant", [BufferMemory()], budget_tokens=1000)

    call(builder.compile(checkpointer=InMemorySaver()), mode, said("original"), in_thread())

    assert [m.content for m in node.messages] == ["rewritten"]


@both
def test_messages_without_ids_are_all_kept(mode: str) -> None:
    """Without ids, a checkpointer or a reducer that gives ids, equal turns are still told apart in the archive."""

    class Added(TypedDict):
        messages: Annotated[list[Any], operator.add]

    node = Assistant()
    graph = remembering(node, schema=Added, memories=[BufferMemory()], checkpointer=None)
    for text in ("hello", "hello", "bye"):
        call(graph, mode, said(text), in_thread())

    assert [m.content for m in node.messages] == ["hello", "answer 1", "hello", "answer 2", "bye"]


def test_builders_can_be_copied() -> None:
    """A builder with memory is deep-copied like any other."""
    builder = StateGraph(MessagesState).add_node("assistant", Assistant()).add_edge(START, "assistant")
    attach(builder, "assistant", [BufferMemory()], budget_tokens=1000)

    assert copy.deepcopy(builder).compile().invoke(said("q"))["messages"][-1].content == "answer 1"


@pytest.mark.parametrize(
    "graph", [remembering(Assistant(), schema=MemoryState), orchestrator([BufferMemory()], budget_tokens=99)]
)
def test_schemas_can_be_shown(graph: Any) -> None:
    """What Studio and servers ask of a graph."""
    assert graph.get_input_jsonschema()["properties"]["messages"]
    assert graph.get_output_jsonschema()["properties"]


@both
def test_a_system_message_of_the_thread_stays_first(mode: str) -> None:
    """It is handed on with what memory places there, and comes back unchanged."""
    graph = remembering(
        lambda state: {"messages": [*state["messages"], AIMessage("fine")]}, memories=[VectorMemory(placement="system")]
    )
    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))

    result = call(graph, mode, {"messages": [SystemMessage("be kind"), HumanMessage("my sister?")]}, in_thread("two"))

    assert [m.content for m in result["messages"]] == ["be kind", "my sister?", "fine"]
