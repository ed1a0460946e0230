"""The extractive reader: quotes the remembered lines that answer a question best, or declines. It understands nothing.

It stands in for a chat model where none is configured, and is called what it is. A question is its content words; a line
covers a word that stands in it, in its date, in its speaker's name or, counting less, in the line before or after it. A word
counts by how rarely it occurs among the recalled lines, so the words that occur in none of them weigh most: a question that
turns on them was never talked about. Participants' names count little, since every line is by or to them, and so do words
that only say what form the answer has ("name", "date", "kind").

Pure: the caller recalls, the reader chooses.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from graph_memory.context.words import segments, stem, terms

NOTHING_FOUND = "I find nothing about that in memory."

MIN_COVERAGE = 0.45
"""Share of the question, by weight, that the best line and its neighbours must cover; with less the reader declines."""

_NEIGHBOUR = 0.8  # the answer to "where is the party?" is "the Foundry": its words stand in the line before
_ABSENT = 1.3
_NAME = 0.2
_FORM = 0.35
_UNSAID = 0.7  # a line that asks, or that the wrong one of the two said, seldom answers
_OTHER_SPEAKER = 0.8  # more looks better on LoCoMo's answerable questions and ruins its adversarial ones
_COMPARABLE = 0.75
_WORTH_QUOTING = 0.4
_FORM_WORDS = """
    call called color colour consider date day days describe kind kinds likely living long lot make many mention mentioned might
    month months much name named names number often old person people place put recent recently sort thing things time times
    type types week weeks year years
"""
_OPENINGS = """
    what which who whom whose when where why how is are am was were do does did can could will would has have had
"""
_ASKING = frozenset(_OPENINGS.split())
_FORM_STEMS = frozenset(map(stem, _FORM_WORDS.split()))
_PRESENT = frozenset({"now", "nowadays", "currently", "current", "today", "still", "latest", "lately", "anymore"})
_FIRST_PERSON = frozenset({"i", "me", "my", "mine", "we", "us", "our", "ours"})
_SECOND_PERSON = frozenset({"you", "your", "yours"})


@dataclass(frozen=True, slots=True)
class Recalled:
    """One remembered line, as the reader needs it.

    Attributes:
        memo_id: id of its memo.
        text: what was said.
        speaker: who said it.
        role: "human" or "ai"; "" when unknown.
        said_at: when; None when unknown.
        score: how close the memory found it, 0–1.
        before, after: the neighbouring lines, possibly clipped.
        source: id of the message that it was made of.
        memory: name of the memory that recalled it.
    """

    memo_id: str
    text: str
    speaker: str = ""
    role: str = ""
    said_at: datetime | None = None
    score: float = 0.0
    before: str = ""
    after: str = ""
    source: str = ""
    memory: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """A line that answers, how much of the question it covers with its neighbours, and its rank's score; both 0–1."""

    line: Recalled
    coverage: float
    score: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader makes of a question.

    Attributes:
        quotes: the lines that answer it, best first; none when it declines.
        coverage: how much of the question the best line covers, 0–1.
    """

    quotes: tuple[Quote, ...] = ()
    coverage: float = 0.0


def read(question: str, lines: Sequence[Recalled], *, limit: int = 3) -> Reading:
    """The lines that answer the question best, or none when no line covers enough of it.

    Of lines that fit about equally well the newest comes first when the question asks how things are now.

    Args:
        question: in plain words.
        lines: what the memories recalled for it; the more, the better it can tell rare words from common ones.
        limit: how many lines to quote at most.
    """
    asked = _asked(question, lines)
    quotes = [_quote(line, asked) for line in lines if not _repeats(line, asked)]
    coverage = max((quote.coverage for quote in quotes), default=0.0)
    if coverage < MIN_COVERAGE:
        return Reading((), coverage)
    ordered = _ordered(quotes, newest_first=asked.is_present)
    enough = max(quote.score for quote in quotes) * _WORTH_QUOTING
    return Reading(tuple(quote for quote in ordered if quote.score >= enough)[:limit], coverage)


def is_question(text: str) -> bool:
    """Whether a text asks something, by its mark or its first word."""
    return text.rstrip().endswith("?") or next(segments(text), "") in _ASKING


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question taken apart: the weight of each of its words, and whom and which time it concerns."""

    weights: Mapping[str, float]
    named: frozenset[str]
    role: str
    is_present: bool


