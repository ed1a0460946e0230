"""What a question asks for: informative terms, whom it is about, which time, and what kind of answer. Pure.

Cue words ("when", "wie viele", "quién") only ever add a little to texts that hold what is asked for; a question in a language
without cues loses nothing by it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from graph_memory.context.notes import without_names
from graph_memory.context.times import Interval, absolute_times, asked_times
from graph_memory.context.words import STOP_WORDS, terms

CUE_WEIGHT = 0.5
"""What a word counts that says what is asked for ("how long") and not what to look for."""

_FIRST = frozenset(
    "i me my mine i'm i've i'd we us our ich mich mir mein meine je moi mon ma mes yo mi mis".split()  # noqa: SIM905
)
_SECOND = frozenset("you your yours du dein deine dir tu toi ton ta tes".split())  # noqa: SIM905
_WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?")
_ASKS_TIME = re.compile(
    r"^\W*when\b|\b(?:since when|what (?:date|day|month|year|time)|which (?:date|day|month|year)|how long|wann|quand|cuándo)\b",
    re.IGNORECASE,
)
_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|old|long|often|far|big|tall)\b|\bwie (?:viele?|oft|alt|lange)\b|\bcombien\b|\bcuánt",
    re.IGNORECASE,
)
_ASKS_NAME = re.compile(
    r"\b(?:who|whose|whom|where|which|name|named|called|wer|wen|wem|wo|welche[rs]?|qui|où|quel(?:le)?|quién|dónde|cuál)\b",
    re.IGNORECASE,
)
_ASKS_NOW = re.compile(
    r"\b(?:now|nowadays|currently|these days|at the moment|at present|right now|latest|still|aktuell|jetzt|derzeit|maintenant"
    r"|actuellement|ahora|actualmente)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Corpus:
    """What is known about all memos that a question is put to.

    Attributes:
        documents: how many there are.
        frequencies: term to the number of memos that hold it, for the question's terms.
        speakers: participant to role: "human", "ai" for an assistant, anything else for a person among people.
        years: the years in which something was said.
        spread: mean and standard deviation of the cosine of two random memos, by the embedder.
        today: ordinal of the day on which is asked, for "last Tuesday"; None leaves such times unread.
    """

    documents: int = 1
    frequencies: Mapping[str, int] = field(default_factory=dict)
    speakers: Mapping[str, str] = field(default_factory=dict)
    years: tuple[int, ...] = ()
    spread: tuple[float, float] = (0.0, 0.15)
    today: int | None = None

    @property
    def assisted(self) -> bool:
        """Whether one of the participants is an assistant."""
        return "ai" in self.speakers.values()

    def rarity(self, term: str) -> float:
        """Inverse document frequency, scaled to 0–1 whatever the number of memos."""
        matching = min(self.frequencies.get(term, 0), self.documents)
        return math.log(1 + (self.documents - matching + 0.5) / (matching + 0.5)) / math.log(2 * self.documents + 2)


@dataclass(frozen=True, slots=True)
class Question:
    """A question as ranking sees it.

    Attributes:
        text: without the participants' names; this is what is searched for and embedded.
        terms: term to weight.
        speakers: participant to how much the question is about them, 0–1.
        times: the time that it names.
        wants_time, wants_number, wants_name, wants_now: what kind of answer it asks for.
    """

    text: str
    terms: Mapping[str, float]
    speakers: Mapping[str, float]
    times: tuple[Interval, ...]
    wants_time: bool
    wants_number: bool
    wants_name: bool
    wants_now: bool


def read_question(text: str, corpus: Corpus) -> Question:
    """What the question asks for."""
    who = named(text, corpus.speakers)
    plain = without_names(text, who)
    times, spans = absolute_times(plain, corpus.years)
    if corpus.today is not None:
        times += asked_times(plain, corpus.today)
    rest = _ASKS_NOW.sub(" ", _without_spans(plain, spans))
    asked = " ".join(match.group() for cue in (_ASKS_TIME, _ASKS_NUMBER, _ASKS_NAME) for match in cue.finditer(rest))
    cues = set(terms(asked)) if asked else set()
    return Question(
        text=plain or text,
        terms={term: corpus.rarity(term) * (CUE_WEIGHT if term in cues else 1.0) for term in terms(rest)},
        speakers=_about(text, who, corpus),
        times=tuple(times),
        wants_time=bool(_ASKS_TIME.search(text)),
        wants_number=bool(_ASKS_NUMBER.search(text)),
        wants_name=bool(_ASKS_NAME.search(text)),
        wants_now=bool(_ASKS_NOW.search(text)) and not times,
    )


def named(text: str, speakers: Iterable[str]) -> dict[str, str]:
    """Word of the question to the participant that it names: the name, a part of it, or a beginning that fits one only."""
    people = [name for name in speakers if name.lower() not in ("user", "assistant")]
    found: dict[str, str] = {}
    for match in _WORD.findall(text):
        word = match.replace("’", "'").split("'")[0]
        capital = word[0].isupper()
        fits = [name for name in people if word in name.split() and (capital or word not in STOP_WORDS)]
        fits = fits or [name for name in people if capital and len(word) > 2 and name.startswith(word)]
        if len(fits) == 1:
            found[word] = fits[0]
    return found


def _about(text: str, who: Mapping[str, str], corpus: Corpus) -> dict[str, float]:
    """Whom it is about: those whom it names, unless it names all; with an assistant, whom "I" and "you" mean."""
    mentioned = set(who.values())
    if mentioned and len(mentioned) < len(corpus.speakers):
        return dict.fromkeys(mentioned, 1.0)
    if not corpus.assisted or mentioned:
        return {}
    said = {word.lower().replace("’", "'") for word in _WORD.findall(text)}
    first, second = bool(said & _FIRST), bool(said & _SECOND)
    if first == second:
        return {}
    return {name: 0.5 for name, role in corpus.speakers.items() if role == ("human" if first else "ai")}


def _without_spans(text: str, spans: list[tuple[int, int]]) -> str:
    for start, end in reversed(spans):
        text = f"{text[:start]} {text[end:]}"
    return text
