"""One commit of a line: its records marked with their place, and its slot taken in the batch that writes them.

The slot's item names the operation that holds it and the keys of its records, so that a re-run of the same operation writes the
same records again and deletes those that it does not write any more. Where another operation holds the slot, nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from langgraph.store.base import GetOp, Item, Op, PutOp

from graph_memory.errors import ConflictError
from graph_memory.graph.lineage import Head
from graph_memory.memories.followers import FOLLOWER, origin_of
from graph_memory.stores.claims import HOLDER, ClaimOp

Key = tuple[tuple[str, ...], str]


def slot_key(line: str, head: Head) -> str:
    """Key of the slot of a line's newest commit."""
    return f"{line}|{head.branch}|{head.commit:06d}"


class ForkedError(ConflictError):
    """The slot is held by another operation: this run is a fork, and has to commit on a branch of its own."""


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
        is_joint: whether others of the same operation may write beside it (tasks sent by `Send`): then nothing of theirs is
            deleted.
        part: tells what a joint commit writes from what the others do; without it nothing is deleted.
        is_forked: whether the slot was found to be another's.
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
    is_joint: bool = False
    part: str = ""
    is_forked: bool = False
    is_taken: bool = False
    keys: set[Key] = field(default_factory=set)
    _is_known: bool = False
    _earlier: set[Key] = field(default_factory=set)
    _outside: set[Key] = field(default_factory=set)

    @property
    def slot(self) -> str:
        """Key of the slot."""
        return slot_key(self.line, self.head.next())

    def exchange(
        self, ops: Sequence[Op], takes_claims: bool, sees: Callable[[Mapping[str, Any]], bool]
    ) -> Generator[list[Any], list[Any], list[Any]]:
        """The results of `ops`, with what has to be asked and written beside them.

        Args:
            ops: what memories ask and write.
            takes_claims: whether the store carries out `ClaimOp`.
            sees: whether a record of an origin belongs to the past.

        Raises:
            ForkedError: another operation holds the slot; nothing of `ops` was written.
        """
        if self.is_forked:
            raise ForkedError(_HELD)
        writes = [op for op in ops if isinstance(op, PutOp) and self._is_own(op)]
        before = dict[Key, Item]()
        if writes and not self._is_known:
            self._know((yield self._look()))  # nobody has read anything yet that this could have travelled with
        if writes and self.is_retold:
            found = yield [GetOp(op.namespace, op.key, refresh_ttl=False) for op in writes]
            before = {
                (item.namespace, item.key): item for item in found if item is not None and self._keeps(item, sees)
            }
        sent = [self._marked(op, before) for op in ops]
        beside: list[Any] = [] if self._is_known else self._look()
        if writes:
            self.keys |= {(op.namespace, op.key) for op in writes}
            beside += self._take(takes_claims)
        try:
            results = yield [*sent, *beside]
        except ConflictError as exc:
            self.is_forked = True
            raise ForkedError(_HELD) from exc
        self.is_taken = self.is_taken or bool(writes)
        if not self._is_known:
            self._know(results[len(ops) :])
        self._note_outside(results[: len(ops)])
        return results[: len(ops)]

    def leftover(self) -> list[Op]:
        """What deletes the records of an earlier try that were not written again."""
        gone = set() if self.is_joint and not self.part else self._earlier - self.keys
        if not gone:
            return []
        self._earlier = set()
        return [*(PutOp(where, key, None) for where, key in sorted(gone)), *self._take(takes_claims=False)]

    def on_a_branch(self) -> Commit:
        """The same, to be written on a branch of the operation's own."""
        return replace(
            self, head=self.head.forked(self.operation), is_forked=False, keys=set(), _is_known=False, _earlier=set()
        )

    @property
    def _slots(self) -> list[str]:
        """Keys of the slot and, in a joint commit, of the list of what this part of it wrote."""
        return [self.slot, f"{self.slot}|{self.part}"] if self.part else [self.slot]

    def _look(self) -> list[Any]:
        return [GetOp(self.place, key, refresh_ttl=False) for key in self._slots]

    def _know(self, slots: Sequence[Item | None]) -> None:
        self._is_known = True
        if any(slot is not None and slot.value.get(HOLDER) != self.operation for slot in slots[:1]):
            self.is_forked = True
            raise ForkedError(_HELD)
        mine = slots[len(self._slots) - 1]
        if mine is not None and mine.value.get(HOLDER) == self.operation:
            self._earlier = {(tuple(where), key) for where, key in mine.value["keys"]}

    def _take(self, takes_claims: bool) -> list[Any]:
        keys = [[list(where), key] for where, key in sorted(self.keys | self._earlier)]
        held, mine = {HOLDER: self.operation, "keys": [] if self.part else keys}, self._slots[1:]
        slot: Any = PutOp(self.place, self.slot, held, index=False)
        return [
            ClaimOp(self.place, self.slot, held) if takes_claims else slot,
            *(PutOp(self.place, key, {HOLDER: self.operation, "keys": keys}, index=False) for key in mine),
        ]

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


_HELD = "the commit's slot is held by another operation"
