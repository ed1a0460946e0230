"""One commit of a line: its records marked with their place, and its slot taken in the batch that writes them.

The slot's item names the operation that holds it, the thread and the keys of its records. So a re-run of the same operation
writes the same records again, and deletes those that it does not write any more. Where another operation holds the slot, nothing
is written.

A store that takes claims is asked for the slot by writing alone: every try claims it under a name of its own, and only one that
is refused reads who holds it: an earlier try of its operation, which it then goes on for, or another operation. What is read
beforehand is the slot of the head itself. Where that is gone, the user was forgotten, and with it what forks are told by: whoever
goes on from there does so on a branch of its own. Other stores are asked for the slot before it is put, which is best effort.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from langgraph.store.base import GetOp, Item, Op, PutOp

from graph_memory.errors import ConflictError
from graph_memory.graph.lineage import Head
from graph_memory.memories.followers import FOLLOWER, origin_of
from graph_memory.stores.claims import HOLDER, ClaimOp

Key = tuple[tuple[str, ...], str]

THREAD = "thread"
"""Key of a slot's value that names the thread, whose checkpoints go with its user."""

_OF_TRY = 8
"""Hexadecimal digits of what tells tries of one operation apart."""


def slot_key(line: str, head: Head) -> str:
    """Key of the slot of a line's newest commit."""
    return f"{line}|{head.branch}|{head.commit:06d}"


class ForkedError(ConflictError):
    """The slot is held by another operation, or the head's own is gone: this run has to commit on a branch of its own."""


