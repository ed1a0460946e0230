"""Writing items and their index rows to a SQLite store, inside the caller's write transaction.

What a batch changes is collected first and then written table by table, which is what makes bulk writes quick.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from graph_memory.stores._embedding import Vector, size_mismatch
from graph_memory.stores._index import DIGEST_BYTES, digest
from graph_memory.stores._ops import Namespace, encode_path
from graph_memory.stores._plan import Swap, Write
from graph_memory.stores._sqlite_schema import ITEM_BITS, dims, set_dims

_SWEEP = 200  # expired items that a batch of writes takes along
_MINUTE = 60_000_000  # microseconds
_KNOWN = "SELECT id, created_at, expires_at, digest, length, terms FROM gm_items"


class Known(NamedTuple):
    """An item's row before the batch, as far as writing needs it."""

    id: int
    created_at: int
    expires_at: int | None
    digest: bytes
    length: float
    terms: str

    @property
    def space(self) -> int:
        """Id of the namespace's row."""
        return self.id >> ITEM_BITS

    def is_alive(self, now: int) -> bool:
        """Whether a reader would still see it."""
        return self.expires_at is None or self.expires_at > now


def find(connection: sqlite3.Connection, namespace: Namespace, key: str) -> Known | None:
    """The item under a key, expired or not."""
    place = "namespace = (SELECT id FROM gm_namespaces WHERE path = ?) AND key = ?"
    row = connection.execute(f"{_KNOWN} WHERE {place}", (encode_path(namespace), key)).fetchone()
    return None if row is None else Known(*row)


def vectors_of(connection: sqlite3.Connection, known: Known) -> dict[bytes, Vector]:
    """An item's vectors by the digests of their texts."""
    row = connection.execute("SELECT digests, vectors FROM gm_vectors WHERE id = ?", (known.id,)).fetchone()
    if row is None:
        return {}
    digests = [row[0][at : at + DIGEST_BYTES] for at in range(0, len(row[0]), DIGEST_BYTES)]
    return dict(zip(digests, np.frombuffer(row[1], "<f4").reshape(len(digests), -1), strict=True))


def known_vectors(connection: sqlite3.Connection, writes: Iterable[Write]) -> dict[str, Vector]:
    """Vectors of texts that the written items have already: what has not changed is not embedded again."""
    vectors: dict[str, Vector] = {}
    for write in writes:
        known = find(connection, write.namespace, write.key)
        old = vectors_of(connection, known) if known else {}
        vectors |= {text: old[digest(text)] for text in write.indexed.texts if digest(text) in old}
    return vectors


def refresh(connection: sqlite3.Connection, touched: Iterable[tuple[int, int]], now: int) -> None:
    """Starts the time to live of items anew; `touched` holds (id, ttl in microseconds)."""
    rows = [(now + ttl, id_, now) for id_, ttl in touched]
    connection.executemany("UPDATE gm_items SET expires_at = ? WHERE id = ? AND expires_at > ?", rows)


def swapped(connection: sqlite3.Connection, swap: Swap, now: int) -> bool:
    """Puts a value in the place of the one that was seen; whether it is there now."""
    done = connection.execute(
        "UPDATE gm_items SET value = ?1 WHERE namespace = (SELECT id FROM gm_namespaces WHERE path = ?2) AND key = ?3 "
        "AND value IN (?4, ?1) AND (expires_at IS NULL OR expires_at > ?5)",
        (swap.json, encode_path(swap.namespace), swap.key, swap.seen, now),
    )
    return done.rowcount == 1


@dataclass(slots=True)
class _Counters:
    """A namespace's counters and what the batch does to them."""

    last_item: int
    documents: int = 0
    length: float = 0.0
    removed: bool = False


