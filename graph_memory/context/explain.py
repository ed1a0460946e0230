"""Why a context is as it is: tokens by memory, and a line with its rule for everything that was considered (law 9)."""

from __future__ import annotations

from collections.abc import Sequence

from graph_memory.context.history import History
from graph_memory.context.parts import Parts
from graph_memory.context.tokens import message_tokens
from graph_memory.messages import text_of
from graph_memory.types import Line, Section, TokenCounter

THREAD = "thread"
FRAME = "frame"
HUMAN = "newest human message"
SYSTEM = "system message"
ANOTHER_HISTORY = "another memory holds the history"


def tokens_by_memory(parts: Parts, sections: Sequence[Section], total: int, counter: TokenCounter) -> dict[str, int]:
    """Tokens by memory, which with the thread's and the framing's add up to the total exactly."""
    tokens = {section.memory: 0 for section in sections}
    tokens |= {THREAD: sum(message_tokens(parts.thread.system, counter)), FRAME: 0}
    tokens[THREAD] += sum(fate.tokens for fate in parts.fates if fate.kept)
    for made in parts.made:
        if made is not None:
            tokens[made.section.memory] += made.used if isinstance(made, History) else made.shown_tokens
    tokens[FRAME] += total - sum(tokens.values())
    while tokens[FRAME] < 0:
        largest = max(tokens, key=lambda name: tokens[name])
        taken = min(tokens[largest], -tokens[FRAME])
        tokens[largest] -= taken
        tokens[FRAME] += taken
    return tokens


def all_lines(parts: Parts, sections: Sequence[Section], counter: TokenCounter) -> list[Line]:
    """Everything that was considered, in the order of the context, with the rule that let it in or left it out."""
    system = zip(parts.thread.system, message_tokens(parts.thread.system, counter), strict=True)
    lines = [Line(THREAD, m.id or "", text_of(m), tokens, True, SYSTEM) for m, tokens in system]
    for fate in parts.fates:
        rule = HUMAN if fate.message is parts.thread.human else fate.rule
        lines.append(Line(THREAD, fate.message.id or "", text_of(fate.message), fate.tokens, fate.kept, rule))
    for section, made in zip(sections, parts.made, strict=True):
        lines += made.lines() if made is not None else _unused(section)
    return lines


def _unused(section: Section) -> list[Line]:
    return [
        Line(section.memory, s.memo_id, s.text, max(0, s.tokens), False, ANOTHER_HISTORY, s.score, s.parts)
        for s in section.snippets
    ]
