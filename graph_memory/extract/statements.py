"""Sentences with who said them and when, as the summary without a model is made of: read, written as lines, and read again. Pure.

The lines are plain text that a person and a model read alike, and `parsed` reads what `rendered` wrote, so that a summary can be
made shorter, or be carried on, from its text alone:

    2023-05-08
    Ada: I moved to Lisbon. The flat has two rooms.
    Ben: The contract ends in March.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from langchain_core.messages import AIMessage, BaseMessage

from graph_memory.context.notes import SENTENCE
from graph_memory.messages import SAID_AT, said_at, speaker_of, text_of

UNDATED = "undated"
LONGEST_WORDS = 60
LONGEST_CHARACTERS = 400

_DAY = re.compile(rf"\d{{4}}-\d\d-\d\d|{UNDATED}")
_LINE = re.compile(r"(?P<speaker>[^\s:<][^:\n<]{0,39}): (?P<text>.*)")
_SHORT = re.compile(r"(?:\A|\W)[^\W\d_]{1,2}\.\Z")
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of what was said.

    Attributes:
        text: the sentence, without line breaks.
        speaker: who said it; "" when unknown.
        day: ISO date of the day when it was said; "" when unknown.
        source: number of the message that it was said in; sentences of one message have the same.
    """

    text: str
    speaker: str = ""
    day: str = ""
    source: int = 0


def statements_of(messages: Iterable[BaseMessage], first: int = 0) -> list[Statement]:
    """The sentences of a conversation; a call of a tool is one. Messages that do not say when they were said have no day."""
    return [
        Statement(sentence, speaker_of(message), day_of(message), number)
        for number, message in enumerate(messages, first)
        for sentence in sentences(spoken_text(message))
    ]


def spoken_text(message: BaseMessage) -> str:
    """What a message says, the tools that it calls included."""
    calls = message.tool_calls if isinstance(message, AIMessage) else ()
    called = (f"calls {c['name']}({json.dumps(c['args'], ensure_ascii=False, default=str)})" for c in calls)
    return "\n".join(part for part in (text_of(message), *called) if part.strip())


def day_of(message: BaseMessage) -> str:
    """The ISO date when a message was said; "" when it does not say."""
    if SAID_AT not in message.additional_kwargs:
        return ""
    said = said_at(message, _NEVER)
    return "" if said == _NEVER else f"{said:%Y-%m-%d}"


def sentences(text: str) -> list[str]:
    """The sentences of a text, in any script; very long ones in pieces.

    A full stop ends a sentence where a space follows, and not after one or two letters ("Dr. Who", "J. Doe").
    """
    found: list[str] = []
    joins = False
    for match in SENTENCE.finditer(text):
        piece = match[0]
        if joins:
            found[-1] += piece
        else:
            found.append(piece)
        following = text[match.end() : match.end() + 1]
        joins = piece.endswith(".") and following not in ("", "\n") and not _ends(found[-1], following)
    return [part for sentence in found for part in _pieces(" ".join(sentence.split()))]


def rendered(statements: Iterable[Statement]) -> str:
    """The statements as lines: each day once, then who said what."""
    lines, shown = [], ""
    for day, said in groupby(statements, key=lambda one: one.day):
        if (day or UNDATED) != (shown or UNDATED):
            lines.append(day or UNDATED)
        shown = day
        for speaker, theirs in groupby(said, key=lambda one: one.speaker):
            text = " ".join(one.text for one in theirs)
            lines.append(f"{speaker}: {text}" if speaker else text)
    return "\n".join(lines)


def parsed(text: str) -> list[Statement]:
    """The statements of a summary: of `rendered` lines as they were, of prose its sentences."""
    found, day = [], ""
    for number, line in enumerate(text.splitlines()):
        if _DAY.fullmatch(line):
            day = "" if line == UNDATED else line
            continue
        match = _LINE.fullmatch(line)
        speaker, said = (match["speaker"], match["text"]) if match else ("", line)
        found += [Statement(sentence, speaker, day, number) for sentence in sentences(said)]
    return found


def _ends(sentence: str, following: str) -> bool:
    return following.isspace() and not _SHORT.search(sentence)


def _pieces(sentence: str) -> Iterator[str]:
    words = sentence.split()
    for start in range(0, len(words), LONGEST_WORDS):
        piece = " ".join(words[start : start + LONGEST_WORDS])
        for cut in range(0, len(piece), LONGEST_CHARACTERS):
            yield piece[cut : cut + LONGEST_CHARACTERS].strip()
