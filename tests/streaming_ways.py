"""Graphs with memory and without it, by every way of attaching: what a client streams of the two is compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore

from graph_memory import (
    BufferMemory,
    MemoryMiddleware,
    MemoryState,
    SummaryMemory,
    VectorMemory,
    WorkingMemory,
    attach,
    memory_tools,
    orchestrator,
)
from tests.agents import Scripted, calling

SAID = ("My sister Ines lives in Ghent.", "How large is Ghent?", "Where does my sister live?")
SPOKEN = ("I see, in Ghent.", "Quite large.", "She lives there.")
WITH_TOOLS = ("I see, in Ghent.", calling("look_up", city="Ghent"), "Quite large.", "She lives there.")


@tool
def look_up(city: str) -> str:
    """Looks up a city."""
    get_stream_writer()({"looked up": city})
    return f"{city} has 260,000 people"


def memories(**window: Any) -> list[Any]:
    """A window, a search, and a summary whose model must stay unheard."""
    return [BufferMemory(**window), VectorMemory(), SummaryMemory(Scripted(), threshold_tokens=20, keep_recent=1)]


def llm_node(is_async: bool) -> Any:
    """A node that says what it does, and streams a model of which it knows a tag."""
    model = Scripted(answers=list(SPOKEN)).with_config(tags=["mine"])

    def handed(state: Any) -> Any:
        get_stream_writer()({"mine": len(SPOKEN)})
        context = state.get("memory_context")
        return list(context.messages) if context else state["messages"]

    def node(state: MemoryState) -> dict[str, Any]:
        return {"messages": [model.invoke(handed(state))]}

    async def anode(state: MemoryState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(handed(state))]}

    return anode if is_async else node


def around(node: Any, schema: Any = MessagesState) -> StateGraph[Any, Any, Any, Any]:
    """START → assistant → END."""
    builder = StateGraph(schema)
    builder.add_node("assistant", node)
    builder.add_edge(START, "assistant")
    builder.add_edge("assistant", END)
    return builder


def attached(builder: StateGraph[Any, Any, Any, Any], has_memory: bool, **window: Any) -> Any:
    """The graph, with memory or without."""
    if has_memory:
        attach(builder, "assistant", memories(**window), budget_tokens=2000)
    return builder.compile(store=InMemoryStore(), checkpointer=InMemorySaver())


def by_hand(has_memory: bool, is_async: bool) -> Any:
    """The orchestrator as a step of one's own graph."""
    builder = StateGraph(MemoryState)
    builder.add_node("assistant", llm_node(is_async))
    builder.add_edge("assistant", END)
    if has_memory:
        builder.add_node("recall", orchestrator(memories(), budget_tokens=2000))
        builder.add_edge("recall", "assistant")
    builder.add_edge(START, "recall" if has_memory else "assistant")
    return builder.compile(store=InMemoryStore(), checkpointer=InMemorySaver())


def agent(tools: Sequence[Any] = (), **options: Any) -> Any:
    """An agent of `create_agent` that calls a tool in its second turn."""
    model = Scripted(answers=list(WITH_TOOLS))
    return create_agent(model, [look_up, *tools], store=InMemoryStore(), checkpointer=InMemorySaver(), **options)


def with_middleware(has_memory: bool, is_async: bool) -> Any:
    """`MemoryMiddleware`."""
    return agent(middleware=[MemoryMiddleware(memories(), budget_tokens=2000)] if has_memory else [])


def with_tools(has_memory: bool, is_async: bool) -> Any:
    """`memory_tools` beside the agent's own."""
    return agent(memory_tools([VectorMemory(), WorkingMemory()]) if has_memory else [])


def with_both(has_memory: bool, is_async: bool) -> Any:
    """`memory_tools` and `MemoryMiddleware`."""
    own = [VectorMemory(), WorkingMemory()]
    return agent(memory_tools(own), middleware=[MemoryMiddleware(own, budget_tokens=2000)]) if has_memory else agent()


def echo(state: MessagesState) -> dict[str, Any]:
    """A node without a model; it gives back its whole list of messages."""
    return {"messages": [*state["messages"], AIMessage(f"You said something in {len(SAID)} turns.")]}


def subagent() -> Any:
    """An agent that is a node of another graph; it gives back its whole list of messages."""
    return create_agent(Scripted(answers=list(WITH_TOOLS)), [look_up])


@dataclass(frozen=True)
class Way:
    """A way of attaching.

    Attributes:
        build: the graph, with memory or without it, by its async or its sync side.
        nodes: what memory adds to the nodes of the graph.
        has_events: whether the client is told by custom events, without streaming subgraphs.
        prunes: whether old messages leave the channel, which then holds the newest turn only.
        is_graph: whether the node is a graph: what that one's own state holds is what memory handed it.
    """

    build: Callable[[bool, bool], Any]
    nodes: frozenset[str]
    has_events: bool = True
    prunes: bool = False
    is_graph: bool = False

    def shows_newest(self, kind: str, place: Sequence[str] = ()) -> bool:
        """Whether no more than the newest turn can be compared, and that without what memory put into it."""
        return self.prunes or (self.is_graph and (kind == "events" or bool(place)))


ATTACHED = frozenset({"assistant_memory", "assistant_remember"})
WAYS = {
    "attach": Way(lambda memory, is_async: attached(around(llm_node(is_async)), memory), ATTACHED),
    "attach with prune": Way(
        lambda memory, is_async: attached(around(llm_node(is_async)), memory, turns=1, prune=True),
        ATTACHED,
        prunes=True,
    ),
    "attach to a function": Way(lambda memory, is_async: attached(around(echo), memory), ATTACHED),
    "attach to a function with a window": Way(
        lambda memory, is_async: attached(around(echo), memory, turns=1), ATTACHED
    ),
    "attach to an agent": Way(lambda memory, is_async: attached(around(subagent()), memory), ATTACHED, is_graph=True),
    "attach to an agent with a window": Way(
        lambda memory, is_async: attached(around(subagent()), memory, turns=1), ATTACHED, is_graph=True
    ),
    "orchestrator": Way(by_hand, frozenset({"recall"}), has_events=False),
    "middleware": Way(with_middleware, frozenset({"MemoryMiddleware.after_agent"})),
    "tools": Way(with_tools, frozenset(), has_events=False),
    "tools and middleware": Way(with_both, frozenset({"MemoryMiddleware.after_agent"})),
}
