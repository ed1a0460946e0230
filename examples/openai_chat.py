"""A chat with OpenAI that remembers: the model answers, writes the summary and reads out preferences, its embeddings search.

    pip install 'graph-memory[openai]'
    OPENAI_API_KEY=... python examples/openai_chat.py

Another model of OpenAI's API, on any server: `OPENAI_BASE_URL`, and `CHAT_MODEL` and `EMBEDDING_MODEL` name what it has.
"""

from __future__ import annotations

import os
from typing import Any

from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from langgraph.graph import END, START, MessagesState, StateGraph

from graph_memory import BufferMemory, KeyValueMemory, SummaryMemory, VectorMemory, attach, open_memory, token_counter
from graph_memory.stats import Stats

CHAT_MODEL = os.environ.get("CHAT_MODEL", "gpt-4o-mini")
EMBEDDING_MODEL = os.environ.get("EMBEDDING_MODEL", "text-embedding-3-small")
CONVERSATION = [
    ("monday", "My sister Ines plays the cello in Ghent. Answer me in short sentences, please."),
    ("friday", "Which instrument does my sister play?"),
]


def build(model: ChatOpenAI, stats: Stats) -> StateGraph[Any, Any, Any, Any]:
    """A graph of one LLM node, with memory attached."""

    def assistant(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("assistant", assistant)
    builder.add_edge(START, "assistant")
    builder.add_edge("assistant", END)
    memories = [BufferMemory(), SummaryMemory(model), VectorMemory(), KeyValueMemory(model=model)]
    attach(builder, "assistant", memories, budget_tokens=4000, counter=token_counter(CHAT_MODEL), stats=stats)
    return builder


def main() -> None:
    """Two threads of one user, printed as they are answered."""
    stats = Stats()
    # stream_usage: without it servers other than OpenAI's do not say what a streamed answer took.
    model = ChatOpenAI(model=CHAT_MODEL, timeout=30, stream_usage=True)
    # Raw texts instead of token numbers, which only OpenAI's own server takes; and tiktoken need not fetch anything.
    embeddings = OpenAIEmbeddings(model=EMBEDDING_MODEL, check_embedding_ctx_length=False)
    with open_memory("sqlite://", embed=embeddings) as memory:
        graph = build(model, stats).compile(store=memory.store, checkpointer=memory.checkpointer)
        for thread, text in CONVERSATION:
            print(f"\n> {text}")
            config: Any = {"configurable": {"user_id": "ada", "thread_id": thread}}
            for message, _ in graph.stream({"messages": [("user", text)]}, config, stream_mode="messages"):
                print(message.text, end="", flush=True)
    print("\n\n" + stats.get_stats().render())


if __name__ == "__main__":
    main()
