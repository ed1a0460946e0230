"""How much a message matters by itself, by rules over its form and a few words. Pure; understands nothing.

What says something in any language comes first: numbers, dates, sums of money, names, links, emphasis, length, questions. Then
words, in English, German, French and Spanish; a text in another language is judged by its form alone. A negation ("not
important") is not understood.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from graph_memory.context.complexity import count_words

_READ_CHARACTERS = 400  # what matters is said early, and 400 characters take 30 µs
_BASE = {"human": 0.4, "user": 0.4, "ai": 0.3, "assistant": 0.3, "tool": 0.3, "system": 0.6}
_OTHER_ROLE = 0.4
_QUESTION = -0.15
_SHORT, _SHORT_WORDS = -0.1, 3
_IDLE, _IDLE_WORDS = 0.1, 6

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_AFTER_A_QUESTION_MARK = " \t\n!！\"'”»)*"
_DIGIT = re.compile(r"\d")


class _Form(NamedTuple):
    points: float
    pattern: re.Pattern[str]


class _Cue(NamedTuple):
    points: float
    words: frozenset[str]
    phrases: tuple[str, ...] = ()


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_NAME = re.compile(r" (?:(?<=[,;:] )|(?<=[^\W\dA-Z_] ))[A-Z][^\W\d_]")
"""A capital within a sentence: a name, or any noun in German."""
_LINK = re.compile(r"://|@\w|```")
_EMPHASIS = re.compile(r"[A-Z]{4}|[!！]{2}|\*\*\w")
_TIME = re.compile(r"\d(?:[./-]\d{1,2}[./-]\d|:\d\d|\s?[年月日년월일])|(?:19|20)(?<!\d\d\d)\d\d(?!\d)")
_SUM = re.compile(r"[$€£¥₹]\s?\d|\d\s?[$€£¥₹%]")

_FORMS = (_Form(0.1, _NAME), _Form(0.05, _LINK), _Form(0.05, _EMPHASIS))
_FORMS_WITH_DIGITS = (_Form(0.05, _DIGIT), _Form(0.1, _TIME), _Form(0.1, _SUM))
_CUES = (
    _Cue(
        0.25,
        _set(
            """important importantly critical crucial urgent essential remember reminder wichtig dringend merke essentiel
            rappelle importante urgente crítico recuerda"""
        ),
        ("don't forget", "never forget", "keep in mind", "nicht vergessen", "n'oublie", "no olvides"),
    ),
    _Cue(
        0.2,
        _set(
            """decided decide decision agreed chose chosen entschieden entscheidung beschlossen vereinbart décidé décision
            choisi decidido decisión acordado"""
        ),
        ("go with", "settled on", "we will use", "we'll use"),
    ),
    _Cue(
        0.2,
        _set(
            """prefer prefers preferred favourite favorite love loves hate hates dislike allergic allergy vegetarian vegan
            bevorzuge liebe hasse lieber allergisch vegetarisch préfère adore déteste allergique prefiero favorito encanta
            odio alérgico alérgica"""
        ),
    ),
    _Cue(
        0.15,
        _set(
            """birthday anniversary married wife husband daughter geburtstag verheiratet tochter sohn anniversaire
            mari fille fils cumpleaños casado casada hija hijo"""
        ),
        ("my name", "my son", "call me", "i live", "i work", "i moved", "ich heiße", "ich wohne", "ich arbeite", "je m'appelle",
         "j'habite", "je travaille", "me llamo", "vivo en", "trabajo en"),
    ),
    _Cue(
        0.1,
        _set(
            """must always never deadline due promise promised require required muss immer niemals frist versprochen doit
            toujours jamais délai promis debe siempre nunca plazo"""
        ),
    ),
)  # fmt: skip
_IDLE_TALK = _set(
    """hello hi hey bye goodbye thanks thank you ok okay sure great nice cool good morning evening night day very so
    much again there hallo danke bitte tschüss gut guten tag morgen abend bonjour salut merci bonsoir hola
    gracias adiós buenos buenas días noches"""
)


def importance(text: str, role: str = "human") -> float:
    """How much a message matters by itself, 0–1; 0.4 is what a person's plain sentence has, 0.3 an assistant's.

    A digit, a link or emphasis adds 0.05; a date or time, a sum of money, a capitalised name within a sentence 0.1 each; words of
    weight ("important", "remember") 0.25, of decision 0.2, of preference 0.2, about one's own life 0.15, of duty ("must",
    "deadline") 0.1. A question loses 0.15, fewer than three words 0.1, and greetings and thanks alone have 0.1.
    Only the first 400 characters are read, and the end for a question mark.

    Args:
        text: what was said.
        role: the message's type: "human", "ai", "system" or "tool"; any other counts as a person.
    """
    start = text[:_READ_CHARACTERS]
    words = _WORD.findall(start.lower().replace("’", "'"))
    if not words:
        return 0.0
    if len(words) <= _IDLE_WORDS and _IDLE_TALK.issuperset(words):
        return _IDLE
    score = _BASE.get(role, _OTHER_ROLE) + _form_points(start) + _cue_points(words)
    score += _QUESTION if text[-_READ_CHARACTERS:].rstrip(_AFTER_A_QUESTION_MARK).endswith(("?", "？", "؟")) else 0.0
    score += _SHORT if len(words) < _SHORT_WORDS and count_words(start) < _SHORT_WORDS else 0.0
    return min(1.0, max(0.0, score))


def _form_points(text: str) -> float:
    forms = (*_FORMS, *_FORMS_WITH_DIGITS) if _DIGIT.search(text) else _FORMS
    return sum(form.points for form in forms if form.pattern.search(text))


def _cue_points(words: list[str]) -> float:
    said, line = set(words), f" {' '.join(words)} "
    return sum(
        cue.points
        for cue in _CUES
        if not cue.words.isdisjoint(said) or any(f" {phrase}" in line for phrase in cue.phrases)
    )
