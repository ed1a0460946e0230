"""A supervisor hands work to a researcher and a writer by `Command`; all three have memory, and share what they have in hand.

    python examples/supervisor.py

Each remembers the conversation; the shared `WorkingMemory` is the user's whiteboard: what one agent notes there, the others are
handed, in later threads too. The "models" go by rules, so that this runs without a key. A real supervisor chooses by
`init_chat_model("openai:gpt-4o-mini").with_structured_output(Route).invoke(state["messages"])`.
"""

from __future__ import annotations

from typing import Any, Literal

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from graph_memory import BufferMemory, MemoryState, VectorMemory, WorkingMemory, attach, open_memory, scope_of

SUPERVISOR, RESEARCHER, WRITER = "supervisor", "researcher", "writer"
WHITEBOARD = WorkingMemory(weight=0.3, shared=True)
CONVERSATION = [
    ("monday", "My sister Ines moved to Ghent in May."),
    ("tuesday", "Write a card to my sister Ines."),
    ("friday", "What is the address on the card?"),
]


def supervisor(state: MemoryState) -> Command[Literal["researcher", "writer", "__end__"]]:
    """Says who is next, from what stands on the whiteboard."""
    asked, notes = newest(state), on_whiteboard(state)
    if asked.startswith("Write"):
        if "finding" not in notes:
            return hand_over(RESEARCHER, SUPERVISOR, "researcher, what do we know?")
        if "draft" not in notes:
            return hand_over(WRITER, SUPERVISOR, "writer, your turn.")
        return hand_over(END, SUPERVISOR, f"Done: {notes['draft']}")
    return hand_over(END, SUPERVISOR, f"On the whiteboard: {notes['draft']}" if notes else "Noted.")


def researcher(state: MemoryState, config: RunnableConfig, runtime: Runtime[Any]) -> Command[Literal["supervisor"]]:
    """Looks at what search found, and notes it for all."""
    found = [line.text for line in state["memory_context"].kept if line.memory == "vector"]
    finding = found[0].removeprefix("User: ") if found else "nothing is known"
    note("finding", finding, config, runtime)
    return hand_over(SUPERVISOR, RESEARCHER, f"I found: {finding}")


def writer(state: MemoryState, config: RunnableConfig, runtime: Runtime[Any]) -> Command[Literal["supervisor"]]:
    """Writes from what the researcher noted: it is handed the whiteboard as well."""
    place = on_whiteboard(state)["finding"].partition(" to ")[2].partition(" ")[0]
    note("draft", f"To Ines in {place}: greetings!", config, runtime)
    return hand_over(SUPERVISOR, WRITER, "The card is written.")


def newest(state: MemoryState) -> str:
    """What was asked, without the memory that stands before it."""
    context = state["memory_context"]
    return next(line.text for line in context.kept if line.memo_id == context.turn_id)


def on_whiteboard(state: MemoryState) -> dict[str, str]:
    """What the agent is handed of the shared notes."""
    lines = (line.text.partition(": ") for line in state["memory_context"].kept if line.memory == WHITEBOARD.name)
    return {key: value for key, _, value in lines}


def note(key: str, value: str, config: RunnableConfig, runtime: Runtime[Any]) -> None:
    """Onto the whiteboard of the run's user."""
    assert runtime.store is not None
    WHITEBOARD.note(scope_of(config, runtime), key, value, store=runtime.store, importance=0.9)


def hand_over(to: str, name: str, text: str) -> Command[Any]:
    """An agent's word, and who is next."""
    return Command(goto=to, update={"messages": [AIMessage(text, name=name)]})


def build() -> StateGraph[Any, Any, Any, Any]:
    """Three agents without edges between them: commands lead from one to the next."""
    builder = StateGraph(MemoryState)
    builder.add_node(SUPERVISOR, supervisor)
    builder.add_node(RESEARCHER, researcher)
    builder.add_node(WRITER, writer)
    builder.add_edge(START, SUPERVISOR)
    for agent in (SUPERVISOR, RESEARCHER, WRITER):
        memories = [BufferMemory(weight=0.4), VectorMemory(weight=0.3, roles=("human",)), WHITEBOARD]
        attach(builder, agent, memories, budget_tokens=1000)
    return builder


def main() -> None:
    """Three threads of one user."""
    with open_memory("sqlite://") as memory:
        graph = build().compile(store=memory.store, checkpointer=memory.checkpointer)
        for thread, text in CONVERSATION:
            print(f"\n{thread}: {text}")
            config: Any = {"configurable": {"user_id": "ada", "thread_id": thread}}
            for message in graph.invoke({"messages": [("user", text)]}, config)["messages"][1:]:
                print(f"  {message.name}: {message.text}")


if __name__ == "__main__":
    main()
