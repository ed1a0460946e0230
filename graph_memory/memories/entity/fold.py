"""What is known of an entity: its memos folded into facts with their time spans. Pure.

Memos are never changed. At fold time a new value of a single-valued slot ends the span of the old one, from the
moment when the new one holds; what was said last counts, unless it was said to hold from a later moment on.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from graph_memory.memories.entity.naming import is_kin, normalised
from graph_memory.types import Memo

UNKNOWN = "concept"
"""The type of an entity of which nothing tells what it is."""

_NOBODY = "User"


@dataclass(frozen=True, slots=True)
class EntityFact:
    """Something that holds of an entity, or held.

    Attributes:
        slot: the attribute: "employer", "home", "sister", …
        value: its value.
        value_id: id of the entity that is the value; "" when it is none.
        since, until: when it began and ended to hold, as far as is known; `until` is None while it holds.
        is_dated: whether somebody said when it began; otherwise `since` is when it was first said.
        said_at: when it was last said.
        memo_id: id of the memo that said it last.
        source: id of the message that it was read from.
        evidence: what was said, clipped.
        metadata: the metadata of that message.
    """

    slot: str
    value: str
    value_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    is_dated: bool = False
    said_at: datetime | None = None
    memo_id: str = ""
    source: str = ""
    evidence: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_current(self) -> bool:
        """Whether it holds, as far as is known."""
        return self.until is None


@dataclass(frozen=True, slots=True)
class EntityView:
    """An entity as its memos tell.

    Attributes:
        id: its id.
        name: the fullest name it goes by.
        type: what kind of thing it is.
        aliases: its other names.
        facts: what holds, oldest first; relations are those with a `value_id`.
        history: what held, oldest first.
        mentions: how many messages speak of it.
        first_seen, last_seen: when it was first and last spoken of.
        importance: 0–1, from how often it is spoken of, how it is connected, and whether it is the speaker.
        linked: ids of entities that say something of this one.
        memo_id: id of the newest memo about it.
    """

    id: str
    name: str
    type: str = UNKNOWN
    aliases: tuple[str, ...] = ()
    facts: tuple[EntityFact, ...] = ()
    history: tuple[EntityFact, ...] = ()
    mentions: int = 0
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    importance: float = 0.0
    linked: tuple[str, ...] = ()
    memo_id: str = ""

    @property
    def relations(self) -> tuple[EntityFact, ...]:
        """The facts that hold and lead to another entity."""
        return tuple(fact for fact in self.facts if fact.value_id)


def folded(entity: str, memos: Iterable[Memo], now: datetime) -> EntityView | None:
    """The entity as it is known at `now`; None when no memo tells of it."""
    told = sorted((memo for memo in memos if memo.metadata.get("entity") == entity), key=_order)
    if not told:
        return None
    facts = facts_of(told, now)
    names = Counter(str(memo.metadata.get("name", "")) for memo in told if memo.metadata.get("name"))
    name = _fullest(names)
    types = Counter(str(memo.metadata["type"]) for memo in told if memo.metadata.get("type"))
    current = tuple(fact for fact in facts if fact.is_current)
    mentions = len({memo.source for memo in told})
    return EntityView(
        id=entity,
        name=name,
        type=types.most_common(1)[0][0] if types else UNKNOWN,
        aliases=tuple(sorted(other for other in names if normalised(other) != normalised(name) and other != _NOBODY)),
        facts=current,
        history=tuple(fact for fact in facts if not fact.is_current),
        mentions=mentions,
        first_seen=min(memo.said_at for memo in told),
        last_seen=max(memo.said_at for memo in told),
        importance=importance(mentions, current, is_speaker=any(memo.metadata.get("is_speaker") for memo in told)),
        linked=tuple(dict.fromkeys(str(memo.metadata["by"]) for memo in told if memo.metadata.get("by"))),
        memo_id=told[-1].id,
    )


def importance(mentions: int, facts: Sequence[EntityFact], *, is_speaker: bool) -> float:
    """How much an entity matters, 0–1: 1 - exp(-(mentions + facts + 2 x relations) / 10), and 0.2 more for who speaks."""
    weight = mentions + len(facts) + sum(bool(fact.value_id) for fact in facts)
    return round(min(1.0, 1 - math.exp(-weight / 10) + 0.2 * is_speaker), 4)


def facts_of(memos: Iterable[Memo], now: datetime) -> list[EntityFact]:
    """The spans of all claims among the memos, oldest first; claims that begin after `now` are left out."""
    spans = _Spans()
    for memo in sorted((m for m in memos if "slot" in m.metadata), key=_order):
        if _effective(memo) > now:
            continue
        if memo.metadata.get("ended"):
            spans.end(_span(memo))
        elif memo.valid_to is not None and memo.valid_to <= now:
            spans.over.append(replace(_span(memo), until=memo.valid_to))
        else:
            spans.begin(_span(memo), single=bool(memo.metadata.get("single")))
    return sorted(spans.all(), key=lambda span: (span.since is not None, span.since or now, span.slot, span.value))


def same_value(fact: EntityFact, value: str, value_id: str, *, loosely: bool = False) -> bool:
    """Whether two values are one: the same entity or words; loosely, also a name and its beginning ("Acme Labs", "Acme")."""
    if fact.value_id and value_id and not loosely:
        return fact.value_id == value_id
    one, other = normalised(fact.value).split(), normalised(value).split()
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    return bool(loosely and short and fact.value_id and long[: len(short)] == short)


@dataclass(slots=True)
class _Spans:
    """The spans while they are folded: what holds, by slot and value, and what is over."""

    open: dict[str, dict[str, EntityFact]] = field(default_factory=dict)
    over: list[EntityFact] = field(default_factory=list)

    def all(self) -> list[EntityFact]:
        """Every span."""
        return [*self.over, *(fact for facts in self.open.values() for fact in facts.values())]

    def begin(self, new: EntityFact, *, single: bool) -> None:
        """Something holds; in a slot that has one value at a time, whatever else held is over."""
        facts = self.open.setdefault(new.slot, {})
        known = [key for key in (_key(new), normalised(new.value)) if key in facts]
        held = next((key for key in known if same_value(facts[key], new.value, new.value_id)), None)
        if held is not None:
            new = _restated(facts.pop(held), new)
        if single:
            self._close(facts, list(facts), new.said_at if held else new.since)
        facts[_key(new)] = new

    def end(self, gone: EntityFact) -> None:
        """Something holds no longer: in one slot, or ("") in any; with a value, or whatever it was."""
        meant = False
        for facts in [self.open.get(gone.slot, {})] if gone.slot else self.open.values():
            keys = [key for key, fact in facts.items() if _is_meant(fact, gone)]
            self._close(facts, keys, gone.since)
            meant = meant or bool(keys)
        if gone.value and gone.slot and not meant:
            known = any(fact.slot == gone.slot and _is_meant(fact, gone) for fact in self.over)
            self.over += [] if known else [replace(gone, since=None, until=gone.since)]

    def _close(self, facts: dict[str, EntityFact], keys: Iterable[str], at: datetime | None) -> None:
        for key in keys:
            fact = facts.pop(key)
            self.over.append(replace(fact, until=max(at, fact.since) if at and fact.since else at))


def _key(fact: EntityFact) -> str:
    return fact.value_id or normalised(fact.value)


def _is_meant(fact: EntityFact, gone: EntityFact) -> bool:
    return not gone.value or same_value(fact, gone.value, gone.value_id, loosely=True)


def _span(memo: Memo) -> EntityFact:
    metadata = memo.metadata
    return EntityFact(
        slot=str(metadata["slot"]),
        value=str(metadata.get("value", "")),
        value_id=str(metadata.get("value_id", "")),
        since=memo.valid_from or memo.said_at,
        is_dated=memo.valid_from is not None,
        said_at=memo.said_at,
        memo_id=memo.id,
        source=memo.source,
        evidence=memo.before,
        metadata=metadata,
    )


def _restated(span: EntityFact, new: EntityFact) -> EntityFact:
    """The span, said again: it keeps its beginning unless only the new one is dated."""
    begun = new if new.is_dated and not span.is_dated else span
    return replace(new, since=begun.since, is_dated=begun.is_dated)


def _effective(memo: Memo) -> datetime:
    """From when on a memo counts: when it was said, or later if it says so."""
    return max(memo.said_at, memo.valid_from) if memo.valid_from else memo.said_at


def _order(memo: Memo) -> tuple[Any, ...]:
    begins = (memo.valid_from or memo.said_at).timestamp()
    sentence = int(memo.metadata.get("sentence", 0))
    ends_first = not memo.metadata.get("ended")  # "I left Acme for Globex": what ends makes room for what begins
    return (_effective(memo), memo.origin.seq, begins, sentence, ends_first, memo.origin.ordinal, memo.id)


def _fullest(names: Counter[str]) -> str:
    """The name to show: one of several words before a single one, "User" and "Ada's sister" last; then the most used."""

    def rank(name: str) -> tuple[bool, bool, int, int, str]:
        return (name != _NOBODY, not is_kin(name), min(2, len(normalised(name).split())), names[name], name)

    return max(names, key=rank, default="")
