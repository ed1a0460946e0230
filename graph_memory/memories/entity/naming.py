"""Which entity a name means. Pure: names are compared, what is known of them is handed in.

Conservative on purpose. A full name means another full name only when the surnames are equal and the given names are
equal, a usual short form ("Bob Smith", "Robert Smith") or an initial; spelling is never guessed for people. A single
name ("Bob", "Mr Smith") means the one person who bears it; when two do, it means neither. Organisations and things
are the same without "Ltd" and "the", or when they are long and all but equal (`SAME_RATIO`), digits excepted.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from rapidfuzz import fuzz

from graph_memory.extract.entities.lists import HONORIFICS, KIN, NICKNAMES, ORGANISATION_WORDS, words

SAME_RATIO = 92.0
"""rapidfuzz ratio (0–100) from which two long names of things are spellings of one."""

_LONG = 8
_BLOCK = "~"
_SUFFIXES = ORGANISATION_WORDS & words(
    "ltd limited inc incorporated corp corporation gmbh ag plc llc llp sa co company"
)
_HONORIFIC = re.compile(rf"^(?:{HONORIFICS})\.?\s+", re.IGNORECASE)
_KIN_NAME = re.compile(rf".+'s (?:{'|'.join(KIN)})")


@dataclass(frozen=True, slots=True)
class Named:
    """That an entity bears a name.

    Attributes:
        entity: the entity's id.
        name: as it was written.
        type: what kind of thing it was taken for; "" unknown.
        at: when that was said, ISO 8601.
    """

    entity: str
    name: str
    type: str = ""
    at: str = ""


@lru_cache(maxsize=1 << 14)
def normalised(name: str) -> str:
    """A name as it is compared: case, accents, titles, punctuation, "the" and legal forms left out."""
    bare = _HONORIFIC.sub("", unicodedata.normalize("NFKC", name).replace("’", "'")).replace("&", " and ")
    if not _KIN_NAME.fullmatch(bare):
        bare = re.sub(r"'s\b|'", "", bare)
    folded = "".join(c for c in unicodedata.normalize("NFD", bare.casefold()) if unicodedata.category(c) != "Mn")
    parts = re.sub(r"[^\w'+#@.]+|\.(?=\s|$)", " ", folded).split()
    while len(parts) > 1 and (parts[-1] in _SUFFIXES or parts[-1] == "and"):
        parts.pop()
    return " ".join(parts[1:] if len(parts) > 1 and parts[0] == "the" else parts) or folded.strip()


def is_kin(name: str) -> bool:
    """Whether it names somebody by a relation, as "Ada's sister" does."""
    return _KIN_NAME.fullmatch(name.replace("’", "'")) is not None


def new_id(name: str, type: str, *, is_ambiguous: bool = False) -> str:
    """The id of an entity first met under this name: the same wherever and whenever it is met."""
    raw = "\x1f".join(("person" if type == "person" else "thing", normalised(name), "?" if is_ambiguous else ""))
    return hashlib.blake2b(raw.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def keys_of(name: str, type: str) -> list[str]:
    """What a name is kept under: itself, and for people their given name, what it is short for, and their surname."""
    whole = normalised(name)
    parts = whole.split()
    if is_kin(name) or not parts:
        return [whole]
    keys = [whole]
    if type in ("person", ""):
        keys += [parts[0], *sorted(NICKNAMES.get(parts[0], ())), parts[-1]]
    if type != "person":
        keys += [_BLOCK + part for part in parts if len(part) >= 5][:4]
    return list(dict.fromkeys(keys))


def could_mean(asked: str, known: str, type: str) -> bool:
    """Whether `asked` can be another way to write or say `known`."""
    one, other = normalised(asked).split(), normalised(known).split()
    if one == other:
        return True
    if is_kin(asked) or is_kin(known) or not one or not other:
        return False
    if type in ("person", "") and _one_person(one, other, surname_only=bool(_HONORIFIC.match(asked))):
        return True
    return type != "person" and _one_thing(" ".join(one), " ".join(other))


def _one_person(one: Sequence[str], other: Sequence[str], *, surname_only: bool) -> bool:
    if len(one) > 1 and len(other) > 1:
        return one[-1] == other[-1] and _given_alike(one[0], other[0], initials=True)
    if len(one) > len(other):
        one, other = other, one
    if len(other) == 1:
        return _given_alike(one[0], other[0])
    return one[0] == other[-1] or (not surname_only and _given_alike(one[0], other[0]))


def _given_alike(one: str, other: str, *, initials: bool = False) -> bool:
    short, long = sorted((one.rstrip("."), other.rstrip(".")), key=len)
    if initials and len(short) == 1:
        return long.startswith(short)
    return one == other or other in NICKNAMES.get(one, ()) or one in NICKNAMES.get(other, ())


def _one_thing(one: str, other: str) -> bool:
    if min(len(one), len(other)) < _LONG or re.findall(r"\d+", one) != re.findall(r"\d+", other):
        return False
    return fuzz.ratio(one, other) >= SAME_RATIO


@dataclass(slots=True)
class Register:
    """The names that are known, by key; and those that became known since.

    Attributes:
        known: key to the names kept under it.
        added: key and name, in order; what is to be stored and was not taken yet.
    """

    known: dict[str, list[Named]] = field(default_factory=dict)
    added: list[tuple[str, Named]] = field(default_factory=list)

    @classmethod
    def of(cls, known: Mapping[str, Iterable[Named]]) -> Register:
        """A register that holds what was looked up."""
        return cls({key: list(names) for key, names in known.items()})

    def candidates(self, name: str, type: str) -> list[str]:
        """Ids of the entities that the name can mean, the certain ones alone when there are any."""
        bearers: dict[str, set[str]] = {}
        types: dict[str, set[str]] = {}
        exact: dict[str, str] = {}
        for key in keys_of(name, type):
            for one in self.known.get(key, ()):
                bearers.setdefault(one.entity, set()).add(one.name)
                types.setdefault(one.entity, set()).add(one.type)
                if normalised(one.name) == normalised(name):
                    exact[one.entity] = max(one.at, exact.get(one.entity, ""))
        if is_kin(name):
            return [max(exact, key=lambda entity: exact[entity])] if exact else []
        fitting = [
            entity
            for entity, names in bearers.items()
            if _kinds_fit(type, types[entity])
            and any(could_mean(name, known, type) for known in names)
            and all(could_mean(name, known, type) or _is_bare(known) for known in names)
        ]
        certain = [entity for entity in fitting if entity in exact]
        return certain if certain and " " in normalised(name) else fitting

    def resolve(self, name: str, type: str, at: str) -> str:
        """The id of the entity that the name means; a new one's, when nobody is known whom it means for certain."""
        found = self.candidates(name, type)
        entity = found[0] if len(found) == 1 else new_id(name, type, is_ambiguous=bool(found))
        if len(found) <= 1:
            self.add(Named(entity, name, type, at))
        return entity

    def add(self, named: Named) -> None:
        """Keeps a name under all its keys."""
        self._keep(keys_of(named.name, named.type), named)

    def taken(self) -> list[tuple[str, Named]]:
        """What became known since this was last asked."""
        added, self.added = self.added, []
        return added

    def relate(self, kin: str, named: Named) -> None:
        """Keeps that a relation ("Ada's sister") stands for somebody, beside what they are called."""
        self._keep([normalised(kin)], Named(named.entity, kin, named.type, named.at))
        self._keep([normalised(kin)], named)

    def called(self, kin: str) -> set[str]:
        """The names of their own that whoever a relation stands for bears, as far as it was said with them."""
        [bearer] = self.candidates(kin, "person") or [""]
        return {
            one.name for one in self.known.get(normalised(kin), ()) if one.entity == bearer and not is_kin(one.name)
        }

    def _keep(self, keys: Sequence[str], named: Named) -> None:
        for key in keys:
            there = self.known.setdefault(key, [])
            same = [one for one in there if one.entity == named.entity and one.name == named.name]
            if not any(one.type == named.type or not named.type for one in same):
                there.append(named)
                self.added.append((key, named))


def _kinds_fit(type: str, known: set[str]) -> bool:
    """People are never things; otherwise kinds do not part what has one name."""
    kinds = {("person" if kind == "person" else "thing") for kind in known if kind}
    return not type or not kinds or ("person" if type == "person" else "thing") in kinds


def _is_bare(name: str) -> bool:
    return is_kin(name) or " " not in normalised(name)
