"""What ranking needs to know of a memo, worked out once, when the memo is written. Pure.

A note depends on the memo and its clipped neighbours alone, so it is stored with it. Long texts are judged by their best passage
of about sixty words, so that an answer of a thousand words neither wins nor loses by its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graph_memory.context.times import NUMBERS, Interval, absolute_times, relative_times
from graph_memory.context.words import terms
from graph_memory.types import Memo

PASSAGE_WORDS = 60
SHORT_TERMS = 10
"""A text of fewer terms says little without the one before it."""

SENTENCE = re.compile(r"[^.!?。！？؟\n]+[.!?。！？؟]*")
_COUNTS = "|".join(word for word in NUMBERS if word not in ("a", "an", "one"))
_NUMBER = re.compile(rf"\b(?:\d[\d.,:]*|{_COUNTS}|dozen|once|twice|hundred|thousand)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a memo: its terms, the times that it tells of, and whether it holds a number and a name."""

    terms: frozenset[str]
    times: tuple[Interval, ...]
    number: bool
    name: bool


@dataclass(frozen=True, slots=True)
class Note:
    """A memo as ranking sees it.

    Attributes:
        speaker, role, session: as in `Memo`.
        position: place in the thread.
        day: ordinal of the day when it was said.
        own: its terms, with how often each occurs.
        around: terms of the clipped neighbours.
        asked: terms of the questions in the message before.
        passages: its text in pieces.
        asks: share of its words that stand in questions, 0–1.
        length: how many terms it has.
        previous, following: keys of the memos before and after it in the thread; "" when there is none.
        transcript: its text if it may be one ("Ann: ..."), because it has a colon; else "".
    """

    speaker: str
    role: str
    session: str
    position: int
    day: int
    own: Mapping[str, int]
    around: frozenset[str]
    asked: frozenset[str]
    passages: tuple[Passage, ...]
    asks: float
    length: int = 0
    previous: str = ""
    following: str = ""
    transcript: str = ""


def note_value(memo: Memo) -> dict[str, Any]:
    """The part of a memo's note that is stored with it, as plain JSON; terms joined by spaces."""
    day = memo.day
    pieces = passages(memo.text)
    parts = [_passage_value(piece, day, memo.said_at.year) for piece in pieces]
    whole = [term for part in parts for term in part[0].split()]
    if len(parts) == 1:
        parts[0][0] = ""  # the same as `own`
    return {
        "own": " ".join(whole),
        "before": joined_terms(memo.before),
        "after": joined_terms(memo.after),
        "asked": joined_terms(" ".join(s for s in SENTENCE.findall(memo.before) if is_question(s))),
        "asks": round(asking(memo.text), 3),
        "passages": parts,
    }


def note_of(value: Mapping[str, Any]) -> Note:
    """The note of a stored memo, from what `note_value` stored; worked out anew for memos that were stored without.

    Raises:
        KeyError, TypeError, ValueError: the value is not a memo.
    """
    if "note" not in value:
        memo = Memo.from_value(value)
        value = {**memo.to_value(), "note": note_value(memo), "day": memo.day}
    stored = value["note"]
    own: dict[str, int] = {}
    whole = stored["own"].split()
    for term in whole:
        own[term] = own.get(term, 0) + 1
    return Note(
        speaker=value["speaker"],
        role=value["role"],
        session=value["session"],
        position=value["origin"]["seq"],
        day=value["day"],
        own=own,
        around=frozenset([*stored["before"].split(), *stored["after"].split()]),
        asked=frozenset(stored["asked"].split()),
        passages=tuple(_passage(part, own if len(stored["passages"]) == 1 else ()) for part in stored["passages"]),
        asks=stored["asks"],
        length=len(whole),
        previous=value.get("previous") or "",
        following=value.get("next") or "",
        transcript=value["text"] if ":" in value["text"] else "",
    )


def joined_terms(text: str) -> str:
    """The terms of a text, joined by spaces."""
    return " ".join(terms(text)) if text else ""


def passages(text: str, words: int = PASSAGE_WORDS) -> list[str]:
    """The text in pieces of whole sentences of about `words` words; a text that is not much longer is one piece."""
    if len(text.split()) <= 1.5 * words:
        return [text]
    pieces: list[list[str]] = [[]]
    for sentence in SENTENCE.findall(text):
        for part in _chunks(sentence.split(), words):
            if pieces[-1] and len(pieces[-1]) + len(part) > words:
                pieces.append([])
            pieces[-1] += part
    return [" ".join(piece) for piece in pieces if piece] or [text]


def is_question(sentence: str) -> bool:
    """Whether a sentence ends with a question mark, in any script."""
    return sentence.rstrip().endswith(("?", "？", "؟"))


def asking(text: str) -> float:
    """Share of the text's words that stand in questions, 0–1."""
    total = asked = 0
    for sentence in SENTENCE.findall(text):
        words = len(sentence.split())
        total += words
        asked += words * is_question(sentence)
    return asked / total if total else 0.0


def without_names(text: str, names: Iterable[str]) -> str:
    """The text without the participants' names: in a conversation they say who is addressed, not what is meant."""
    known = sorted((r"\s+".join(map(re.escape, name.split())) for name in names if name.strip()), key=len, reverse=True)
    if known:
        text = re.sub(rf"(?<!\w)(?:{'|'.join(known)})(?!\w)(?:['’]s\b)?", "", text)
    return re.sub(r"\s+([,.!?])", r"\1", re.sub(r"\s{2,}", " ", text)).strip(" ,")


def to_embed(memo: Memo, names: Iterable[str]) -> str:
    """What is embedded of a memo: its text without the participants' names, a short one with the message before it."""
    names = list(names)
    own = without_names(memo.text, names)
    if memo.before and len(terms(own)) < SHORT_TERMS:
        return f"{without_names(memo.before, names)} {own}".strip()
    return own or memo.text


def _passage_value(piece: str, day: int, year: int) -> list[Any]:
    times = [*absolute_times(piece, (year,))[0], *relative_times(piece, day)]
    return [joined_terms(piece), [list(t) for t in times], int(bool(_NUMBER.search(piece))), int(_has_name(piece))]


def _passage(stored: Sequence[Any], own: Iterable[str]) -> Passage:
    words, times, number, name = stored
    return Passage(
        frozenset(words.split()) or frozenset(own),
        tuple((first, last) for first, last in times),
        bool(number),
        bool(name),
    )


def _has_name(text: str) -> bool:
    """Whether a word inside a sentence is capitalised: a name, in scripts that have case."""
    return any(
        word[:1].isupper() and len(word) > 2 and not word.startswith(("I'", "I’"))
        for sentence in SENTENCE.findall(text)
        for word in sentence.split()[1:]
    )


def _chunks(words: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (words[start : start + size] for start in range(0, len(words), size))
