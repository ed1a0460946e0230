"""Facts: memos that somebody asked to be saved, beside what was said, in the namespace of a vector memory.

A fact that a thread replaces or forgets stays, because a fork of that thread still knows it. What ends it is a mark beside it, a
record with an origin of its own: whoever sees the mark does not see the fact. What was saved outside of any thread's lineage, and
is ended there, is changed in place.
"""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from langgraph.store.base import GetOp, Item, PutOp, SearchOp

from graph_memory.extract.importance import importance
from graph_memory.memories.followers import kind_of
from graph_memory.memories.listing import PAGE, listed
from graph_memory.memories.participants import Participants, place
from graph_memory.memories.records import memos_in, stored
from graph_memory.namespaces import label, name_of, namespace
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Memo, Origin, Scope

KIND = "fact"
"""Kind of the memos that are facts."""

Place = tuple[tuple[str, ...], str]
"""Namespace and key of a memo."""

_ID_CHARACTERS = 10
_DEPTH = 4
"""Labels of the namespace of a memory's own memos."""

_MARKS = 20
_REPLACED = 50
"""How often in a row a fact may have been replaced for its oldest id to be followed."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one vector memory in one scope.

    Attributes:
        scope: whose they are.
        memory: its name.
        tier: of new facts.
        metadata: of new facts, such as what the memory's own filter asks for.
        ttl_minutes: how long a fact is kept; None keeps it.
    """

    scope: Scope
    memory: str
    tier: str = "long_term"
    metadata: Mapping[str, Any] | None = None
    ttl_minutes: float | None = None

    @property
    def where(self) -> tuple[str, ...]:
        """Their namespace.

        Raises:
            ConfigurationError: the scope names neither a user nor a thread.
        """
        return namespace(self.scope, self.memory)

    def save(self, text: str, stem: str, origin: Origin, now: datetime) -> Steps[Memo]:
        """Keeps a new fact; the same stem writes the same one again."""
        memo = self.made(text, stem, origin, now)
        yield from self._put(memo)
        return memo

    def made(self, text: str, stem: str, origin: Origin, now: datetime) -> Memo:
        """The memo of a fact, which nothing has written yet."""
        return Memo(
            id=_fact_id(stem),
            text=text,
            origin=replace(origin, memory=self.memory),
            said_at=now,
            kind=KIND,
            metadata=dict(self.metadata or {}),
            importance=importance(text),
            tier=self.tier,
        )

    def puts(self, memos: Sequence[Memo], known: Participants) -> list[PutOp]:
        """Operations that keep facts; first, that somebody spoke of their years, which questions are read by."""
        about, key = place(self.scope, self.memory)
        now = known.with_memos(memos)
        puts = [PutOp(about, key, now.to_value(), index=False)] if now != known else []
        return [
            *puts,
            *(PutOp(self.where, m.id, stored(m, now.speakers), index=["search"], ttl=self.ttl_minutes) for m in memos),
        ]

    def current(self, key: str) -> Steps[Memo | None]:
        """The fact of that id, or what replaced it; None when there is none or it is over."""
        for _ in range(_REPLACED):
            item, marks = yield StoreOps([GetOp(self.where, key, refresh_ttl=False), _search(self.where, key, _MARKS)])
            ends = sorted(_ends(marks, (self.where, key)), key=lambda mark: (mark["said_at"], mark["by"]))
            if not ends:
                found = [memo for _, memo in memos_in([item] if item is not None else []) if memo.kind == KIND]
                return found[0] if found else None
            if not (key := ends[-1]["by"]):
                return None
        return None

    def replace(self, memo: Memo, text: str, stem: str, origin: Origin, now: datetime) -> Steps[Memo]:
        """Lets a fact say something else from now on."""
        if _is_outside(memo, origin):
            changed = replace(memo, text=text, said_at=now, importance=importance(text))
            yield from self._put(changed)
            return changed
        made = replace(memo, id=_fact_id(stem), text=text, said_at=now, importance=importance(text))
        made = replace(made, origin=replace(origin, memory=self.memory), access_count=0, last_accessed_at=None)
        yield from self._put(made, self._mark(memo, made.id, stem, origin, now))
        return made

    def forget(self, memo: Memo, stem: str, origin: Origin, now: datetime) -> Steps[None]:
        """Lets a fact not be known any more."""
        if _is_outside(memo, origin):
            yield StoreOps([PutOp(self.where, memo.id, None)])
        else:
            yield StoreOps([self._mark(memo, "", stem, origin, now)])

    def every(self) -> Steps[list[Memo]]:
        """All facts that hold, the newest first. It lists everything."""
        items = yield from listed(self.where, {"kind": KIND})
        ended = yield from ended_of(self.where)
        memos = [memo for item, memo in memos_in(items) if item.namespace == self.where and memo.id not in ended]
        return sorted(memos, key=lambda memo: (-memo.said_at.timestamp(), memo.id))

    def _put(self, memo: Memo, *beside: PutOp) -> Steps[None]:
        about, key = place(self.scope, self.memory)
        [item] = yield StoreOps([GetOp(about, key, refresh_ttl=False)])
        yield StoreOps([*self.puts([memo], Participants.of(item)), *beside])

    def _mark(self, memo: Memo, by: str, stem: str, origin: Origin, now: datetime) -> PutOp:
        place = asdict(replace(origin, memory=self.memory))
        value: dict[str, Any] = {"over": memo.id, "by": by, "said_at": now.isoformat(), "origin": place}
        return PutOp(_marks_of(self.where, memo.id), _fact_id(f"{stem}/over"), value, index=False)


