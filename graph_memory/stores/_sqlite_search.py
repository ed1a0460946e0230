"""Ranked search in a SQLite store: candidates from both indexes of the searched namespaces, fused, then the page fetched.

Word statistics (how rare a word is, how long texts are) come from the searched namespaces alone: another tenant's texts neither
change a ranking nor show through it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from langgraph.store.base import SearchOp
from numpy.typing import NDArray

from graph_memory.context.fusion import FusionWeights, Ranking, Scores, bm25, fuse
from graph_memory.context.words import terms
from graph_memory.stores._embedding import Vector, size_mismatch
from graph_memory.stores._ops import page
from graph_memory.stores._sqlite_cache import Ids, IndexCache, Space
from graph_memory.stores._sqlite_read import Read, Row, ages, fetch, hit, spaces_under, touched
from graph_memory.stores._sqlite_schema import ITEM_BITS, dims
from graph_memory.stores._vectors import cosines
from graph_memory.stores.hits import Hit, Hits, Statistics

Cosines = NDArray[np.float32]
_FIRST_CHUNK = 32
_MOST_TERMS = 256  # different words of a query that are looked up; a pasted document is no question


@dataclass(frozen=True, slots=True)
class Ranker:
    """What a search needs beside the operation itself."""

    cache: IndexCache
    weights: FusionWeights
    where: str

    def search(self, connection: sqlite3.Connection, op: SearchOp, vector: Vector | None, now: int) -> Read:
        """One page of the items under a prefix that the query's words or meaning find, best first.

        Equal relevance: last updated first, then by key. Items with neither a word in common nor a vector are not returned.

        Args:
            vector: the query's unit vector; None ranks by words alone.

        Raises:
            ConfigurationError: the query's vector has another size than the stored ones.
        """
        spaces = spaces_under(connection, op.namespace_prefix)
        ids, words, frequencies = self._by_words(connection, spaces, op.query or "")
        meaning, spread = None, None
        if vector is not None:
            ids, words, meaning, spread = self._with_meaning(connection, spaces, vector, ids, words)
        ranking = fuse(words=words, meaning=meaning, weights=self.weights)
        best = _best(connection, ids, ranking.relevance, op, now)
        names = {space.id: space.namespace for space in spaces}
        hits = _hits(best, names, ids, ranking)
        statistics = Statistics(sum(space.documents for space in spaces), frequencies, spread)
        return Read(Hits(hits, statistics), touched(best, op.refresh_ttl))

    def _by_words(
        self, connection: sqlite3.Connection, spaces: Sequence[Space], query: str
    ) -> tuple[Ids, Scores, dict[str, int]]:
        """The items that hold one of the query's words, their BM25, and in how many each word itself stands."""
        frequencies: dict[str, int] = {}
        documents = sum(space.documents for space in spaces)
        average = sum(space.length for space in spaces) / max(documents, 1)
        ids, scores = [np.empty(0, np.int64)], [np.empty(0)]
        for term in islice(dict.fromkeys(terms(query)), _MOST_TERMS):
            found = [self.cache.postings(connection, space, term) for space in spaces]
            counts = np.concatenate([rows for _, rows in found]) if found else np.empty((0, 2))
            ids += [some for some, _ in found]
            frequencies[term] = int((counts[:, 0] >= 1).sum())  # below one: in a neighbour's words only
            scores.append(bm25(counts[:, 0], counts[:, 1], documents=documents, average_length=average))
        return *_summed(np.concatenate(ids), np.concatenate(scores)), frequencies

    def _with_meaning(
        self, connection: sqlite3.Connection, spaces: Sequence[Space], vector: Vector, ids: Ids, words: Scores
    ) -> tuple[Ids, Scores, Scores, tuple[float, float] | None]:
        """The candidates of both indexes: their ids, BM25 (0 where no word matches) and cosine (NaN where no vector is), and
        the spread of the cosines of all."""
        size = dims(connection)
        if size is None:
            return ids, words, np.full(len(ids), np.nan), None
        if size != len(vector):
            raise size_mismatch(len(vector), size, self.where)
        found = [self.cache.vectors(connection, space, size) for space in spaces]
        near, closest = _largest(
            np.concatenate([np.empty(0, np.int64), *(entry.ids for entry in found)]),
            np.concatenate([np.empty(0, np.float32), *(cosines(entry.rows, vector) for entry in found)]),
        )
        both = _union(near, ids)
        spread = max(found, key=lambda entry: len(entry.rows)).spread if found else None
        return both, _spread(both, ids, words, 0.0), _spread(both, near, closest, np.nan), spread


