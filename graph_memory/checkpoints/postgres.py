"""LangGraph's checkpointers for Postgres, opened and closed over pools of connections, their tables made by the first to come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from types import TracebackType
from typing import Any

import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from graph_memory.errors import StoreUnavailableError
from graph_memory.postgres_servers import checked, describe, translate

_LOCK = 7_013_550_318_124_456  # any number that no other program is likely to lock
_PAUSE_SECONDS = 0.05


class PostgresCheckpointer:
    """Opens LangGraph's saver that fits the kind of block.

    Args:
        url: of the database.
        timeout_seconds: how long a connection may take, and how long to wait for others that make the tables.
        pool_size: connections at most.
        serde: LangGraph's serializer.

    Raises:
        ConfigurationError: the url is wrong.
    """

    def __init__(self, url: str, *, timeout_seconds: float = 10.0, pool_size: int = 10, serde: Any = None) -> None:
        self._url = checked(url)
        self._where = describe(url)
        self._timeout = timeout_seconds
        self._serde = serde
        self._pool_options: dict[str, Any] = {
            "kwargs": {
                "autocommit": True,
                "prepare_threshold": None,  # a transaction pooler may stand between
                "row_factory": dict_row,
                "connect_timeout": max(2, round(timeout_seconds)),
            },
            "min_size": 1,
            "max_size": pool_size,
            "timeout": timeout_seconds,
            "open": False,
        }
        self._open = ExitStack()
        self._aopen = AsyncExitStack()

    def __enter__(self) -> PostgresSaver:
        with self._translated():
            self._make_tables()
            pool: ConnectionPool[psycopg.Connection[DictRow]] = ConnectionPool(self._url, **self._pool_options)
            self._open.enter_context(pool)
        return PostgresSaver(pool, serde=self._serde)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    async def __aenter__(self) -> AsyncPostgresSaver:
        with self._translated():
            await asyncio.to_thread(self._make_tables)
            pool: AsyncConnectionPool[psycopg.AsyncConnection[DictRow]] = AsyncConnectionPool(
                self._url, **self._pool_options
            )
            await self._aopen.enter_async_context(pool)
        return AsyncPostgresSaver(pool, serde=self._serde)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._aopen.aclose()

    def _make_tables(self) -> None:
        """Runs LangGraph's own migrations, unless they have run.

        One process at a time, by asking again and again: whoever waited inside a statement would hold up the indexes that the
        first one makes concurrently.
        """
        with psycopg.connect(self._url, row_factory=dict_row, **self._connecting()) as connection:
            if _is_current(connection):
                return
            until = time.monotonic() + self._timeout
            while not _locked(connection):
                if time.monotonic() > until:
                    raise StoreUnavailableError(f"{self._where} is being migrated by another process: try again")
                time.sleep(_PAUSE_SECONDS)
            PostgresSaver(connection).setup()

    def _connecting(self) -> dict[str, Any]:
        return {name: value for name, value in self._pool_options["kwargs"].items() if name != "row_factory"}

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as exc:
            raise translate(exc, self._where) from exc


def _is_current(connection: psycopg.Connection[DictRow]) -> bool:
    there = connection.execute("SELECT to_regclass('checkpoint_migrations') IS NOT NULL AS made").fetchone()
    if not (there and there["made"]):
        return False
    newest = connection.execute("SELECT max(v) AS v FROM checkpoint_migrations").fetchone()
    return bool(newest and newest["v"] == len(PostgresSaver.MIGRATIONS) - 1)


def _locked(connection: psycopg.Connection[DictRow]) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s) AS taken", [_LOCK]).fetchone()
    return bool(row and row["taken"])
