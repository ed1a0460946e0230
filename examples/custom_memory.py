"""A memory of one's own: it keeps what was decided, and the node is handed that in every thread.

    python examples/custom_memory.py

docs/custom-memory.md explains it line by line, and checks it with the suite that our own memories pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.store.base import PutOp, SearchOp

from graph_memory import (
    BufferMemory,
    ConfigurationError,
    Memory,
    Query,
    Section,
    Snippet,
    TokenCounter,
    Turn,
    attach,
    open_store,
)
from graph_memory.memories.records import line_of, memos_in, memos_of, stored
from graph_memory.messages import is_spoken, text_of
from graph_memory.namespaces import namespace
from graph_memory.steps import Steps, StoreOps


@dataclass(frozen=True, kw_only=True)
class DecisionMemory(Memory):
    """Keeps the messages in which something is decided, and shows the newest of them.

    Attributes:
        words: what a message says that decides something, in lower case.
        limit: how many decisions are offered to the context.
    """

    kind: ClassVar[str] = "decisions"
    heading: ClassVar[str] = "Decided so far:"

    name: str = "decisions"
    weight: float = 0.2
    words: tuple[str, ...] = ("decided", "agreed")
    limit: int = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.limit < 1:
            raise ConfigurationError(f"memory {self.name!r} has limit {self.limit}: give 1 or more")

    def recall(self, query: Query) -> Steps[Section]:
        """The newest decisions; the newer, the higher they score."""
        where = namespace(query.scope, self.name)
        [items] = yield StoreOps([SearchOp(where, limit=1000)])
        memos = [memo for item, memo in memos_in(items) if item.namespace == where]
        memos.sort(key=lambda memo: (memo.said_at, memo.origin.ordinal))
        newest = memos[-self.limit :]
        return self.section(
            Snippet(
                line_of(memo),
                score=rank / len(newest),
                memo_id=memo.id,
                source_ids=(memo.source,),
                said_at=memo.said_at,
                label=f"{memo.said_at:%Y-%m-%d}",
            )
            for rank, memo in enumerate(newest, 1)
        )

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Keeps one memo for each message that decides something."""
        where = namespace(turn.scope, self.name)
        decided = [m for m in turn.messages if is_spoken(m) and any(w in text_of(m).lower() for w in self.words)]
        memos = memos_of(turn, decided, memory=self.name, first_seq=0)
        yield StoreOps([PutOp(where, memo.id, stored(memo, ()), index=False) for memo in memos])
        return None

    def truncate(self, section: Section, max_tokens: int, counter: TokenCounter) -> Section:
        """The newest decisions in a row that fit: an older one without those after it would mislead."""
        kept: list[Snippet] = []
        for snippet in sorted(section.snippets, key=lambda one: -one.score):
            max_tokens -= counter.count_text(snippet.text)
            if max_tokens < 0:
                break
            kept.append(snippet)
        return replace(section, snippets=tuple(kept))


def call_model(state: MessagesState) -> dict[str, Any]:
    """Your LLM node; here it shows what it was handed."""
    print(state["messages"][-1].text, end="\n\n")
    return {"messages": [AIMessage("Understood.")]}


def main() -> None:
    """Two threads of one user."""
    builder = StateGraph(MessagesState)
    builder.add_node("assistant", call_model)
    builder.add_edge(START, "assistant")
    builder.add_edge("assistant", END)
    attach(builder, "assistant", [BufferMemory(weight=0.8), DecisionMemory()], budget_tokens=2000)
    with open_store("sqlite://") as store:
        graph = builder.compile(store=store)
        for thread, text in [("monday", "We agreed on Ghent for the offsite."), ("friday", "Where is the offsite?")]:
            graph.invoke({"messages": [("user", text)]}, {"configurable": {"user_id": "ada", "thread_id": thread}})


if __name__ == "__main__":
    main()
