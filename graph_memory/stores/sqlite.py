"""A LangGraph store on the standard library's sqlite3: no server, no loadable extension, ranking by words and by meaning.

Where it differs from LangGraph's own stores, on purpose:

- `created_at` survives an update; expired items are never returned, deleted or not.
- A search with a query returns only items that the query's words or meaning find (LangGraph's `InMemoryStore` fills up with
  others); without an embedder it ranks by words alone, and `ranking` says so. Without a query: last updated first.
- True is not 1 in a filter, text is never compared with numbers, "a.b" reaches into nested values.
- A batch is one transaction: all of it is written, or nothing.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from langgraph.store.base import GetOp, Item, ListNamespacesOp, Result, SearchOp, TTLConfig

from graph_memory.context.fusion import FusionWeights
from graph_memory.errors import ConflictError
from graph_memory.stores import _sqlite_read as read
from graph_memory.stores import _sqlite_schema as schema
from graph_memory.stores._base import BackEnd, Known, Vectors
from graph_memory.stores._embedding import Embedder, size_mismatch
from graph_memory.stores._options import positive
from graph_memory.stores._plan import Plan, has_query
from graph_memory.stores._sqlite_cache import IndexCache
from graph_memory.stores._sqlite_connections import Connections
from graph_memory.stores._sqlite_search import Ranker
from graph_memory.stores._sqlite_write import Writer, find, known_vectors, refresh, swapped
from graph_memory.stores.claims import is_held_by_another

_SWEEP = 1000  # expired items per transaction


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SqliteStore(BackEnd):
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
        create: whether to make a file that is not there; without, it is refused on opening.
        weights: how much words and meaning count in a search.
        clock: the time, for tests.

    Raises:
        ConfigurationError: an argument is wrong.
    """

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
        create: bool = True,
        weights: FusionWeights | None = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        super().__init__(embed=embed, dims=dims, fields=fields, ttl=ttl)
        self.path = None if path is None else str(path)
        self._where = self.path or "this store"
        self._clock = clock
        self._ranker = Ranker(
            IndexCache(round(positive("cache_mb", cache_mb) * 1e6)), weights or FusionWeights(), self._where
        )
        self._connections = Connections(
            self.path,
            positive("timeout_seconds", timeout_seconds),
            must_exist=not create,
            is_ready=partial(_is_ready, path=self.path, dims=self._dims if embed is not None else None),
            create=partial(schema.create, path=self.path),
        )
        self._close = weakref.finalize(self, self._connections.close)  # a store that nobody closed leaks nothing

    def sweep_ttl(self) -> int:
        """Deletes all expired items now; returns how many there were."""
        total = 0
        while swept := self._connections.write(lambda connection: self._writer(connection).sweep(_SWEEP)):
            total += swept
        return total

    def close(self) -> None:
        """Closes the file. Operations that run are finished first; later ones raise `StoreError`. May be called twice."""
        self._close()

    def _open(self) -> None:
        self._connections.open()

    def _known(self, todo: Plan) -> Known:
        writes = [write for write in todo.writes if write.indexed.texts]
        return self._connections.read(lambda connection: known_vectors(connection, writes))

    def _execute(self, todo: Plan, vectors: Vectors, queries: Vectors) -> list[Result]:
        now = self._now()
        if todo.writes or todo.swaps:
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
        found, touched = self._read(connection, todo, queries, now)
        results: list[Any] = found
        refresh(connection, touched, now)
        for at, swap in todo.swaps:
            results[at] = swapped(connection, swap, now)
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
        found = read.gets(connection, [op for _, op in todo.gets], now)
        answers = dict(zip((at for at, _ in todo.gets), found, strict=True))
        answers |= {at: self._answer(connection, op, queries, now) for at, op in todo.questions}
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


def _is_ready(connection: sqlite3.Connection, *, path: str | None, dims: int | None) -> bool:
    if not schema.is_ready(connection, path):
        return False
    stored = schema.dims(connection)
    if dims is not None and stored not in (None, dims):
        raise size_mismatch(dims, stored or 0, path or "this store")
    return True
