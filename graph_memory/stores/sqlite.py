"""A LangGraph store on the standard library's sqlite3: no server, no loadable extension, ranking by words and by meaning.

Where it differs from LangGraph's own stores, on purpose:

- `created_at` survives an update; expired items are never returned, deleted or not.
- A search with a query returns only items that the query's words or meaning find (LangGraph's `InMemoryStore` fills up with
  others); without an embedder it ranks by words alone, and `ranking` says so. Without a query: last updated first.
- True is not 1 in a filter, text is never compared with numbers, "a.b" reaches into nested values.
- A batch is one transaction: all of it is written, or nothing.
"""

from __future__ import annotations

import asyncio
import sqlite3
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self

from langgraph.store.base import BaseStore, GetOp, Item, ListNamespacesOp, Op, PutOp, Result, SearchOp, TTLConfig

from graph_memory.context.fusion import FusionWeights
from graph_memory.errors import ConflictError
from graph_memory.stores import _sqlite_read as read
from graph_memory.stores import _sqlite_schema as schema
from graph_memory.stores._embedding import Embedder, Vector, Vectorizer, size_mismatch
from graph_memory.stores._options import paths, positive
from graph_memory.stores._plan import Plan, has_query, plan
from graph_memory.stores._sqlite_cache import IndexCache
from graph_memory.stores._sqlite_connections import Connections
from graph_memory.stores._sqlite_search import Ranker
from graph_memory.stores._sqlite_write import Writer, find, known_vectors, refresh
from graph_memory.stores.claims import is_held_by_another

