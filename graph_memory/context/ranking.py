"""Which memos answer a question: signals over a few hundred candidates, fused by one setting of weights. Pure, no model call.

A signal is a small function of the question and the candidates that gives one number per candidate. Everything that concerns a
memo alone was worked out when it was written (`notes`). The weights were fitted on conversations left out one at a time, and
hold with and without an embedder; `benchmarks/RESULTS.md` has what each signal is worth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from graph_memory.context.notes import Note, Passage
from graph_memory.context.question import Corpus, Question
from graph_memory.context.times import Interval
from graph_memory.errors import ConfigurationError

Scores = NDArray[np.float64]

K1, B = 1.2, 0.75  # BM25's usual saturation and length normalisation
REACH, DECAY = 4, 0.7
_BY_DISTANCE = np.array([0.0, *(DECAY ** (distance - 1) for distance in range(1, REACH + 1)), 0.0])
HALF_RELEVANT = 9.0
"""The score at which a memo is about two thirds relevant; scores are sums and have no upper bound."""

LEAST_DEVIATION = 0.01
"""A smaller spread of cosines was measured on memos that are all alike, and would let the last decimals decide."""


@dataclass(frozen=True, slots=True)
class RankingWeights:
    """How much each signal counts. One setting serves every kind of conversation, with and without an embedder.

    Raises:
        ConfigurationError: a weight is negative or not a number.
    """

    words: float = 1.6
    coverage: float = 2.4
    answer: float = 2.4
    meaning: float = 0.85
    speaker: float = 2.1
    statement: float = 1.8
    date: float = 3.2
    told_time: float = 1.0
    tells_time: float = 2.2
    tells_number: float = 0.8
    tells_name: float = 1.1
    newest: float = 1.5
    nearby: float = 2.8

    def __post_init__(self) -> None:
        for one in fields(self):
            if not (math.isfinite(getattr(self, one.name)) and getattr(self, one.name) >= 0):
                raise ConfigurationError(
                    f"ranking weight {one.name} is {getattr(self, one.name)}: give a number of 0 or more"
                )


@dataclass(frozen=True)
class Candidates:
    """The notes under consideration, with how they meet the question's terms.

    Attributes:
        notes: the candidates.
        question: what is asked.
        corpus: what they were chosen from.
        cosines: cosine with the question, NaN where a memo has no vector; None without an embedder.
        voices: who speaks in each: the speaker, and whom a transcript inside it names ("Ann: ...").
    """

    notes: Sequence[Note]
    question: Question
    corpus: Corpus
    cosines: Scores | None = None
    voices: Sequence[frozenset[str]] = ()

    @cached_property
    def term_weights(self) -> Scores:
        """Weight of each of the question's terms."""
        return np.array(list(self.question.terms.values()), dtype=np.float64)

    @cached_property
    def counts(self) -> Scores:
        """How often each term stands in each memo: candidates by terms."""
        terms = list(self.question.terms)
        return self._table([own.get(term, 0) for own in [note.own for note in self.notes] for term in terms])

    @cached_property
    def best(self) -> list[Passage]:
        """Of each memo the passage that holds most of the question."""
        weight = self.question.terms
        return [
            note.passages[0]
            if len(note.passages) == 1
            else max(note.passages, key=lambda passage: sum(w for t, w in weight.items() if t in passage.terms))
            for note in self.notes
        ]

    def held(self, sets: Sequence[frozenset[str]]) -> Scores:
        """1 where a set holds a term: candidates by terms."""
        terms = list(self.question.terms)
        return self._table([term in one for one in sets for term in terms])

    def _table(self, flat: Sequence[float]) -> Scores:
        """Candidates by terms; from one flat list, which numpy reads three times as fast as a list of lists."""
        return np.fromiter(flat, np.float64, len(flat)).reshape(len(self.notes), len(self.question.terms))


def words(c: Candidates) -> Scores:
    """BM25 of the memo's own words; each term counts by its rarity."""
    lengths = np.array([note.length for note in c.notes], dtype=np.float64)
    norm = K1 * (1 - B + B * lengths / max(1.0, float(lengths.mean())))
    scores: Scores = (c.counts * (K1 + 1) / (c.counts + norm[:, None])) @ c.term_weights
    return scores


def coverage(c: Candidates) -> Scores:
    """Share of the question's weight that stands in the memo's best passage or in its clipped neighbours."""
    held = np.maximum(c.held([passage.terms for passage in c.best]), c.held([note.around for note in c.notes]))
    shares: Scores = held @ c.term_weights / (c.term_weights.sum() or 1.0)
    return shares


def answer(c: Candidates) -> Scores:
    """The message before asked with the question's words: this one answers. Each term counts by its rarity."""
    scores: Scores = c.held([note.asked for note in c.notes]) @ c.term_weights
    return scores


