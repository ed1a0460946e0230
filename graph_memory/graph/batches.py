"""Which entries of a lane a memory is told at once, and under which commit each of their records goes. Pure.

The turns of a quick exchange that follow one another on one branch are told as one, so that a model is asked once. A record that
says by its origin which message it was made of is placed at that message's own commit; any other at the last one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from langgraph.store.base import PutOp

from graph_memory.graph.commits import Commit
from graph_memory.graph.outbox import Entry
from graph_memory.graph.positions import Position
from graph_memory.graph.view import LineageView
from graph_memory.types import Turn

_MOST = 16
"""Turns that are told at once at most."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries that a memory is told at once, the oldest first."""

    entries: tuple[Entry, ...]

    @classmethod
    def first(cls, entries: Sequence[Entry], *, joins: bool) -> Batch:
        """The first entry of a lane, with those after it that can be told together with it, if any are to be."""
        chosen = list(entries[:1])
        for one, other in pairwise(entries[:_MOST]):
            if not joins or not _follows(one, other):
                break
            chosen.append(other)
        return cls(tuple(chosen))

    @property
    def last(self) -> Entry:
        """The newest."""
        return self.entries[-1]

    @property
    def turn(self) -> Turn:
        """What the memory is told."""
        first, messages = self.entries[0].turn, dict[str, Any]()
        for entry in self.entries:
            messages |= {message.id or "": message for message in entry.turn.messages}
        if len(self.entries) == 1:
            return first
        last = self.last.turn
        return replace(
            first,
            messages=tuple(messages.values()),
            now=last.now,
            turn_id=last.turn_id,
            share_tokens=last.share_tokens,
            shown=tuple(line for entry in self.entries for line in entry.turn.shown),
        )

    def view(self, store: Any) -> tuple[Any, Commit | None]:
        """What the memory uses as its store, and the commit that marks what it writes."""
        position, commit = self.last.position, self.last.commit()
        if position is None or commit is None:
            return store, None
        commit.is_retold = any(one.position is not None and one.position.is_retold for one in self.entries)
        return LineageView(store, position.lineage, commit), commit

    def placed(self, ops: Iterable[Any]) -> list[Any]:
        """The operations, with the place of records that belong to an earlier entry than the last."""
        owners = self._owners()
        return [_placed(op, owners) if isinstance(op, PutOp) else op for op in ops]

    def _owners(self) -> dict[str, Entry]:
        """Id of a message to the entry that brought it, for all but the last entry."""
        owners: dict[str, Entry] = {}
        for entry in self.entries[:-1]:
            for message in entry.turn.messages[entry.turn.told :]:
                owners.setdefault(message.id or "", entry)
        return owners


def _follows(one: Entry, other: Entry) -> bool:
    """Whether `other` goes on where `one` ended: the next commit of its branch, and the next words of its thread."""
    if one.attempts or other.attempts or other.turn.scope != one.turn.scope:
        return False
    heard = {message.id for message in one.turn.messages}
    told = {message.id for message in other.turn.messages[: other.turn.told]}
    before = other.turn.previous.id if other.turn.previous else None
    goes_on = told <= heard if told else before == one.turn.messages[-1].id
    return goes_on and _is_next(one.position, other.position)


def _is_next(one: Position | None, other: Position | None) -> bool:
    if one is None or other is None:
        return one is other
    if one.part or other.part:
        return False
    return (other.root, other.line, other.head) == (one.root, one.line, one.head.next())


def _placed(op: PutOp, owners: Mapping[str, Entry]) -> PutOp:
    origin = (op.value or {}).get("origin")
    if not isinstance(origin, Mapping) or origin.get("branch") is not None:
        return op
    owner = owners.get(str(origin.get("turn_id")))
    if owner is None or owner.position is None or origin.get("root") != owner.turn.root:
        return op
    return op._replace(value={**(op.value or {}), "origin": {**origin, **owner.position.origin}})
