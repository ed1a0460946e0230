"""The orchestrator as a step of one's own graph: plan, ask every memory in parallel, merge within the budget; and all explained.

    python examples/orchestrate.py

`attach` places it by itself; place it yourself where your node shall do with the context what it likes. The "model" quotes what
was recalled, so that this runs without a key; a real one is `init_chat_model("openai:gpt-4o-mini").invoke(context.messages)`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import BaseStore

from graph_memory import (
    Context,
    EntityMemory,
    KeyValueMemory,
    MemoryState,
    Scope,
    Turn,
    VectorMemory,
    open_store,
    orchestrator,
)
from graph_memory.steps import run

ADA = Scope(user_id="ada")
PREFERENCES = KeyValueMemory(weight=0.2)
LEARNING = [VectorMemory(weight=0.5, limit=8), EntityMemory(weight=0.3)]
SAID = (
    "My sister Ines lives in Ghent and works for Barco.",
    "The cello teacher comes on Thursdays.",
    "Ines plays the cello in the town orchestra of Ghent.",
    "I left the umbrella on the tram to Ghent.",
)


def answer(state: MemoryState) -> dict[str, Any]:
    """Your LLM node: `context.messages` is what to send, never more than the budget."""
    context = state["memory_context"]
    best = max((line for line in context.kept if line.memory == "vector"), key=lambda line: line.score)
    return {"messages": [AIMessage(f"I remember: {best.text}")]}


def build() -> StateGraph[Any, Any, Any, Any]:
    """START → recall → answer → END. `graph.get_graph(xray=True)` draws what is inside of recall."""
    builder = StateGraph(MemoryState)
    builder.add_node("recall", orchestrator([*LEARNING, PREFERENCES], budget_tokens=130))
    builder.add_node("answer", answer)
    builder.add_edge(START, "recall")
    builder.add_edge("recall", "answer")
    builder.add_edge("answer", END)
    return builder


def remember(store: BaseStore) -> None:
    """Tells the memories by hand: an orchestrator only recalls, whereas `attach` remembers each turn as well."""
    PREFERENCES.set(ADA, "answers", "in one sentence", store=store)
    for number, text in enumerate(SAID):
        turn = Turn(ADA, (HumanMessage(text, id=f"{number}"),), "notes", datetime.now(UTC))
        for memory in LEARNING:
            run(memory.remember(turn), store=store)


def explain(context: Context) -> None:
    """Who got how many of the tokens, and for every line the rule that let it in or left it out."""
    print(f"{context.total_tokens} of {context.budget_tokens} tokens: {dict(context.tokens)}")
    for line in context.lines:
        verdict = "kept" if line.kept else "left out"
        print(f"  {verdict:8} {line.memory:9} {line.tokens:3} tokens  score {line.score:.2f}  {line.rule}: {line.text}")


def main() -> None:
    """One question, and what came of it."""
    with open_store("sqlite://") as store:
        remember(store)
        graph = build().compile(store=store)
        config: Any = {"configurable": {"user_id": ADA.user_id, "thread_id": "monday"}}
        result = graph.invoke({"messages": [("user", "Which instrument does my sister Ines play?")]}, config)
    print(result["messages"][-1].text)
    explain(result["memory_context"])
    print("\nwhat the model would be sent:\n")
    for message in result["memory_context"].messages:
        print(f"[{message.type}] {message.text}")


if __name__ == "__main__":
    main()
