"""Odd graphs and odd returns: what memory handed in never reaches the channel, and nothing of the user's own is lost."""

from __future__ import annotations

import asyncio
import copy
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage, RemoveMessage, SystemMessage
from langgraph.cache.memory import InMemoryCache
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph, add_messages
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.store.base import Op
from langgraph.store.memory import InMemoryStore
from langgraph.types import CachePolicy, Command, Overwrite, Send
from pydantic import BaseModel

from graph_memory import BufferMemory, MemoryState, VectorMemory, attach, orchestrator
from tests.fakes import MODES, Assistant, call, in_thread

both = pytest.mark.parametrize("mode", MODES)


@dataclass
class Data:
    """A dataclass with messages."""

    messages: Annotated[list[AnyMessage], add_messages] = field(default_factory=list)


class Model(BaseModel):
    """A pydantic model with messages."""

    messages: Annotated[list[AnyMessage], add_messages] = []


def remembering(node: Any, schema: Any = MessagesState, memories: Any = None, **compiled: Any) -> Any:
    """START → assistant, with memory, a store and a checkpointer."""
    builder = StateGraph(schema)
    builder.add_node("assistant", node, input_schema=schema)
    builder.add_edge(START, "assistant")
    attach(builder, "assistant", memories or [BufferMemory(), VectorMemory()], budget_tokens=1000)
    return builder.compile(**{"checkpointer": InMemorySaver(), "store": InMemoryStore(), **compiled})


def said(*texts: str) -> dict[str, Any]:
    """The input of a turn."""
    return {"messages": [HumanMessage(text) for text in texts]}


def two_threads(graph: Any, mode: str) -> list[tuple[str, str]]:
    """What the channel of a second thread holds, after a first one gave the user something to recall."""
    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    call(graph, mode, said("Where does my sister live?"), in_thread("two"))
    return [(m.type, m.content) for m in graph.get_state(in_thread("two")).values["messages"]]


FINE = AIMessage("fine")
RETURNS: dict[str, Callable[[Any], Any]] = {
    "its whole list": lambda handed: {"messages": [*handed, FINE]},
    "the answer alone, not in a list": lambda handed: {"messages": FINE},
    "a chunk": lambda handed: {"messages": [AIMessageChunk(content="fine")]},
    "a command": lambda handed: Command(update={"messages": [*handed, FINE]}),
    "a command of pairs": lambda handed: Command(update=[("messages", [*handed, FINE])]),
    "a list of commands": lambda handed: [Command(update={"messages": [*handed, FINE]})],
    "a command of a model": lambda handed: Command(update=Model(messages=[*handed, FINE])),
    "a command of a dataclass": lambda handed: Command(update=Data([*handed, FINE])),
    "a model": lambda handed: Model(messages=[*handed, FINE]),
    "a dataclass": lambda handed: Data([*handed, FINE]),
    "an overwrite": lambda handed: {"messages": Overwrite([*handed, FINE])},
    "an overwrite by key": lambda handed: {"messages": {"__overwrite__": [*handed, FINE]}},
    "a removal of all": lambda handed: {"messages": [RemoveMessage(id=REMOVE_ALL_MESSAGES), *handed, FINE]},
    "a removal of what was handed": lambda handed: {
        "messages": [*(RemoveMessage(id=m.id) for m in handed if m.type == "system"), FINE]
    },
}


@both
@pytest.mark.parametrize("shape", RETURNS)
@pytest.mark.parametrize("placement", ["tail", "system"])
def test_memory_never_reaches_the_channel(mode: str, shape: str, placement: Any) -> None:
    """Whatever form a node gives to what it returns."""
    memories = [BufferMemory(), VectorMemory(placement=placement)]
    graph = remembering(lambda state: RETURNS[shape](state["messages"]), memories=memories)

    assert two_threads(graph, mode) == [("human", "Where does my sister live?"), ("ai", "fine")]


@both
def test_an_edit_of_what_was_handed_keeps_the_edit_alone(mode: str) -> None:
    """A node that redacts the question under its id changes the question, not the memory before it."""

    def redact(state: MessagesState) -> dict[str, Any]:
        edited = state["messages"][-1].model_copy(
            update={"content": state["messages"][-1].content.replace("sister", "***")}
        )
        return {"messages": [edited, AIMessage("fine")]}

    assert two_threads(remembering(redact), mode) == [("human", "Where does my *** live?"), ("ai", "fine")]


