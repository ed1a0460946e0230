"""Long texts cut to the passages that answer: whole sentences by what they hold of a question, an ellipsis for the rest. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from graph_memory.context.words import terms

ELLIPSIS = "…"

AFTER, BEFORE = 0.6, 0.4
"""What a piece is worth beside one that holds the question's words: an answer stands behind its words rather than before."""

_LONGEST, _SHORTEST = 240, 16  # characters of a piece; a longer sentence is divided between words
_END = re.compile(r"(?<=[.!?…؟।])(?<!\d\.)[\"'”’»)\]]*\s+|(?<=[。！？])[」』”’）]*\s*|\n\s*")
_WORD = re.compile(r"\S{1,60}\s*|\s+")

Span = tuple[int, int]


def shortened(
    text: str, about: Mapping[str, float], max_tokens: int, tokens: int, cost: Callable[[str], int], *, lead: str = ""
) -> str:
    """The best passages of a text that is too long, in their order; "" when not even a piece of it fits.

    Pieces are sentences and lines. Each is worth the weight of the question's terms in it, and a part of what those beside it
    are worth; where none holds a term, the beginning is kept.

    Args:
        text: the whole text.
        about: the question's terms, with their weights.
        max_tokens: what the result may cost.
        tokens: what the whole text costs.
        cost: tokens of a text.
        lead: the beginning of the text that always stays, such as who speaks.
    """
    lead = lead if text.startswith(lead) else ""
    body = text[len(lead) :]
    room = int(len(body) * max_tokens / max(1, tokens))
    spans = pieces(body, max(_SHORTEST, min(_LONGEST, room // 3)))
    worth = _worths([sum(about.get(term, 0.0) for term in set(terms(body[a:b]))) for a, b in spans])
    order = sorted(range(len(spans)), key=lambda i: -worth[i])
    chosen = _affordable(spans, order, room)
    while chosen:
        cut = lead + _joined(body, spans, sorted(chosen))
        if (excess := cost(cut) - max_tokens) <= 0:
            return cut if len(cut) < len(text) else ""
        del chosen[max(0, len(chosen) - max(1, len(chosen) * excess // (2 * max_tokens))) :]
    return ""


def pieces(text: str, longest: int = _LONGEST) -> list[Span]:
    """The text's sentences and lines as spans that join without a gap; those much longer than `longest` are divided."""
    ends = sorted({0, *(match.end() for match in _END.finditer(text)), len(text)})
    return [part for start, end in pairwise(ends) for part in _divided(text, start, end, longest)]


def _divided(text: str, start: int, end: int, longest: int) -> Iterable[Span]:
    if end - start <= 1.5 * longest:
        yield start, end
        return
    first = start
    for word in _WORD.finditer(text, start, end):
        if word.end() - first > longest and word.start() > first:
            yield first, word.start()
            first = word.start()
    yield first, end


def _worths(own: Sequence[float]) -> list[float]:
    """What each piece is worth with what stands around it."""
    behind, ahead = list(own), list(own)
    for i in range(1, len(own)):
        behind[i] += AFTER * behind[i - 1]
        ahead[-1 - i] += BEFORE * ahead[-i]
    return [a + b - one for a, b, one in zip(behind, ahead, own, strict=True)]


def _affordable(spans: Sequence[Span], order: Sequence[int], room: int) -> list[int]:
    """The best pieces that fit `room` characters together, and the best one in any case.

    Once a piece does not fit, only those beside a chosen one fill what is left: crumbs from elsewhere tell nothing.
    """
    chosen: dict[int, None] = {}
    is_full = False
    for index in order:
        size = spans[index][1] - spans[index][0]
        if size > room and chosen:
            is_full = True
        elif not is_full or index - 1 in chosen or index + 1 in chosen:
            chosen[index] = None
            room -= size
    return list(chosen)


def _joined(text: str, spans: Sequence[Span], chosen: Sequence[int]) -> str:
    """The chosen pieces in their order, with an ellipsis for each gap: on the line that goes on, or before a new one."""
    joined, reached = "", 0
    for index in chosen:
        start, end = spans[index]
        if start > reached:
            begins_line = text[:start].rstrip(" \t").endswith("\n")
            joined = f"{joined.rstrip()}\n{ELLIPSIS} " if joined and begins_line else f"{joined.rstrip()} {ELLIPSIS} "
        joined += text[start:end]
        reached = end
    return joined.strip() + (f" {ELLIPSIS}" if text[reached:].strip() else "")
