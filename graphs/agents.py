"""Two agents in turn, a researcher and a writer, each with memory; what they have in hand they share.

The task and what the researcher finds are noted in the shared working memory, where both see it, in later threads too.
"""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.runtime import Runtime

from graph_memory import BufferMemory, WorkingMemory, scope_of
from graphs.answering import MODEL, answering_node, give_memory, searched
from graphs.context import RunContext, context_for

RESEARCHER, WRITER, HAND_OVER = "researcher", "writer", "hand_over"

in_hand = WorkingMemory(weight=0.3, shared=True)


async def hand_over(state: MessagesState, config: RunnableConfig, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Notes the task for all agents and, where a model found something, what: a reader would only quote its quotes."""
    if runtime.store is None:
        return {}
    noted = {"task": next(m.text for m in reversed(state["messages"]) if m.type == "human")}
    if MODEL is not None:
        noted["finding"] = state["messages"][-1].text
    for key, value in noted.items():
        await in_hand.anote(scope_of(config, runtime), key, value, store=runtime.store, importance=0.9)
    return {}


_builder = StateGraph(MessagesState, context_schema=context_for([RESEARCHER, WRITER]))
_builder.add_node(RESEARCHER, answering_node())
_builder.add_node(HAND_OVER, hand_over)
_builder.add_node(WRITER, answering_node())
_builder.add_edge(START, RESEARCHER)
_builder.add_edge(RESEARCHER, HAND_OVER)
_builder.add_edge(HAND_OVER, WRITER)
_builder.add_edge(WRITER, END)
for _agent in (RESEARCHER, WRITER):
    give_memory(_builder, _agent, [BufferMemory(weight=0.4), searched(weight=0.3), in_hand])
graph = _builder.compile()
