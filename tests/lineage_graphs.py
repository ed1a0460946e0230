"""The graphs whose threads live through `tests.lineage`: what nodes they have, and whose memories they keep.

Every node says something that is unique, with a number that grows, so that each message can be told from all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, RetryPolicy, Send

from graph_memory import (
    BufferMemory,
    EntityMemory,
    KeyValueMemory,
    Memory,
    MemoryState,
    SummaryMemory,
    VectorMemory,
    WorkingMemory,
    attach,
)
from tests.lineage_scripts import FlakyError, Script, word

Builder = StateGraph[Any, Any, Any, Any]
MAIN = "assistant"


RETRY = RetryPolicy(
    max_attempts=5, initial_interval=0.001, backoff_factor=1.0, max_interval=0.001, jitter=False, retry_on=FlakyError
)


def conversation(**options: Any) -> list[Memory]:
    """A window and a search, with no deadline: a crash must reach the caller, not a thread that is waited for."""
    return [
        BufferMemory(**{"turns": 2, "deadline_seconds": None, "remember_deadline_seconds": None, **options}),
        VectorMemory(deadline_seconds=None, remember_deadline_seconds=None),
    ]


PROFILE = KeyValueMemory(
    extract=lambda text: [("newest", text.split()[1])], deadline_seconds=None, remember_deadline_seconds=None
)
"""Knows the word of the newest question."""

ENTITIES = EntityMemory(deadline_seconds=None, remember_deadline_seconds=None)
"""Knows where the user lives, and lived."""

BOARD = WorkingMemory(shared=True, max_steps=1000, deadline_seconds=None, remember_deadline_seconds=None)
"""Knows what the tools found."""


def question(*, at_home: bool) -> str:
    """What the user says; with where they live now, which changes every time."""
    said = word()
    return f"question {said} about everything" + (f" today. I live in Westport{said[1:]}." if at_home else "")


def remembering(builder: Builder, node: str, *, agent: str | None = None, **options: Any) -> None:
    """`attach` as all of these graphs do it."""
    attach(builder, node, conversation(**options), budget_tokens=20_000, agent=agent)


def plain(script: Script, **options: Any) -> Builder:
    """START → assistant → END."""
    builder: Builder = StateGraph(MemoryState)
    builder.add_node(MAIN, script.llm(MAIN), retry_policy=RETRY)
    builder.add_edge(START, MAIN)
    builder.add_edge(MAIN, END)
    remembering(builder, MAIN, **options)
    return builder


def pruning(script: Script) -> Builder:
    """`plain`, with old turns moved from the channel to the archive."""
    return plain(script, turns=4, prune=True)


def tools(script: Script, memories: Sequence[Memory] | None = None) -> Builder:
    """An assistant that calls tools before it answers."""

    def look(state: Any) -> dict[str, Any]:
        calls = state["messages"][-1].tool_calls
        return {"messages": [ToolMessage(f"found {word()}", tool_call_id=call["id"]) for call in calls]}

    def route(state: Any) -> str:
        return "look" if getattr(state["messages"][-1], "tool_calls", None) else END

    builder: Builder = StateGraph(MemoryState)
    builder.add_node(MAIN, script.llm(MAIN), retry_policy=RETRY)
    builder.add_node("look", look)
    builder.add_edge(START, MAIN)
    builder.add_conditional_edges(MAIN, route, ["look", END])
    builder.add_edge("look", MAIN)
    attach(builder, MAIN, memories or conversation(), budget_tokens=20_000)
    return builder


def everything(script: Script) -> Builder:
    """`tools`, with all six memories."""
    summary = SummaryMemory(threshold_tokens=200, deadline_seconds=None, remember_deadline_seconds=None)
    return tools(script, [*conversation(turns=None), summary, BOARD, PROFILE, ENTITIES])


def parallel(script: Script) -> Builder:
    """Two LLM nodes in one superstep, each with memories of its own."""
    builder: Builder = StateGraph(MemoryState)
    for node in (MAIN, "critic"):
        builder.add_node(node, script.llm(node), retry_policy=RETRY)
        builder.add_edge(START, node)
        builder.add_edge(node, END)
    remembering(builder, MAIN)
    remembering(builder, "critic", agent="critic")
    return builder


def sharing(script: Script) -> Builder:
    """Two LLM nodes, one after the other, that share their memories."""
    builder: Builder = StateGraph(MemoryState)
    builder.add_node(MAIN, script.llm(MAIN), retry_policy=RETRY)
    builder.add_node("critic", script.llm("critic"), retry_policy=RETRY)
    builder.add_edge(START, MAIN)
    builder.add_edge(MAIN, "critic")
    builder.add_edge("critic", END)
    remembering(builder, MAIN)
    remembering(builder, "critic")
    return builder


def sub_agent(script: Script) -> Builder:
    """An assistant, then a subgraph with an LLM node that has memories of its own, tried again when it fails."""
    inner: Builder = StateGraph(MemoryState)
    inner.add_node("helper", script.llm("helper"))
    inner.add_node("rest", lambda state: {})
    inner.add_node("polish", script.polish)
    inner.add_edge(START, "helper")
    inner.add_edge("helper", "rest")
    inner.add_edge("rest", "polish")
    remembering(inner, "helper", agent="helper")
    builder: Builder = StateGraph(MemoryState)
    builder.add_node(MAIN, script.llm(MAIN), retry_policy=RETRY)
    builder.add_node("sub", inner.compile(), retry_policy=RETRY)
    builder.add_edge(START, MAIN)
    builder.add_edge(MAIN, "sub")
    remembering(builder, MAIN)
    return builder


def hand_off(script: Script) -> Builder:
    """An assistant, then a subgraph whose LLM node answers and leaves for a node of the parent graph."""
    answer = script.llm("helper")

    def helper(state: Any) -> Command[Any]:
        return Command(graph=Command.PARENT, goto="closing", update=answer(state))

    inner: Builder = StateGraph(MemoryState)
    inner.add_node("helper", helper, retry_policy=RETRY)
    inner.add_edge(START, "helper")
    remembering(inner, "helper", agent="helper")
    builder: Builder = StateGraph(MemoryState)
    builder.add_node(MAIN, script.llm(MAIN), retry_policy=RETRY)
    builder.add_node("sub", inner.compile(), destinations=("closing",))
    builder.add_node("closing", lambda state: {})
    builder.add_edge(START, MAIN)
    builder.add_edge(MAIN, "sub")
    remembering(builder, MAIN)
    return builder


def fan_out(script: Script) -> Builder:
    """An assistant, then two workers that are sent a task each, with the `memory` channel."""

    def worker(state: Any) -> dict[str, Any]:
        task = state["messages"][-1].text.rsplit("\n", 1)[-1]  # without what memory set before it
        script.handed.append(("worker", state["messages"]))
        script.stumble()
        return {"messages": [AIMessage(f"done {word()} about everything", additional_kwargs={"task": task})]}

    def fan(state: Any) -> list[Send]:
        tasks = [f"task {word()} about everything" for _ in range(2)]
        return [Send("worker", {"messages": [("user", task)], "memory": state["memory"]}) for task in tasks]

    builder: Builder = StateGraph(MemoryState)
    builder.add_node(MAIN, script.llm(MAIN), retry_policy=RETRY)
    builder.add_node("worker", worker, retry_policy=RETRY)
    builder.add_edge(START, MAIN)
    builder.add_conditional_edges(MAIN, fan, ["worker"])
    remembering(builder, MAIN)
    remembering(builder, "worker", agent="worker")
    return builder


@dataclass(frozen=True)
class Shape:
    """A graph, and whose memories it keeps.

    Attributes:
        build: makes the graph.
        agents: agent and node of each line that is checked.
        most_tools: how many tool calls may precede an answer.
        forgetful: nodes that hear of their own turns alone, in those, because they hand off or are sent tasks.
        archives: whether the window is read from the archive, which has room for one version of a turn: then nothing is forked in
            the middle of one.
        sends: whether tasks are sent; then a thread is copied between its turns only.
        has_all: whether all six memories are there, so that what they know is checked too.
    """

    build: Callable[[Script], Builder]
    agents: tuple[tuple[str | None, str], ...] = ((None, MAIN),)
    most_tools: int = 0
    forgetful: tuple[str, ...] = ()
    archives: bool = False
    sends: bool = False
    has_all: bool = False

    @property
    def name(self) -> str:
        """What tests are called by."""
        return self.build.__name__


SHAPES = (
    Shape(plain),
    Shape(pruning, archives=True),
    Shape(tools, most_tools=2),
    Shape(parallel, ((None, MAIN), ("critic", "critic"))),
    Shape(sharing, ((None, MAIN), (None, "critic"))),
    Shape(sub_agent, ((None, MAIN), ("helper", "helper"))),
    Shape(hand_off, ((None, MAIN), ("helper", "helper")), forgetful=("helper",)),
    Shape(fan_out, ((None, MAIN), ("worker", "worker")), forgetful=("worker",), sends=True),
    Shape(everything, most_tools=2, has_all=True),
)
