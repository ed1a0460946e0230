"""A LangGraph store on Postgres with pgvector: one SQL function carries out a batch, so that a batch is one round trip.

It gives the same results as `SqliteStore`, whose notes on where we differ from LangGraph's own stores hold here too. Its schema
is made by `graph-memory migrate`; row-level security keeps users apart even when the application passes the wrong id, provided
that the store is opened for a `user` or that the connection's own role is none that sees all.

Texts that are written with an embedder cost one more, before: the server says which of them it has no vector of.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from langgraph.store.base import TTLConfig

from graph_memory.context.fusion import FusionWeights
from graph_memory.errors import ConfigurationError
from graph_memory.postgres_servers import checked
from graph_memory.stores._embedding import Embedder
from graph_memory.stores._options import positive
from graph_memory.stores._postgres_plan import to_text
from graph_memory.stores._postgres_pools import Pools, Statement
from graph_memory.stores._sql import Rows, SqlBackEnd

_MOST_USER = 500  # characters


class PostgresStore(SqlBackEnd):
    """A `BaseStore` in a Postgres database that `graph-memory migrate` has prepared.

    It connects at the start of a `with` or `async with` block, which also closes it, or on first use.

    Args:
        url: `postgresql://user:password@host:5432/database`, with libpq's parameters; a transaction pooler is fine.
        user: whose memory this store may touch: row-level security then hides everything else. The connection's role must be
            allowed to become `graph_memory_user`. None: what the connection's own role may see.
        embed: LangChain `Embeddings`, a function (sync or async) from a list of texts to vectors, or an `init_embeddings` string.
            None: search goes by words alone.
        dims: size of the vectors, checked on opening; None takes what the database was migrated with.
        fields: paths (LangGraph's syntax) that are indexed of an item whose `PutOp` names none; see `SqliteStore`.
        ttl: LangGraph's `TTLConfig`. `omit_expired` is always on. Expired items are deleted along with later writes to their
            namespace and by `sweep_ttl`; there is no background sweeper.
        timeout_seconds: how long a connection, and then an answer, may take.
        pool_size: connections for threads, and as many for the event loop.
        weights: how much words and meaning count in a search.

    Raises:
        ConfigurationError: an argument is wrong.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str | None = None,
        embed: Embedder | None = None,
        dims: int | None = None,
        fields: Sequence[str] | None = None,
        ttl: TTLConfig | None = None,
        timeout_seconds: float = 10.0,
        pool_size: int = 10,
        weights: FusionWeights | None = None,
    ) -> None:
        super().__init__(embed=embed, dims=dims, fields=fields, ttl=ttl, weights=weights)
        self._user = None if user is None else _user(user)
        self._pools = Pools(
            checked(url),
            most=int(positive("pool_size", pool_size)),
            timeout_seconds=positive("timeout_seconds", timeout_seconds),
        )
        self._close = weakref.finalize(self, self._pools.close)  # a store that nobody closed leaks nothing

    def close(self) -> None:
        """Closes the connections of threads. Later operations raise `StoreError`. May be called twice."""
        self._close()

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._pools.aclose()

    def _open(self) -> None:
        """Makes sure that the database can be used, or says why not."""
        newest = "(SELECT coalesce(max(version), 0) FROM graph_memory.migrations)"
        [[version, dimension]] = self._pools.connect(f"SELECT {newest}, graph_memory.dimension()")
        self._check(version, dimension, self._pools.where)

    async def _aopen(self) -> None:
        await super()._aopen()
        await self._pools.aopen()

    def _ask(self, function: str, argument: Any, *, is_repeatable: bool = True) -> Rows:
        return self._pools.run(*self._call(function, argument), is_repeatable=is_repeatable)

    async def _aask(self, function: str, argument: Any, *, is_repeatable: bool = True) -> Rows:
        return await self._pools.arun(*self._call(function, argument), is_repeatable=is_repeatable)

    def _call(self, function: str, argument: Any) -> tuple[Statement, list[Any]]:
        """A statement that calls one of the SQL functions, as the store's user if it has one, and its values."""
        given = argument if isinstance(argument, int) else to_text(argument)
        if self._user is None:
            return f"SELECT * FROM graph_memory.{function}(%s)", [given]
        return f"SELECT * FROM graph_memory.{function}_as(%s, %s)", [self._user, given]


def _user(user: str) -> str:
    if not isinstance(user, str) or not user or "\0" in user or len(user) > _MOST_USER:
        raise ConfigurationError("user must be the id of whose memory it is: text that is neither empty nor holds NUL")
    return user
