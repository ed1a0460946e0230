"""The index of a namespace in the process, brought up to date from Redis before each ranked search, and the ranking over it.

What changes is appended; what was replaced or removed is left in place and skipped, until it is half of everything and the
index is read anew. Least recently used namespaces go first when the memory allowed is full.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph_memory.context.fusion import FusionWeights, Ranking, bm25, fuse
from graph_memory.stores._embedding import Vector, size_mismatch
from graph_memory.stores._ops import Namespace
from graph_memory.stores._redis_rows import read_row
from graph_memory.stores._vectors import cosines, spread
from graph_memory.stores.hits import Statistics

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
        living = np.frombuffer(self.alive, np.bool_)[positions]
        return positions[living], counts[living]

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
        if self._spread is None or self._spread[0] != (self.since, self.removed):
            living = np.frombuffer(self.alive, np.bool_)[np.array(self.owners, np.int64)]
            vectors = self.vectors[: len(self.owners)]
            found = spread(vectors if living.all() else vectors[living])
            self._spread = (self.since, self.removed), found
        return self._spread[1]

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


class Candidate(NamedTuple):
    """One item that a search found."""

    namespace: Namespace
    key: str
    score: float | None
    parts: dict[str, float]


class Ranked(NamedTuple):
    """All that a search found, best first; and what is known of everything searched.

    Attributes:
        starts: where the positions of each index begin when all of them are counted through.
        found: positions of the candidates.
        order: the candidates, best first.
    """

    indexes: Sequence[Index]
    starts: Positions
    found: Positions
    order: Positions
    ranking: Ranking
    statistics: Statistics

    def candidates(self, first: int, last: int) -> list[Candidate]:
        """A part of the candidates, best first."""
        some = self.order[first:last]
        spaces = np.searchsorted(self.starts, self.found[some], side="right") - 1
        positions = (self.found[some] - self.starts[spaces]).tolist()
        indexes = [self.indexes[space] for space in spaces.tolist()]
        found = zip(indexes, positions, self.ranking.relevance[some].tolist(), self.ranking.parts_of(some), strict=True)
        return [Candidate(index.namespace, index.keys[at], score, parts) for index, at, score, parts in found]


def ranked(
    indexes: Sequence[Index], terms: Iterable[str], vector: Vector | None, weights: FusionWeights, where: str
) -> Ranked:
    """Everything that the words or the meaning find, best first. Equal relevance: last updated first.

    Raises:
        ConfigurationError: the vector has another size than the stored ones.
    """
    starts = np.cumsum([0, *(len(index.keys) for index in indexes)])[: len(indexes)].astype(np.int64)
    alive = np.concatenate([np.empty(0, np.bool_), *(np.frombuffer(bytes(index.alive), np.bool_) for index in indexes)])
    words, frequencies = _words(indexes, starts, alive, terms)
    candidates = words > 0
    meaning, between = None, None
    if vector is not None:
        meaning = np.concatenate([np.empty(0), *(index.meanings(vector, where) for index in indexes)])
        candidates |= ~np.isnan(meaning)
        between = max(indexes, key=lambda index: len(index.owners)).spread() if indexes else None
    found = np.flatnonzero(candidates & alive).astype(np.int64)
    ranking = fuse(words=words[found], meaning=None if meaning is None else meaning[found], weights=weights)
    updated = np.concatenate([np.empty(0, np.int64), *(np.array(index.updated, np.int64) for index in indexes)])
    order: Positions = np.lexsort((-updated[found], -ranking.relevance))
    return Ranked(indexes, starts, found, order, ranking, Statistics(int(alive.sum()), frequencies, between))


def _words(
    indexes: Sequence[Index], starts: Positions, alive: NDArray[np.bool_], terms: Iterable[str]
) -> tuple[NDArray[np.float64], dict[str, int]]:
    """BM25 of every position, and in how many items each term stands."""
    lengths = np.concatenate([np.empty(0), *(np.array(index.lengths, np.float64) for index in indexes)])
    documents = int(alive.sum())
    average = float(lengths[alive].sum()) / max(documents, 1)
    scores, frequencies = np.zeros(len(alive)), {}
    for term in terms:
        found = [index.postings_of(term) for index in indexes]
        at = np.concatenate(
            [np.empty(0, np.int64), *(some + start for (some, _), start in zip(found, starts, strict=True))]
        )
        counts = np.concatenate([np.empty(0), *(some for _, some in found)])
        frequencies[term] = int((counts >= 1).sum())  # below one: in a neighbour's words only
        scores[at] += bm25(counts, lengths[at], documents=documents, average_length=average)
    return scores, frequencies
