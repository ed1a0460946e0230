"""What the tests of odd graphs share: a graph with memory, the input of a turn, both ways to call."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, VectorMemory, attach
from tests.fakes import MODES

both = pytest.mark.parametrize("mode", MODES)


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