def _summed(ids: Ids, scores: Scores) -> tuple[Ids, Scores]:
    unique, at = np.unique(ids, return_inverse=True)
    total: Scores = np.bincount(at, scores, len(unique)).astype(np.float64)  # integers when empty
    return unique, total


def _largest(ids: Ids, cosines: Cosines) -> tuple[Ids, Scores]:
    """One cosine per item, that of its closest vector. `ids` ascend within a namespace, so an item's vectors are adjacent."""
    if not len(ids):
        return ids, cosines.astype(np.float64)
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    unique, largest = ids[starts], np.maximum.reduceat(cosines, starts).astype(np.float64)
    order = np.argsort(unique, kind="stable")
    return unique[order], largest[order]


def _union(ids: Ids, more: Ids) -> Ids:
    """Both, ascending. Mostly every item that holds a word has a vector too, and there is nothing to merge."""
    at = np.minimum(np.searchsorted(ids, more), len(ids) - 1)
    missing = more[ids[at] != more] if len(ids) else more
    return np.sort(np.concatenate((ids, missing))) if len(missing) else ids


def _spread(over: Ids, ids: Ids, scores: Scores, missing: float) -> Scores:
    out = np.full(len(over), missing)
    out[np.searchsorted(over, ids)] = scores
    return out


def _best(connection: sqlite3.Connection, ids: Ids, relevance: Scores, op: SearchOp, now: int) -> list[Row]:
    """The page of living items that match the filter, best first; reads only as many candidates as that takes."""
    best: list[int] = []
    rows: dict[int, Row] = {}
    for chunk in _chunks(relevance, op.offset + op.limit):
        score = dict(zip(ids[chunk].tolist(), relevance[chunk].tolist(), strict=True))
        if op.filter or len(score) <= 2 * op.limit:
            some = fetch(connection, score, now, op.filter)
            rows |= {row.id: row for row in some}
            found = [(row.id, row.key, row.updated_at) for row in some]
        else:
            found = ages(connection, score, now)
        best += [id_ for id_, _, _ in sorted(found, key=lambda age: (-score[age[0]], -age[2], age[1], age[0]))]
        if len(best) >= op.offset + op.limit:
            break
    wanted = page(best, op.limit, op.offset)
    missing = [id_ for id_ in wanted if id_ not in rows]
    rows |= {row.id: row for row in fetch(connection, missing, now, None)} if missing else {}
    return [rows[id_] for id_ in wanted]


def _chunks(relevance: Scores, wanted: int) -> Iterator[Ids]:
    """Candidates, best first, in growing chunks that never split a tie."""
    order = np.argsort(-relevance, kind="stable")
    falling = -relevance[order]
    start, size = 0, max(wanted, _FIRST_CHUNK)
    while start < len(order):
        last = min(start + size, len(order)) - 1
        end = int(np.searchsorted(falling, falling[last], side="right"))
        yield order[start:end]
        start, size = end, size * 4


def _hits(rows: Sequence[Row], names: dict[int, tuple[str, ...]], ids: Ids, ranking: Ranking) -> list[Hit]:
    at = np.searchsorted(ids, np.array([row.id for row in rows], np.int64))
    scores = ranking.relevance[at].tolist()
    return [
        hit(row, names[row.id >> ITEM_BITS], score, parts)
        for row, score, parts in zip(rows, scores, ranking.parts_of(at), strict=True)
    ]
