"""How much context a question is likely to need, by points for its length, its words and its place. Pure, no model.

The rules see form, not meaning: a short question can be hard, and a long one idle. Where that matters, give an estimator of your
own, which is any callable of the shape of `ComplexityEstimator`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, Protocol, get_args

from graph_memory.errors import ConfigurationError

Complexity = Literal["simple", "medium", "complex", "expert"]
COMPLEXITIES: tuple[Complexity, ...] = get_args(Complexity)
"""From the one that needs least context to the one that needs most."""

EXPERT_KEYWORDS = (
    "explain", "analyze", "analyse", "compare", "evaluate", "synthesize", "synthesise",
    "architecture", "design", "optimize", "optimise", "debug", "implement",
)  # fmt: skip
COMPLEX_KEYWORDS = (
    "how", "why", "what if", "difference", "relationship", "between", "impact", "effect", "cause",
)  # fmt: skip
RETRIEVAL_POINTS = 2

_READ_CHARACTERS = 500  # at either end: some 170 words, far beyond the last band
_IDEOGRAPHS = "\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_SOUTH_EAST = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
_GLUED = f"{_IDEOGRAPHS}{_SOUTH_EAST}\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"  # Korean puts spaces, and glues particles
_SPACED_WORD = re.compile(rf"[^\W{_IDEOGRAPHS}{_SOUTH_EAST}][^\s{_IDEOGRAPHS}{_SOUTH_EAST}]*")
_ASCII_WORD = re.compile(r"\w\S*")
_UNSPACED_RUNS = ((re.compile(f"[{_IDEOGRAPHS}]+"), 2), (re.compile(f"[{_SOUTH_EAST}]+"), 5))
"""Runs of letters that are written without spaces, and about how many of these letters make a word."""
_LETTER = rf"[^\W{_GLUED}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplexityRules:
    """What gives points, and how many points make which complexity. Bands hold what must be reached for each point.

    Attributes:
        expert_keywords: two points for each that occurs.
        complex_keywords: one point for each that occurs.
        user_keywords: further keywords with their points; a keyword of the lists above gets these instead, 0 silences it.
        length_bands: words. The reference's bands overlap; halved, they are 0–4 words: 0 points, 5–14: 1, 15–34: 2, more: 3.
        turn_bands: turns of the conversation; more than three are a point, more than five another.
        thresholds: points from which a question is medium, complex, expert.
    """

    expert_keywords: tuple[str, ...] = EXPERT_KEYWORDS
    complex_keywords: tuple[str, ...] = COMPLEX_KEYWORDS
    user_keywords: Mapping[str, int] = field(default_factory=dict)
    length_bands: tuple[int, ...] = (5, 15, 35)
    turn_bands: tuple[int, ...] = (4, 6)
    thresholds: tuple[int, int, int] = (2, 5, 8)
    _points: Mapping[str, int] = field(init=False, repr=False, compare=False)
    _pattern: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        points = dict.fromkeys(_checked(self.complex_keywords), 1) | dict.fromkeys(_checked(self.expert_keywords), 2)
        points |= dict(zip(_checked(self.user_keywords), self.user_keywords.values(), strict=True))
        for name in ("length_bands", "turn_bands", "thresholds"):
            _check_ascending(name, getattr(self, name))
        if len(self.thresholds) != len(COMPLEXITIES) - 1:
            raise ConfigurationError("thresholds of complexity are three numbers: for medium, complex and expert")
        object.__setattr__(self, "_points", {keyword: given for keyword, given in points.items() if given})
        object.__setattr__(self, "_pattern", _pattern(self._points))

    def keywords_in(self, text: str) -> dict[str, int]:
        """The keywords that stand in a text as whole words, with their points; of overlapping ones the longest.

        Scripts without spaces between words have no whole words to go by: there a keyword is found wherever it stands.
        """
        if self._pattern is None:
            return {}
        found = {" ".join(match.split()) for match in self._pattern.findall(_folded(text))}
        return {keyword: self._points[keyword] for keyword in sorted(found)}


@dataclass(frozen=True, slots=True)
class ComplexityEstimate:
    """How much context a question is likely to need.

    Attributes:
        level: one of the four complexities.
        points: what it rests on; an estimator of your own may leave it 0.
        reasons: what gave points, in a few words each; never the question's own text.

    Raises:
        ConfigurationError: the level is none of the four.
    """

    level: Complexity
    points: int = 0
    reasons: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.level not in COMPLEXITIES:
            raise ConfigurationError(f"complexity {self.level!r} is unknown: choose from {', '.join(COMPLEXITIES)}")


class ComplexityEstimator(Protocol):
    """Estimates a question's complexity: `estimate_complexity`, or a callable of your own. Must be thread-safe."""

    def __call__(self, query: str, *, turns: int, needs_retrieval: bool) -> ComplexityEstimate:
        """The estimate; see `estimate_complexity` for the arguments."""
        ...


