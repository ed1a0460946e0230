"""The orchestrator alone, as the one step of a graph: it shows what a node would receive, and answers nothing."""

from __future__ import annotations

from langgraph.graph import END, START, StateGraph

from graph_memory import MemoryState, orchestrator
from graphs.answering import BUDGET_TOKENS, all_memories
from graphs.context import context_of_recall

NODE = "memory_orchestrator"

_builder = StateGraph(MemoryState, context_schema=context_of_recall(NODE))
_builder.add_node(NODE, orchestrator(all_memories(), budget_tokens=BUDGET_TOKENS))
_builder.add_edge(START, NODE)
_builder.add_edge(NODE, END)
graph = _builder.compile()
