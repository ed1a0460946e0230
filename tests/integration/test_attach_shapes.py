"""Odd graphs and odd returns: what memory handed in never reaches the channel, and nothing of the user's own is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage, RemoveMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph, add_messages
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, Overwrite, Send
from pydantic import BaseModel

from graph_memory import BufferMemory, VectorMemory, attach
from tests.attaching import both, remembering, said
from tests.fakes import call, in_thread


@dataclass
class Data:
    """A dataclass with messages."""

    messages: Annotated[list[AnyMessage], add_messages] = field(default_factory=list)


class Model(BaseModel):
    """A pydantic model with messages."""

    messages: Annotated[list[AnyMessage], add_messages] = []


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
def test_a_removal_after_the_whole_list_removes(mode: str) -> None:
    """What a node returns is applied in its own order, also where the thread is longer than what the node was handed."""

    def forgetful(state: MessagesState) -> dict[str, Any]:
        handed = state["messages"]
        return {"messages": [*handed, AIMessage("fine"), *(RemoveMessage(id=m.id) for m in handed if m.type == "ai")]}

    graph = remembering(forgetful, memories=[BufferMemory(turns=2)])
    for text in ("one", "two", "three"):
        call(graph, mode, said(text), in_thread())

    channel = graph.get_state(in_thread()).values["messages"]
    assert [m.content for m in channel] == ["one", "two", "three", "fine"]


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