def estimate_complexity(
    query: str, *, turns: int = 0, needs_retrieval: bool = False, rules: ComplexityRules | None = None
) -> ComplexityEstimate:
    """How much context `query` is likely to need, in less than 100 microseconds whatever its length.

    Of a query above 1,000 characters only both ends are read: a question stands before or after what is pasted with it.

    Args:
        query: the newest human message's text.
        turns: turns of the conversation so far, the newest included.
        needs_retrieval: whether long-term memory or documents are searched for it, which is two points.
        rules: keywords, bands and thresholds; None takes `DEFAULT_RULES`.
    """
    rules = rules or DEFAULT_RULES
    text = _ends(query)
    words = count_words(text)
    parts = [
        (_reached(words, rules.length_bands), f"{words} words"),
        *((points, f"keyword {keyword!r}") for keyword, points in rules.keywords_in(text).items()),
        (_reached(turns, rules.turn_bands), f"{turns} turns"),
        (RETRIEVAL_POINTS if needs_retrieval else 0, "needs retrieval"),
    ]
    total = sum(points for points, _ in parts)
    reasons = tuple(f"{reason}: {points:+d}" for points, reason in parts if points)
    return ComplexityEstimate(COMPLEXITIES[_reached(total, rules.thresholds)], total, reasons)


def refers_back(text: str) -> bool:
    """Whether a question points to what was said before, so that memory has to be searched for it.

    A few English words and phrases tell; in other languages an estimator of one's own knows better.
    """
    return bool(_REFERS_BACK.search(_ends(text)))


def count_words(text: str) -> int:
    """About how many words a text has, in any language; punctuation by itself is none.

    Words stand between spaces. Where none are written, two ideographs or kana count as a word, and five letters of Thai, Lao,
    Burmese or Khmer, which is their average length.
    """
    if text.isascii():
        return len(_ASCII_WORD.findall(text))
    unspaced = (math.ceil(sum(map(len, runs.findall(text))) / letters) for runs, letters in _UNSPACED_RUNS)
    return len(_SPACED_WORD.findall(text)) + sum(unspaced)


def _reached(value: int, bands: Iterable[int]) -> int:
    return sum(value >= band for band in bands)


def _ends(text: str) -> str:
    if len(text) <= 2 * _READ_CHARACTERS:
        return text
    return f"{text[:_READ_CHARACTERS]} ... {text[-_READ_CHARACTERS:]}"


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def _pattern(keywords: Iterable[str]) -> re.Pattern[str] | None:
    """Finds any of the keywords, the longest first; a sign such as those of "c++" needs no word's edge beside it.

    Keywords with the same edges share one look around them: one for each took ten times as long.
    """
    alike: dict[tuple[str, str], list[str]] = {}
    for keyword in sorted(keywords, key=len, reverse=True):
        before = rf"(?<!{_LETTER})" if re.match(_LETTER, keyword) else ""
        after = rf"(?!{_LETTER})" if re.match(_LETTER, keyword[-1]) else ""
        alike.setdefault((before, after), []).append(r"\s+".join(map(re.escape, keyword.split())))
    found = [f"{before}(?:{'|'.join(words)}){after}" for (before, after), words in alike.items()]
    return re.compile("|".join(found)) if found else None


def _checked(keywords: Iterable[str]) -> Iterator[str]:
    if isinstance(keywords, str):
        raise ConfigurationError("keywords must be a list, got one text: put it in brackets")
    for keyword in keywords:
        if not isinstance(keyword, str) or not keyword.strip():
            raise ConfigurationError(f"keyword {keyword!r} can never be found: give a word or a phrase")
        yield " ".join(_folded(keyword).split())


def _check_ascending(name: str, bands: tuple[int, ...]) -> None:
    if any(low >= high for low, high in pairwise(bands)):
        raise ConfigurationError(f"{name} of complexity are {bands}: each must be above the one before")


_REFERS_BACK = re.compile(
    r"\b(?:remember|remind|recall|earlier|previously|last (?:time|week|month|year|night)|yesterday|ago|again"
    r"|(?:we|you|i|he|she|they) (?:said|told|talked|discussed|decided|agreed|mentioned|promised|planned|met|bought))\b",
    re.IGNORECASE,
)

DEFAULT_RULES = ComplexityRules()
"""The reference's keywords and thresholds."""