def meaning(c: Candidates) -> Scores:
    """Cosine of the question and the memo, in standard deviations of the embedder; 0 for memos without a vector."""
    if c.cosines is None:
        return np.zeros(len(c.notes))
    mean, deviation = c.corpus.spread
    return np.nan_to_num((c.cosines - mean) / (deviation if deviation >= LEAST_DEVIATION else 1.0))


def speaker(c: Candidates) -> Scores:
    """Said by whom the question is about, by name, or by "I" and "you" with an assistant."""
    about = c.question.speakers
    if not about:
        return np.zeros(len(c.notes))
    voices = c.voices or [frozenset({note.speaker}) for note in c.notes]
    return np.array([max([about.get(voice, 0.0) for voice in who], default=0.0) for who in voices])


def statement(c: Candidates) -> Scores:
    """Minus the share of the memo that asks. What a user asks of an assistant tells as well, so it is not held against them."""
    return np.array([0.0 if c.corpus.assisted and note.role == "human" else -note.asks for note in c.notes])


def date(c: Candidates) -> Scores:
    """Said in the time that the question names: 1; before or after it: below 0.6, falling with the days between."""
    times = c.question.times
    if not times:
        return np.zeros(len(c.notes))
    gaps = _gaps(np.array([note.day for note in c.notes]), times)
    scale = 4 if min(last - first for first, last in times) < 7 else 15
    return np.where(gaps == 0, 1.0, 0.6 * np.exp(-gaps / scale))


def told_time(c: Candidates) -> Scores:
    """The passage tells of the time that the question names ("last month")."""
    if not c.question.times:
        return np.zeros(len(c.notes))

    def fits(first: int, last: int) -> bool:
        return any(a <= last and first <= b and last - first <= max(62, 2 * (b - a)) for a, b in c.question.times)

    return np.array([float(any(fits(*interval) for interval in passage.times)) for passage in c.best])


def tells_time(c: Candidates) -> Scores:
    """The question asks when, and the passage holds a time expression."""
    return np.array([float(c.question.wants_time and bool(passage.times)) for passage in c.best])


def tells_number(c: Candidates) -> Scores:
    """The question asks how many, and the passage holds a number."""
    return np.array([float(c.question.wants_number and passage.number) for passage in c.best])


def tells_name(c: Candidates) -> Scores:
    """The question asks who, where or which, and the passage holds a name."""
    return np.array([float(c.question.wants_name and passage.name) for passage in c.best])


def newest(c: Candidates) -> Scores:
    """The question asks how things are now: 0 for the oldest candidate, 1 for the newest."""
    at = np.array([note.day for note in c.notes], dtype=np.float64)
    if not c.question.wants_now:
        return np.zeros(len(at))
    scores: Scores = (at - at.min()) / max(1.0, float(at.max() - at.min()))
    return scores


def nearby(c: Candidates, first: Scores) -> Scores:
    """Evidence around: the first round's probability of the memos at most four away in the session, log-scaled to 0–1."""
    likely = np.exp(first - first.max())
    likely /= likely.sum()
    sessions: dict[str, int] = {}
    session = np.array([sessions.setdefault(note.session, len(sessions)) for note in c.notes])
    position = np.array([note.position for note in c.notes], dtype=np.int64)
    evidence = np.flatnonzero(likely > 1e-5)
    distance = np.minimum(np.abs(position[evidence, None] - position), REACH + 1)
    reaches = _BY_DISTANCE[distance] * (session[evidence, None] == session)
    around: Scores = (likely[evidence, None] * reaches).sum(axis=0)
    scores: Scores = np.log1p(around * 100) / math.log(101)
    return scores


SIGNALS = (
    words, coverage, answer, meaning, speaker, statement, date, told_time, tells_time, tells_number, tells_name, newest,
)  # fmt: skip
"""The signals of the first round; `nearby` builds on their sum."""


def rank(candidates: Candidates, weights: RankingWeights) -> tuple[Scores, Mapping[str, Scores]]:
    """Relevance of each candidate in 0–1, and what each signal gave to its score."""
    if not candidates.notes:
        return np.zeros(0), {}
    parts = {signal.__name__: getattr(weights, signal.__name__) * signal(candidates) for signal in SIGNALS}
    score = np.sum(list(parts.values()), axis=0)
    parts["nearby"] = weights.nearby * nearby(candidates, score)
    score = score + parts["nearby"]
    return 1 - np.exp(-np.maximum(score, 0.0) / HALF_RELEVANT), parts


def _gaps(days: NDArray[np.int64], intervals: Sequence[Interval]) -> Scores:
    """Days between each day and the nearest of the intervals."""
    gaps = np.full(len(days), 1e6)
    for first, last in intervals:
        gaps = np.minimum(gaps, np.maximum(0, np.maximum(first - days, days - last)))
    return gaps