@dataclass(slots=True)
class Writer:
    """Carries out the writes of one batch.

    Attributes:
        connection: inside a write transaction.
        now: microseconds since 1970.
        where: the file, for messages.
        vectors: text to unit vector. A text that is not here keeps the vector that the item has of it, if any.
    """

    connection: sqlite3.Connection
    now: int
    where: str
    vectors: Mapping[str, Vector] = field(default_factory=dict)
    _spaces: dict[Namespace, int] = field(default_factory=dict)
    _counters: dict[int, _Counters] = field(default_factory=dict)
    _gone: dict[int, Known] = field(default_factory=dict)
    _items: list[tuple[Any, ...]] = field(default_factory=list)
    _updates: list[tuple[Any, ...]] = field(default_factory=list)
    _vectors: list[tuple[int, dict[bytes, Vector]]] = field(default_factory=list)
    _postings: list[tuple[Any, ...]] = field(default_factory=list)

    def apply(self, writes: Iterable[Write]) -> None:
        """Carries out `writes`, no two of them of one item, and takes some expired items along.

        Raises:
            ConfigurationError: the vectors have another size than the stored ones.
        """
        for write in writes:
            known = find(self.connection, write.namespace, write.key)
            if write.json is None:
                self._remove(known)
            else:
                self._put(write, write.json, known)
        self.sweep(_SWEEP)

    def sweep(self, most: int) -> int:
        """Deletes up to `most` expired items, and writes everything collected; returns how many there were."""
        query = f"{_KNOWN} WHERE expires_at <= ? ORDER BY expires_at LIMIT ?"
        expired = [Known(*row) for row in self.connection.execute(query, (self.now, most))]
        for known in expired:
            self._remove(known)
        self._flush()
        return len(expired)

    def _put(self, write: Write, json: str, known: Known | None) -> None:
        old = vectors_of(self.connection, known) if known else {}
        vectors = dict(self._vectors_for(write, old))
        alive = known if known and known.is_alive(self.now) else None
        ttl = None if write.ttl_minutes is None else max(1, round(write.ttl_minutes * _MINUTE))
        times = (alive.created_at if alive else self.now, self.now, None if ttl is None else self.now + ttl, ttl)
        if alive and alive.digest == write.indexed.digest and vectors.keys() == old.keys():
            self._updates.append((*times, json, alive.id))
            return
        self._remove(known)
        self._add(write, json, times, vectors)

    def _vectors_for(self, write: Write, old: Mapping[bytes, Vector]) -> Iterator[tuple[bytes, Vector]]:
        for text in write.indexed.texts:
            key = digest(text)
            vector = self.vectors.get(text, old.get(key))
            if vector is not None:
                yield key, vector

    def _add(self, write: Write, json: str, times: tuple[Any, ...], vectors: dict[bytes, Vector]) -> None:
        space = self._space(write.namespace)
        counters = self._counters_of(space)
        counters.last_item += 1
        id_ = (space << ITEM_BITS) + counters.last_item
        words, length = write.indexed.words, write.indexed.length
        self._items.append((id_, space, write.key, *times, write.indexed.digest, length, json, " ".join(words)))
        if write.indexed.digest:
            counters.documents += 1
            counters.length += length
        if vectors:
            self._vectors.append((id_, vectors))
        self._postings += [(space, term, id_, count, length) for term, count in words.items()]

    def _remove(self, known: Known | None) -> None:
        if known is None or known.id in self._gone:
            return
        self._gone[known.id] = known
        counters = self._counters_of(known.space)
        if known.digest:
            counters.documents -= 1
            counters.length -= known.length
            counters.removed = True

    def _space(self, namespace: Namespace) -> int:
        if namespace not in self._spaces:
            path = encode_path(namespace)
            self.connection.execute("INSERT INTO gm_namespaces (path) VALUES (?) ON CONFLICT DO NOTHING", (path,))
            row = self.connection.execute("SELECT id FROM gm_namespaces WHERE path = ?", (path,)).fetchone()
            self._spaces[namespace] = row[0]
        return self._spaces[namespace]

    def _counters_of(self, space: int) -> _Counters:
        if space not in self._counters:
            row = self.connection.execute("SELECT last_item FROM gm_namespaces WHERE id = ?", (space,)).fetchone()
            self._counters[space] = _Counters(row[0])
        return self._counters[space]

    def _flush(self) -> None:
        self._check_dims()
        many = self.connection.executemany
        ids = [(id_,) for id_ in self._gone]
        many("DELETE FROM gm_items WHERE id = ?", ids)
        many("DELETE FROM gm_vectors WHERE id = ?", ids)
        many(
            "DELETE FROM gm_postings WHERE namespace = ? AND term = ? AND item = ?",
            ((known.space, term, known.id) for known in self._gone.values() for term in known.terms.split(" ")),
        )
        many("INSERT INTO gm_items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self._items)
        many(
            "UPDATE gm_items SET created_at = ?, updated_at = ?, expires_at = ?, ttl = ?, value = ? WHERE id = ?",
            self._updates,
        )
        many(
            "INSERT INTO gm_vectors VALUES (?, ?, ?)",
            ((id_, b"".join(some), np.concatenate([*some.values()]).tobytes()) for id_, some in self._vectors),
        )
        many("INSERT INTO gm_postings VALUES (?, ?, ?, ?, ?)", self._postings)
        self._flush_counters()

    def _flush_counters(self) -> None:
        self.connection.executemany(
            "UPDATE gm_namespaces SET last_item = ?, version = version + 1, removed = iif(?, version + 1, removed), "
            "documents = documents + ?, length = length + ? WHERE id = ?",
            ((c.last_item, c.removed, c.documents, c.length, space) for space, c in self._counters.items()),
        )
        touched = {known.space for known in self._gone.values()}
        self.connection.executemany(
            "DELETE FROM gm_namespaces WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM gm_items WHERE namespace = ?1)",
            ((space,) for space in touched),
        )

    def _check_dims(self) -> None:
        """All vectors of a store have one size."""
        sizes = {len(vector) for _, some in self._vectors for vector in some.values()}
        if not sizes:
            return
        stored = dims(self.connection)
        wrong = sizes - {stored or min(sizes)}
        if wrong:
            raise size_mismatch(min(wrong), stored or min(sizes), self.where)
        if stored is None:
            set_dims(self.connection, min(sizes))
