"""Graphs that the integration tests share, and what their stores hold."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langchain_core.messages import HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, MemoryState, VectorMemory, attach


def plain(node: Any, memories: Any = None, schema: Any = MemoryState, **options: Any) -> StateGraph[Any, Any, Any, Any]:
    """START → assistant → END, with memory; over MemoryState, so that the context is part of the result."""
    builder = StateGraph(schema)
    builder.add_node("assistant", node)
    builder.add_edge(START, "assistant")
    builder.add_edge("assistant", END)
    attach(builder, "assistant", memories or [BufferMemory(), VectorMemory()], **{"budget_tokens": 1000, **options})
    return builder


def said(text: str, **more: Any) -> dict[str, Any]:
    """The input of a turn."""
    return {"messages": [HumanMessage(text)], **more}


def remembered(store: InMemoryStore) -> list[str]:
    """The texts of all memos."""
    return [item.value["text"] for item in store.search(("graph_memory",), limit=100) if "text" in item.value]


def archived(store: InMemoryStore) -> list[str]:
    """Ids of the messages in the archive."""
    items = [item for item in store.search(("graph_memory",), limit=100) if "messages" in item.value]
    return [message["data"]["id"] for item in items for message in item.value["messages"]]


class Said(TypedDict):
    """A list that grows."""

    said: Annotated[list[str], operator.add]


def echo(checkpointer: Any, schema: Any = Said) -> Any:
    """A compiled graph without memory that answers what was said last."""
    builder: Any = StateGraph(schema)
    builder.add_node("one", lambda state: {"said": [f"re {state['said'][-1]}"]})
    builder.add_edge(START, "one")
    return builder.compile(checkpointer=checkpointer)
