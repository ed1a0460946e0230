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

from langgraph.store.base import Result, TTLConfig
from psycopg.sql import SQL, Identifier

from graph_memory.context.fusion import FusionWeights
from graph_memory.errors import ConfigurationError
from graph_memory.postgres_servers import checked
from graph_memory.stores import migrations
from graph_memory.stores._base import BackEnd, Known, Vectors
from graph_memory.stores._embedding import Embedder, size_mismatch
from graph_memory.stores._index import digest
from graph_memory.stores._options import positive
from graph_memory.stores._plan import Plan
from graph_memory.stores._postgres_plan import Batch, to_text, written
from graph_memory.stores._postgres_pools import Pools, Rows, Statement

_SWEEP = 1000  # expired items per transaction
_MOST_USER = 500  # characters


class PostgresStore(BackEnd):
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
        super().__init__(embed=embed, dims=dims, fields=fields, ttl=ttl)
        self._user = None if user is None else _user(user)
        self._weights = weights or FusionWeights()
        self._pools = Pools(
            checked(url),
            most=int(positive("pool_size", pool_size)),
            timeout_seconds=positive("timeout_seconds", timeout_seconds),
        )
        self._close = weakref.finalize(self, self._pools.close)  # a store that nobody closed leaks nothing

    def sweep_ttl(self) -> int:
        """Deletes all expired items now; returns how many there were."""
        total = 0
        while swept := self._pools.run(*self._call("sweep", _SWEEP))[0][0]:
            total += swept
        return total

    def close(self) -> None:
        """Closes the connections of threads. Later operations raise `StoreError`. May be called twice."""
        self._close()

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._pools.aclose()

    def _open(self) -> None:
        """Makes sure that the database can be used, or says why not."""
        newest = "(SELECT coalesce(max(version), 0) FROM graph_memory.migrations)"
        [[version, dimension]] = self._pools.connect(SQL(f"SELECT {newest}, graph_memory.dimension()"))
        migrations.check_version(version, self._pools.where)
        if self._vectorizer and self._dims and dimension not in (None, self._dims):
            raise size_mismatch(self._dims, dimension, self._pools.where)

    async def _aopen(self) -> None:
        await super()._aopen()
        await self._pools.aopen()

    def _execute(self, todo: Plan, vectors: Vectors, queries: Vectors) -> list[Result]:
        asked = Batch(todo, queries, self._weights)
        return asked.results(self._pools.run(*self._call("batch", asked.payload(vectors))))

    async def _aexecute(self, todo: Plan, vectors: Vectors, queries: Vectors) -> list[Result]:
        asked = Batch(todo, queries, self._weights)
        return asked.results(await self._pools.arun(*self._call("batch", asked.payload(vectors))))

    def _execute_if_absent(self, todo: Plan, vectors: Vectors) -> bool:
        call = self._call("put_if_absent", to_text(written(todo.writes, vectors)))
        return bool(self._pools.run(*call, is_repeatable=False)[0][0])

    async def _aexecute_if_absent(self, todo: Plan, vectors: Vectors) -> bool:
        call = self._call("put_if_absent", to_text(written(todo.writes, vectors)))
        return bool((await self._pools.arun(*call, is_repeatable=False))[0][0])

    def _known(self, todo: Plan) -> Known:
        return _held(todo, self._pools.run(*self._call("missing", _texts(todo))))

    async def _aknown(self, todo: Plan) -> Known:
        return _held(todo, await self._pools.arun(*self._call("missing", _texts(todo))))

    def _call(self, function: str, argument: str | int) -> tuple[Statement, list[Any]]:
        """A statement that calls one of the SQL functions, as the store's user if it has one, and its values."""
        if self._user is None:
            return SQL("SELECT * FROM graph_memory.{}(%s)").format(Identifier(function)), [argument]
        return SQL("SELECT * FROM graph_memory.{}(%s, %s)").format(Identifier(f"{function}_as")), [self._user, argument]


def _texts(todo: Plan) -> str:
    """The places and digests of what a plan writes, as `graph_memory.missing` takes them."""
    fields = ("path", "key", "digests")
    return to_text([{name: write[name] for name in fields} for write in written(todo.writes, {}) if write["value"]])


def _held(todo: Plan, missing: Rows) -> Known:
    """The texts whose vectors the server has."""
    digests = {row[0] for row in missing}
    return {text: None for text in todo.texts if digest(text).hex() not in digests}


def _user(user: str) -> str:
    if not isinstance(user, str) or not user or "\0" in user or len(user) > _MOST_USER:
        raise ConfigurationError("user must be the id of whose memory it is: text that is neither empty nor holds NUL")
    return user
