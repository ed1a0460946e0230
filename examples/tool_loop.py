"""An agent with a tool loop and memory: retrieval happens once a turn, remembering when the assistant has answered.

    python examples/tool_loop.py

The "model" is a function, so that this runs without a key; put your own chat model in its place.
"""

from __future__ import annotations

from typing import Any, Literal

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.graph import END, START, StateGraph

from graph_memory import BufferMemory, MemoryState, VectorMemory, attach, open_memory


def call_model(state: MemoryState) -> dict[str, Any]:
    """Asks the calendar once, then answers with what it was handed."""
    messages = state["messages"]
    if isinstance(messages[-1], ToolMessage):
        context = state["memory_context"]
        remembered = [line.text for line in context.kept if line.memory == "vector"]
        return {"messages": [AIMessage(f"The calendar says {messages[-1].text}. I remember: {'; '.join(remembered)}")]}
    return {"messages": [AIMessage("", tool_calls=[{"name": "calendar", "args": {}, "id": f"call-{len(messages)}"}])]}


def call_tool(state: MemoryState) -> dict[str, Any]:
    """A calendar that is always free."""
    [call] = state["messages"][-1].tool_calls
    return {"messages": [ToolMessage("free on Saturday", tool_call_id=call["id"])]}


def route(state: MemoryState) -> Literal["tools", "__end__"]:
    """To the tools while the model calls them."""
    return "tools" if state["messages"][-1].tool_calls else END


def build() -> StateGraph[Any, Any, Any, Any]:
    """The graph, with memory attached to its LLM node."""
    builder = StateGraph(MemoryState)
    builder.add_node("assistant", call_model)
    builder.add_node("tools", call_tool)
    builder.add_edge(START, "assistant")
    builder.add_conditional_edges("assistant", route)
    builder.add_edge("tools", "assistant")
    memories = [BufferMemory(weight=0.5), VectorMemory(weight=0.5, roles=("human",))]
    attach(builder, "assistant", memories, budget_tokens=2000)
    return builder


def main() -> None:
    """Two conversations of one user."""
    with open_memory("sqlite://") as memory:
        graph = build().compile(store=memory.store, checkpointer=memory.checkpointer)
        for thread, text in [("one", "My sister Ines plays the cello."), ("two", "When can I hear my sister play?")]:
            config: Any = {"configurable": {"user_id": "ada", "thread_id": thread}, "recursion_limit": 50}
            result = graph.invoke({"messages": [("user", text)]}, config)
            print(result["messages"][-1].text)


if __name__ == "__main__":
    main()
