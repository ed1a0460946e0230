"""The index of a namespace in the process, brought up to date from Redis before each ranked search.

What changes is appended; what was replaced or removed is left in place and skipped, until it is half of everything and the
index is read anew. Least recently used namespaces go first when the memory allowed is full.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph_memory.stores._embedding import Vector, size_mismatch
from graph_memory.stores._ops import Namespace
from graph_memory.stores._redis_rows import read_row
from graph_memory.stores._vectors import cosines, spread

Positions = NDArray[np.int64]
_POSTING = 16  # bytes
_ITEM = 400  # bytes of an item's key, times and words beside its postings, about
_ROOM = 64  # rows


class Changes(NamedTuple):
    """What the script CHANGES returns: the rows of keys that changed after `since`, oldest first, and what was removed."""

    born: bytes
    last: int
    removed: int
    total: int
    since: int
    keys: list[tuple[str, int]]
    rows: list[bytes | None]
    live: frozenset[str] | None

    @classmethod
    def of(cls, reply: Sequence[Any]) -> Changes | None:
        """As Redis sends it; None when the namespace is empty."""
        if not reply:
            return None
        born, last, removed, count, since, found, rows, outdated, live = reply
        keys = [(key.decode(), -int(float(score))) for key, score in zip(found[::2], found[1::2], strict=True)]
        gone = frozenset(key.decode() for key in live) if int(outdated) else None
        return cls(born, int(last), int(removed), int(count), int(since), keys, rows, gone)


class Living(NamedTuple):
    """What a ranking needs of an index in one state, by position.

    Attributes:
        alive: whether an item is there still.
        updated: when, in microseconds.
        lengths: in words, of what is gone too.
        documents: how many are alive.
        words: length of all of them.
    """

    alive: NDArray[np.bool_]
    updated: Positions
    lengths: NDArray[np.float64]
    documents: int
    words: float


@dataclass(slots=True)
class Index:
    """A namespace's index rows as of `since`. Positions are never reused."""

    namespace: Namespace
    born: bytes = b""
    since: int = 0
    removed: int = 0
    keys: list[str] = field(default_factory=list)
    position: dict[str, int] = field(default_factory=dict)
    updated: array[int] = field(default_factory=lambda: array("q"))
    lengths: array[float] = field(default_factory=lambda: array("d"))
    alive: bytearray = field(default_factory=bytearray)
    postings: dict[str, tuple[array[int], array[float]]] = field(default_factory=dict)
    owners: array[int] = field(default_factory=lambda: array("q"))
    vectors: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), "<f4"))
    entries: int = 0
    _living: tuple[tuple[int, int], Living] | None = None
    _spread: tuple[tuple[int, int], tuple[float, float] | None] | None = None

    @property
    def size(self) -> int:
        """Bytes, about."""
        return self.vectors.nbytes + _POSTING * self.entries + _ITEM * len(self.keys)

    @property
    def is_worn(self) -> bool:
        """Whether most of it is left over from items that were replaced or removed."""
        return len(self.keys) > _ROOM and len(self.keys) > 2 * len(self.position)

    def apply(self, changes: Changes, is_last: bool) -> None:
        """Takes in a part of the changes. Several threads may bring theirs in any order: what is known already is skipped, and so
        is what would leave a gap."""
        if changes.live is not None and changes.removed > self.removed:
            for key in [key for key, at in self.position.items() if self.updated[at] <= changes.last]:
                if key not in changes.live:
                    self._drop(key)
            self.removed = changes.removed
        until = changes.last if is_last else changes.keys[-1][1]
        if not changes.since <= self.since < until:
            return
        for (key, updated), row in zip(changes.keys, changes.rows, strict=True):
            if updated > self.since:
                self._drop(key)
                if row:
                    self._add(key, updated, row)
        self.since = until

    def postings_of(self, term: str) -> tuple[Positions, NDArray[np.float64]]:
        """Positions of the items that hold a term, and how often it counts there."""
        found = self.postings.get(term)
        if found is None:
            return np.empty(0, np.int64), np.empty(0)
        positions, counts = np.array(found[0], np.int64), np.array(found[1], np.float64)
        if len(self.keys) == len(self.position):
            return positions, counts
        living = self.living().alive[positions]
        return positions[living], counts[living]

    def living(self) -> Living:
        """The items as arrays; made once for each state of the index."""
        if self._living is None or self._living[0] != self._state:
            alive = np.frombuffer(bytes(self.alive), np.bool_)
            updated, lengths = np.array(self.updated, np.int64), np.array(self.lengths, np.float64)
            self._living = self._state, Living(alive, updated, lengths, len(self.position), float(lengths[alive].sum()))
        return self._living[1]

    def meanings(self, vector: Vector, where: str) -> NDArray[np.float64]:
        """The cosine of every item with a vector, that of its closest text; NaN where it has none."""
        best = np.full(len(self.keys), np.nan)
        if len(self.owners):
            if self.vectors.shape[1] != len(vector):
                raise size_mismatch(len(vector), self.vectors.shape[1], where)
            owners, found = np.array(self.owners, np.int64), cosines(self.vectors[: len(self.owners)], vector)
            firsts = np.flatnonzero(np.r_[True, owners[1:] != owners[:-1]])  # an item's vectors are beside each other
            best[owners[firsts]] = np.maximum.reduceat(found, firsts)
        return best

    def spread(self) -> tuple[float, float] | None:
        """Mean and deviation of the cosine of two random texts; reckoned once for each state of the index."""
        if self._spread is None or self._spread[0] != self._state:
            living = self.living().alive[np.array(self.owners, np.int64)]
            vectors = self.vectors[: len(self.owners)]
            found = spread(vectors if living.all() else vectors[living])
            self._spread = self._state, found
        return self._spread[1]

    @property
    def _state(self) -> tuple[int, int]:
        return self.since, self.removed

    def _drop(self, key: str) -> None:
        at = self.position.pop(key, None)
        if at is not None:
            self.alive[at] = 0

    def _add(self, key: str, updated: int, data: bytes) -> None:
        row, at = read_row(data), len(self.keys)
        self.keys.append(key)
        self.position[key] = at
        self.updated.append(updated)
        self.lengths.append(sum(row.words.values()))
        self.alive.append(1)
        for term, count in row.words.items():
            positions, counts = self.postings.setdefault(term, (array("q"), array("d")))
            positions.append(at)
            counts.append(count)
        self.entries += len(row.words)
        if len(row.vectors):
            self._add_vectors(at, row.vectors)

    def _add_vectors(self, at: int, rows: Vector) -> None:
        used, needed = len(self.owners), len(self.owners) + len(rows)
        if needed > len(self.vectors):
            room = np.empty((max(2 * needed, _ROOM), rows.shape[1]), "<f4")
            room[:used] = self.vectors[:used] if used else 0
            self.vectors = room
        self.vectors[used:needed] = rows
        self.owners.extend([at] * len(rows))


