"""Ranking for Redis: what the words or the meaning of a query find in the indexes that this process keeps. Pure arithmetic."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from graph_memory.context.fusion import FusionWeights, Ranking, Scores, bm25, fuse
from graph_memory.stores._embedding import Vector
from graph_memory.stores._ops import Namespace
from graph_memory.stores._redis_index import Index, Living, Positions
from graph_memory.stores.hits import Statistics

Number = TypeVar("Number", np.float64, np.int64, np.bool_)


class Candidate(NamedTuple):
    """One item that a search found."""

    namespace: Namespace
    key: str
    score: float | None
    parts: dict[str, float]


class Ranked(NamedTuple):
    """All that a search found, in no order; and what is known of everything searched.

    Attributes:
        starts: where the positions of each index begin when all of them are counted through.
        found: positions of the candidates.
        updated: when each of them was.
    """

    indexes: Sequence[Index]
    starts: Sequence[int]
    found: Positions
    updated: Positions
    ranking: Ranking
    statistics: Statistics

    def candidates(self, first: int, last: int) -> list[Candidate]:
        """A part of the candidates, best first. Equal relevance: last updated first."""
        some = self._best(last)[first:last]
        scores, parts = self.ranking.relevance[some].tolist(), self.ranking.parts_of(some)
        return [
            Candidate(*self._place(at), score, signals)
            for at, score, signals in zip(self.found[some].tolist(), scores, parts, strict=True)
        ]

    def _place(self, at: int) -> tuple[Namespace, str]:
        space = bisect_right(self.starts, at) - 1
        index = self.indexes[space]
        return index.namespace, index.keys[at - self.starts[space]]

    def _best(self, count: int) -> Positions:
        """So many of the candidates, best first: only what may be among them is sorted."""
        relevance, updated = self.ranking.relevance, self.updated
        if not 0 < count < len(relevance):
            return np.lexsort((-updated, -relevance))
        some = np.flatnonzero(relevance >= np.sort(relevance)[-count])
        best: Positions = some[np.lexsort((-updated[some], -relevance[some]))]
        return best


def ranked(
    indexes: Sequence[Index], terms: Iterable[str], vector: Vector | None, weights: FusionWeights, where: str
) -> Ranked:
    """Everything that the words or the meaning find.

    Raises:
        ConfigurationError: the vector has another size than the stored ones.
    """
    states = [index.living() for index in indexes]
    starts = list(accumulate((len(state.alive) for state in states), initial=0))[:-1]
    words, frequencies = _words(indexes, states, starts, terms)
    candidates = words > 0
    meaning, between = None, None
    if vector is not None:
        meaning = _joined([index.meanings(vector, where) for index in indexes], np.float64)
        candidates |= ~np.isnan(meaning) & _joined([state.alive for state in states], np.bool_)
        between = max(indexes, key=lambda index: len(index.owners)).spread() if indexes else None
    found = np.flatnonzero(candidates)
    ranking = fuse(words=words[found], meaning=None if meaning is None else meaning[found], weights=weights)
    updated = _joined([state.updated for state in states], np.int64)[found]
    documents = sum(state.documents for state in states)
    return Ranked(indexes, starts, found, updated, ranking, Statistics(documents, frequencies, between))


def _words(
    indexes: Sequence[Index], states: Sequence[Living], starts: Sequence[int], terms: Iterable[str]
) -> tuple[Scores, dict[str, int]]:
    """BM25 of every position, 0 for what is gone, and in how many items each term stands."""
    documents = sum(state.documents for state in states)
    average = sum(state.words for state in states) / max(documents, 1)
    lengths = _joined([state.lengths for state in states], np.float64)
    scores, frequencies = np.zeros(len(lengths)), {}
    for term in terms:
        found = [index.postings_of(term) for index in indexes]
        at = _joined([some + start for (some, _), start in zip(found, starts, strict=True)], np.int64)
        counts = _joined([some for _, some in found], np.float64)
        frequencies[term] = int(np.count_nonzero(counts >= 1))  # below one: in a neighbour's words only
        scores[at] += bm25(counts, lengths[at], documents=documents, average_length=average)
    return scores, frequencies


def _joined(parts: Sequence[NDArray[Number]], kind: type[Number]) -> NDArray[Number]:
    """Several arrays as one; a single one, which is the rule, as it is."""
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, kind), *parts])
