"""Checkpointers: where a thread's state lives. `open_checkpointer` gives the one that a url names."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, ExitStack, closing
from types import TracebackType
from typing import TYPE_CHECKING, Any

from graph_memory.sqlite_files import check_for_checkpoints, connect
from graph_memory.urls import Opening, check_options, extra, parse

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

__all__ = ["OPTIONS", "open_checkpointer"]

OPTIONS = {
    "sqlite": frozenset({"timeout_seconds", "serde"}),
    "postgresql": frozenset({"timeout_seconds", "serde", "pool_size"}),
    "redis": frozenset({"timeout_seconds", "serde", "ttl_seconds", "prefix", "max_connections"}),
    "supabase": frozenset({"timeout_seconds", "serde", "ttl_seconds", "key", "token", "user", "max_connections"}),
}
"""What `open_checkpointer` takes, by scheme."""


def open_checkpointer(url: str, *, create: bool = True, **options: Any) -> Opening[BaseCheckpointSaver[Any]]:
    """The checkpointer that a url names, for a `with` or an `async with` block.

    For a file it is LangGraph's `SqliteSaver` in a `with` block, for graphs that are invoked, and its `AsyncSqliteSaver` in
    an `async with` block, for graphs that are awaited. In memory it is `InMemorySaver`, for both. For Postgres it is
    `PostgresSaver` or `AsyncPostgresSaver` in the same way, whose tables are made on entering. For Redis and for Supabase it
    is our `RedisSaver` or `SupabaseSaver`, for both. The file, database, Redis or Supabase may hold a store too.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute/path.db`, `sqlite://` (in memory, gone after the block),
            `postgresql://user:password@host/database`, `redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS, or
            `https://<project>.supabase.co`.
        create: whether to make a SQLite file that is not there.
        options: `timeout_seconds` (10), how long to wait for other writers or for a server; `serde`, LangGraph's serializer; for
            Postgres also `pool_size` (10), connections at most; for Redis `ttl_seconds`, `prefix` and `max_connections`, see
            `RedisSaver`; for Supabase `key`, `token`, `user`, `ttl_seconds` and `max_connections`, see `SupabaseSaver`.

    Raises:
        ConfigurationError: the url or an option is wrong.
        MissingExtraError: the packages that this kind of url needs are not installed.
        StoreError: on entering the block, when the file is foreign, damaged or cannot be written, or the server refuses.
    """
    place = parse(url)
    check_options(options, OPTIONS[place.scheme], "open_checkpointer")
    if place.scheme == "postgresql":
        with extra("Postgres", "postgres"):
            from graph_memory.checkpoints.postgres import PostgresCheckpointer
        return PostgresCheckpointer(place.url, **options)
    if place.scheme == "redis":
        with extra("Redis", "redis"):
            from graph_memory.checkpoints.redis import RedisSaver
        return RedisSaver(place.url, **options)
    if place.scheme == "supabase":
        with extra("Supabase", "supabase"):
            from graph_memory.checkpoints.supabase import SupabaseSaver
        return SupabaseSaver(place.url, **options)
    return _SqliteCheckpointer(place.path, create=create, **options)


class _SqliteCheckpointer:
    """Opens LangGraph's saver that fits the kind of block."""

    def __init__(
        self, path: str | None, *, create: bool = True, timeout_seconds: float = 10.0, serde: Any = None
    ) -> None:
        self._path = path
        self._create = create
        self._timeout = timeout_seconds
        self._serde = serde
        self._open = ExitStack()
        self._aopen = AsyncExitStack()

    def __enter__(self) -> BaseCheckpointSaver[Any]:
        if self._path is None:
            return self._in_memory()
        from langgraph.checkpoint.sqlite import SqliteSaver

        check_for_checkpoints(self._path, self._timeout, create=self._create)
        connection = self._open.enter_context(closing(connect(self._path, self._timeout)))
        connection.isolation_level = "DEFERRED"  # the saver commits by itself and relies on sqlite3 to begin
        return SqliteSaver(connection, serde=self._serde)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    async def __aenter__(self) -> BaseCheckpointSaver[Any]:
        if self._path is None:
            return self._in_memory()
        import aiosqlite
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        await asyncio.to_thread(check_for_checkpoints, self._path, self._timeout, create=self._create)
        connection = await self._aopen.enter_async_context(aiosqlite.connect(self._path, timeout=self._timeout))
        await connection.execute("PRAGMA synchronous = NORMAL")
        return AsyncSqliteSaver(connection, serde=self._serde)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._aopen.aclose()

    def _in_memory(self) -> BaseCheckpointSaver[Any]:
        from langgraph.checkpoint.memory import InMemorySaver

        return InMemorySaver(serde=self._serde)