class IndexCache:
    """Bounded, thread-safe cache of indexes.

    Args:
        most_bytes: what all of them together may take; the newest is kept even when it is larger.
    """

    def __init__(self, most_bytes: int) -> None:
        self.lock = threading.Lock()
        self._most = most_bytes
        self._known: OrderedDict[Namespace, Index] = OrderedDict()

    def find(self, namespace: Namespace) -> Index:
        """The index as far as it is known, empty at first."""
        with self.lock:
            index = self._known.get(namespace)
            if index is None or index.is_worn:
                index = self._known[namespace] = Index(namespace)
            self._known.move_to_end(namespace)
            return index

    def take(self, index: Index, changes: Changes | None, is_last: bool) -> Index:
        """The index with changes taken in; another one when the namespace was emptied in between."""
        with self.lock:
            if changes is None or changes.born != index.born:
                index = Index(
                    index.namespace, changes.born if changes else b"", removed=changes.removed if changes else 0
                )
                self._known[index.namespace] = index
            if changes is not None:
                index.apply(changes, is_last)
            self._trim()
            return index

    def _trim(self) -> None:
        total = sum(index.size for index in self._known.values())
        while total > self._most and len(self._known) > 1:
            _, dropped = self._known.popitem(last=False)
            total -= dropped.size
