"""The extractive reader as an LLM node: from an explained context to what it reads, and from its reading to a sentence.

`extractive_node` stands where a chat model would, and signs as what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import get_runtime
from langgraph.store.base import GetOp

from graph_memory.extract.reader import NOTHING_FOUND, Reading, Recalled, is_question, read
from graph_memory.graph.runnables import GraphStep
from graph_memory.graph.scope import scope_of
from graph_memory.graph.state import CONTEXT
from graph_memory.memories.records import memos_in
from graph_memory.messages import is_spoken, said_at, speaker_of
from graph_memory.namespaces import namespace
from graph_memory.steps import Steps, StoreOps, arun, run
from graph_memory.types import Context, Memo, Scope, Section, Snippet

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

READER = "reader"
"""Name of the reader's own messages, which it does not read: it would quote its quotes."""

NOTED = "Noted. I remember; without a model I cannot do more than quote. Ask me something, and I will."


def extractive_node(*, agent: str | None = None, limit: int = 3) -> GraphStep:
    """A node that answers without a model: it quotes the remembered lines that answer best, or says that there are none.

    Attach memory to it as to any LLM node. Its messages are named "reader", and it never reads them.

    Args:
        agent: as in `attach`, when the node's memories are not shared.
        limit: how many lines to quote at most.
    """

    def call(state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return run(answer(state[CONTEXT], config), store=get_runtime().store)

    async def acall(state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return await arun(answer(state[CONTEXT], config), store=get_runtime().store)

    def answer(context: Context, config: RunnableConfig) -> Steps[dict[str, Any]]:
        runtime, question = get_runtime(), question_of(context)
        scope, has_store = scope_of(config, runtime, agent), runtime.store is not None
        reading = yield from _reading(question, context, scope, has_store=has_store, limit=limit)
        return {"messages": [AIMessage(sentence_of(question, reading), name=READER)]}

    return GraphStep(call, acall, name=READER)


def reading_of(question: str, context: Context, scope: Scope, store: BaseStore | None, *, limit: int = 3) -> Reading:
    """The lines of the context that answer the question.

    Args:
        question: what is asked.
        context: what was assembled for it; nothing beside it is read.
        scope: whose memory.
        store: gives the neighbours of each recalled line.
        limit: how many lines to quote at most.
    """
    return run(_reading(question, context, scope, has_store=store is not None, limit=limit), store=store)


def _reading(question: str, context: Context, scope: Scope, *, has_store: bool, limit: int) -> Steps[Reading]:
    if not is_question(question):
        return Reading()
    return read(question, (yield from _recalled(context, scope, has_store=has_store)), limit=limit)


def question_of(context: Context) -> str:
    """What the context was assembled for: the newest human message as it was said, without what memory put before it."""
    return next((line.text for line in context.kept if line.memo_id == context.turn_id), "")


def _recalled(context: Context, scope: Scope, *, has_store: bool) -> Steps[list[Recalled]]:
    """The lines that the context shows, with their neighbours: those of the window from beside them, others from the store."""
    shown = {line.memo_id for line in context.kept}
    snippets = {s.memo_id: s for section in context.sections for s in section.snippets}
    found = [
        (section, s) for section in context.sections for s in section.snippets if s.memo_id in shown and not s.message
    ]
    memos = (yield from _memos(scope, found)) if has_store else {}
    scores = {source: snippet.score for snippet in snippets.values() for source in snippet.source_ids}
    lines = list({s.memo_id: _recalled_line(memos.get(s.memo_id), s, section.memory) for section, s in found}.values())
    for section in context.sections:
        window = [s for s in section.snippets if s.memo_id in shown and s.memo_id != context.turn_id and _is_said(s)]
        lines += _of_window(window, section.memory, scores)
    return lines


def sentence_of(question: str, reading: Reading) -> str:
    """What the reader says: its quotes, that it found nothing, or, when nothing was asked, that it was noted."""
    if not is_question(question):
        return NOTED
    if not reading.quotes:
        return NOTHING_FOUND
    return "\n".join(f"{cited(quote.line)}  ({quote.line.memo_id[:8]})" for quote in reading.quotes)


def cited(line: Recalled) -> str:
    """A line as it is quoted: its date, who said it, and what."""
    when = f"{line.said_at:%Y-%m-%d} " if line.said_at else ""
    return f"{when}{line.speaker or line.role}: “{line.text}”"


def _memos(scope: Scope, found: Sequence[tuple[Section, Snippet]]) -> Steps[Mapping[str, Memo]]:
    items = yield StoreOps(
        [GetOp(namespace(scope, section.memory), s.memo_id, refresh_ttl=False) for section, s in found]
    )
    return {memo.id: memo for _, memo in memos_in(item for item in items if item is not None)}


def _recalled_line(memo: Memo | None, snippet: Snippet, memory: str) -> Recalled:
    return _of_snippet(snippet, memory) if memo is None else _of_memo(memo, snippet, memory)


def _of_memo(memo: Memo, snippet: Snippet, memory: str) -> Recalled:
    return Recalled(
        memo_id=memo.id,
        text=memo.text,
        speaker=memo.speaker,
        role=memo.role,
        said_at=memo.said_at,
        score=snippet.score,
        before=memo.before,
        after=memo.after,
        source=memo.source,
        memory=memory,
    )


def _of_snippet(snippet: Snippet, memory: str) -> Recalled:
    """A line that a memory words by itself: a profile's, an entity's, a summary's. The memory speaks."""
    return Recalled(memo_id=snippet.memo_id, text=snippet.text, speaker=memory, score=snippet.score, memory=memory)


def _of_window(window: Sequence[Snippet], memory: str, scores: Mapping[str, float]) -> Iterator[Recalled]:
    """The newest turns; the search's score is theirs too, where it found them."""
    texts = ["", *(snippet.text for snippet in window), ""]
    for i, snippet in enumerate(window):
        if snippet.message is not None:
            yield Recalled(
                memo_id=snippet.memo_id,
                text=texts[i + 1],
                speaker=speaker_of(snippet.message),
                role=snippet.message.type,
                said_at=said_at(snippet.message, datetime.now(UTC)),
                score=scores.get(snippet.memo_id, 0.0),
                before=texts[i],
                after=texts[i + 2],
                source=snippet.memo_id,
                memory=memory,
            )


def _is_said(snippet: Snippet) -> bool:
    return snippet.message is not None and is_spoken(snippet.message) and snippet.message.name != READER
