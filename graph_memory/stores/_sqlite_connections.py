"""A few connections to one SQLite file, lent to threads for one transaction at a time.

Readers do not wait for writers (WAL). Writers of this process queue on a lock, which is fair and wakes at once, unlike SQLite's
own polling; writers of other processes are waited for by SQLite's busy timeout. A database in memory has one connection.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from graph_memory.errors import StoreError, StoreUnavailableError
from graph_memory.sqlite_files import connect, is_busy, translate

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_MOST = 8  # connections per file
_CLOSED = "the store is closed: use it inside its `with` or `async with` block"


class Connections:
    """Runs functions in transactions.

    Args:
        path: the file; None for a database in memory.
        timeout_seconds: how long to wait for others before giving up.
        must_exist: whether to refuse a file that is not there instead of making it.
        is_ready: called with the first connection: whether the file has its tables; raises if it must not be used.
        create: called in a write transaction when it has not.
    """

    def __init__(
        self,
        path: str | None,
        timeout_seconds: float,
        *,
        must_exist: bool = False,
        is_ready: Work[bool],
        create: Work[None],
    ) -> None:
        self._path = path
        self._timeout = timeout_seconds
        self._must_exist = must_exist
        self._is_ready = is_ready
        self._create = create
        self._idle: list[sqlite3.Connection] = []
        self._lent = threading.BoundedSemaphore(1 if path is None else _MOST)
        self._state = threading.Lock()
        self._preparing = threading.Lock()
        self._writing = threading.Lock()
        self._prepared = False
        self._closed = False

    def open(self) -> None:
        """Opens and checks the file now instead of on first use."""
        self.read(lambda connection: None)

    def read(self, work: Work[T]) -> T:
        """`work(connection)` on one consistent snapshot.

        Raises:
            StoreError: the file failed, or this is closed.
            StoreUnavailableError: others held the file for longer than the timeout.
        """
        return self._lend("BEGIN", work)

    def write(self, work: Work[T]) -> T:
        """`work(connection)` alone with the file: all that it writes is kept, or nothing if it raises."""
        if not self._writing.acquire(timeout=self._timeout):
            raise StoreUnavailableError(f"{self._path}: other writers kept it busy for {self._timeout:g} s: try again")
        try:
            return self._lend("BEGIN IMMEDIATE", work)
        finally:
            self._writing.release()

    def close(self) -> None:
        """Closes what is idle now, and what is lent when it comes back. A second call does nothing."""
        with self._state:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _lend(self, begin: str, work: Work[T]) -> T:
        if not self._lent.acquire(timeout=self._timeout):
            raise StoreUnavailableError(
                f"{self._path}: all {_MOST} connections were busy for {self._timeout:g} s: try again"
            )
        try:
            connection = self._take()
            try:
                return self._retry(connection, begin, work)
            finally:
                self._give_back(connection)
        finally:
            self._lent.release()

    def _retry(self, connection: sqlite3.Connection, begin: str, work: Work[T]) -> T:
        """One transaction, begun again while others hold the file: some kinds of "busy" skip SQLite's own waiting."""
        late = time.monotonic() + self._timeout
        while True:
            try:
                return _transact(connection, begin, work)
            except sqlite3.Error as exc:
                if not is_busy(exc) or time.monotonic() >= late:
                    raise translate(exc, self._path) from exc
                time.sleep(random.uniform(0.001, 0.02))

    def _take(self) -> sqlite3.Connection:
        with self._state:
            if self._closed:
                raise StoreError(_CLOSED)
            if self._idle:
                return self._idle.pop()
        connection = connect(self._path, self._timeout, create=not self._must_exist)
        try:
            self._check(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        with self._preparing:
            if not self._prepared:
                if not self._retry(connection, "BEGIN", self._is_ready):
                    self._retry(connection, "BEGIN IMMEDIATE", self._create)
                self._prepared = True

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._state:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()


def _transact(connection: sqlite3.Connection, begin: str, work: Work[T]) -> T:
    connection.execute(begin)
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors (a full disk) have rolled back already
            connection.execute("ROLLBACK")
        raise
    return result
