"""Text taken apart for the rules: contractions written out, quotations gone, sentences, clauses, and what a name
looks like. Pure.
"""

from __future__ import annotations

import re

from graph_memory.context.words import STOP_WORDS
from graph_memory.extract.entities.lists import FIRST_NAMES, HONORIFICS, NOT_NAMES, PLACES, words

SENTENCE_CHARACTERS = 500
"""A longer sentence is a list or a log: its names are read, its claims are not."""

_UPPER = "".join(c for c in map(chr, range(0x41, 0x530)) if c.isupper())
WORD = rf"(?:(?:Mr|Mrs|Ms|Dr|Prof|St)\.(?=\s)|[{_UPPER}]\.(?=\s?[{_UPPER}])|(?!I\b)[{_UPPER}]\w*(?:[&'\-](?!s\b)\w+)*)"
HONORIFIC = rf"(?:{HONORIFICS})\.?"
NAME = rf"(?:{HONORIFIC}\s+)?{WORD}(?:\s+(?:(?:of|de|van|von|der|den|da|di|del|la|le|al|bin|&)\s+){{0,2}}{WORD}){{0,6}}"
"""A run of words with capitals; its first word may only begin the sentence: see `trimmed`."""

_TITLE = re.compile(HONORIFIC)
_ABBREVIATIONS = r"(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bMrs)(?<!\bProf)(?<!\bInc)(?<!\b[A-Z])"
_SENTENCE_END = re.compile(rf"{_ABBREVIATIONS}[.](?=\s|$)|(?<=[!?])[\s\"')]+|[\n。]+|(?<=[！？؟])")
_CLAUSE_END = re.compile(r"\s*(?:[,;:()—–]|\s-\s|\b(?:and|but|so|because|although|though|while|then|yet)\b)\s*")
_QUOTED = re.compile(r"\"[^\"\n]{0,2000}\"|“[^”\n]{0,2000}”|«[^»\n]{0,2000}»|`[^`]{1,2000}`|(?m:^\s*>.*$)")
_CONTRACTIONS = (
    (re.compile(r"\bcan't\b", re.IGNORECASE), "can not"),
    (re.compile(r"\bwon't\b", re.IGNORECASE), "will not"),
    (re.compile(r"n't\b", re.IGNORECASE), " not"),
    (re.compile(r"\b(i)'m\b", re.IGNORECASE), "I am"),
    (re.compile(r"(?<=\w)'re\b", re.IGNORECASE), " are"),
    (re.compile(r"(?<=\w)'ve\b", re.IGNORECASE), " have"),
    (re.compile(r"(?<=\w)'ll\b", re.IGNORECASE), " will"),
    (re.compile(r"(?<=\w)'d\b", re.IGNORECASE), " would"),
    (re.compile(r"\b(he|she|it|that|there|here|what|who)'s\b", re.IGNORECASE), r"\1 is"),
    (re.compile(r"\bi\b"), "I"),
    (re.compile(r"\bany\s?more\b", re.IGNORECASE), "anymore"),
)
_AFTER_TRIGGER = re.compile(
    r"\b(at|for|in|to|with|from|named|called|is|left|quit|joined|married|use|using|my (?:sister|brother|wife|husband|friend))\s+"
    r"((?!(?:i|a|an|the|my|be)\b)[a-z][\w&-]*(?:\s+(?!(?:i|a|an|the|my)\b)[a-z][\w&-]+)?)"
)
_EVERYDAY = (
    STOP_WORDS
    | NOT_NAMES
    | words(
        "home work bed school night lunch dinner people everyone fun money love life time years months weeks days good done fine"
        " happy tired sick late early busy married single engaged sure able ready glad based living working dating moving going"
    )
)


def plain(text: str) -> str:
    """The text with straight apostrophes, contractions written out, and no quotations; names get capitals where none has any."""
    text = _QUOTED.sub(" … ", text.replace("’", "'").replace("‘", "'"))
    lowered = not any(character.isupper() for character in text)
    for pattern, written_out in _CONTRACTIONS:
        text = pattern.sub(written_out, text)
    return _AFTER_TRIGGER.sub(_capitalised, text) if lowered else text


def sentences(text: str) -> list[tuple[str, bool]]:
    """The sentences of a plain text, and whether each is a question."""
    found = [part.strip() for part in _SENTENCE_END.split(text)]
    return [(part, part.endswith(("?", "？", "؟", "?!"))) for part in found if part]


def clauses(sentence: str) -> list[str]:
    """A sentence in pieces at commas and conjunctions, in order."""
    return [part for part in _CLAUSE_END.split(sentence) if part.strip()]


def trimmed(name: str) -> str:
    """The name without words at its ends that are no names: days, months, how sentences begin."""
    parts = name.split()
    if (
        len(parts) > 1
        and parts[1].lower() in FIRST_NAMES
        and parts[0].lower() not in FIRST_NAMES
        and not _TITLE.fullmatch(parts[0])
    ):
        parts.pop(0)  # "Congrats Caroline"
    while parts and _is_everyday(parts[0]) and not (len(parts) > 1 and _TITLE.fullmatch(parts[0])):
        parts.pop(0)
    while parts and parts[-1].strip(".'").lower() in NOT_NAMES | {"now", "of", "the"}:
        parts.pop()
    return " ".join(parts).strip(" .,'-&")


def _is_everyday(word: str) -> bool:
    bare = word.strip(".'").lower()
    return bare in _EVERYDAY and bare not in PLACES


def _capitalised(match: re.Match[str]) -> str:
    """In a text without any capital, at most two words that can be a name."""
    kept = []
    for word in match[2].split():
        if word in _EVERYDAY:
            break
        kept.append(word[0].upper() + word[1:])
    rest = " ".join([*kept, *match[2].split()[len(kept) :]])
    return f"{match[1]} {rest}"
