"""A graph whose only memory is `WorkingMemory`; what the user wants done is noted before the assistant answers."""

from __future__ import annotations

from typing import Any

from langgraph.graph import END, START, MessagesState, StateGraph

from graph_memory import WorkingMemory
from graphs.answering import NODE, answering_node, give_memory
from graphs.context import context_for

NOTE = "note_task"

in_hand = WorkingMemory()


def note_task(state: MessagesState) -> dict[str, Any]:
    """Notes what is no question as the task."""
    said = state["messages"][-1].text
    return {} if said.rstrip().endswith("?") else in_hand.noted("task", said, node=NODE, importance=0.9)


_builder = StateGraph(MessagesState, context_schema=context_for([NODE]))
_builder.add_node(NOTE, note_task)
_builder.add_node(NODE, answering_node())
_builder.add_edge(START, NOTE)
_builder.add_edge(NOTE, NODE)
_builder.add_edge(NODE, END)
give_memory(_builder, NODE, [in_hand])
graph = _builder.compile()
