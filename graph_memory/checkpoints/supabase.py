"""LangGraph's checkpoints on Supabase, over the data API as the signed-in user, whose threads nobody else sees.

A thread belongs to whose token wrote it, whatever the application passes; two users may have threads of the same name. A
channel's value is kept once per version, as LangGraph's Postgres saver does, and every method is one SQL function: done wholly or
not at all.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any, TypeVar

from langgraph.checkpoint.serde.base import SerializerProtocol

from graph_memory.checkpoints._saver import Body, Saver, checked_ttl
from graph_memory.checkpoints._supabase_steps import Call, Threads
from graph_memory.errors import ConfigurationError
from graph_memory.sql_files import check_version
from graph_memory.supabase_api import MOST_CONNECTIONS, DataApi, Token

T = TypeVar("T")


class SupabaseSaver(Saver):
    """A checkpointer in a Supabase project that `graph-memory migrate` has prepared; see `SupabaseStore`.

    It connects on first use, or at the start of a `with` or `async with` block, which also closes it. Every method is one
    request, but for listing more than fifty checkpoints.

    Args:
        url: `https://<project>.supabase.co`.
        key: the project's publishable (anon) key, which every request needs.
        token: the signed-in user's access token, or a function that gives the one of whoever asks. None: the key alone, which
            must be a secret (service) key.
        user: whose threads a service key means; None are threads that belong to nobody. A token speaks for itself.
        serde: LangGraph's serializer. None is its `JsonPlusSerializer`, which never pickles and obeys
            `LANGGRAPH_STRICT_MSGPACK`. An `EncryptedSerializer` encrypts everything but names (of threads, namespaces, channels,
            tasks, runs).
        ttl_seconds: how long a thread is kept after it was last written to; None keeps it. Those whose time is over are not seen,
            and deleted along with later writes of their owner; `select graph_memory.sweep_threads(1000)` deletes all owners'.
        timeout_seconds: how long a connection, and then an answer, may take.
        max_connections: how many at once.

    Raises:
        ConfigurationError: an argument is wrong.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        token: Token | None = None,
        user: str | None = None,
        serde: SerializerProtocol | None = None,
        ttl_seconds: float | None = None,
        timeout_seconds: float = 10.0,
        max_connections: int = MOST_CONNECTIONS,
    ) -> None:
        if user is not None and (not isinstance(user, str) or not user or "\0" in user):
            raise ConfigurationError("user must be the id of whose threads are meant: text, neither empty nor with NUL")
        if timeout_seconds <= 0 or max_connections < 1:
            raise ConfigurationError("timeout_seconds and max_connections must be positive")
        super().__init__(Threads(user, checked_ttl(ttl_seconds)), serde)
        self._api = DataApi(url, key=key, token=token, timeout_seconds=timeout_seconds, connections=max_connections)

    def close(self) -> None:
        """Closes the connections of threads; later use raises `StoreError`. May be called twice."""
        self._api.close()

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._api.aclose()

    def _open(self) -> None:
        """Makes sure that the project can be used, or says why not."""
        version, _ = self._api.about()
        check_version(version, self._api.where)

    async def _aopen(self) -> None:
        await super()._aopen()
        await self._api.aopen()

    def _run(self, body: Body[T]) -> T:
        with closing(body):
            call = next(body)
            while True:
                try:
                    call = body.send(self._api.call(*_request(call), is_repeatable=call.is_repeatable))
                except StopIteration as stop:
                    result: T = stop.value
                    return result

    async def _arun(self, body: Body[T]) -> T:
        with closing(body):
            call = next(body)
            while True:
                try:
                    call = body.send(await self._api.acall(*_request(call), is_repeatable=call.is_repeatable))
                except StopIteration as stop:
                    result: T = stop.value
                    return result


def _request(call: Call) -> tuple[str, dict[str, Any]]:
    return call.function, {"op": call.op}
