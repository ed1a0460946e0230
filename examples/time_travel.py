"""A human approves or edits what the assistant is about to do; then we go back in time, and memory goes with us.

    python examples/time_travel.py

A fork from an earlier checkpoint recalls its own past and nothing of the future that was abandoned; another thread still knows of
both. The "model" goes by rules, so that this runs without a key; a real one is `init_chat_model("openai:gpt-4o-mini")` with
`.bind_tools([...])` in `call_model`.
"""

from __future__ import annotations

from typing import Any, Literal

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from graph_memory import BufferMemory, MemoryState, VectorMemory, attach, open_memory

THREAD: Any = {"configurable": {"user_id": "ada", "thread_id": "trip"}}
ANOTHER: Any = {"configurable": {"user_id": "ada", "thread_id": "another"}}
ASKED = "How do we get to Norway?"


def call_model(state: MemoryState) -> dict[str, Any]:
    """Calls the tool when it is told to book, and else says what it recalls."""
    newest, context = state["messages"][-1], state["memory_context"]
    if isinstance(newest, ToolMessage):
        return {"messages": [AIMessage(f"{newest.text}.")]}
    asked = next(line.text for line in context.kept if line.memo_id == context.turn_id)
    if asked.startswith("Book "):
        call = {"name": "book", "args": {"what": asked.removeprefix("Book ").rstrip(".")}, "id": newest.id}
        return {"messages": [AIMessage("", tool_calls=[call])]}
    recalled = {line.text.partition(": ")[2] for line in context.kept if "ooked" in line.text}
    return {"messages": [AIMessage("; ".join(sorted(recalled)) or "Noted.")]}


def book(state: MemoryState) -> dict[str, Any]:
    """Waits for a human, who may put something else in place of what was proposed."""
    [call] = state["messages"][-1].tool_calls
    approved = interrupt(call["args"]["what"])
    return {"messages": [ToolMessage(f"Booked {approved}", tool_call_id=call["id"])]}


def route(state: MemoryState) -> Literal["book", "__end__"]:
    """To the tool while the model calls it."""
    return "book" if state["messages"][-1].tool_calls else END


def build() -> StateGraph[Any, Any, Any, Any]:
    """The graph. Of the thread itself only the newest turn is shown: the rest is a matter of memory."""
    builder = StateGraph(MemoryState)
    builder.add_node("assistant", call_model)
    builder.add_node("book", book)
    builder.add_edge(START, "assistant")
    builder.add_conditional_edges("assistant", route)
    builder.add_edge("book", "assistant")
    attach(builder, "assistant", [BufferMemory(turns=1), VectorMemory()], budget_tokens=1000)
    return builder


def say(graph: Any, text: str, config: Any = THREAD, *, human: Any = None) -> Any:
    """One turn; when the graph waits for a human, `human` decides. Returns the config of where the thread is then."""
    print(f"  User: {text}")
    result = graph.invoke({"messages": [("user", text)]}, config)
    if "__interrupt__" in result:
        [waiting] = result["__interrupt__"]
        decision = human or waiting.value
        print(f"    may I book {waiting.value}? -> {decision}")
        result = graph.invoke(Command(resume=decision), THREAD)
    print(f"  Assistant: {result['messages'][-1].text}")
    return graph.get_state(THREAD).config


def main() -> None:
    """A trip, planned twice."""
    with open_memory("sqlite://") as memory:
        graph = build().compile(store=memory.store, checkpointer=memory.checkpointer)
        print("the first try, edited by a human:")
        planned = say(graph, "We plan a trip to Norway in June.")
        say(graph, "Book the night train to Norway.", human="the day train to Norway, first class")
        say(graph, ASKED)

        print("back to before the train was booked:")
        fork = {"configurable": {**planned["configurable"], **THREAD["configurable"]}}
        say(graph, "Book the ferry to Norway.", fork)
        say(graph, ASKED)

        print("in another thread, which knows of both:")
        say(graph, ASKED, ANOTHER)


if __name__ == "__main__":
    main()