def _asked(question: str, lines: Sequence[Recalled]) -> _Asked:
    words = frozenset(segments(question))
    is_present = bool(words & _PRESENT) or "these days" in question.lower()
    speakers = frozenset(term for line in lines for term in terms(line.speaker) if line.speaker)
    asked = [term for term in dict.fromkeys(terms(question)) if not is_present or term not in _PRESENT]
    own = Counter(term for line in lines for term in _own(line))
    near = frozenset(term for line in lines for term in _near(line))
    first, second = bool(words & _FIRST_PERSON), bool(words & _SECOND_PERSON)
    return _Asked(
        weights={term: _weight(term, own[term], len(lines), near, speakers) for term in asked},
        named=speakers.intersection(asked),
        role="" if first == second else "human" if first else "ai",
        is_present=is_present,
    )


def _weight(term: str, matching: int, lines: int, near: frozenset[str], speakers: frozenset[str]) -> float:
    """How informative a word is; the root keeps one rare word from deciding alone."""
    weight = math.sqrt(math.log1p((lines + 0.5) / (matching + 0.5)))
    if term in speakers:
        return weight * _NAME
    if term in _FORM_STEMS:
        return weight * _FORM
    return weight if matching or term in near else weight * _ABSENT


def _own(line: Recalled) -> frozenset[str]:
    when = f"{line.said_at.day} {line.said_at:%A %B %Y}" if line.said_at else ""
    return frozenset(terms(f"{line.text} {line.speaker} {when}"))


def _near(line: Recalled) -> frozenset[str]:
    return frozenset(terms(f"{line.before} {line.after}"))


def _quote(line: Recalled, asked: _Asked) -> Quote:
    own, near = _own(line), _near(line)
    covered = sum(w * (1.0 if t in own else _NEIGHBOUR if t in near else 0.0) for t, w in asked.weights.items())
    coverage = covered / (sum(asked.weights.values()) or 1.0)
    score = (coverage + line.score) / 2
    if _asks(line):
        score *= _UNSAID
    if asked.role and line.role and line.role != asked.role:
        score *= _UNSAID
    if asked.named and asked.named.isdisjoint(terms(line.speaker)):
        score *= _OTHER_SPEAKER
    return Quote(line, coverage, score)


def _asks(line: Recalled) -> bool:
    return line.text.rstrip().endswith("?")


def _repeats(line: Recalled, asked: _Asked) -> bool:
    """Whether the line only asks what is asked now: the question itself, remembered from last time."""
    return _asks(line) and asked.weights.keys() >= set(terms(line.text))


def _ordered(quotes: Sequence[Quote], *, newest_first: bool) -> list[Quote]:
    ranked = sorted(quotes, key=lambda quote: (-quote.score, -_when(quote)))
    if not newest_first or not ranked:
        return ranked
    close = [quote for quote in ranked if quote.score >= ranked[0].score * _COMPARABLE]
    return [*sorted(close, key=lambda quote: -_when(quote)), *ranked[len(close) :]]


def _when(quote: Quote) -> float:
    return quote.line.said_at.timestamp() if quote.line.said_at else -math.inf


def excerpt(text: str, question: str, characters: int) -> str:
    """The part of a long text, in whole words, that shares most with the question; marked with dots where it was cut."""
    words = text.split()
    if len(" ".join(words)) <= characters:
        return " ".join(words)
    asked = frozenset(terms(question))
    parts = [(first, _last_word(words, first, characters - 2)) for first in range(0, len(words), 3)]
    shared = [len(asked.intersection(terms(" ".join(words[first:last])))) for first, last in parts]
    best = [part for part, count in zip(parts, shared, strict=True) if count == max(shared)]
    first, last = best[len(best) // 2] if max(shared) else parts[0]  # the middle one has most around it
    part = " ".join(words[first:last])[: characters - 2]
    return f"{'…' if first else ''}{part}{'…' if last < len(words) else ''}"


def _last_word(words: Sequence[str], first: int, characters: int) -> int:
    """The end of the longest run of words from `first` that fits; one word at least."""
    used = -1
    for index in range(first, len(words)):
        used += len(words[index]) + 1
        if used > characters:
            return max(index, first + 1)
    return len(words)
