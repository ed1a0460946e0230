"""What the signals say about each question's candidates, as arrays: ranking by other weights is then one product of matrices.

A signal's value does not depend on the weights, except that of `nearby`, which builds on the sum of the others. So the store is
asked once per question, and a setting is judged over a thousand questions in some hundredths of a second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graph_memory.context.ranking import DECAY, REACH, SIGNALS, RankingWeights
from graph_memory.evaluation.data import Conversation, Question
from graph_memory.evaluation.measures import discount, ideal_gain
from graph_memory.evaluation.running import scope_of
from graph_memory.memories.ranked import ranked_search
from graph_memory.memories.searching import Found
from graph_memory.memories.vector import VectorMemory
from graph_memory.steps import run

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

CUTOFF = 10
NAMES = tuple(signal.__name__ for signal in SIGNALS)
_DISTANCES = [sign * distance for distance in range(1, REACH + 1) for sign in (-1, 1)]
_DECAYS = np.array([DECAY ** (abs(distance) - 1) for distance in _DISTANCES], dtype=np.float32)
_UNLIKELY = 1e-5
_ALL = 1_000_000

Scores = NDArray[np.float32]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Row:
    """The candidates of one question, in the order in which equals are shown.

    Attributes:
        signals: value of each signal: candidates by signals.
        around: which candidate stands so many places away in the session, -1 where none does: candidates by distances.
        wanted: which candidates answer.
        evidence: how many turns answer, candidates or not.
    """

    signals: Scores
    around: Places
    wanted: tuple[int, ...]
    evidence: int


def row_of(conversation: Conversation, question: Question, memory: VectorMemory, store: BaseStore) -> Row:
    """What the signals say about a question's candidates; the memory's own weights play no part.

    Raises:
        StoreError: the search failed.
    """
    ones = RankingWeights(**{one.name: 1.0 for one in fields(RankingWeights)})
    steps = ranked_search(
        scope_of(conversation),
        memory.name,
        question.text,
        pool=memory.candidates,
        limit=_ALL,
        filter=None,
        weights=ones,
    )
    found = sorted(run(steps, store=store), key=lambda one: (-one.memo.day, one.memo.id))
    place = {(one.memo.session, one.memo.origin.seq): i for i, one in enumerate(found)}
    return Row(
        np.array([[one.parts.get(name, 0.0) for name in NAMES] for one in found], np.float32).reshape(-1, len(NAMES)),
        np.array([_around(one, place) for one in found], np.int64).reshape(-1, len(_DISTANCES)),
        tuple(i for i, one in enumerate(found) if one.memo.source in question.evidence),
        len(question.evidence),
    )


def _around(one: Found, place: dict[tuple[str, int], int]) -> list[int]:
    return [place.get((one.memo.session, one.memo.origin.seq + distance), -1) for distance in _DISTANCES]


class Features:
    """Rows stacked; shorter ones are filled up with candidates that are none."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = tuple(rows)
        most = max((len(row.signals) for row in rows), default=0)
        self.signals = np.zeros((len(rows), most, len(NAMES)), np.float32)
        self.around = np.full((len(rows), most, len(_DISTANCES)), most, np.int64)
        self.real = np.zeros((len(rows), most), bool)
        for i, row in enumerate(rows):
            self.signals[i, : len(row.signals)] = row.signals
            self.around[i, : len(row.signals)] = np.where(row.around < 0, most, row.around)
            self.real[i, : len(row.signals)] = True
        self.around += (np.arange(len(rows)) * (most + 1))[:, None, None]  # as places in the flat padded array

    def of(self, questions: Sequence[int]) -> Features:
        """The features of some questions only."""
        return Features([self.rows[i] for i in questions])

    @cached_property
    def wanted(self) -> tuple[Places, Places]:
        """Question and candidate of every wanted candidate."""
        pairs = [(i, j) for i, row in enumerate(self.rows) for j in row.wanted]
        flat = np.array(pairs, np.int64).reshape(-1, 2)
        return flat[:, 0], flat[:, 1]

    @cached_property
    def ideal(self) -> NDArray[np.float64]:
        """The gain of the best order of each question."""
        return np.array([ideal_gain(row.evidence, CUTOFF) for row in self.rows])

    def scores(self, weights: RankingWeights) -> Scores:
        """What `rank` gives each candidate before scaling, -inf for those that are none: questions by candidates."""
        each = np.array([getattr(weights, name) for name in NAMES], np.float32)
        first = np.where(self.real, self.signals @ each, -np.inf)
        return np.where(self.real, np.maximum(first + weights.nearby * self._nearby(first), 0.0), -np.inf)

    def ndcg(self, weights: RankingWeights) -> NDArray[np.float64]:
        """nDCG@10 of each question."""
        question, candidate = self.wanted
        score = self.scores(weights)[question]
        own = np.take_along_axis(score, candidate[:, None], axis=1)
        earlier = np.arange(score.shape[1]) < candidate[:, None]
        places = ((score > own) | ((score == own) & earlier)).sum(axis=1)
        worth = [discount(place) if place < CUTOFF else 0.0 for place in places.tolist()]
        gains = np.bincount(question, weights=worth, minlength=len(self.rows)).astype(np.float64)
        return gains / self.ideal

    def _nearby(self, first: Scores) -> Scores:
        """`ranking.nearby` of all questions at once."""
        best = first.max(axis=1, keepdims=True, initial=-np.inf)
        likely = np.exp(first - np.where(np.isfinite(best), best, 0.0))
        likely /= np.maximum(likely.sum(axis=1, keepdims=True), np.float32(1e-30))
        likely[likely <= _UNLIKELY] = 0.0
        padded = np.pad(likely, ((0, 0), (0, 1))).astype(np.float32)
        around: Scores = np.log1p(padded.ravel()[self.around] @ _DECAYS * 100) / np.float32(math.log(101))
        return around
