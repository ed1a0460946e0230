"""What the hot store of a `TieredStore` holds for one item: a slot, and the changes that a slot goes through. Pure.

A slot is free, being loaded (by one reader), being written (by any number of writers), or it holds a copy. Every change puts a
new `operation` in it, and is made only if the slot still has the one that was seen: that is what `ClaimOp` compares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from secrets import token_hex
from typing import Any, NamedTuple

from langgraph.store.base import Item, Op, PutOp

from graph_memory.errors import StoreError
from graph_memory.stores._ops import to_json
from graph_memory.stores._tiered_requests import HotError
from graph_memory.stores.claims import HOLDER, ClaimOp
from graph_memory.stores.hits import is_mortal

LARGEST_COPY = 1 << 20  # characters of JSON; what is larger is read from the durable store


class Place(NamedTuple):
    """Where an item is."""

    namespace: tuple[str, ...]
    key: str


class Era(NamedTuple):
    """What a slot must have been written under to count: the gate's epoch, and the era of the hot server."""

    epoch: str
    server: str


class State(Enum):
    """What a reader finds."""

    FREE = "free"
    LOADING = "loading"
    WRITING = "writing"
    APART = "apart"
    COPY = "copy"


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot.

    Attributes:
        era: under which it was written.
        until: unix seconds at which it ends.
        writers: token of whoever writes the item, to the unix seconds until which that binds.
        state: what it is without writers.
        copy: the item as JSON, null for one that is not there; of a slot that holds a copy.
        operation: its own name.
    """

    era: Era
    until: float
    state: State
    writers: Mapping[str, float] = field(default_factory=dict)
    copy: str = ""
    operation: str = field(default_factory=lambda: token_hex(8))

    def seen_in(self, era: Era, now: float) -> State:
        """What it means to a reader. Writers bind across eras: what they write may come after any loading."""
        if self.living(now):
            return State.WRITING
        return self.state if self.era == era and self.until > now and self.state is not State.WRITING else State.FREE

    def living(self, now: float) -> dict[str, float]:
        """The writers that still bind."""
        return {token: until for token, until in self.writers.items() if until > now}

    def item(self, place: Place) -> Item | None:
        """The item that it is a copy of."""
        kept = json.loads(self.copy)
        if kept is None:
            return None
        value, created, updated = kept
        return Item(
            value=value,
            key=place.key,
            namespace=place.namespace,
            created_at=datetime.fromisoformat(created),
            updated_at=datetime.fromisoformat(updated),
        )

    def to_value(self) -> dict[str, Any]:
        """As the hot store keeps it."""
        value = {HOLDER: self.operation, "era": list(self.era), "until": self.until, "state": self.state.value}
        return (
            value
            | ({"writers": dict(self.writers)} if self.writers else {})
            | ({"copy": self.copy} if self.copy else {})
        )

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Slot:
        """The slot that `to_value` wrote."""
        epoch, server = value["era"]
        state = State(value["state"])
        writers, copy = value.get("writers", {}), value.get("copy", "")
        return cls(Era(epoch, server), value["until"], state, writers, copy, value[HOLDER])


def read(item: Item | None) -> Slot | None:
    """The slot in an item of the hot store.

    Raises:
        HotError: it is something else.
    """
    try:
        return Slot.of(item.value) if item else None
    except (KeyError, TypeError, ValueError) as exc:
        raise HotError("the hot store holds something else where copies should be: give it a place of its own") from exc


def loading(era: Era, until: float) -> Slot:
    """A slot whose reader looks into the durable store."""
    return Slot(era, until, State.LOADING)


def writing(there: Slot | None, era: Era, token: str, now: float, until: float) -> Slot:
    """The slot after a writer has come."""
    writers = (there.living(now) if there else {}) | {token: until}
    return Slot(era, max(writers.values()), State.WRITING, writers)


def written(there: Slot | None, token: str, now: float) -> Slot | None:
    """The slot after a writer has gone: it is the others', or gone itself, whatever it was."""
    others = {name: until for name, until in there.living(now).items() if name != token} if there else {}
    return replace(there, writers=others, operation=token_hex(8)) if there and others else None


def holding(item: Item | None, era: Era, until: float, *, expires: bool) -> Slot:
    """A slot with a copy of what the durable store gave. What may end by itself, or is no JSON, or large, is kept apart.

    Args:
        expires: whether an item that does not say so may expire.
    """
    copy = "null"
    if item is not None:
        copy = _copied(item) if not is_mortal(item, otherwise=expires) else ""
    return Slot(era, until, State.COPY, copy=copy) if copy else Slot(era, until, State.APART)


def swap(place: Place, there: Slot | None, then: Slot | None, ttl_minutes: float | None) -> list[Op | ClaimOp]:
    """The operations that change a slot if it is still what was seen."""
    if there is None and then is None:
        return []
    holder = there.operation if there else then.operation if then else ""
    put = PutOp(*place, then.to_value() if then else None, index=False, ttl=ttl_minutes if then else None)
    return [ClaimOp(*place, {HOLDER: holder}, must_exist=there is not None), put]


def _copied(item: Item) -> str:
    """Empty for what is no JSON or too large."""
    try:
        value = to_json(item.value)
    except StoreError:
        return ""
    times = json.dumps([item.created_at.isoformat(), item.updated_at.isoformat()])
    return f"[{value},{times[1:]}" if len(value) <= LARGEST_COPY else ""