def ended_in(items: Iterable[Item]) -> Steps[Collection[Place]]:
    """The facts among the items that are over; asks the store only when there are facts, and once unless many are over."""
    facts = dict.fromkeys((item.namespace, item.key) for item in items if _is_fact(item))
    if not facts:
        return ()
    spaces = list(dict.fromkeys(where for where, _ in facts))
    pages = yield StoreOps([SearchOp(_marks_beside(where), limit=PAGE, refresh_ttl=False) for where in spaces])
    many = {where for where, page in zip(spaces, pages, strict=True) if len(page) == PAGE}
    asked = [fact for fact in facts if fact[0] in many]
    if asked:
        pages = [*pages, *(yield StoreOps([_search(where, key, 1) for where, key in asked]))]
    marked = {mark.namespace for page in pages for mark in page}
    return {fact for fact in facts if _marks_of(*fact) in marked} if marked else ()


def ended_of(where: tuple[str, ...]) -> Steps[Collection[str]]:
    """Ids of all facts in a namespace that are over."""
    marks = yield from listed(_marks_beside(where))
    return {name_of(mark.namespace[-1]) for mark in marks}


def _is_fact(item: Item) -> bool:
    return len(item.namespace) == _DEPTH and kind_of(item) == KIND


def _is_outside(memo: Memo, origin: Origin) -> bool:
    """Whether neither the fact nor whoever ends it belongs to a thread's lineage."""
    return memo.origin.branch is None and not origin.root


def _ends(marks: Iterable[Item], fact: Place) -> list[Mapping[str, Any]]:
    return [mark.value for mark in marks if mark.namespace == _marks_of(*fact)]


def _search(where: tuple[str, ...], key: str, limit: int) -> SearchOp:
    return SearchOp(_marks_of(where, key), limit=limit, refresh_ttl=False)


def _marks_beside(where: tuple[str, ...]) -> tuple[str, ...]:
    return (*where[:-1], label("memory", f"{name_of(where[-1])}/over"))


def _marks_of(where: tuple[str, ...], key: str) -> tuple[str, ...]:
    return (*_marks_beside(where), label("memo", key))


def _fact_id(stem: str) -> str:
    """Short, because a model has to read and repeat it: 50 bits, which a user's facts share with nobody else's."""
    raw = hashlib.blake2b(stem.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return b32encode(raw).decode().lower()[:_ID_CHARACTERS]
