"""Reading from Redis: items by key, newest first, ranked; and listing namespaces. Every function yields rounds of commands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NamedTuple

from langgraph.store.base import GetOp, ListNamespacesOp, SearchOp

from graph_memory.context.fusion import FusionWeights
from graph_memory.context.words import terms
from graph_memory.errors import StoreError
from graph_memory.redis_rounds import Call, Round, Steps, together
from graph_memory.stores._embedding import Vector
from graph_memory.stores._filters import matches
from graph_memory.stores._ops import Namespace, decode_path, encode_path, list_namespaces
from graph_memory.stores._redis_index import Changes, Index, IndexCache
from graph_memory.stores._redis_keys import Keys, bounds, bucket_of, buckets_under
from graph_memory.stores._redis_ranking import Candidate, ranked
from graph_memory.stores._redis_rows import StoredHit, StoredItem, is_mortal
from graph_memory.stores._redis_scripts import CHANGES, ERA, LIVING, PAGE, REFRESH, SWEEP
from graph_memory.stores.eras import EraOp
from graph_memory.stores.hits import Hits

_ROWS_AT_ONCE = 1000  # of an index; 0.8 MB of vectors at 384 dimensions
_FIRST_CHUNK = 50
_MOST_TERMS = 256  # different words of a query that are looked up; a pasted document is no question

Place = tuple[Namespace, str]
Placed = tuple[int, GetOp]  # the operation and its position in the batch


class Read(NamedTuple):
    """Results by their position in the batch, and the items whose time to live starts anew because they were read."""

    results: dict[int, Any]
    touched: Sequence[Place] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading needs beside the operation itself."""

    keys: Keys
    cache: IndexCache
    weights: FusionWeights
    most_ranked: int
    where: str

    def gets(self, ops: Iterable[Placed]) -> tuple[Round, list[Placed]]:
        """The commands that read items, one per bucket, and the operations in the order of what they return."""
        spaces: dict[Namespace, list[Placed]] = {}
        for one in ops:
            spaces.setdefault(one[1].namespace, []).append(one)
        names: dict[int, list[bytes]] = {}
        asked: dict[int, list[Placed]] = {}
        for space, some in spaces.items():
            bucket, before = bucket_of(space), self.keys.before(space)
            names.setdefault(bucket, []).extend([before + op.key.encode() for _, op in some])
            asked.setdefault(bucket, []).extend(some)
        return [("MGET", *some) for some in names.values()], list(chain.from_iterable(asked.values()))

    def search(self, at: int, op: SearchOp, vector: Vector | None, is_ranked: bool) -> Steps[Read]:
        """One page of the items under a prefix that match the filter: best first, or last updated first, then by key."""
        if not is_ranked:
            return (yield from self._newest(at, op))
        indexes = yield from self._indexes(op.namespace_prefix)
        with self.cache.lock:
            query = islice(dict.fromkeys(terms(op.query or "")), _MOST_TERMS)
            found = ranked(indexes, query, vector, self.weights, self.where)
        hits: list[StoredHit] = []
        start, size, wanted = 0, op.offset + op.limit, op.offset + op.limit
        while len(hits) < wanted and start < len(found.found):
            candidates = found.candidates(start, start + size)
            hits += yield from self._hits(candidates, op)
            start, size = start + size, max(size, _FIRST_CHUNK) * 4
        page = hits[op.offset : wanted]
        return Read({at: Hits(page, found.statistics)}, _touched(page, op))

    def namespaces(self, at: int, op: ListNamespacesOp) -> Steps[Read]:
        """The namespaces that hold a living item."""
        prefixes = [tuple(c.path) for c in op.match_conditions or () if c.match_type == "prefix" and "*" not in c.path]
        spaces = yield from self.spaces(max(prefixes, key=len, default=()))
        grouped: dict[int, list[Namespace]] = {}
        for space in spaces:
            grouped.setdefault(bucket_of(space), []).append(space)
        replies = yield [
            Call(LIVING, [k for s in some for k in self.keys.space(s)[1:4:2]], ()) for some in grouped.values()
        ]
        pairs = zip(
            (s for some in grouped.values() for s in some), (n for reply in replies for n in reply), strict=True
        )
        return Read({at: list_namespaces((space for space, living in pairs if living), op)})

    def spaces(self, prefix: Namespace) -> Steps[list[Namespace]]:
        """Every namespace at or under a prefix, some of them perhaps expired."""
        replies = yield self._listing(prefix)
        return _decoded(replies)

    def refresh(self, touched: Iterable[Place]) -> Round:
        """The commands that start items' time to live anew."""
        spaces: dict[Namespace, list[str]] = {}
        for namespace, key in dict.fromkeys(touched):
            spaces.setdefault(namespace, []).append(key)
        return [
            Call(
                REFRESH,
                [*self.keys.space(space), *(self.keys.item(space, key) for key in keys)],
                [encode_path(space).encode(), *(key.encode() for key in keys)],
            )
            for space, keys in spaces.items()
        ]

    def sweep(self) -> Steps[int]:
        """Takes everything expired out of every namespace; how many items there were."""
        spaces = yield from self.spaces(())
        total = 0
        for at in range(0, len(spaces), _ROWS_AT_ONCE):
            some = spaces[at : at + _ROWS_AT_ONCE]
            total += sum((yield [Call(SWEEP, self.keys.space(s), [encode_path(s).encode()]) for s in some]))
        return total

    def eras(self, ops: Iterable[tuple[int, EraOp]], is_cluster: bool) -> Steps[Read]:
        """The run ids of the servers that hold some namespaces; of a cluster each bucket is asked, else the one server once."""
        asked: dict[int, list[int]] = {}
        for at, op in ops:
            asked.setdefault(bucket_of(op.namespace) if is_cluster else 0, []).append(at)
        runs = yield [Call(ERA, [self.keys.directory(bucket)], []) for bucket in asked]
        return Read({at: run.decode() for some, run in zip(asked.values(), runs, strict=True) for at in some})

    def _newest(self, at: int, op: SearchOp) -> Steps[Read]:
        wanted = op.offset + op.limit
        if not wanted:
            return Read({at: []})
        spaces: Sequence[Namespace] | None = None
        seen: dict[Place, StoredHit | None] = {}
        reach = wanted
        while True:
            spaces, order, is_all = yield from self._order(op.namespace_prefix, spaces, reach)
            fresh = [place for place in order if place not in seen]
            found = yield from self._hits([Candidate(*place, None, {}) for place in fresh], op)
            seen |= dict.fromkeys(fresh) | {(hit.namespace, hit.key): hit for hit in found}
            hits = [one for place in order if (one := seen[place]) is not None]
            if len(hits) >= wanted or is_all:
                break
            reach = max(reach, _FIRST_CHUNK) * 4
        page = hits[op.offset : wanted]
        return Read({at: page}, _touched(page, op))

    def _order(
        self, prefix: Namespace, spaces: Sequence[Namespace] | None, reach: int
    ) -> Steps[tuple[Sequence[Namespace], list[Place], bool]]:
        """The namespaces under a prefix, the `reach` items updated last in them, and whether these are all."""
        asked, replies = list(spaces if spaces is not None else _itself(prefix)), []
        if spaces is None:
            listing = self._listing(prefix)
            replies = yield [*listing, *(self._page(space, reach) for space in asked)]
            spaces = _decoded(replies[: len(listing)])
            replies = replies[len(listing) :]
        left = [space for space in spaces if space not in asked] if replies else list(spaces)
        asked = [*asked, *left] if replies else left
        if left:
            replies = [*replies, *(yield [self._page(space, reach) for space in left])]
        entries = [
            (float(score), key.decode(), space)
            for space, found in zip(asked, replies, strict=True)
            for key, score in zip(found[::2], found[1::2], strict=True)
        ]
        is_all = all(len(found) < 2 * reach for found in replies)
        return spaces, [(space, key) for _, key, space in sorted(entries)[:reach]], is_all and len(entries) <= reach

    def _indexes(self, prefix: Namespace) -> Steps[list[Index]]:
        """The indexes of every namespace under a prefix, up to date."""
        itself = _itself(prefix)
        listing = self._listing(prefix)
        first = [self._changes(index) for index in map(self.cache.find, itself)]
        replies = yield [*listing, *first]
        spaces = _decoded(replies[: len(listing)])
        ahead = dict(zip(itself, replies[len(listing) :], strict=True))
        counts: dict[Namespace, int] = {}
        bodies = [self._index(space, ahead.get(space), counts) for space in spaces]
        return list((yield from together(bodies))) if bodies else []

    def _index(self, space: Namespace, reply: Any, counts: dict[Namespace, int]) -> Steps[Index]:
        while True:
            index = self.cache.find(space)
            if reply is None:
                [reply] = yield [self._changes(index)]
            changes = Changes.of(reply)
            counts[space] = changes.total if changes else 0
            self._check_size(sum(counts.values()))
            is_last = changes is None or len(changes.keys) < _ROWS_AT_ONCE
            index = self.cache.take(index, changes, is_last)
            if changes is None or index.since >= changes.last:
                return index
            reply = None

    def _check_size(self, count: int) -> None:
        if count > self.most_ranked:
            raise StoreError(
                f"a search by words or meaning on Redis ranks at most {self.most_ranked} items, here are {count}: keep them in "
                f"Postgres (or in SQLite), search a smaller namespace, or raise most_ranked"
            )

    def _hits(self, candidates: Sequence[Candidate], op: SearchOp) -> Steps[list[StoredHit]]:
        """The living items among the candidates that match the filter, in order."""
        if not candidates:
            return []
        buckets: dict[int, list[int]] = {}
        for at, one in enumerate(candidates):
            buckets.setdefault(bucket_of(one.namespace), []).append(at)
        names = [self.keys.before(one.namespace) + one.key.encode() for one in candidates]
        replies = yield [("MGET", *[names[at] for at in some]) for some in buckets.values()]
        data = dict(zip(chain.from_iterable(buckets.values()), chain.from_iterable(replies), strict=True))
        hits = [StoredHit(*one, data[at]) for at, one in enumerate(candidates) if data[at] is not None]
        return [hit for hit in hits if matches(json.loads(hit.json or ""), op.filter)] if op.filter else hits

    def _listing(self, prefix: Namespace) -> Round:
        low, high = bounds(prefix)
        return [("ZRANGEBYLEX", self.keys.directory(bucket), low, high) for bucket in buckets_under(prefix)]

    def _page(self, space: Namespace, reach: int) -> Call:
        return Call(PAGE, self.keys.space(space), [encode_path(space).encode(), 0, reach - 1])

    def _changes(self, index: Index) -> Call:
        path = encode_path(index.namespace).encode()
        return Call(
            CHANGES, self.keys.space(index.namespace), [path, index.born, index.since, index.removed, _ROWS_AT_ONCE]
        )


def merged(reads: Iterable[Read]) -> Read:
    """Several reads of one batch as one."""
    some = list(reads)
    results = {at: result for read in some for at, result in read.results.items()}
    return Read(results, [place for read in some for place in read.touched])


def got(ops: Sequence[Placed], data: Iterable[bytes | None]) -> Read:
    """The items that GetOps asked for, from what Redis keeps of each; without those that are not there."""
    results, mortal = {}, []
    for (at, (namespace, key, refreshes)), item in zip(ops, data, strict=True):
        if item is not None:
            results[at] = StoredItem(namespace, key, item)
            if refreshes and is_mortal(item):
                mortal.append((namespace, key))
    return Read(results, mortal)


def _itself(prefix: Namespace) -> list[Namespace]:
    """The namespace that a prefix itself may be; asked for ahead, it mostly saves a round."""
    return [prefix] if len(prefix) > 1 else []


def _decoded(replies: Iterable[Iterable[bytes]]) -> list[Namespace]:
    return [decode_path(path.decode()) for paths in replies for path in paths]


def _touched(page: Iterable[StoredHit], op: SearchOp) -> list[Place]:
    return [(hit.namespace, hit.key) for hit in page if hit.is_mortal] if op.refresh_ttl else []
