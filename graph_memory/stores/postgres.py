"""A LangGraph store on Postgres with pgvector: one SQL function carries out a batch, so that a batch is one round trip.

It gives the same results as `SqliteStore`, whose notes on where we differ from LangGraph's own stores hold here too. Its schema
is made by `graph-memory migrate`; row-level security keeps users apart even when the application passes the wrong id, provided
that the store is opened for a `user` or that the connection's own role is none that sees all.

Texts that are written with an embedder cost one more, before: the server says which of them it has no vector of.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self

from langgraph.store.base import BaseStore, Op, PutOp, Result, TTLConfig
from psycopg.sql import SQL, Identifier

from graph_memory.context.fusion import FusionWeights
from graph_memory.errors import ConfigurationError
from graph_memory.postgres_servers import checked
from graph_memory.stores import migrations
from graph_memory.stores._embedding import Embedder, Vector, Vectorizer, size_mismatch
from graph_memory.stores._index import digest
from graph_memory.stores._options import paths, positive
from graph_memory.stores._plan import Plan, plan
from graph_memory.stores._postgres_plan import Batch, to_text, written
from graph_memory.stores._postgres_pools import Pools, Rows, Statement

Vectors = dict[str, Vector]
_SWEEP = 1000  # expired items per transaction
_MOST_USER = 500  # characters


class PostgresStore(BaseStore):
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

    supports_ttl = True
    takes_claims = True

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
        self.ttl_config = ttl
        self._user = None if user is None else _user(user)
        self._fields = paths(fields)
        self._dims = None if dims is None else int(positive("dims", dims))
        self._vectorizer = None if embed is None else Vectorizer(embed, self._dims)
        self._weights = weights or FusionWeights()
        self._pools = Pools(
            checked(url),
            most=int(positive("pool_size", pool_size)),
            timeout_seconds=positive("timeout_seconds", timeout_seconds),
        )
        self._close = weakref.finalize(self, self._pools.close)  # a store that nobody closed leaks nothing

    @property
    def ranking(self) -> Literal["words", "words+meaning"]:
        """What a search with a query goes by."""
        return "words" if self._vectorizer is None else "words+meaning"

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """The operations' results, in order; the reads see the state before the writes.

        Raises:
            ConfigurationError: an operation is malformed, or the embedder's vectors have another size than the stored ones.
            ConflictError: somebody else holds a slot that the batch claims.
            StoreError: a value is not JSON, the embedder or the database failed. Nothing was written.
            StoreUnavailableError: no answer in time. A batch whose answer was lost may have been written.
            SchemaOutdatedError: the database lacks migrations.
        """
        todo = plan(ops, self._fields)
        if not todo.size:
            return []
        vectors = self._embedded(todo)
        asked = Batch(todo, self._vectorizer.queries(todo.queries) if self._vectorizer else {}, self._weights)
        return asked.results(self._pools.run(*self._call("batch", asked.payload(vectors))))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """`batch`, awaiting the database and the embedder."""
        todo = await _planned(list(ops), self._fields)
        if not todo.size:
            return []
        vectors = await self._aembedded(todo)
        asked = Batch(todo, await self._vectorizer.aqueries(todo.queries) if self._vectorizer else {}, self._weights)
        return asked.results(await self._pools.arun(*self._call("batch", asked.payload(vectors))))

    def put_if_absent(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: Mapping[str, Any],
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | None = None,
    ) -> bool:
        """Stores an item unless there is one already; of several at once exactly one succeeds. An expired item is absent.

        Args:
            index, ttl: as in `put`, but without `ttl` the item is kept.

        Returns:
            Whether it was stored.
        """
        todo = plan([PutOp(namespace, key, value, index=index, ttl=ttl)], self._fields)
        call = self._call("put_if_absent", to_text(written(todo.writes, self._embedded(todo))))
        return bool(self._pools.run(*call, is_repeatable=False)[0][0])

    async def aput_if_absent(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: Mapping[str, Any],
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | None = None,
    ) -> bool:
        """`put_if_absent`, awaiting the database and the embedder."""
        todo = await _planned([PutOp(namespace, key, value, index=index, ttl=ttl)], self._fields)
        call = self._call("put_if_absent", to_text(written(todo.writes, await self._aembedded(todo))))
        return bool((await self._pools.arun(*call, is_repeatable=False))[0][0])

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

    def __enter__(self) -> Self:
        self._check()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._check)
        await self._pools.aopen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _check(self) -> None:
        """Makes sure that the database can be used, or says why not."""
        newest = "(SELECT coalesce(max(version), 0) FROM graph_memory.migrations)"
        [[version, dimension]] = self._pools.connect(SQL(f"SELECT {newest}, graph_memory.dimension()"))
        migrations.check_version(version, self._pools.where)
        if self._vectorizer and self._dims and dimension not in (None, self._dims):
            raise size_mismatch(self._dims, dimension, self._pools.where)

    def _call(self, function: str, argument: str | int) -> tuple[Statement, list[Any]]:
        """A statement that calls one of the SQL functions, as the store's user if it has one, and its values."""
        if self._user is None:
            return SQL("SELECT * FROM graph_memory.{}(%s)").format(Identifier(function)), [argument]
        return SQL("SELECT * FROM graph_memory.{}(%s, %s)").format(Identifier(f"{function}_as")), [self._user, argument]

    def _embedded(self, todo: Plan) -> Vectors:
        """The vectors of written texts that the server has none of yet."""
        if self._vectorizer is None or not todo.texts:
            return {}
        return self._vectorizer.documents(_lacking(todo, self._pools.run(*self._call("missing", _texts(todo)))))

    async def _aembedded(self, todo: Plan) -> Vectors:
        if self._vectorizer is None or not todo.texts:
            return {}
        lacking = _lacking(todo, await self._pools.arun(*self._call("missing", _texts(todo))))
        return await self._vectorizer.adocuments(lacking)


def _texts(todo: Plan) -> str:
    """The places and digests of what a plan writes, as `graph_memory.missing` takes them."""
    fields = ("path", "key", "digests")
    return to_text([{name: write[name] for name in fields} for write in written(todo.writes, {}) if write["value"]])


def _lacking(todo: Plan, missing: Rows) -> list[str]:
    digests = {row[0] for row in missing}
    return [text for text in todo.texts if digest(text).hex() in digests]


def _user(user: str) -> str:
    if not isinstance(user, str) or not user or "\0" in user or len(user) > _MOST_USER:
        raise ConfigurationError("user must be the id of whose memory it is: text that is neither empty nor holds NUL")
    return user


async def _planned(ops: list[Op], fields: Sequence[str] | None) -> Plan:
    """The plan of a batch; finding the words of many texts takes a while and is done in a worker thread."""
    if any(isinstance(op, PutOp) for op in ops):
        return await asyncio.to_thread(plan, ops, fields)
    return plan(ops, fields)
