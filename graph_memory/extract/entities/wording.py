"""Sentences put into the words that the rules read: "there" gets the name that it stands for, "since moving to" a subject and
a tense. Pure, English.
"""

from __future__ import annotations

import re

from graph_memory.extract.entities.names import type_of
from graph_memory.extract.entities.text import NAME, trimmed

_NAMED = re.compile(rf"(?<!\w){NAME}")
_THERE = re.compile(
    r"\b(?P<verb>mov(?:e|ed|es|ing)|relocat(?:e|ed|ing)|liv(?:e|es|ed|ing)|settl(?:e|ed|ing)|work(?:s|ed|ing)?"
    r"|beg[iau]n(?:s|ning)?|start(?:s|ed|ing)?)\s+(?:over\s+)?there\b"
)
_GERUND = re.compile(
    r"^(?:ever\s+)?(?:since|after|on)\s+(?P<verb>moving|relocating|joining|leaving|quitting|switching)\b", re.IGNORECASE
)
_SPEAKS = re.compile(r"\b(?:I|my|we|our|me)\b")
_PAST = {
    "moving": "moved",
    "relocating": "relocated",
    "joining": "joined",
    "leaving": "left",
    "quitting": "quit",
    "switching": "switched",
}


def referred(sentence: str) -> str:
    """The sentence with what it refers to in place of "there", and its opening gerund told as what the speaker did."""
    return _THERE.sub(lambda match: _with_place(match, sentence[: match.start()]), _told(sentence))


def _told(sentence: str) -> str:
    match = _GERUND.match(sentence)
    if match is None or not _SPEAKS.search(sentence, match.end()):
        return sentence
    rest = _SPEAKS.sub(lambda found: f", {found[0]}", sentence[match.end() :], count=1)
    return f"I {_PAST[match['verb'].lower()]}{rest}"


def _with_place(match: re.Match[str], before: str) -> str:
    verb = match["verb"]
    is_home = verb[:3] in ("mov", "rel", "liv", "set")
    names = [name for name in (trimmed(found[0]) for found in _NAMED.finditer(before)) if name]
    fitting = [n for n in names if (type_of(n) == "location" if is_home else type_of(n) in ("", "organization"))]
    if not fitting:
        return match[0]
    return f"{verb} {'to' if verb[:3] in ('mov', 'rel') else 'in' if is_home else 'at'} {fitting[-1]}"
