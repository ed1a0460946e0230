"""How memos that a search found are offered to the context: as lines that may be cut around what was asked. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from graph_memory.context.links import turn_marks
from graph_memory.memories.records import line_of
from graph_memory.memories.searching import Found
from graph_memory.types import Snippet

_MOST_CHARACTERS = 8
"""No tokenizer gets more of them into a token, on the average of a language."""

_CUT_CHARACTERS = 480
"""About what is left of a long text where it is cut shortest."""


def showable(found: Sequence[Found], budget_tokens: int) -> list[Snippet]:
    """As many, best first, as the budget could show: to count the tokens of long texts takes longer than to find them."""
    snippets, room = [], budget_tokens * _MOST_CHARACTERS
    for one in found:
        if room <= 0:
            break
        snippets.append(found_snippet(one))
        room -= min(len(snippets[-1].text), _CUT_CHARACTERS)
    return snippets


def found_snippet(found: Found) -> Snippet:
    """A memo under its date; when it must be cut, around the question's terms, and who speaks stays."""
    memo = found.memo
    return Snippet(
        text=line_of(memo),
        score=found.score,
        parts=found.parts,
        memo_id=memo.id,
        source_ids=(memo.source,) if memo.source else (),
        said_at=memo.said_at,
        label=f"{memo.said_at:%Y-%m-%d}",
        lead=f"{memo.speaker}: " if memo.speaker else "",
        about=found.terms,
        importance=memo.importance,
        tier=memo.tier,
        marks=turn_marks(memo.origin),
    )
