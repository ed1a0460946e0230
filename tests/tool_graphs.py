"""Graphs whose agents have memory tools, what their models say, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.store.base import BaseStore
from langgraph.types import RetryPolicy

from graph_memory import (
    BufferMemory,
    EntityMemory,
    KeyValueMemory,
    Memory,
    MemoryMiddleware,
    MemoryState,
    Scope,
    VectorMemory,
    WorkingMemory,
    memory_tools,
    search,
)
from tests.agents import Scripted

RETRY = RetryPolicy(max_attempts=3, initial_interval=0.001, max_interval=0.001, jitter=False, retry_on=ConnectionError)
SAVE = ("save_memory", {"text": "Ines lives in Ghent."})


class Flaky:
    """A tool that fails when it is told to.

    Attributes:
        fails: whether the next calls fail, call by call; later ones do not.
        called: how often it was called.
    """

    def __init__(self, *fails: bool) -> None:
        self.fails, self.called = list(fails), 0

    @property
    def tool(self) -> BaseTool:
        """For a ToolNode."""
        return StructuredTool.from_function(self._called, name="flaky", description="Fails now and then.")

    def _called(self) -> str:
        self.called += 1
        if self.fails and self.fails.pop(0):
            raise ConnectionError
        return "fine"


def memories() -> list[Memory]:
    """One of each kind."""
    return [BufferMemory(), VectorMemory(), KeyValueMemory(), EntityMemory(), WorkingMemory()]


def calls(*made: tuple[str, Mapping[str, Any]]) -> AIMessage:
    """An answer that calls tools; many models number their calls from 0 in each answer."""
    some = [{"name": n, "args": dict(a), "id": f"call_{i}", "type": "tool_call"} for i, (n, a) in enumerate(made)]
    return AIMessage("", tool_calls=some)


def says(*answers: Any) -> Scripted:
    """A model."""
    return Scripted(answers=list(answers))


def graph(
    model: Scripted,
    store: Any,
    *,
    schema: Any = MemoryState,
    context_schema: Any = None,
    extra: Any = (),
    retry: RetryPolicy | None = RETRY,
    **options: Any,
) -> Any:
    """A graph with a plain ToolNode of the tools, which is tried again when a connection breaks."""
    builder: Any = StateGraph(schema, context_schema)
    builder.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    given = options.pop("memories", memories())
    checkpointer = options.pop("checkpointer", InMemorySaver())
    builder.add_node("tools", ToolNode([*memory_tools(given, **options), *extra]), retry_policy=retry)
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", lambda state: "tools" if state["messages"][-1].tool_calls else END)
    builder.add_edge("tools", "model")
    return builder.compile(store=store, checkpointer=checkpointer)


def agent(model: Scripted, store: Any, *, extra: Any = (), **options: Any) -> Any:
    """An agent of `create_agent`, with MemoryMiddleware over the same memories."""
    given = options.pop("memories", memories())
    return create_agent(
        model,
        [*memory_tools(given, **options), *extra],
        middleware=[MemoryMiddleware(given, budget_tokens=50_000)],
        store=store,
        checkpointer=InMemorySaver(),
    )


GRAPHS = pytest.mark.parametrize("made", [graph, agent])


def said(text: str = "Go on.") -> dict[str, Any]:
    """One turn."""
    return {"messages": [HumanMessage(text)]}


def told(result: Mapping[str, Any]) -> list[str]:
    """What the tools said in the newest turn."""
    found: list[str] = []
    for message in reversed(result["messages"]):
        if message.type == "human":
            break
        found += [str(message.content)] if message.type == "tool" else []
    return found[::-1]


def facts(store: BaseStore, user: str = "ada") -> list[str]:
    """What is saved of a user, as application code finds it."""
    found = search(Scope(user_id=user), "", store=store, kinds=["fact"], limit=50)
    return sorted(one.memo.text for one in found if one.memo.origin.memory == "vector")


def kept(store: BaseStore) -> list[str]:
    """The texts of all records of facts, whether or not they hold."""
    items = store.search(("graph_memory",), limit=1000)
    return sorted(item.value["text"] for item in items if item.value.get("kind") == "fact" and "speaker" in item.value)


def id_in(line: str) -> str:
    """The id in brackets."""
    return line.partition("[")[2].partition("]")[0]
