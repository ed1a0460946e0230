"""A LangGraph store on plain Redis: core commands alone, no modules; one server, TLS, or a Redis Cluster.

What a batch writes is one Lua script, so all of it is written or nothing (on a cluster: all of one owner's, an owner being a
namespace's first two labels). Values and indexes live in Redis; a search by words or meaning ranks in this process, over an index
that it keeps and brings up to date with each search. That is quick for what one user remembers, and limited: beyond `most_ranked`
items under the searched prefix it says so, and Postgres (or SQLite) is the store to use.

It differs from LangGraph's own stores as `SqliteStore` does. Items with a time to live are gone from Redis when it is over. Redis
must be told not to evict what is memory (`maxmemory-policy noeviction`), and to write it to disk (`appendonly yes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from secrets import token_hex

from langgraph.store.base import ListNamespacesOp, Result, SearchOp, TTLConfig

from graph_memory.context.fusion import FusionWeights
from graph_memory.redis_client import MOST_CONNECTIONS, Server
from graph_memory.redis_rounds import Call, Steps, together
from graph_memory.stores._base import BackEnd, Known, Vectors
from graph_memory.stores._embedding import Embedder
from graph_memory.stores._options import positive
from graph_memory.stores._plan import Plan, Write, has_query
from graph_memory.stores._redis_index import IndexCache
from graph_memory.stores._redis_keys import Keys
from graph_memory.stores._redis_read import Read, Reader, got, merged
from graph_memory.stores._redis_rows import vectors_in
from graph_memory.stores._redis_write import Writer, check_written, was_written


class RedisStore(BackEnd):
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

    tells_eras = True

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
        super().__init__(embed=embed, dims=dims, fields=fields, ttl=ttl)
        self.keeps_vectors = embed is not None
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

    def _open(self) -> None:
        self._server.open()

    async def _aopen(self) -> None:
        await self._server.aopen()

    def _execute(self, todo: Plan, vectors: Vectors, queries: Vectors) -> list[Result]:
        self._server.open()
        return self._server.run(self._batch(todo, vectors, queries))

    async def _aexecute(self, todo: Plan, vectors: Vectors, queries: Vectors) -> list[Result]:
        await self._server.aopen()
        is_heavy = any(isinstance(op, SearchOp) and has_query(op) for _, op in todo.questions)
        return await self._server.arun(self._batch(todo, vectors, queries), in_thread=is_heavy)

    def _execute_if_absent(self, todo: Plan, vectors: Vectors) -> bool:
        self._server.open()
        return self._server.run(self._put_if_absent(todo, vectors))

    async def _aexecute_if_absent(self, todo: Plan, vectors: Vectors) -> bool:
        await self._server.aopen()
        return await self._server.arun(self._put_if_absent(todo, vectors))

    def _known(self, todo: Plan) -> Known:
        return self._server.run(self._vectors_of(todo))

    async def _aknown(self, todo: Plan) -> Known:
        return await self._server.arun(self._vectors_of(todo))

    def _vectors_of(self, todo: Plan) -> Steps[Vectors]:
        """Vectors of texts that the items of a plan have already."""
        spaces: dict[tuple[str, ...], list[Write]] = {}
        for write in todo.writes:
            if write.indexed.texts:
                spaces.setdefault(write.namespace, []).append(write)
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
        writer = Writer(self._keys, vectors, self._server.is_cluster)
        writes = writer.calls(todo) if todo.writes else []
        swaps = writer.swaps(todo)
        if todo.questions or todo.eras or swaps:
            gets = [self._gets(todo, {}, [])] if todo.gets else []
            eras = [self._reader.eras(todo.eras, self._server.is_cluster)] if todo.eras else []
            bodies = [*gets, *(self._answers(at, op, queries) for at, op in todo.questions), *eras]
            read = merged((yield from together(bodies)))
            if swaps:
                read = merged([read, (yield from _swapped(swaps))])
            if writes:
                self._check((yield list(writes)), vectors)
        else:
            read = yield from self._gets(todo, vectors, writes)
        if read.touched:
            yield self._reader.refresh(read.touched)
        return [read.results.get(at) for at in range(todo.size)]

    def _gets(self, todo: Plan, vectors: Vectors, writes: list[Call]) -> Steps[Read]:
        """The items that a plan gets; and, in the same round but after them, its writes."""
        commands, gets = self._reader.gets(todo.gets)
        if not commands and not writes:
            return Read({})
        replies = yield [*commands, *writes]
        self._check(replies[len(commands) :], vectors)
        return got(gets, chain.from_iterable(replies[: len(commands)]))

    def _answers(self, at: int, op: SearchOp | ListNamespacesOp, queries: Vectors) -> Steps[Read]:
        if isinstance(op, SearchOp):
            return self._reader.search(at, op, queries.get(op.query or ""), has_query(op))
        return self._reader.namespaces(at, op)

    def _put_if_absent(self, todo: Plan, vectors: Vectors) -> Steps[bool]:
        replies = yield list(Writer(self._keys, vectors, self._server.is_cluster, token_hex(8)).calls(todo))
        self._check(replies, vectors)
        return was_written(replies)

    def _check(self, replies: Iterable[Sequence[int]], vectors: Vectors) -> None:
        check_written(replies, max(map(len, vectors.values()), default=0), self._server.where)


def _swapped(swaps: Sequence[tuple[Sequence[int], Call]]) -> Steps[Read]:
    """Swaps values; by their places in the batch, whether they are there now."""
    replies = yield [call for _, call in swaps]
    return Read(
        {at: bool(n) for (ats, _), some in zip(swaps, replies, strict=True) for at, n in zip(ats, some, strict=True)}
    )