Vectors = dict[str, Vector]
_SWEEP = 1000  # expired items per transaction


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SqliteStore(BaseStore):
    """A `BaseStore` in one SQLite file that several threads and processes may use at once.

    It opens on first use, or at the start of a `with` or `async with` block, which also closes it.

    Args:
        path: the file; None for a database in memory, gone when the store is closed.
        embed: LangChain `Embeddings`, a function (sync or async) from texts to vectors, or an `init_embeddings` string. None:
            search goes by words alone.
        dims: size of the vectors, checked when the file is opened; None takes the embedder's.
        fields: paths (LangGraph's syntax) that are indexed of an item whose `PutOp` names none. None: the top-level "text",
            else the whole value. Top-level "before" and "after" are matched by words at half weight, and not embedded.
        ttl: LangGraph's `TTLConfig`. `omit_expired` is always on. Expired items are deleted along with later writes and by
            `sweep_ttl`; there is no background sweeper.
        cache_mb: megabytes of vectors and postings that are kept in memory between searches.
        timeout_seconds: how long to wait for other writers.
        weights: how much words and meaning count in a search.
        clock: the time, for tests.

    Raises:
        ConfigurationError: an argument is wrong.
    """

    supports_ttl = True
    takes_claims = True

    def __init__(
        self,
        path: str | None,
        *,
        embed: Embedder | None = None,
        dims: int | None = None,
        fields: Sequence[str] | None = None,
        ttl: TTLConfig | None = None,
        cache_mb: float = 256.0,
        timeout_seconds: float = 10.0,
        weights: FusionWeights | None = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.path = None if path is None else str(path)
        self.ttl_config = ttl
        self._where = self.path or "this store"
        self._fields = paths(fields)
        self._dims = None if dims is None else int(positive("dims", dims))
        self._vectorizer = None if embed is None else Vectorizer(embed, self._dims)
        self._clock = clock
        self._ranker = Ranker(
            IndexCache(round(positive("cache_mb", cache_mb) * 1e6)), weights or FusionWeights(), self._where
        )
        self._connections = Connections(
            self.path,
            positive("timeout_seconds", timeout_seconds),
            is_ready=partial(_is_ready, path=self.path, dims=self._dims if embed is not None else None),
            create=partial(schema.create, path=self.path),
        )
        self._close = weakref.finalize(self, self._connections.close)  # a store that nobody closed leaks nothing

    @property
    def ranking(self) -> Literal["words", "words+meaning"]:
        """What a search with a query goes by."""
        return "words" if self._vectorizer is None else "words+meaning"

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """The operations' results, in order; the reads see the state before the writes.

        Raises:
            ConfigurationError: an operation is malformed, or the embedder's vectors have another size than the stored ones.
            StoreError: a value is not JSON, the embedder or the file failed. Nothing was written.
            StoreUnavailableError: other writers held the file for longer than the timeout.
        """
        todo = plan(ops, self._fields)
        vectors, queries = self._embedded(todo)
        return self._execute(todo, vectors, queries)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """`batch`, with SQLite in a worker thread and the embedder awaited."""
        todo = await _planned(list(ops), self._fields)
        vectors, queries = await self._aembedded(todo)
        return await asyncio.to_thread(self._execute, todo, vectors, queries)

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
        vectors, _ = self._embedded(todo)
        return self._execute_if_absent(todo, vectors)

    async def aput_if_absent(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: Mapping[str, Any],
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | None = None,
    ) -> bool:
        """`put_if_absent`, with SQLite in a worker thread and the embedder awaited."""
        todo = await _planned([PutOp(namespace, key, value, index=index, ttl=ttl)], self._fields)
        vectors, _ = await self._aembedded(todo)
        return await asyncio.to_thread(self._execute_if_absent, todo, vectors)

    def sweep_ttl(self) -> int:
        """Deletes all expired items now; returns how many there were."""
        total = 0
        while swept := self._connections.write(lambda connection: self._writer(connection).sweep(_SWEEP)):
            total += swept
        return total

    def close(self) -> None:
        """Closes the file. Operations that run are finished first; later ones raise `StoreError`. May be called twice."""
        self._close()

    async def aclose(self) -> None:
        """`close`, without blocking the event loop."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        self._connections.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._connections.open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _embedded(self, todo: Plan) -> tuple[Vectors, Vectors]:
        """The vectors of what is written and of what is searched for."""
        if self._vectorizer is None:
            return {}, {}
        known = self._known_vectors(todo)
        fresh = self._vectorizer.documents([text for text in todo.texts if text not in known])
        return known | fresh, self._vectorizer.queries(todo.queries)

    async def _aembedded(self, todo: Plan) -> tuple[Vectors, Vectors]:
        if self._vectorizer is None:
            return {}, {}
        known = await asyncio.to_thread(self._known_vectors, todo) if todo.texts else {}
        fresh = await self._vectorizer.adocuments([text for text in todo.texts if text not in known])
        return known | fresh, await self._vectorizer.aqueries(todo.queries)

    def _known_vectors(self, todo: Plan) -> dict[str, Vector]:
        """Vectors of texts that the items of a plan have already: unchanged text is not embedded again."""
        writes = [write for write in todo.writes if write.indexed.texts]
        return self._connections.read(lambda connection: known_vectors(connection, writes)) if writes else {}

    def _execute(self, todo: Plan, vectors: Vectors, queries: Vectors) -> list[Result]:
        now = self._now()
        if todo.writes:
            return self._connections.write(lambda connection: self._write(connection, todo, vectors, queries, now))
        results, touched = self._connections.read(lambda connection: self._read(connection, todo, queries, now))
        if touched:
            self._connections.write(lambda connection: refresh(connection, touched, now))
        return results

    def _execute_if_absent(self, todo: Plan, vectors: Vectors) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            writer, write = self._writer(connection, vectors), todo.writes[0]
            known = find(connection, write.namespace, write.key)
            if known is not None and known.is_alive(writer.now):
                return False
            writer.apply(todo.writes)
            return True

        return self._connections.write(work)

    def _write(
        self, connection: sqlite3.Connection, todo: Plan, vectors: Vectors, queries: Vectors, now: int
    ) -> list[Result]:
        self._check_claims(connection, todo, now)
        results, touched = self._read(connection, todo, queries, now)
        refresh(connection, touched, now)
        Writer(connection, now, self._where, vectors).apply(todo.writes)
        return results

    def _check_claims(self, connection: sqlite3.Connection, todo: Plan, now: int) -> None:
        slots = [GetOp(claim.namespace, claim.key, refresh_ttl=False) for claim in todo.claims]
        for claim, there in zip(todo.claims, read.gets(connection, slots, now), strict=True):
            if is_held_by_another(there.result.value if isinstance(there.result, Item) else None, claim):
                raise ConflictError("somebody else holds the slot that a batch claims; nothing of it was written")

    def _read(
        self, connection: sqlite3.Connection, todo: Plan, queries: Vectors, now: int
    ) -> tuple[list[Result], list[tuple[int, int]]]:
        """The results of a plan (None for writes), and the (id, ttl) of items that live longer because they were read."""
        results: list[Result] = [None] * todo.size
        touched: list[tuple[int, int]] = []
        gets = [(at, op) for at, op in todo.reads if isinstance(op, GetOp)]
        answers = dict(zip((at for at, _ in gets), read.gets(connection, [op for _, op in gets], now), strict=True))
        answers |= {
            at: self._answer(connection, op, queries, now) for at, op in todo.reads if not isinstance(op, GetOp)
        }
        for at, answer in answers.items():
            results[at] = answer.result
            touched += answer.touched
        return results, touched

    def _answer(
        self, connection: sqlite3.Connection, op: SearchOp | ListNamespacesOp, queries: Vectors, now: int
    ) -> read.Read:
        if isinstance(op, ListNamespacesOp):
            return read.namespaces(connection, op, now)
        if not has_query(op):
            return read.newest(connection, op, now)
        return self._ranker.search(connection, op, queries.get(op.query or ""), now)

    def _writer(self, connection: sqlite3.Connection, vectors: Vectors | None = None) -> Writer:
        return Writer(connection, self._now(), self._where, vectors or {})

    def _now(self) -> int:
        return read.microseconds(self._clock())


async def _planned(ops: list[Op], fields: Sequence[str] | None) -> Plan:
    """The plan of a batch; finding the words of many texts takes a while and is done in a worker thread."""
    if any(isinstance(op, PutOp) for op in ops):
        return await asyncio.to_thread(plan, ops, fields)
    return plan(ops, fields)


def _is_ready(connection: sqlite3.Connection, *, path: str | None, dims: int | None) -> bool:
    if not schema.is_ready(connection, path):
        return False
    stored = schema.dims(connection)
    if dims is not None and stored not in (None, dims):
        raise size_mismatch(dims, stored or 0, path or "this store")
    return True
