"""A LangGraph store on plain Redis: core commands alone, no modules; one server, TLS, or a Redis Cluster.

What a batch writes is one Lua script, so all of it is written or nothing (on a cluster: all of one owner's, an owner being a
namespace's first two labels). Values and indexes live in Redis; a search by words or meaning ranks in this process, over an index
that it keeps and brings up to date with each search. That is quick for what one user remembers, and limited: beyond `most_ranked`
items under the searched prefix it says so, and Postgres (or SQLite) is the store to use.

It differs from LangGraph's own stores as `SqliteStore` does. Items with a time to live are gone from Redis when it is over. Redis
must be told not to evict what is memory (`maxmemory-policy noeviction`), and to write it to disk (`appendonly yes`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from secrets import token_hex
from types import TracebackType
from typing import Any, Literal, Self

from langgraph.store.base import BaseStore, GetOp, ListNamespacesOp, Op, PutOp, Result, SearchOp, TTLConfig

from graph_memory.context.fusion import FusionWeights
from graph_memory.redis_client import MOST_CONNECTIONS, Server
from graph_memory.redis_rounds import Call, Steps, together
from graph_memory.stores._embedding import Embedder, Vector, Vectorizer
from graph_memory.stores._options import paths, positive
from graph_memory.stores._plan import Plan, Write, has_query, plan
from graph_memory.stores._redis_index import IndexCache
from graph_memory.stores._redis_keys import Keys
from graph_memory.stores._redis_read import Place, Read, Reader, got
from graph_memory.stores._redis_rows import vectors_in
from graph_memory.stores._redis_write import Writer, check_written, was_written

Vectors = dict[str, Vector]


class RedisStore(BaseStore):
    """A `BaseStore` in Redis 6.2 or newer, or Valkey, that any number of processes may use at once.

    It connects on first use, or at the start of a `with` or `async with` block, which also closes it. Every batch is one round
    trip, one more where searches or an embedder need it, and one more when something that was read has a time to live.

    Args:
        url: `redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS. One node of a cluster is enough to name.
        embed: LangChain `Embeddings`, a function (sync or async) from a list of texts to vectors, or an `init_embeddings`
            string. None: search goes by words alone.
        dims: size of the vectors; None takes the embedder's.
        fields: paths that are indexed of an item whose `PutOp` names none. None: the top-level "text", else the whole value.
        ttl: LangGraph's `TTLConfig`. `omit_expired` is always on, and there is no sweeper: none is needed.
        cache_mb: megabytes of indexes that are kept in this process between searches.
        timeout_seconds: how long to wait for a connection and for each reply.
        weights: how much words and meaning count in a search.
        prefix: what the names of all keys begin with; stores with different ones do not see each other.
        most_ranked: how many items under a prefix a search by words or meaning ranks at most. 20,000 of twenty words and 384
            dimensions take 34 MB in Redis and 70 MB here; the first search reads them in 2 s, later ones take 20 ms.
        max_connections: how many at once.

    Raises:
        ConfigurationError: an argument is wrong.
        MissingExtraError: redis-py is not installed.
    """

    supports_ttl = True
    takes_claims = True

    def __init__(
        self,
        url: str,
        *,
        embed: Embedder | None = None,
        dims: int | None = None,
        fields: Sequence[str] | None = None,
        ttl: TTLConfig | None = None,
        cache_mb: float = 256.0,
        timeout_seconds: float = 5.0,
        weights: FusionWeights | None = None,
        prefix: str = "graph_memory",
        most_ranked: int = 20_000,
        max_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self.ttl_config = ttl
        self._fields = paths(fields)
        self._vectorizer = (
            None if embed is None else Vectorizer(embed, None if dims is None else int(positive("dims", dims)))
        )
        self._server = Server(
            url,
            timeout_seconds=positive("timeout_seconds", timeout_seconds),
            max_connections=int(positive("max_connections", max_connections)),
        )
        self._keys = Keys(prefix)
        self._reader = Reader(
            self._keys,
            IndexCache(round(positive("cache_mb", cache_mb) * 1e6)),
            weights or FusionWeights(),
            int(positive("most_ranked", most_ranked)),
            self._server.where,
        )

    @property
    def ranking(self) -> Literal["words", "words+meaning"]:
        """What a search with a query goes by."""
        return "words" if self._vectorizer is None else "words+meaning"

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """The operations' results, in order; the reads see the state before the writes.

        Raises:
            ConfigurationError: an operation is malformed, or the embedder's vectors have another size than the stored ones.
            ConflictError: somebody else holds a slot that the batch claims. Nothing was written.
            StoreError: a value is not JSON, the embedder failed, there is too much to rank, or Redis refused.
            StoreUnavailableError: no answer in time; what was written is not known.
        """
        todo = plan(ops, self._fields)
        vectors, queries = self._embedded(todo)
        self._server.open()
        return self._server.run(self._batch(todo, vectors, queries))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """`batch`, with redis-py's async client and the embedder awaited; planning and ranking happen in a worker thread."""
        todo = await _planned(list(ops), self._fields)
        vectors, queries = await self._aembedded(todo)
        await self._server.aopen()
        is_heavy = any(isinstance(op, SearchOp) and has_query(op) for _, op in todo.reads)
        return await self._server.arun(self._batch(todo, vectors, queries), in_thread=is_heavy)

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
        self._server.open()
        return self._server.run(self._put_if_absent(todo, vectors))

    async def aput_if_absent(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: Mapping[str, Any],
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | None = None,
    ) -> bool:
        """`put_if_absent`, with redis-py's async client."""
        todo = await _planned([PutOp(namespace, key, value, index=index, ttl=ttl)], self._fields)
        vectors, _ = await self._aembedded(todo)
        await self._server.aopen()
        return await self._server.arun(self._put_if_absent(todo, vectors))

    def sweep_ttl(self) -> int:
        """Takes expired items out of the indexes now; returns how many there were. Redis has dropped their values by itself."""
        return self._server.run(self._reader.sweep())

    async def asweep_ttl(self) -> int:
        """`sweep_ttl`, awaiting Redis."""
        return await self._server.arun(self._reader.sweep())

    def close(self) -> None:
        """Closes the connections; later operations raise `StoreError`. May be called twice."""
        self._server.close()

    async def aclose(self) -> None:
        """Closes the connections of the running event loop too."""
        await self._server.aclose()

    def __enter__(self) -> Self:
        self._server.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        await self._server.aopen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _embedded(self, todo: Plan) -> tuple[Vectors, Vectors]:
        """The vectors of what is written and of what is searched for."""
        if self._vectorizer is None:
            return {}, {}
        known = self._server.run(self._known_vectors(todo))
        fresh = self._vectorizer.documents([text for text in todo.texts if text not in known])
        return known | fresh, self._vectorizer.queries(todo.queries)

    async def _aembedded(self, todo: Plan) -> tuple[Vectors, Vectors]:
        if self._vectorizer is None:
            return {}, {}
        known = await self._server.arun(self._known_vectors(todo))
        fresh = await self._vectorizer.adocuments([text for text in todo.texts if text not in known])
        return known | fresh, await self._vectorizer.aqueries(todo.queries)

    def _known_vectors(self, todo: Plan) -> Steps[Vectors]:
        """Vectors of texts that the items of a plan have already."""
        spaces: dict[tuple[str, ...], list[Write]] = {}
        for write in todo.writes:
            if write.indexed.texts:
                spaces.setdefault(write.namespace, []).append(write)
        if not spaces:
            return {}
        replies = yield [
            ("HMGET", self._keys.space(space)[2], *(write.key.encode() for write in writes))
            for space, writes in spaces.items()
        ]
        vectors: Vectors = {}
        for writes, rows in zip(spaces.values(), replies, strict=True):
            for write, row in zip(writes, rows, strict=True):
                vectors |= vectors_in(row, write.indexed.texts)
        return vectors

    def _batch(self, todo: Plan, vectors: Vectors, queries: Vectors) -> Steps[list[Result]]:
        writes = Writer(self._keys, vectors, self._server.is_cluster).calls(todo)
        others = [(at, op) for at, op in todo.reads if not isinstance(op, GetOp)]
        bodies = [self._answers(op, queries) for _, op in others]
        reads: dict[int, Read] = {}
        if bodies:
            gets, answers = yield from self._read(todo, bodies)
            reads = gets | {at: read for (at, _), read in zip(others, answers, strict=True)}
            if writes:
                self._check((yield list(writes)), vectors)
        else:
            reads = yield from self._gets(todo, vectors, writes)
        touched = [place for read in reads.values() for place in read.touched]
        if touched:
            yield self._reader.refresh(touched)
        return [reads[at].result if at in reads else None for at in range(todo.size)]

    def _read(self, todo: Plan, bodies: list[Steps[Read]]) -> Steps[tuple[dict[int, Read], list[Read]]]:
        gets = self._gets(todo, {}, [])
        found: list[Any] = yield from together([gets, *bodies])
        return found[0], found[1:]

    def _gets(self, todo: Plan, vectors: Vectors, writes: list[Call]) -> Steps[dict[int, Read]]:
        """The items that a plan gets; and, in the same round but after them, its writes."""
        gets = [(at, op) for at, op in todo.reads if isinstance(op, GetOp)]
        commands, places = self._reader.gets([op for _, op in gets])
        if not commands and not writes:
            return {}
        replies = yield [*commands, *writes]
        self._check(replies[len(commands) :], vectors)
        data: dict[Place, bytes | None] = {
            place: value
            for some, values in zip(places, replies, strict=False)
            for place, value in zip(some, values, strict=True)
        }
        return {at: got(op, data[op.namespace, op.key]) for at, op in gets}

    def _answers(self, op: SearchOp | ListNamespacesOp | GetOp, queries: Vectors) -> Steps[Read]:
        if isinstance(op, SearchOp):
            return self._reader.search(op, queries.get(op.query or ""), has_query(op))
        assert isinstance(op, ListNamespacesOp)
        return self._reader.namespaces(op)

    def _put_if_absent(self, todo: Plan, vectors: Vectors) -> Steps[bool]:
        replies = yield list(Writer(self._keys, vectors, self._server.is_cluster, token_hex(8)).calls(todo))
        self._check(replies, vectors)
        return was_written(replies)

    def _check(self, replies: Iterable[Sequence[int]], vectors: Vectors) -> None:
        check_written(replies, max(map(len, vectors.values()), default=0), self._server.where)


async def _planned(ops: list[Op], fields: Sequence[str] | None) -> Plan:
    """The plan of a batch; finding the words of many texts takes a while and is done in a worker thread."""
    if any(isinstance(op, PutOp) for op in ops):
        return await asyncio.to_thread(plan, ops, fields)
    return plan(ops, fields)
