"""LangGraph's checkpoints on plain Redis: core commands alone, no modules; one server, TLS, or a Redis Cluster.

A channel's value is kept once per version, as LangGraph's Postgres saver does. Everything of a thread is in one slot of a
cluster, and each checkpoint, each task's writes and each deletion is one Lua script: done wholly or not at all.
"""

from __future__ import annotations

from typing import TypeVar

from langgraph.checkpoint.serde.base import SerializerProtocol

from graph_memory.checkpoints._redis_steps import Threads
from graph_memory.checkpoints._saver import Body, Saver, checked_ttl
from graph_memory.errors import ConfigurationError
from graph_memory.redis_client import MOST_CONNECTIONS, Server

T = TypeVar("T")


class RedisSaver(Saver):
    """A checkpointer in Redis 6.2 or newer, or Valkey, for graphs that are invoked and graphs that are awaited.

    It connects on first use, or at the start of a `with` or `async with` block, which also closes it. Every method is one round
    trip, but for those that list, prune, copy or delete by run.

    Args:
        url: `redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS. One node of a cluster is enough to name.
        serde: LangGraph's serializer. None is its `JsonPlusSerializer`, which never pickles and obeys
            `LANGGRAPH_STRICT_MSGPACK`. An `EncryptedSerializer` encrypts everything but names (of threads, namespaces, channels,
            tasks, runs).
        ttl_seconds: how long a thread is kept after it was last written to; None keeps it.
        timeout_seconds: how long to wait for a connection and for each reply.
        prefix: what the names of all keys begin with; savers with different ones do not see each other.
        max_connections: how many at once.

    Raises:
        ConfigurationError: an argument is wrong.
        MissingExtraError: redis-py is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        serde: SerializerProtocol | None = None,
        ttl_seconds: float | None = None,
        timeout_seconds: float = 5.0,
        prefix: str = "graph_memory",
        max_connections: int = MOST_CONNECTIONS,
    ) -> None:
        if not isinstance(prefix, str) or not prefix or set("{}") & set(prefix):
            raise ConfigurationError("prefix must be text without braces, and not empty")
        if timeout_seconds <= 0 or max_connections < 1:
            raise ConfigurationError("timeout_seconds and max_connections must be positive")
        ttl = checked_ttl(ttl_seconds)
        super().__init__(Threads(prefix, 0 if ttl is None else max(1, round(ttl * 1000))), serde)
        self._server = Server(url, timeout_seconds=timeout_seconds, max_connections=max_connections)

    def close(self) -> None:
        """Closes the connections; later use raises `StoreError`. May be called twice."""
        self._server.close()

    async def aclose(self) -> None:
        """Closes the connections of the running event loop too."""
        await self._server.aclose()

    def _open(self) -> None:
        self._server.open()

    async def _aopen(self) -> None:
        await self._server.aopen()

    def _run(self, body: Body[T]) -> T:
        return self._server.run(body)

    async def _arun(self, body: Body[T]) -> T:
        return await self._server.arun(body)
