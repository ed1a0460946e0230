"""Mistakes with `attach` are told at attach time, in one sentence, before anything is changed."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, MessagesState, StateGraph

from graph_memory import BufferMemory, ConfigurationError, attach
from tests.fakes import MODES, Assistant
from tests.graphs import plain

pytestmark = pytest.mark.parametrize("mode", MODES)


def unknown_node() -> None:
    builder = StateGraph(MessagesState).add_node("assistant", Assistant())
    attach(builder, "asistant", [BufferMemory()], budget_tokens=1000)


def twice() -> None:
    builder = plain(Assistant())
    attach(builder, "assistant", [BufferMemory()], budget_tokens=1000)


def compiled() -> None:
    attach(plain(Assistant()).compile(), "assistant", [BufferMemory()], budget_tokens=1000)  # type: ignore[arg-type]


def attached_to(memories: Any) -> None:
    builder = StateGraph(MessagesState).add_node("assistant", Assistant())
    attach(builder, "assistant", memories, budget_tokens=1000)


def after_compile() -> None:
    builder = StateGraph(MessagesState).add_node("assistant", Assistant()).add_edge(START, "assistant")
    builder.compile()
    attach(builder, "assistant", [BufferMemory()], budget_tokens=1000)


def no_messages() -> None:
    class Bare(TypedDict):
        text: str

    builder = StateGraph(Bare).add_node("assistant", lambda state: {})
    attach(builder, "assistant", [BufferMemory()], budget_tokens=1000)


def own_memory_key() -> None:
    class Mine(MessagesState):
        memory: Annotated[list[str], operator.add]

    builder = StateGraph(Mine).add_node("assistant", Assistant())
    attach(builder, "assistant", [BufferMemory()], budget_tokens=1000)


def prune_by_addition() -> None:
    class Added(TypedDict):
        messages: Annotated[list[Any], operator.add]

    builder = StateGraph(Added).add_node("assistant", Assistant(), input_schema=Added)
    attach(builder, "assistant", [BufferMemory(prune=True)], budget_tokens=1000)


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (unknown_node, "no node 'asistant'.*'assistant'"),
        (twice, "has memory already"),
        (compiled, "before compile"),
        (after_compile, "compiled already.*before compile"),
        (no_messages, "does not read a state key 'messages'"),
        (own_memory_key, "a key 'memory' of its own"),
        (prune_by_addition, "does not understand RemoveMessage"),
        (lambda: plain(Assistant(), [BufferMemory(), BufferMemory()]), "two memories are named 'buffer'"),
        (lambda: plain(Assistant(), [BufferMemory(weight=0)]), "weight is a number above zero"),
        (lambda: plain(Assistant(), [BufferMemory(weight=-1)]), "weight is a number above zero"),
        (lambda: plain(Assistant(), [BufferMemory(name="plan")]), "cannot be named 'plan'"),
        (lambda: plain(Assistant(), [BufferMemory]), r"BufferMemory is no memory: pass an instance"),
        (lambda: plain(Assistant(), ["buffer"]), r"'buffer' is no memory: pass an instance of a memory's class"),
        (lambda: attached_to(None), r"got NoneType: for example \[BufferMemory\(\)\]"),
        (lambda: attached_to("buffer"), r"got str: for example \[BufferMemory\(\)\]"),
        (lambda: plain(Assistant(), BufferMemory()), "put it in brackets"),
        (lambda: plain(Assistant(), counter=len), "counter_from"),
        (lambda: plain(Assistant(), budget_tokens=5), "leaves no room"),
    ],
)
def test_mistakes_get_one_clear_sentence(mode: str, mistake: Any, sentence: str) -> None:
    """What, where, and what to do; at attach time, not in the middle of a run."""
    with pytest.raises(ConfigurationError, match=sentence):
        mistake()
