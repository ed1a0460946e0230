"""The values of entity extraction: names, claims about them, what one message says; and how names are made safe. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

NAME_CHARACTERS = 120
VALUE_CHARACTERS = 200
TEXT_CHARACTERS = 20_000
"""Characters of a message that rules read; what stands behind them is not searched."""

_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class Mentioned:
    """A name that occurs, and what kind of thing it names: "person", "organization", …; "" when nothing tells."""

    name: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that is said to hold of somebody, or to hold no longer.

    Attributes:
        subject: name of whom it is about.
        slot: the attribute, such as "employer" or "home"; "" (ended claims only) is whichever attribute has that value.
        value: the attribute's value, as it was said; "" (ended claims only) is whatever it was.
        value_type: the entity type of the value; "" when the value is no entity.
        single: whether a new value takes the place of the old one.
        ended: it held, and holds no longer.
        valid_from: since when, or from when on, it holds (or, when ended, no longer holds); None is not said.
        ordinal: which sentence it stands in, so that of two in one message the later counts.
        evidence: the sentence, clipped.
    """

    subject: str
    slot: str
    value: str
    value_type: str = ""
    single: bool = True
    ended: bool = False
    valid_from: datetime | None = None
    ordinal: int = 0
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Extraction:
    """What one message says.

    Attributes:
        mentions: the names in it, each once.
        claims: what is said of them.
        aliases: pairs of names that name the same.
    """

    mentions: tuple[Mentioned, ...] = ()
    claims: tuple[Claim, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """A message as extraction sees it: its text, who speaks, and when."""

    text: str
    speaker: str
    said_at: datetime


@dataclass(frozen=True, slots=True)
class EntityRules:
    """What a user adds to the rules.

    Attributes:
        patterns: entity type to regular expressions; a group named "name" is the name, else the whole match is.
        names: entity type to names that are always recognised, whatever their case.
    """

    patterns: Mapping[str, Sequence[re.Pattern[str]]] = field(default_factory=dict)
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)


def cleaned(text: str, most: int = NAME_CHARACTERS) -> str:
    """One line without control characters, clipped to `most` characters; "" when nothing readable is left."""
    line = " ".join(_INVISIBLE.sub(" ", text[: most * 4]).split())
    return line[:most].rstrip()


def readable_name(text: str) -> str:
    """The name, cleaned; "" when it is none: empty, without a letter or digit, or longer than any name."""
    if len(text) > 2 * NAME_CHARACTERS:
        return ""
    name = cleaned(text).strip(" .,;:!?\"'()[]{}<>|`*_~#")
    return name if any(character.isalnum() for character in name) else ""