@both
def test_a_hand_off_out_of_a_subgraph_carries_no_memory(mode: str) -> None:
    """`Command(graph=PARENT)` passes the wrapper as an exception; it is stripped, and the turn remembered once."""

    def leave(state: MessagesState) -> Command[Any]:
        update = {"messages": [*state["messages"], AIMessage("handing over")]}
        return Command(goto="after", graph=Command.PARENT, update=update)

    inner = StateGraph(MessagesState).add_node("llm", leave).add_edge(START, "llm").compile()
    store = InMemoryStore()
    builder = StateGraph(MessagesState)
    builder.add_node("assistant", inner)
    builder.add_node("after", lambda state: {})
    builder.add_edge(START, "assistant")
    attach(builder, "assistant", [VectorMemory()], budget_tokens=1000)
    graph = builder.compile(checkpointer=InMemorySaver(), store=store)

    channel = two_threads(graph, mode)

    assert channel == [("human", "Where does my sister live?"), ("ai", "handing over")]
    texts = [item.value["text"] for item in store.search(("graph_memory",), limit=50) if "text" in item.value]
    assert sorted(texts) == ["My sister lives in Ghent", "Where does my sister live?", "handing over", "handing over"]


class Replaced(TypedDict):
    """A channel whose reducer replaces."""

    messages: Annotated[list[Any], lambda old, new: new]


@both
def test_a_reducer_that_replaces_keeps_the_history(mode: str) -> None:
    """There, too, what a node returns is the whole new list."""

    def whole(state: Replaced) -> dict[str, Any]:
        return {"messages": [*state["messages"], AIMessage("fine", id="a")]}

    graph = remembering(whole, schema=Replaced, memories=[BufferMemory(turns=1)])
    thread = [HumanMessage("one", id="1"), AIMessage("two", id="2"), HumanMessage("three", id="3")]

    result = call(graph, mode, {"messages": thread}, in_thread())

    assert [m.content for m in result["messages"]] == ["one", "two", "three", "fine"]


@both
def test_a_thread_that_is_cleared_by_its_node_keeps_what_the_node_kept(mode: str) -> None:
    """REMOVE_ALL followed by the whole list changes nothing."""

    def rewrite(state: MessagesState) -> dict[str, Any]:
        return {"messages": [RemoveMessage(id=REMOVE_ALL_MESSAGES), *state["messages"], AIMessage("fine")]}

    graph = remembering(rewrite)
    for text in ("q1", "q2"):
        result = call(graph, mode, said(text), in_thread())

    assert [m.content for m in result["messages"]] == ["q1", "fine", "q2", "fine"]


def fanned(answer: str) -> Any:
    """START sends three parts of the question to the assistant."""

    def fan(state: MessagesState) -> list[Send]:
        return [Send("assistant", said(f"{state['messages'][-1].text} part {i}")) for i in range(3)]

    builder = StateGraph(MessagesState)
    builder.add_node("assistant", lambda state: {"messages": [AIMessage(answer)]})
    builder.add_conditional_edges(START, fan, ["assistant"])
    attach(builder, "assistant", [BufferMemory(), VectorMemory()], budget_tokens=1000)
    return builder


@both
def test_a_fan_out_remembers_the_question_the_parts_and_every_answer(mode: str) -> None:
    """Equal answers stay apart, the channel is as without memory, and the archive holds the thread alone."""
    store = InMemoryStore()
    graph = fanned("Yes").compile(checkpointer=InMemorySaver(), store=store)
    for text in ("one", "two"):
        result = call(graph, mode, said(text), in_thread())

    items = store.search(("graph_memory",), limit=100)
    texts = sorted(item.value["text"] for item in items if "text" in item.value)
    archived = [m["data"]["content"] for item in items for m in item.value.get("messages", ())]
    assert [m.content for m in result["messages"]] == ["one", "Yes", "Yes", "Yes", "two", "Yes", "Yes", "Yes"]
    assert texts == sorted(["one", "two", *["Yes"] * 6, *(f"{n} part {i}" for n in ("one", "two") for i in range(3))])
    assert sorted(archived) == sorted(["one", "two", *["Yes"] * 6])


@both
@pytest.mark.parametrize("sent", [None, "text", 7, [1], {"n": 1}, {"messages": []}, Data([HumanMessage("hi")])])
def test_anything_may_be_sent(mode: str, sent: Any) -> None:
    """What is no conversation is passed on untouched."""
    seen: list[Any] = []

    def node(state: Any) -> dict[str, Any]:
        seen.append(state)
        return {"messages": [AIMessage("fine")]}

    builder = StateGraph(MessagesState)
    builder.add_node("assistant", node)
    builder.add_conditional_edges(START, lambda state: [Send("assistant", sent)], ["assistant"])
    attach(builder, "assistant", [VectorMemory()], budget_tokens=1000)

    call(builder.compile(store=InMemoryStore()), mode, said("q"), in_thread())

    assert type(seen[0]) is type(sent)


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
