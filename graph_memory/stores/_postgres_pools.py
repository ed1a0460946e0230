"""Connections to one Postgres database: a pool for threads, one for the event loop, timeouts and second tries.

Every statement is a transaction of its own and none is prepared, so a transaction pooler (PgBouncer, Supavisor) may stand
between. The pool of an event loop lives as long as the `async with` block that opened it; without one, a worker thread asks the
other pool.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
import stamina
from psycopg.abc import RV, PQGen
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolClosed

from graph_memory.errors import StoreError
from graph_memory.postgres_servers import describe, may_be_tried_again, was_undone
from graph_memory.stores._postgres_errors import translate

Rows = list[tuple[Any, ...]]
Statement = LiteralString
_INTERVAL = 0.1  # seconds between two looks at what interrupts a wait


class _Connection(psycopg.Connection[tuple[Any, ...]]):
    """Waits for the server only so long, then breaks the connection off."""

    patience_seconds = 10.0

    def wait(self, gen: PQGen[RV], interval: float = _INTERVAL, timeout: float | None = None) -> RV:
        try:
            return super().wait(gen, interval, self.patience_seconds if timeout is None else timeout)
        except psycopg.OperationalError:
            _break_off(self)
            raise


class _AsyncConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """The same, awaited."""

    patience_seconds = 10.0

    async def wait(self, gen: PQGen[RV], interval: float = _INTERVAL, timeout: float | None = None) -> RV:  # noqa: ASYNC109
        try:
            return await super().wait(gen, interval, self.patience_seconds if timeout is None else timeout)
        except psycopg.OperationalError:
            _break_off(self)
            raise


class Pools:
    """What runs statements.

    Args:
        url: of the database.
        most: connections in each pool.
        timeout_seconds: how long a connection, and then an answer, may take; and how long trying again goes on.
    """

    def __init__(self, url: str, *, most: int, timeout_seconds: float) -> None:
        self.where = describe(url)
        self._url, self._most, self._timeout = url, most, timeout_seconds
        self._settings: dict[str, Any] = {
            "autocommit": True,
            "prepare_threshold": None,
            "connect_timeout": max(2, round(timeout_seconds)),
            "application_name": "graph_memory",
        }
        self._lock = threading.Lock()
        self._pool: ConnectionPool[_Connection] | None = None
        self._apool: AsyncConnectionPool[_AsyncConnection] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    def connect(self, query: Statement) -> Rows:
        """The rows of one statement over a connection of its own: says best why there is none.

        Raises:
            StoreError: the server refuses, or cannot be reached.
        """
        try:
            with _Connection.connect(self._url, **self._settings) as connection:
                connection.patience_seconds = self._timeout
                return connection.execute(query).fetchall()
        except psycopg.Error as exc:
            raise translate(exc, self.where) from exc

    async def aopen(self) -> None:
        """Opens a pool for the running event loop."""
        pool = AsyncConnectionPool(
            self._url, connection_class=_AsyncConnection, kwargs=self._settings, min_size=1, max_size=self._most,
            timeout=self._timeout, open=False, configure=self._aconfigure, name="graph_memory",
        )  # fmt: skip
        await pool.open()
        self._apool, self._loop = pool, asyncio.get_running_loop()

    def run(self, query: Statement, values: Sequence[Any], *, is_repeatable: bool = True) -> Rows:
        """The rows of one statement.

        Args:
            is_repeatable: whether it may run twice; if not, it is tried again only where Postgres has undone it.

        Raises:
            StoreError: it failed.
            StoreUnavailableError: no answer in time.
        """
        until = time.monotonic() + self._timeout
        with self._translated():
            try:
                return self._once(query, values)
            except psycopg.Error as exc:
                tries = self._tries(exc, is_repeatable, until)
            for attempt in tries:
                with attempt:
                    return self._once(query, values)
        raise AssertionError  # pragma: no cover - the loop returns or raises

    async def arun(self, query: Statement, values: Sequence[Any], *, is_repeatable: bool = True) -> Rows:
        """`run`, awaited."""
        pool = self._apool
        if pool is None or self._loop is not asyncio.get_running_loop():
            return await asyncio.to_thread(self.run, query, values, is_repeatable=is_repeatable)
        until = time.monotonic() + self._timeout
        with self._translated():
            try:
                return await _aonce(pool, query, values)
            except psycopg.Error as exc:
                tries = self._tries(exc, is_repeatable, until)
            async for attempt in tries:
                with attempt:
                    return await _aonce(pool, query, values)
        raise AssertionError  # pragma: no cover

    def close(self) -> None:
        """Closes the pool of threads. Later statements raise `StoreError`."""
        with self._lock:
            pool, self._pool, self._is_closed = self._pool, None, True
        if pool is not None:
            pool.close(self._timeout)

    async def aclose(self) -> None:
        """Closes both."""
        pool, self._apool, self._loop = self._apool, None, None
        if pool is not None:
            await pool.close(self._timeout)
        await asyncio.to_thread(self.close)

    def _opened(self) -> ConnectionPool[_Connection]:
        with self._lock:
            if self._is_closed:
                raise StoreError("the store is closed: open it again, or use it inside its block")
            if self._pool is None:
                self._pool = ConnectionPool(
                    self._url, connection_class=_Connection, kwargs=self._settings, min_size=1, max_size=self._most,
                    timeout=self._timeout, open=True, configure=self._configure, name="graph_memory",
                )  # fmt: skip
            return self._pool

    def _once(self, query: Statement, values: Sequence[Any]) -> Rows:
        with self._opened().connection() as connection:
            return connection.execute(query, values, binary=True).fetchall()

    def _tries(self, failure: psycopg.Error, is_repeatable: bool, until: float) -> Any:
        """More of them, as long as the timeout allows: after a restart of the server each connection of the pool turns out to be
        broken. Made when the first has failed: stamina takes as long to set up as a search does to be planned.

        Raises:
            psycopg.Error: the failure itself, where another try is of no use or there is no time left.
        """
        is_worth_it = may_be_tried_again if is_repeatable else was_undone
        left = until - time.monotonic()
        if left <= 0 or not is_worth_it(failure):
            raise failure
        return stamina.retry_context(
            is_worth_it, attempts=None, timeout=left, wait_initial=0.02, wait_max=1.0, wait_jitter=0.1
        )

    def _configure(self, connection: _Connection) -> None:
        connection.patience_seconds = self._timeout

    async def _aconfigure(self, connection: _AsyncConnection) -> None:
        connection.patience_seconds = self._timeout

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except PoolClosed as exc:
            raise StoreError("the store is closed: open it again, or use it inside its block") from exc
        except psycopg.Error as exc:
            raise translate(exc, self.where) from exc


async def _aonce(pool: AsyncConnectionPool[_AsyncConnection], query: Statement, values: Sequence[Any]) -> Rows:
    async with pool.connection() as connection:
        return await (await connection.execute(query, values, binary=True)).fetchall()


def _break_off(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    """After a timeout the server may still be at work; whatever it answers later belongs to nobody."""
    if connection.pgconn.transaction_status == TransactionStatus.ACTIVE:
        connection.pgconn.finish()
