"""`graph-memory ask`: one question to the chat graph, whose memory only reads."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from graph_memory.cli.graph import Answer, chat_graph, memories, model_node, reader_node, take_turn
from graph_memory.cli.settings import Settings
from graph_memory.cli.show import console, quotes, sources
from graph_memory.errors import ConfigurationError
from graph_memory.memories.everywhere import search

if TYPE_CHECKING:
    from graph_memory.extract.reader import Quote
    from graph_memory.opening import Memory

_THREAD = "ask"


def ask(settings: Settings, question: str, *, k: int, as_json: bool) -> None:
    """The command.

    Raises:
        GraphMemoryError: an option is wrong, or the memory or the model failed.
    """
    if not question.strip():
        raise ConfigurationError("the question is empty: write what you want to know")
    model = settings.chat_model()
    with settings.open() as memory:
        started = time.perf_counter()
        answer = answered(settings, memory, question, k=k, model=model)
        elapsed_ms = (time.perf_counter() - started) * 1e3
        if not search(settings.scope(), "", store=memory.store, limit=1):
            print(
                f"nothing is remembered of user {settings.user!r} in {settings.place} yet: ingest or chat first, or name"
                " another user by --user",
                file=sys.stderr,
            )
    if as_json:
        print(json.dumps(_json(question, answer, elapsed_ms), ensure_ascii=False))
        return
    console().print(answer.text if answer.reading is None else quotes(answer.reading, question))
    console().print(f"{figures(answer, elapsed_ms)}", style="bright_black")


def answered(
    settings: Settings, memory: Memory, question: str, *, k: int = 3, model: Any = None, thread: str = _THREAD
) -> Answer:
    """What the chat graph answers from memory, without remembering the question.

    There is no checkpointer: the newest turns of `thread` come from the archive, and asking leaves no trace in it.
    """
    scope = settings.scope(thread)
    node = reader_node(scope, limit=k) if model is None else model_node(model)
    builder = chat_graph(node, memories(read_only=True), budget_tokens=settings.budget_tokens)
    return take_turn(builder.compile(store=memory.store), as_question(question), scope)


def as_question(text: str) -> str:
    """Whoever uses `ask` asks, with or without a question mark."""
    return text if text.rstrip().endswith("?") else f"{text.rstrip()}?"


def figures(answer: Answer, elapsed_ms: float) -> str:
    """Where the answer came from and what it cost."""
    context = answer.context
    return f"{sources(context)}; {context.total_tokens:,} of {context.budget_tokens:,} tokens; {elapsed_ms:,.0f} ms"


def _json(question: str, answer: Answer, elapsed_ms: float) -> dict[str, Any]:
    context = answer.context
    return {
        "question": question,
        "answer": answer.text,
        "declined": answer.reading is not None and not answer.reading.quotes,
        "quotes": [_quote(quote) for quote in answer.reading.quotes] if answer.reading else [],
        "tokens": dict(context.tokens),
        "total_tokens": context.total_tokens,
        "budget_tokens": context.budget_tokens,
        "degradations": dict(context.degradations),
        "elapsed_ms": round(elapsed_ms, 1),
    }


def _quote(quote: Quote) -> dict[str, Any]:
    line = quote.line
    return {
        "memo_id": line.memo_id,
        "source": line.source,
        "memory": line.memory,
        "said_at": line.said_at.isoformat() if line.said_at else None,
        "speaker": line.speaker,
        "text": line.text,
        "score": round(quote.score, 4),
        "coverage": round(quote.coverage, 4),
    }
