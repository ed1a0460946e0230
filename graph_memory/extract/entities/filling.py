"""Which attributes a rule's match fills: told by the rule, by a noun, or by what kind of thing the value is. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from graph_memory.extract.entities.lists import DEPARTMENTS, KIN, OCCUPATIONS, SCHOOL_WORDS, TOOLS, words
from graph_memory.extract.entities.names import type_of
from graph_memory.extract.entities.nouns import NO_VALUES, NOUNS
from graph_memory.extract.entities.rules import Rule
from graph_memory.extract.entities.text import HONORIFIC, trimmed
from graph_memory.extract.entities.values import VALUE_CHARACTERS, cleaned, readable_name

_TITLED = re.compile(rf"{HONORIFIC}\s")
_NO_VALUES = words("home night once least all me you it him her them us work school bed fun")
_TOOL_OF_ROLE = "uses {}"
_NOT_SLOTS = KIN | words(
    "name job employer company workplace address home boss manager supervisor birthday age email favourite favorite point"
    " question idea guess"
)


def filled(rule: Rule, groups: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Slot, value and the value's entity type, as often as one match gives several."""
    raw = groups.get("value", "")
    name = readable_name(trimmed(raw)) if rule.value_type or rule.slot in ("tool", "anything", "") else ""
    value = name or cleaned(raw, VALUE_CHARACTERS).strip(" .,;")
    if raw and (not value or value.lower() in _NO_VALUES or (rule.value_type and not name)):
        return
    if rule.slot == "tool":
        if kind := TOOLS.get(value.lower()):
            yield _TOOL_OF_ROLE.format(kind), value, "concept"
    elif rule.slot == "anything":
        yield _whatever(value, groups.get("old", ""))
    elif rule.slot in _BY_VALUE:
        yield from _BY_VALUE[rule.slot](value, groups)
    elif rule.slot == "occupation":
        if value.split()[-1] in OCCUPATIONS:
            yield "job", value, ""
    elif rule.slot == "favourite":
        yield f"favourite {groups['name']}", value, ""
    elif rule.slot == "named":
        if not _NOT_SLOTS.intersection(groups["name"].split()):
            yield groups["name"].removeprefix("new "), readable_name(trimmed(value)) or value, ""
    elif _is_no_value(rule.slot, value, groups):
        return
    elif rule.slot == "home" and not rule.value_type:
        yield "address", value, ""
        if type_of(place := value.split(",")[-1].strip()) == "location":
            yield "home", place, "location"
    elif rule.slot == "home" and type_of(value) == "organization":
        yield "employer", value, "organization"
    else:
        yield rule.slot, value, rule.value_type


def _by_noun(value: str, groups: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """What "my X" is, told by the noun: its slot takes names, addresses or numbers, whichever fits."""
    noun = groups["name"]
    slot, kind = NOUNS.get(noun, (noun, ""))
    if noun not in NOUNS and (_NOT_SLOTS.intersection(noun.split()) or noun in NO_VALUES):
        return
    form = "e-mail" if "@" in value else "phone" if value[-1:].isdigit() and value[:1] in "+0123456789" else ""
    if (form or slot in ("e-mail", "phone")) and form != slot:
        return
    if kind and type_of(value) not in ("", kind):
        return
    yield slot, readable_name(trimmed(value)) or value, kind


def _by_form(value: str, groups: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    yield "e-mail" if "@" in value else "phone", value, ""


def _at_place(value: str, groups: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Where somebody is "at" or "with": a school, else an employer."""
    name = readable_name(trimmed(value))
    if name and not _is_no_employer(name, groups):
        yield ("school" if SCHOOL_WORDS.intersection(name.lower().split()) else "employer"), name, "organization"


def _role_at(value: str, groups: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """ "The new accountant at Acme": what somebody is, and where."""
    name = readable_name(trimmed(value))
    if name and groups["name"].split()[-1] in OCCUPATIONS and not _is_no_employer(name, groups):
        yield "employer", name, "organization"
        yield "job", groups["name"], ""


def _lasting_home(value: str, groups: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    name = readable_name(trimmed(value))
    if type_of(name) == "location":
        yield "home", name, "location"


def _known_kind(value: str, groups: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """What is told by lists alone, because the verb says nothing: a tool."""
    name = readable_name(trimmed(value))
    if kind := TOOLS.get(name.lower()):
        yield _TOOL_OF_ROLE.format(kind), name, "concept"


_BY_VALUE: Mapping[str, Callable[[str, dict[str, str]], Iterator[tuple[str, str, str]]]] = {
    "noun": _by_noun,
    "value": _by_form,
    "place": _at_place,
    "role at": _role_at,
    "lasting home": _lasting_home,
    "anything known": _known_kind,
}


def _is_no_value(slot: str, value: str, groups: dict[str, str]) -> bool:
    """Whether a slot cannot have the value: nobody is "seeing" Dr. Khan as a partner, or moves house to Sales."""
    if slot == "employer":
        return bool(value) and _is_no_employer(value, groups)
    return (slot == "partner" and bool(_TITLED.match(value))) or (slot == "home" and value.lower() in DEPARTMENTS)


def _is_no_employer(value: str, groups: dict[str, str]) -> bool:
    """People and places employ nobody; and who works "with" something is rarely employed by it."""
    kind = type_of(value)
    return kind in ("person", "location") or (groups.get("with") == "with" and kind != "organization")


def _whatever(value: str, old: str) -> tuple[str, str, str]:
    """What somebody changed to: a tool, a place, a school, else an employer."""
    for name in (value, old):
        if kind := TOOLS.get(name.lower()):
            return _TOOL_OF_ROLE.format(kind), value, "concept"
    if type_of(value) == "location":
        return "home", value, "location"
    if SCHOOL_WORDS.intersection(value.lower().split()):
        return "school", value, "organization"
    return "employer", value, "organization"
