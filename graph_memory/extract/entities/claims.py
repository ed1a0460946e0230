"""Applying the rules to a message: who a subject is, whether it is meant, since when, and which slot it fills. Pure.

What a sentence only asks, supposes, wishes, plans or tells of a story is not claimed. "He" and "she" are the person whom the
message spoke of last, when there is just one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from graph_memory.extract.entities.changes import CHANGE_CLAUSES, CHANGE_SENTENCES
from graph_memory.extract.entities.filling import filled
from graph_memory.extract.entities.grammar import ALSO_KNOWN, APPOSED, I_AM, IS_KIN, MY_NAME, NAMED_KIN, SUBJECT
from graph_memory.extract.entities.lists import (
    KIN,
    ONE_OF_A_KIND,
    PARTNERS,
    PETS,
    words,
)
from graph_memory.extract.entities.moods import holds_from, is_meant, is_over, is_setting, is_supposed, stated
from graph_memory.extract.entities.names import type_of
from graph_memory.extract.entities.rules import CLAUSE_RULES, SENTENCE_RULES, Rule
from graph_memory.extract.entities.text import SENTENCE_CHARACTERS, clauses, plain, sentences, trimmed
from graph_memory.extract.entities.values import VALUE_CHARACTERS, Claim, Told, cleaned, readable_name
from graph_memory.extract.entities.wording import referred

_OTHER_SUBJECT = re.compile(
    r"^(?:the|a|an|my|our|your|his|her|their|its|this|that|these|those|some|it|there|you|they|who|which|everyone|people)\b"
)
_OPENERS = words(
    "left quit moved started joined got just finally my our their his her we he she they handed today yesterday it please"
    " use call reach write no new now after been settled bought found signed promoted retired as you also then the a an"
    " home is am working living switched stopped became turned there this that these those"
)


@dataclass(slots=True)
class _Reading:
    """How far a message has been read: whom it spoke of, and what it claimed."""

    told: Told
    people: list[str] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    aliases: list[tuple[str, str]] = field(default_factory=list)

    @property
    def third(self) -> str:
        """Whom "he" or "she" means: the one other person spoken of; "" when there are several, or none."""
        return self.people[0] if len(self.people) == 1 else ""

    def person(self, phrase: str, inherited: str = "") -> str:
        """The name of whoever a subject or an owner stands for; "" when that cannot be told."""
        words = phrase.split()
        if not words:
            return inherited
        first = words[0].lower()
        if len(words) == 1 and first in ("i", "me", "we", "us", "my", "our"):
            return self.told.speaker
        if len(words) == 1 and first in ("he", "him", "she", "her", "his"):
            return self.third
        if first in ("my", "our", "his", "her"):
            owner = self.told.speaker if first in ("my", "our") else self.third
            return self._relative(owner, words[1:])
        name = readable_name(trimmed(re.sub(r"'s$", "", phrase)))
        if name and name not in self.people and type_of(name) in ("", "person"):
            self.people.append(name)
        return name

    def _relative(self, owner: str, words: list[str]) -> str:
        at = next((i for i, word in enumerate(words) if word.strip(",").lower() in KIN), None)
        if at is None or not owner:
            return ""
        name = readable_name(" ".join(words[at + 1 :]))
        named = name or f"{owner}'s {words[at].strip(',').lower()}"
        if named not in self.people:
            self.people.append(named)
        return named


def claims_in(told: Told) -> tuple[list[Claim], list[tuple[str, str]]]:
    """What a message claims, and which names it says to mean the same."""
    reading = _Reading(told)
    for ordinal, (said, is_question) in enumerate(sentences(plain(told.text))):
        sentence = stated(said) if is_question else said
        if not sentence or len(sentence) > SENTENCE_CHARACTERS or not is_meant(sentence):
            continue
        before = len(reading.claims)
        _read_relations(reading, sentence)
        _read_sentence(reading, _opened(referred(APPOSED.sub(r"\g<name>", sentence))))
        evidence = cleaned(sentence, VALUE_CHARACTERS)
        reading.claims[before:] = _settled(reading.claims[before:])
        numbered = (replace(claim, ordinal=ordinal, evidence=evidence) for claim in reading.claims[before:])
        reading.claims[before:] = list(dict.fromkeys(numbered))
    return reading.claims, reading.aliases


def _settled(claims: list[Claim]) -> list[Claim]:
    """One sentence's claims without those that it ends itself: "my husband Sam and I separated" names no husband."""
    over = {(claim.subject, claim.value) for claim in claims if claim.ended and claim.value}
    return [claim for claim in claims if claim.ended or (claim.subject, claim.value) not in over]


