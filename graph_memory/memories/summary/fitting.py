"""A summary's section cut to the tokens that it gets: the task first, then what is kept word for word, the text last. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from graph_memory.context.selection import offer
from graph_memory.extract.extractive import clipped, shortened
from graph_memory.memories.summary.record import PRESERVED_SCORE, SUMMARY_SCORE, TASK_SCORE
from graph_memory.types import Section, Snippet, TokenCounter

_TRIES = 4


def fitted(section: Section, max_tokens: int, counter: TokenCounter) -> Section:
    """The section in at most `max_tokens`, without its heading.

    What is kept word for word may take half of what the task leaves; the summary is cut at its sentences.
    """
    aims, kept, texts = (
        [snippet for snippet in section.snippets if snippet.score == score]
        for score in (TASK_SCORE, PRESERVED_SCORE, SUMMARY_SCORE)
    )
    room = max_tokens
    chosen: list[Snippet] = []
    for aim in aims:
        room -= _added(chosen, _clipped(aim, room, counter), counter)
    half = room // 2 if texts else room
    for one in reversed(kept):
        if (cost := _cost(one, counter)) <= half:
            chosen.append(one)
            half, room = half - cost, room - cost
    for text in texts:
        room -= _added(chosen, _shortened(text, room, counter), counter)
    order = {id(snippet): index for index, snippet in enumerate(section.snippets)}
    return replace(section, snippets=tuple(sorted(chosen, key=lambda one: order.get(id(one), 0))))


def _added(chosen: list[Snippet], snippet: Snippet | None, counter: TokenCounter) -> int:
    if snippet is None:
        return 0
    chosen.append(snippet)
    return _cost(snippet, counter)


def _clipped(snippet: Snippet, room: int, counter: TokenCounter) -> Snippet | None:
    return _cut(
        snippet, room, counter, (clipped(snippet.text, max_tokens=n, count=counter.count_text) for n in _sizes(room))
    )


def _shortened(snippet: Snippet, room: int, counter: TokenCounter) -> Snippet | None:
    return _cut(
        snippet, room, counter, (shortened(snippet.text, max_tokens=n, count=counter.count_text) for n in _sizes(room))
    )


def _cut(snippet: Snippet, room: int, counter: TokenCounter, shorter: Iterable[str]) -> Snippet | None:
    """The snippet, or the first of the shorter texts whose line fits: quoting costs more than the text alone."""
    if _cost(snippet, counter) <= room:
        return snippet
    lines = (replace(snippet, text=text, tokens=-1) for text in shorter if text)
    return next((line for line in lines if _cost(line, counter) <= room), None)


def _sizes(room: int) -> list[int]:
    return [size for size in (room - room * tries // (2 * _TRIES) - 4 for tries in range(_TRIES + 1)) if size > 0]


def _cost(snippet: Snippet, counter: TokenCounter) -> int:
    """What the merge will reckon for the line."""
    return sum(offer(Section("", (snippet,)), counter).costs)
