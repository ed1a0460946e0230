"""The extractive reader as a node: it quotes what memory recalled, and tells of what it was handed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, Memory, SummaryMemory, VectorMemory, attach, extractive_node

pytestmark = pytest.mark.parametrize("mode", ["invoke", "ainvoke"])


def reader(*memories: Memory, budget_tokens: int = 1000) -> Any:
    """A graph that the reader answers in."""
    builder = StateGraph(MessagesState)
    builder.add_node("assistant", extractive_node())
    builder.add_edge(START, "assistant")
    attach(builder, "assistant", memories, budget_tokens=budget_tokens)
    return builder.compile(store=InMemoryStore(), checkpointer=InMemorySaver())


def ask(graph: Any, text: str, mode: str, thread: str = "t") -> Any:
    """The reader's message."""
    config = {"configurable": {"user_id": "u", "thread_id": thread}}
    given = {"messages": [HumanMessage(text)]}
    result = graph.invoke(given, config) if mode == "invoke" else asyncio.run(graph.ainvoke(given, config))
    return result["messages"][-1]


def test_it_quotes_another_thread_and_signs_as_what_it_is(mode: str) -> None:
    """No one takes a quote for the answer of a model."""
    graph = reader(BufferMemory(), VectorMemory(roles=("human",)))
    ask(graph, "My sister Ines lives in Ghent.", mode)

    answer = ask(graph, "Where does my sister live?", mode, thread="another")

    assert answer.name == "reader"
    assert answer.text.count("Ghent") == 1


def test_it_says_when_it_finds_nothing(mode: str) -> None:
    """In place of a guess."""
    assert "nothing" in ask(reader(BufferMemory()), "Where does my sister live?", mode).text


def test_a_line_is_quoted_once(mode: str) -> None:
    """A summary of several snippets has one memo."""
    graph = reader(SummaryMemory(threshold_tokens=20, keep_recent=1))
    ask(graph, "I live in Vienna. My name is Ada and I work at Acme.", mode)
    ask(graph, "I like long walks in the evening sun.", mode)

    assert ask(graph, "Where do I live?", mode).text.count("(") <= 2


def test_the_stream_tells_how_the_budget_was_split(mode: str) -> None:
    """And names what was left out by its id and the rule, never by its text."""
    graph = reader(BufferMemory(), VectorMemory(), budget_tokens=90)
    config = {"configurable": {"user_id": "u", "thread_id": "t"}}
    for i in range(4):
        ask(graph, f"The secret word number {i} is quite a long one, namely abracadabra.", mode)

    given = {"messages": [HumanMessage("Which secret word?")]}
    if mode == "invoke":
        events = list(graph.stream(given, config, stream_mode="custom"))
    else:

        async def collect() -> list[Any]:
            return [event async for event in graph.astream(given, config, stream_mode="custom")]

        events = asyncio.run(collect())

    [told] = [event["graph_memory"] for event in events if event["graph_memory"]["event"] == "assembled"]
    assert sum(told["tokens"].values()) == told["total_tokens"] <= told["budget_tokens"] == 90
    assert told["dropped_count"] == len(told["dropped"]) > 0
    assert all(line["rule"] and line["memo_id"] for line in told["dropped"])
    assert "abracadabra" not in str(told)