def _read_sentence(reading: _Reading, sentence: str) -> None:
    read = {
        claim.slot for rule in (*SENTENCE_RULES, *CHANGE_SENTENCES) for claim in _apply(rule, sentence, reading, "")
    }
    inherited, supposed = reading.told.speaker, False
    for clause in map(_opened, clauses(sentence)):
        subject = _subject_of(clause, reading)
        inherited, elided = (inherited, True) if subject is None else (subject, False)
        supposed = is_supposed(clause) or (supposed and elided)
        if supposed or is_setting(clause):
            continue
        slots = set(read)
        for rule in (*CLAUSE_RULES, *CHANGE_CLAUSES):
            for claim in _apply(rule, clause, reading, inherited, frozenset(slots)):
                slots.add(claim.slot)


def _subject_of(clause: str, reading: _Reading) -> str | None:
    """Who a clause is about; "" when it is something else, None when it does not say, so that the last subject goes on."""
    match = re.match(rf"(?:\w+ly |so |then |now |today |yesterday )?{SUBJECT}\b(?!'s)", clause)
    if match and (name := reading.person(match["subj"])):
        return name
    return "" if _OTHER_SUBJECT.match(clause) else None


def _apply(
    rule: Rule, text: str, reading: _Reading, inherited: str, taken: frozenset[str] = frozenset()
) -> Iterator[Claim]:
    match = rule.pattern.search(text)
    if match is None:
        return
    groups = {name: found for name, found in match.groupdict().items() if found is not None}
    aux = f" {groups.get('aux', '')} "
    ended = is_over(rule, aux, text)
    owner = next((groups[name] for name in _OWNERS if groups.get(name)), "")
    subject = reading.person(owner, inherited or (reading.told.speaker if rule.slot in _SPEAKERS else ""))
    if ended is None or not subject:
        return
    for slot, value, kind in filled(rule, groups):
        if subject == value and not any(groups.get(name) for name in _OWNERS):
            subject = reading.told.speaker  # "Lisbon is home now"
        if slot in taken or subject.casefold() == value.casefold():
            continue
        found = Claim(subject, slot, value, kind, rule.single and " also " not in aux, ended)
        claim = replace(found, valid_from=holds_from(text, aux, reading.told.said_at, is_end=ended))
        if claim.valid_from is None and " going to " in aux and not ended:
            continue
        reading.claims.append(claim)
        yield claim
    if groups.get("old") and not ended:
        old = readable_name(trimmed(groups["old"]))
        reading.claims.append(Claim(subject, "", old, ended=True))


_SPEAKERS = ("value", "noun")
"""Slots that are the speaker's when nobody is named: "new number: …"."""

_OWNERS = ("subj", "poss", "obj", "obj2", "obj3")


def _read_relations(reading: _Reading, sentence: str) -> None:
    """Kin and other names: "my sister Ann", "Ann is Bob's sister", "my name is Ada"."""
    told = reading.told
    opened = _opened(sentence)
    for pattern in (NAMED_KIN, IS_KIN, APPOSED):
        for match in pattern.finditer("" if pattern is IS_KIN and is_supposed(opened) else opened):
            name, owner = readable_name(trimmed(match["name"])), reading.person(match["poss"])
            if name and owner and name.casefold() != owner.casefold() and type_of(name) in ("", "person"):
                _relate(reading, owner, match["kin"].lower(), name)
    for match in MY_NAME.finditer(opened):
        _alias(reading, told.speaker, match["name"])
    for match in I_AM.finditer(opened):
        if type_of(match["name"]) == "person":
            _alias(reading, told.speaker, match["name"])
    for match in ALSO_KNOWN.finditer(sentence):
        _alias(reading, match["one"], match["other"])


def _relate(reading: _Reading, owner: str, kin: str, name: str) -> None:
    slot = (
        "partner" if kin in PARTNERS else "manager" if kin in ("boss", "supervisor") else "pet" if kin in PETS else kin
    )
    kind = "pet" if kin in PETS else "person"
    reading.claims.append(Claim(owner, slot, name, kind, single=kin in ONE_OF_A_KIND))
    if kin not in PETS:
        _alias(reading, f"{owner}'s {kin}", name)
    if name not in reading.people:
        reading.people.append(name)


def _alias(reading: _Reading, one: str, other: str) -> None:
    first, second = readable_name(one), readable_name(trimmed(other))
    if first and second and first.casefold() != second.casefold():
        reading.aliases.append((first, second))


def _opened(text: str) -> str:
    """The text with its first word in lower case when that is an ordinary word that only begins it."""
    first, _, rest = text.partition(" ")
    return f"{first.lower()} {rest}".strip() if first.lower().strip(",") in _OPENERS else text
