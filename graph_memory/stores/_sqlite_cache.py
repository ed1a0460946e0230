"""Index rows as arrays, kept in the process between searches: vectors by namespace, postings by namespace and term.

A cached list is checked against its namespace's version on every use, read in the same transaction, so writes of other
processes are seen. Added rows are appended; after a removal the rows of items that are gone are taken out. Least recently used
lists go first when the memory allowed is full.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph_memory.stores._ops import Namespace
from graph_memory.stores._sqlite_schema import ITEM_BITS
from graph_memory.stores._vectors import spread

Ids = NDArray[np.int64]
Rows = NDArray[Any]
_Key = tuple[int, str | None]  # namespace and term; None for the vectors
_OVERHEAD = 500  # bytes of an empty entry


class Space(NamedTuple):
    """A namespace's row: its counters as of the running transaction."""

    id: int
    namespace: Namespace
    last_item: int
    version: int
    removed: int
    documents: int
    length: float


@dataclass(frozen=True)
class Entry:
    """What was read of a namespace as of a version. The arrays are never changed, so searches share them."""

    version: int
    last_item: int
    ids: Ids
    rows: Rows

    @property
    def size(self) -> int:
        return _OVERHEAD + self.ids.nbytes + self.rows.nbytes

    @cached_property
    def spread(self) -> tuple[float, float] | None:
        """Of vectors: mean and standard deviation of the cosine of two."""
        return spread(self.rows)


class IndexCache:
    """Bounded, thread-safe cache of index rows.

    Args:
        most_bytes: what all lists together may take. One that is larger than this is not kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._entries: OrderedDict[_Key, Entry] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def vectors(self, connection: sqlite3.Connection, space: Space, size: int) -> Entry:
        """Item ids (ascending; repeated for items with several vectors) and their unit vectors, one row each."""
        entry = self._find((space.id, None))
        if entry is None or entry.version > space.version or entry.rows.shape[1] != size:
            entry = Entry(space.version, space.last_item, *_read_vectors(connection, space, size, 0))
        elif entry.version < space.version:
            entry = _brought_up_to_date(entry, connection, space, size)
        self._keep((space.id, None), entry)
        return entry

    def postings(self, connection: sqlite3.Connection, space: Space, term: str) -> tuple[Ids, Rows]:
        """Ids of the items that hold a term (ascending), and two columns: how often, and the item's length in words."""
        entry = self._find((space.id, term))
        if entry is None or entry.version > space.version or entry.version < space.removed:
            entry = Entry(space.version, space.last_item, *_read_postings(connection, space, term, 0))
        elif entry.version < space.version:
            entry = _extended(entry, space, *_read_postings(connection, space, term, entry.last_item))
        self._keep((space.id, term), entry)
        return entry.ids, entry.rows

    def _find(self, key: _Key) -> Entry | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    def _keep(self, key: _Key, entry: Entry) -> None:
        with self._lock:
            known = self._entries.get(key)
            if entry.size > self._most or (known is not None and known.version >= entry.version):
                return
            self._bytes += entry.size - (known.size if known is not None else 0)
            self._entries[key] = entry
            self._entries.move_to_end(key)
            while self._bytes > self._most:
                _, dropped = self._entries.popitem(last=False)
                self._bytes -= dropped.size


def _brought_up_to_date(entry: Entry, connection: sqlite3.Connection, space: Space, size: int) -> Entry:
    more = _read_vectors(connection, space, size, entry.last_item)
    if space.removed <= entry.version:
        return _extended(entry, space, *more)
    keep = np.isin(entry.ids, _live(connection, space))
    return _extended(Entry(entry.version, entry.last_item, entry.ids[keep], entry.rows[keep]), space, *more)


def _extended(entry: Entry, space: Space, ids: Ids, rows: Rows) -> Entry:
    if not len(ids):
        return Entry(space.version, space.last_item, entry.ids, entry.rows)
    return Entry(space.version, space.last_item, np.concatenate((entry.ids, ids)), np.concatenate((entry.rows, rows)))


def _live(connection: sqlite3.Connection, space: Space) -> Ids:
    query = "SELECT id FROM gm_items INDEXED BY gm_items_by_key WHERE namespace = ?"
    return np.fromiter((row[0] for row in connection.execute(query, (space.id,))), np.int64)


def _read_vectors(connection: sqlite3.Connection, space: Space, size: int, above: int) -> tuple[Ids, Rows]:
    base = space.id << ITEM_BITS
    query = "SELECT id, vectors FROM gm_vectors WHERE id > ? AND id < ? ORDER BY id"
    ids, lengths, joined = [], [], bytearray()  # grows in place: fresh memory costs more than copying into it
    for id_, blob in connection.execute(query, (base + above, base + (1 << ITEM_BITS))):
        ids.append(id_)
        lengths.append(len(blob))
        joined += blob
    rows = np.frombuffer(joined, "<f4").reshape(-1, size)
    return np.repeat(np.array(ids, np.int64), np.array(lengths, np.int64) // (4 * size)), rows


def _read_postings(connection: sqlite3.Connection, space: Space, term: str, above: int) -> tuple[Ids, Rows]:
    query = "SELECT item, count, length FROM gm_postings WHERE namespace = ? AND term = ? AND item > ? ORDER BY item"
    found = connection.execute(query, (space.id, term, (space.id << ITEM_BITS) + above)).fetchall()
    ids, counts, lengths = ([row[column] for row in found] for column in range(3))
    return np.array(ids, np.int64), np.array((counts, lengths), np.float64).T
