"""The six memories, one by one: something is said, then something is asked, and what the LLM node is handed for it is shown.

    python examples/memories.py

The "model" only takes note, so that this runs without a key. A real one in its place is one line of `call_model`:
`return {"messages": [init_chat_model("openai:gpt-4o-mini").invoke(state["messages"])]}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import BaseStore

from graph_memory import (
    BufferMemory,
    EntityMemory,
    KeyValueMemory,
    Memory,
    MemoryState,
    Scope,
    SummaryMemory,
    VectorMemory,
    WorkingMemory,
    attach,
    open_memory,
    open_store,
    said_preferences,
    together,
)

ADA = Scope(user_id="ada")


def call_model(state: MemoryState) -> dict[str, Any]:
    """Where your model is called: with what memory hands it."""
    return {"messages": [AIMessage("Noted.")]}


def handed(
    memories: Iterable[Memory],
    said: Iterable[tuple[str, str]],
    *,
    node: Callable[[MemoryState], dict[str, Any]] = call_model,
    store: BaseStore | None = None,
) -> list[AnyMessage]:
    """What the node is handed for the last of what is said, each in its thread."""
    builder = StateGraph(MemoryState)
    builder.add_node("assistant", node)
    builder.add_edge(START, "assistant")
    builder.add_edge("assistant", END)
    attach(builder, "assistant", memories, budget_tokens=1000)
    with open_memory("sqlite://") as memory:
        graph = builder.compile(store=store or memory.store, checkpointer=memory.checkpointer)
        for thread, text in said:
            config: Any = {"configurable": {"user_id": ADA.user_id, "thread_id": thread}}
            result = graph.invoke({"messages": [("user", text)]}, config)
    return list(result["memory_context"].messages)


def show(title: str, messages: Iterable[AnyMessage]) -> None:
    """Prints it."""
    print(f"\n=== {title}")
    for message in messages:
        print(f"[{message.type}] {message.text}")


def buffer() -> None:
    """The newest turns, word for word; older ones are in the archive."""
    said = [("monday", f"This is turn {number}.") for number in range(1, 5)]
    show("buffer: three turns of four", handed([BufferMemory(turns=3)], said))


def summary() -> None:
    """What left the window, summed up. `SummaryMemory("openai:…")` writes; without a model it quotes what carries most."""
    said = [
        ("monday", "We plan the garden party for the fourth of June, with forty guests and a string quartet."),
        ("monday", "The tent must be ordered from the Miller company before May, because it was late last year."),
        ("monday", "What is left to do?"),
    ]
    memories = [BufferMemory(turns=1), SummaryMemory(ratio=0.7)]
    show("summary: what left the window, in its own words", handed(memories, said))


def vector() -> None:
    """Everything that was said, found by words, in other threads too; with `open_memory(..., embed=...)` by meaning as well."""
    said = [
        ("monday", "My sister Ines lives in Ghent."),
        ("tuesday", "The boiler needs a new valve."),
        ("friday", "Where does my sister live?"),
    ]
    show("vector: found in another thread", handed([VectorMemory(limit=1)], said))


def working() -> None:
    """Notes on the work at hand. Here a node of the graph makes them; agents have tools for it: react_agent.py."""
    memory = WorkingMemory()

    def note_and_answer(state: MemoryState) -> dict[str, Any]:
        task = memory.noted("task", "Move the blog to a static site", node="assistant", importance=0.9)
        step = memory.stepped("The old posts are HTML", "312 files exported", node="assistant", state=task)
        return {"messages": [AIMessage("On it.")], **together(task, step)}

    said = [("monday", "Move my blog."), ("monday", "How far are you?")]
    show("working: the task and the steps so far", handed([memory], said, node=note_and_answer))


def key_value() -> None:
    """Preferences and settings: set by your code, and read from what people say, by rules or by a `model=`."""
    memory = KeyValueMemory(extract=said_preferences)
    with open_store("sqlite://") as store:
        memory.set(ADA, "units", "metric", store=store)
        said = [("monday", "I prefer short answers."), ("friday", "How far is Ghent?")]
        show("key-value: what is known of the user", handed([memory], said, store=store))
        print("values now:", dict(memory.items(ADA, store=store)))


def entity() -> None:
    """People, places and things, with facts that hold in time. Read by rules, in English, or by `EntityMemory("openai:…")`."""
    memory = EntityMemory()
    with open_store("sqlite://") as store:
        said = [
            ("monday", "My sister Ines lives in Ghent. She works for Barco."),
            ("tuesday", "Ines moved to Bruges."),
            ("friday", "What about Ines?"),
        ]
        show("entity: what holds now, and what is over", handed([memory], said, store=store))
        ines = memory.entity(ADA, "Ines", store=store)
        assert ines is not None
        print("facts now:", {fact.slot: fact.value for fact in ines.facts})


if __name__ == "__main__":
    for one in (buffer, summary, vector, working, key_value, entity):
        one()
