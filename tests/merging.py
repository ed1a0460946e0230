"""What the tests of merging are made of: sections of texts, threads of turns, and the rules that lines met."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from graph_memory.context.tokens import counter_from
from graph_memory.types import Context, Section, Snippet

WORDS = counter_from(lambda text: len(text.split()), name="words")
ASK = HumanMessage("what now", id="ask")


def notes(*texts: str, memory: str = "notes", **options: object) -> Section:
    """A section of texts, best first."""
    snippets = (Snippet(text, score=1 - i / 100, memo_id=f"{memory}-{i}") for i, text in enumerate(texts))
    return Section(memory, tuple(snippets), **options)  # type: ignore[arg-type]


def chat(turns: int, words: int = 10) -> list[BaseMessage]:
    pairs = ((HumanMessage("q " * words, id=f"h{i}"), AIMessage("a " * words, id=f"a{i}")) for i in range(turns))
    return [message for pair in pairs for message in pair]


def rules(context: Context, memory: str) -> list[tuple[str, bool, str]]:
    return [(line.memo_id, line.kept, line.rule) for line in context.lines if line.memory == memory]


def days(*labels: str, words: int = 4) -> Section:
    """A section of one snippet a label, each later and worse than the one before."""
    start = datetime(2025, 1, 1, tzinfo=UTC)
    return Section(
        "notes",
        tuple(
            Snippet(
                f"n{i} " * words, score=1 - i / 100, memo_id=str(i), said_at=start + timedelta(hours=i), label=label
            )
            for i, label in enumerate(labels)
        ),
    )
