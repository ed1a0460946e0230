"""From an explained context to what the extractive reader reads, and from its reading to a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from langgraph.store.base import GetOp

from graph_memory.extract.reader import NOTHING_FOUND, Reading, Recalled, is_question, read
from graph_memory.memories.records import memos_in
from graph_memory.messages import is_spoken, said_at, speaker_of
from graph_memory.namespaces import namespace
from graph_memory.steps import Steps, StoreOps, run
from graph_memory.types import Context, Memo, Scope, Section, Snippet

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

READER = "reader"
"""Name of the reader's own messages, which it does not read: it would quote its quotes."""

NOTED = "Noted. I remember; without a model I cannot do more than quote. Ask me something, and I will."


def reading_of(question: str, context: Context, scope: Scope, store: BaseStore | None, *, limit: int = 3) -> Reading:
    """The lines of the context that answer the question.

    Args:
        question: what is asked.
        context: what was assembled for it; nothing beside it is read.
        scope: whose memory.
        store: gives the neighbours of each recalled line.
        limit: how many lines to quote at most.
    """
    return read(question, recalled(context, scope, store), limit=limit) if is_question(question) else Reading()


def question_of(context: Context) -> str:
    """What the context was assembled for: the newest human message as it was said, without what memory put before it."""
    return next((line.text for line in context.kept if line.memo_id == context.turn_id), "")


def recalled(context: Context, scope: Scope, store: BaseStore | None) -> list[Recalled]:
    """The lines that the context shows, with their neighbours: those of the window from beside them, others from the store."""
    shown = {line.memo_id for line in context.kept}
    snippets = {s.memo_id: s for section in context.sections for s in section.snippets}
    found = [
        (section, s) for section in context.sections for s in section.snippets if s.memo_id in shown and not s.message
    ]
    memos = run(_memos(scope, found), store=store) if store is not None else {}
    scores = {source: snippet.score for snippet in snippets.values() for source in snippet.source_ids}
    lines = [_of_memo(memos[s.memo_id], s, section.memory) for section, s in found if s.memo_id in memos]
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
