"""How a worker takes in what waits in a lane: leased, in order, written together with the entry's removal.

What a memory writes is held back until it reads again or is done, so that a memory that writes once has its records appear in the
batch that removes the entry: killed before, nothing was written; after, nothing is left to do. One that reads what it wrote is
told again after a crash, and writes the same records under the same ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from langgraph.store.base import GetOp, PutOp

from graph_memory.errors import GraphMemoryError, StoreError
from graph_memory.graph.batches import Batch
from graph_memory.graph.commits import Commit
from graph_memory.graph.leases import Lease
from graph_memory.graph.outbox import Entry
from graph_memory.graph.pointers import DEAD, WAITING, Pointer, pointers_of
from graph_memory.memories.listing import listed
from graph_memory.steps import Steps, StoreOps

_LONGEST_WAIT = 10
"""An exchange that never rests is processed after so many times `debounce_seconds`."""


@dataclass(frozen=True, slots=True)
class Lane:
    """What waits of one memory and one thread, as its pointers say, the oldest first."""

    where: tuple[str, ...]
    pointers: tuple[Pointer, ...]

    @property
    def memory(self) -> str:
        """The memory's name."""
        return self.pointers[0].memory

    @property
    def node(self) -> str:
        """The LLM node that the memory belongs to."""
        return self.pointers[0].node

    def ready_at(self, debounce_seconds: float) -> datetime:
        """When its first entry may be processed."""
        rest = timedelta(seconds=debounce_seconds)
        rested = min(self.pointers[-1].posted_at + rest, self.pointers[0].posted_at + _LONGEST_WAIT * rest)
        return max(rested, self.pointers[0].not_before or rested)


def lanes() -> Steps[list[Lane]]:
    """Everything that waits, by lane; the lane whose first entry waits longest comes first."""
    found: dict[tuple[str, ...], list[Pointer]] = {}
    for pointer in pointers_of((yield from listed(WAITING))):
        found.setdefault(pointer.where, []).append(pointer)
    return [Lane(where, tuple(some)) for where, some in found.items()]


def opened(lane: Lane, lease: Lease) -> Steps[list[Entry]]:
    """The entries of a lane that wait, the oldest first, once it is leased; none when somebody else works on it."""
    if not (yield from lease.take()):
        return []
    entries = yield StoreOps([GetOp(pointer.where, pointer.id, refresh_ttl=False) for pointer in lane.pointers])
    marks = yield StoreOps([pointer.get(WAITING) for pointer in lane.pointers])
    found = list(zip(lane.pointers, entries, marks, strict=True))
    if lost := [pointer for pointer, entry, mark in found if entry is None and mark is not None]:
        yield from _unpointed(lost)
    waiting = list[Entry]()
    for pointer, entry, mark in found:
        if entry is not None and mark is not None:
            waiting += yield from _read(pointer, entry.value)
    if not waiting:
        yield from lease.release()
    return waiting


def _read(pointer: Pointer, value: Mapping[str, Any]) -> Steps[list[Entry]]:
    """The entry; none, and a dead letter, when nobody can read it or it is not of the user in whose place it lies."""
    try:
        entry = Entry.of(value)
        if entry.key != pointer.key:
            raise StoreError("a turn in the outbox is not of the user in whose place it lies")
        return [entry]
    except StoreError as exc:
        yield StoreOps([replace(pointer, reason=str(exc)).put(DEAD), pointer.delete(WAITING)])
        return []


def taken_in(batch: Batch, body: Steps[Any], lease: Lease, commit: Commit | None) -> Steps[None]:
    """What a memory does with a batch, and the removal of its entries.

    Raises:
        ConflictError: the lane was lost or forgotten meanwhile; nothing more was written.
        GraphMemoryError: the memory failed.
    """
    held = yield from _held_back(body, lambda ops: lease.written(batch.placed(ops)))
    puts = batch.placed(held)
    stale = (yield from _stale(commit, puts)) if commit else []
    gone = [op for entry in batch.entries for op in entry.deletes()]
    yield from lease.written([*puts, *stale, *gone])
    if stale and commit:
        yield from lease.written(commit.leftover())


def put_off(
    batch: Batch, lease: Lease, reason: str, *, attempts: int, wait_seconds: Callable[[int], float], now: datetime
) -> Steps[int]:
    """Keeps a batch that failed for later, or makes dead letters of what failed too often; returns how many it made."""
    ops, dead = list[PutOp](), 0
    for entry in batch.entries:
        later = entry.failed(reason, now + timedelta(seconds=wait_seconds(entry.attempts)))
        is_dead = later.attempts >= attempts
        ops += later.buries() if is_dead else later.puts()
        dead += is_dead
    yield from lease.written(ops)
    return dead


def _stale(commit: Commit, puts: Sequence[Any]) -> Steps[list[PutOp]]:
    """What deletes the records of an earlier try that are not written again.

    A memory that writes nothing knows by itself that it has taken the turn in: its records stay.
    """
    written = commit.keys | {(op.namespace, op.key) for op in puts}
    [listed] = yield StoreOps([GetOp(commit.place, commit.listed, refresh_ttl=False)])
    if listed is None or not written or not commit.holds(listed):
        return []
    earlier = {(tuple(where), key) for where, key in listed.value["keys"]}
    own = {(where, key) for where, key in earlier if where[:2] == commit.place[:2]}
    return [PutOp(where, key, None) for where, key in sorted(own - written)]


def _held_back(body: Steps[Any], write: Callable[[Sequence[Any]], Steps[list[Any]]]) -> Steps[list[Any]]:
    """Drives a memory's body; what it writes last is returned instead of written."""
    held: list[Any] = []
    try:
        request = next(body)
        while True:
            if isinstance(request, StoreOps) and _only_writes(request.ops):
                held += request.ops
                request = body.send([None] * len(request.ops))
                continue
            try:
                if isinstance(request, StoreOps):
                    writing, held = [*held], []
                    if writing:
                        yield from write(writing)
                    answer = yield from _mixed(request, write)
                else:
                    answer = yield request
            except GraphMemoryError as exc:
                request = body.throw(exc)
            else:
                request = body.send(answer)
    except StopIteration:
        return held
    finally:
        body.close()


def _mixed(request: StoreOps, write: Callable[[Sequence[Any]], Steps[list[Any]]]) -> Steps[list[Any]]:
    if any(isinstance(op, PutOp) for op in request.ops):
        return (yield from write(request.ops))
    answer: list[Any] = yield request
    return answer


def _only_writes(ops: Iterable[Any]) -> bool:
    return all(isinstance(op, PutOp) for op in ops)


def _unpointed(lost: Sequence[Pointer]) -> Steps[None]:
    """Deletes pointers to what is not there; one whose entry was posted again just now is put back."""
    yield StoreOps([pointer.delete(WAITING) for pointer in lost])
    items = yield StoreOps([GetOp(pointer.where, pointer.id, refresh_ttl=False) for pointer in lost])
    back = [pointer for pointer, item in zip(lost, items, strict=True) if item is not None]
    if back:
        yield StoreOps([pointer.put(WAITING) for pointer in back])
