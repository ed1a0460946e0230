"""Writes that wait for a store that is out of reach: a SQLite file, written to the disk before a write is acknowledged.

Several threads and processes may use one file at once. Batches come out in the order in which they went in, and stay until they
are said to be done; one process at a time takes them out.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from langgraph.store.base import Op, PutOp

from graph_memory.errors import StoreError
from graph_memory.sqlite_files import connect, tables, translated
from graph_memory.stores._ops import encode_path, to_json

_TIMEOUT_SECONDS = 10.0
_TABLE = """
CREATE TABLE IF NOT EXISTS gm_waiting (
    id INTEGER PRIMARY KEY AUTOINCREMENT, batch INTEGER NOT NULL, path TEXT NOT NULL, namespace TEXT NOT NULL, key TEXT NOT NULL,
    value TEXT, fields TEXT, ttl_minutes REAL, queued_at REAL NOT NULL, refused TEXT
) STRICT
"""
_INDEX = "CREATE INDEX IF NOT EXISTS gm_waiting_place ON gm_waiting (path, key, id)"
_COLUMNS = "batch, path, namespace, key, value, fields, ttl_minutes, queued_at"
_TABLES = frozenset({"gm_waiting", "sqlite_sequence"})


class Waiting(NamedTuple):
    """A batch that waits: its number, and its writes as they are to be made now."""

    number: int
    ops: list[Op]


class Journal:
    """One file of waiting writes.

    Args:
        path: the file; made if it is absent.
        clock: unix seconds.

    Raises:
        ConfigurationError: the folder does not exist, or the path is a folder.
        StoreError: the file is foreign, damaged or cannot be written.
    """

    def __init__(self, path: str, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock
        self._lock = threading.Lock()
        self._connection = connect(path, _TIMEOUT_SECONDS)
        with translated(path):
            if tables(self._connection) - _TABLES:
                self._connection.close()
                raise StoreError(f"{path} holds something else than waiting writes: name another file")
            self._connection.execute("PRAGMA synchronous = FULL")  # acknowledged is on the disk
            self._connection.execute(_TABLE)
            self._connection.execute(_INDEX)

    def __len__(self) -> int:
        """How many writes wait."""
        return int(self._rows("SELECT count(*) FROM gm_waiting WHERE refused IS NULL")[0][0])

    def refused(self) -> int:
        """How many writes were set aside."""
        return int(self._rows("SELECT count(*) FROM gm_waiting WHERE refused IS NOT NULL")[0][0])

    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._rows("SELECT 1 FROM gm_waiting WHERE refused IS NULL LIMIT 1")

    def append(self, writes: Sequence[PutOp]) -> None:
        """Adds a batch; on return it is on the disk.

        Raises:
            StoreError: a value is not JSON, or the disk is full. Nothing was added.
        """
        now = self._clock()
        rows = [
            (encode_path(op.namespace), json.dumps(op.namespace), op.key, None if op.value is None else to_json(op.value),
             json.dumps(op.index), op.ttl, now)
            for op in writes
        ]  # fmt: skip
        with self._lock, translated(self._path), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            [[batch]] = self._connection.execute("SELECT coalesce(max(batch), 0) + 1 FROM gm_waiting")
            self._connection.executemany(
                f"INSERT INTO gm_waiting ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [(batch, *row) for row in rows]
            )

    def newest(self, places: Sequence[tuple[tuple[str, ...], str]]) -> list[tuple[Any, float] | None]:
        """The waiting value of each place and when it was queued, the value None where it is to be deleted; None: none waits."""
        query = (
            "SELECT value, queued_at, ttl_minutes FROM gm_waiting WHERE path = ? AND key = ? AND refused IS NULL "
            "ORDER BY id DESC LIMIT 1"
        )
        found = [self._rows(query, encode_path(namespace), key) for namespace, key in places]
        return [self._value(*rows[0]) if rows else None for rows in found]

    def oldest(self, most: int) -> list[Waiting]:
        """The batches that are next, in their order; so many at most."""
        rows = self._rows(
            "SELECT batch, namespace, key, value, fields, ttl_minutes, queued_at FROM gm_waiting WHERE batch IN "
            "(SELECT DISTINCT batch FROM gm_waiting WHERE refused IS NULL ORDER BY batch LIMIT ?) ORDER BY id",
            most,
        )
        return [
            Waiting(number, [self._write(*row[1:]) for row in some])
            for number, some in groupby(rows, key=itemgetter(0))
        ]

    def done(self, waiting: Sequence[Waiting]) -> None:
        """Forgets batches that have been carried out."""
        numbers = json.dumps([one.number for one in waiting])
        self._rows("DELETE FROM gm_waiting WHERE batch IN (SELECT value FROM json_each(?))", numbers)

    def refuse(self, number: int, reason: str) -> None:
        """Sets a batch aside that cannot be carried out; it stays in the file, and does not hold up the others."""
        self._rows("UPDATE gm_waiting SET refused = ? WHERE batch = ?", reason, number)

    def taken(self) -> sqlite3.Connection | None:
        """What makes its owner the only one that takes batches out, until it is closed or the process ends; None if another is.

        It is a lock on a file beside, which the operating system gives back after a crash.
        """
        lock = sqlite3.connect(f"{self._path}-turn", timeout=0, isolation_level=None, check_same_thread=False)
        with suppress(sqlite3.OperationalError):
            lock.execute("BEGIN EXCLUSIVE")
            return lock
        lock.close()
        return None

    def close(self) -> None:
        """Closes the file. May be called twice."""
        with self._lock:
            self._connection.close()

    def _value(self, value: str | None, queued_at: float, ttl_minutes: float | None) -> tuple[Any, float]:
        is_over = ttl_minutes is not None and queued_at + ttl_minutes * 60 <= self._clock()
        return (None if value is None or is_over else json.loads(value)), queued_at

    def _write(
        self, namespace: str, key: str, value: str | None, fields: str, ttl_minutes: float | None, queued_at: float
    ) -> Op:
        kept, _ = self._value(value, queued_at, ttl_minutes)
        left = None if ttl_minutes is None else max(ttl_minutes - (self._clock() - queued_at) / 60, 1e-6)
        return PutOp(tuple(json.loads(namespace)), key, kept, index=json.loads(fields), ttl=left)

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with self._lock, translated(self._path):
            return self._connection.execute(query, values).fetchall()
