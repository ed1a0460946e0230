"""A chat with Gemini that remembers: the model answers and reads out entities, its embeddings search. Asynchronous.

    pip install 'graph-memory[google]'
    GOOGLE_API_KEY=... python examples/gemini_chat.py

`CHAT_MODEL` and `EMBEDDING_MODEL` name others than the usual ones.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from langchain_google_genai import ChatGoogleGenerativeAI, GoogleGenerativeAIEmbeddings
from langgraph.graph import END, START, MessagesState, StateGraph

from graph_memory import BufferMemory, CalibratedCounter, EntityMemory, VectorMemory, attach, open_memory
from graph_memory.stats import Stats

CHAT_MODEL = os.environ.get("CHAT_MODEL", "gemini-2.5-flash")
EMBEDDING_MODEL = os.environ.get("EMBEDDING_MODEL", "gemini-embedding-001")
CONVERSATION = [
    ("monday", "My sister Ines plays the cello in Ghent."),
    ("friday", "Which instrument does my sister Ines play?"),
]


def build(model: ChatGoogleGenerativeAI, stats: Stats) -> StateGraph[Any, Any, Any, Any]:
    """A graph of one LLM node, with memory attached; the estimate of tokens learns from what Gemini reports."""

    async def assistant(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("assistant", assistant)
    builder.add_edge(START, "assistant")
    builder.add_edge("assistant", END)
    memories = [BufferMemory(), VectorMemory(), EntityMemory(model)]
    attach(builder, "assistant", memories, budget_tokens=4000, counter=CalibratedCounter(CHAT_MODEL), stats=stats)
    return builder


async def main() -> None:
    """Two threads of one user, printed as they are answered."""
    stats = Stats()
    # Without a timeout its client waits for ever. The second attempt comes after a second, the third after two more.
    model = ChatGoogleGenerativeAI(model=CHAT_MODEL, timeout=30, max_retries=3)
    embeddings = GoogleGenerativeAIEmbeddings(model=EMBEDDING_MODEL)
    async with open_memory("sqlite://", embed=embeddings) as memory:
        graph = build(model, stats).compile(store=memory.store, checkpointer=memory.checkpointer)
        for thread, text in CONVERSATION:
            print(f"\n> {text}")
            config: Any = {"configurable": {"user_id": "ada", "thread_id": thread}}
            async for message, _ in graph.astream({"messages": [("user", text)]}, config, stream_mode="messages"):
                print(message.text, end="", flush=True)
    print("\n\n" + stats.get_stats().render())


if __name__ == "__main__":
    asyncio.run(main())