@dataclass
class Commit:
    """What one operation writes, and where.

    Attributes:
        thread: what new records of this thread name as their root until they are marked.
        root: the thread's root in its lineage.
        line: whose writing it is.
        head: the line's head before it.
        operation: its id.
        place: namespace of the thread's slots.
        is_retold: whether some of it may be in the store under an earlier commit, which it then keeps.
        is_late: whether a worker writes it, in a place where it alone takes slots.
        part: tells what a task that was sent writes from what others of the same operation do beside it; "" when nobody does.
        is_forked: whether the slot was found to be another's, or the head's to be gone.
        is_taken: whether the slot is this operation's.
        keys: namespace and key of what was written.
    """

    thread: str
    root: str
    line: str
    head: Head
    operation: str
    place: tuple[str, ...]
    is_retold: bool = False
    is_late: bool = False
    part: str = ""
    is_forked: bool = False
    is_taken: bool = False
    keys: set[Key] = field(default_factory=set)
    _holder: str = ""
    _is_known: bool = False
    _earlier: set[Key] = field(default_factory=set)
    _outside: set[Key] = field(default_factory=set)

    def __post_init__(self) -> None:
        own = "" if self.part or self.is_late else f"/{uuid4().hex[:_OF_TRY]}"
        self._holder = f"{self.operation}{own}"

    @property
    def slot(self) -> str:
        """Key of the slot."""
        return slot_key(self.line, self.head.next())

    @property
    def listed(self) -> str:
        """Key of the item that lists what was written: the slot, or in a commit with parts an item beside it."""
        return f"{self.slot}|{self.part}" if self.part else self.slot

    def holds(self, item: Item | None) -> bool:
        """Whether an item under one of its keys is of a try of the same operation."""
        return item is not None and str(item.value.get(HOLDER)).partition("/")[0] == self.operation

    def exchange(
        self, ops: Sequence[Op], takes_claims: bool, sees: Callable[[Mapping[str, Any]], bool]
    ) -> Generator[list[Any], list[Any], list[Any]]:
        """The results of `ops`, with what has to be asked and written beside them.

        Args:
            ops: what memories ask and write.
            takes_claims: whether the store carries out `ClaimOp`.
            sees: whether a record of an origin belongs to the past.

        Raises:
            ForkedError: another operation holds the slot, or the head's own is gone; nothing of `ops` was written.
        """
        if self.is_forked:
            raise ForkedError(_HELD)
        writes = [op for op in ops if isinstance(op, PutOp) and self._is_own(op)]
        before, look = dict[Key, Item](), self._look(takes_claims)
        if writes and look:
            self._know(look, (yield look))  # nobody has read anything yet that this could have travelled with
            look = []
        if writes and self.is_retold:
            found = yield [GetOp(op.namespace, op.key, refresh_ttl=False) for op in writes]
            before = {
                (item.namespace, item.key): item for item in found if item is not None and self._keeps(item, sees)
            }
        sent = [self._marked(op, before) for op in ops]
        self.keys |= {(op.namespace, op.key) for op in writes}
        if writes:
            results = yield from self._written(sent, takes_claims)
        else:
            results = yield [*sent, *look]
            self._know(look, results[len(ops) :])
        self._note_outside(results[: len(ops)])
        return results[: len(ops)]

    def leftover(self) -> list[Op]:
        """What deletes the records of an earlier try that were not written again."""
        gone = self._earlier - self.keys
        if not gone:
            return []
        self._earlier = set()
        return [*(PutOp(where, key, None) for where, key in sorted(gone)), *self._take(takes_claims=False)]

    def on_a_branch(self) -> Commit:
        """The same, to be written on a branch of the operation's own."""
        return replace(
            self, head=self.head.forked(self.operation), is_forked=False, keys=set(), _is_known=False, _earlier=set()
        )

    def _look(self, takes_claims: bool) -> list[GetOp]:
        """What has to be read before anything is written."""
        if self._is_known:
            return []
        is_claimed = takes_claims and not self.is_late
        before = [slot_key(self.line, self.head)] if self.head.commit else []
        keys = dict.fromkeys([*(before if is_claimed else [self.slot]), *([self.listed] if self.part else [])])
        return [GetOp(self.place, key, refresh_ttl=False) for key in keys]

    def _know(self, look: Sequence[GetOp], found: Sequence[Item | None]) -> None:
        self._is_known = True
        there = {op.key: item for op, item in zip(look, found, strict=True)}
        if slot_key(self.line, self.head) in there and there[slot_key(self.line, self.head)] is None:
            raise self._forked()
        if (taken := there.get(self.slot)) is not None and not self.holds(taken):
            raise self._forked()
        self._go_on_for(there.get(self.listed))

    def _go_on_for(self, earlier: Item | None) -> None:
        """Keeps in mind what an earlier try of the same operation wrote."""
        if earlier is not None and self.holds(earlier):
            self._holder = earlier.value[HOLDER]
            self._earlier = {(tuple(where), key) for where, key in earlier.value["keys"]}

    def _written(self, sent: list[Any], takes_claims: bool) -> Generator[list[Any], list[Any], list[Any]]:
        try:
            results = yield [*sent, *self._take(takes_claims)]
        except ConflictError as exc:
            [slot] = yield [GetOp(self.place, self.slot, refresh_ttl=False)]
            if self.is_taken or not self.holds(slot):
                raise self._forked() from exc
            self._go_on_for(slot)
            results = yield from self._again(sent)
        self.is_taken = True
        return results

    def _again(self, sent: list[Any]) -> Generator[list[Any], list[Any], list[Any]]:
        try:
            return (yield [*sent, *self._take(takes_claims=True)])
        except ConflictError as exc:
            raise self._forked() from exc

    def _forked(self) -> ForkedError:
        self.is_forked = True
        return ForkedError(_HELD)

    def _take(self, takes_claims: bool) -> list[Any]:
        keys = [[list(where), key] for where, key in sorted(self.keys | self._earlier)]
        held = {HOLDER: self._holder, THREAD: self.thread, "keys": [] if self.part else keys}
        slot: Any = PutOp(self.place, self.slot, held, index=False)
        mine = PutOp(self.place, self.listed, {HOLDER: self._holder, "keys": keys}, index=False)
        return [ClaimOp(self.place, self.slot, held) if takes_claims else slot, *([mine] if self.part else [])]

    def _is_own(self, op: PutOp) -> bool:
        """Whether it puts a new record of this thread, and not one that was read and has its place, or needs none."""
        if (op.namespace, op.key) in self._outside:
            return False
        origin = (op.value or {}).get("origin")
        return isinstance(origin, Mapping) and self._is_placeless(origin)

    def _is_placeless(self, origin: Mapping[str, Any]) -> bool:
        return origin.get("root") == self.thread and origin.get("branch") is None

    def _note_outside(self, results: Sequence[Any]) -> None:
        """Keeps in mind which records that were read are outside of lineage: put back, they stay there."""
        items = (item for result in results for item in (result if isinstance(result, list) else [result]))
        for item in items:
            if isinstance(item, Item) and self._is_placeless(origin_of(item) or {}):
                self._outside.add((item.namespace, item.key))

    def _marked(self, op: Op, before: Mapping[Key, Item]) -> Op:
        if not isinstance(op, PutOp) or op.value is None:
            return op
        value = dict(op.value)
        if self._is_own(op):
            value["origin"] = {**value["origin"], **self._origin(before.get((op.namespace, op.key)))}
        follower = value.get(FOLLOWER)
        if isinstance(follower, Mapping) and follower.get("root") == self.thread and follower.get("branch") is None:
            value[FOLLOWER] = {**follower, **self._origin(None)}
        return op._replace(value=value)

    def _origin(self, before: Item | None) -> dict[str, Any]:
        """The place of a record; one that belongs to the past stays there."""
        if before is not None:
            return {name: before.value["origin"][name] for name in ("root", "line", "branch", "commit")}
        return {"root": self.root, "line": self.line, "branch": self.head.branch, "commit": self.head.commit + 1}

    def _keeps(self, item: Item, sees: Callable[[Mapping[str, Any]], bool]) -> bool:
        """Whether a record belongs to the past of this thread already."""
        origin = item.value.get("origin") or {}
        return origin.get("root") == self.root and origin.get("branch") is not None and sees(origin)


_HELD = "the commit's slot is held by another operation, or the one before it is gone"
