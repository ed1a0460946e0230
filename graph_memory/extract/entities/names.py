"""Finding names in a text, and telling what kind of thing they name. Pure, by how they are written and by lists.

A single capitalised word at the beginning of a sentence is a name only when it is listed or stands elsewhere inside a
sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from graph_memory.extract.entities.lists import FIRST_NAMES, NOT_NAMES, ORGANISATION_WORDS, PLACES
from graph_memory.extract.entities.text import HONORIFIC, NAME, plain, sentences, trimmed
from graph_memory.extract.entities.values import EntityRules, Mentioned, readable_name

EMAIL = r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}"
PHONE = r"(?<![\w.+])\+?\d(?:[\s()./-]{0,2}\d){6,14}(?![\w-])"
_URL = r"https?://[^\s<>\"')\]]{1,500}[^\s<>\"')\].,;:!?]"
_DATE = (
    r"\b(?:(?:19|20)\d\d-\d\d?-\d\d?|\d{1,2}[./]\d{1,2}[./](?:19|20)\d\d"
    r"|\d{1,2}(?:st|nd|rd|th)? (?:of )?(?:{m})(?: (?:19|20)\d\d)?"
    r"|(?:{m}) \d{1,2}(?:st|nd|rd|th)?(?:,? (?:19|20)\d\d)?|(?:{m}) (?:19|20)\d\d)\b"
).replace("{m}", "January|February|March|April|May|June|July|August|September|October|November|December")
DATE = re.compile(_DATE)
_MARKED = {"e-mail": re.compile(EMAIL), "url": re.compile(_URL), "date": DATE, "phone": re.compile(PHONE)}
_NAME = re.compile(rf"(?<!\w){NAME}")
_TITLED = re.compile(rf"{HONORIFIC}\s")
_MOST_NAMES = 200


def names_in(text: str, rules: EntityRules) -> list[Mentioned]:
    """The names that occur in the text, each once, those that a user's rules find first."""
    found: dict[str, Mentioned] = {}
    for one in (*_by_rules(text, rules), *_marked(text), *_capitalised(text)):
        name = readable_name(one.name)
        if name and name.casefold() not in found and len(found) < _MOST_NAMES:
            found[name.casefold()] = Mentioned(name, one.type)
    return list(found.values())


def type_of(name: str) -> str:
    """What kind of thing a name names, by lists; "" when they do not tell."""
    words = [word.strip(".,'").lower() for word in name.split()]
    if not words:
        return ""
    if " ".join(words) in PLACES:
        return "location"
    if ORGANISATION_WORDS.intersection(words) or "&" in name:
        return "organization"
    if _TITLED.match(name) or (words[0] in FIRST_NAMES and len(words) <= 4):
        return "person"
    return ""


def _by_rules(text: str, rules: EntityRules) -> Iterator[Mentioned]:
    for kind, patterns in rules.patterns.items():
        for pattern in patterns:
            for match in pattern.finditer(text):
                yield Mentioned(match["name"] if "name" in pattern.groupindex else match[0], kind)
    for kind, names in rules.names.items():
        for name in names:
            if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE):
                yield Mentioned(name, kind)


def _marked(text: str) -> Iterator[Mentioned]:
    """What is known by its form alone."""
    taken: list[tuple[int, int]] = []
    for kind, pattern in _MARKED.items():
        for match in pattern.finditer(text):
            if not any(start < match.end() and match.start() < end for start, end in taken):
                taken.append(match.span())
                yield Mentioned(match[0], kind)


def _capitalised(text: str) -> Iterator[Mentioned]:
    bare = re.sub(f"{_URL}|{EMAIL}", " … ", text)
    inside: set[str] = set()
    opening = []
    for sentence, _ in sentences(plain(bare)):
        for match in _NAME.finditer(sentence):
            for name in _parted(trimmed(match[0])):
                if len(name) < 2 or name.lower() in NOT_NAMES:
                    continue
                if match.start() or " " in name or type_of(name) or name != match[0]:
                    inside.add(name)
                    yield Mentioned(name, type_of(name))
                else:
                    opening.append(name)
    yield from (Mentioned(name) for name in opening if name in inside)


def _parted(name: str) -> list[str]:
    """A person "of" something is two names; a "University of" somewhere is one."""
    before, of, after = name.partition(" of ")
    return [before, after] if of and FIRST_NAMES.intersection(before.lower().split()) else [name]
