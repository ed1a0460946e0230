"""Weights that suit a user's conversations, and whether they do: fitted on some questions, judged on the others.

The search goes along one weight at a time by multiplicative steps from where it starts, maximising the mean nDCG@10, and
takes no step that gains next to nothing: with few questions such steps follow chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from graph_memory.context.ranking import RankingWeights
from graph_memory.errors import ConfigurationError
from graph_memory.evaluation.features import NAMES, Features

_STEPS = (0.5, 0.8, 1.25, 2.0)
_LEAST_GAIN = 5e-4
_ROUNDS = 4
_MOST_FOLDS = 10
_QUESTION_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Fold:
    """Questions that are held out, and the others. `name` says which conversation, or which part, is held out."""

    name: str
    train: tuple[int, ...]
    test: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """nDCG@10 of each held-out question of a fold, by the weights from which fitting started and by those it found."""

    fold: Fold
    before: NDArray[np.float64]
    after: NDArray[np.float64]


def folds(conversations: Sequence[str], *, seed: int = 0) -> list[Fold]:
    """Leaves out one conversation at a time, or a tenth of them where there are more than ten; of a single one, a fifth
    of its questions.

    Args:
        conversations: for each question, which conversation it is about.
        seed: of the shuffling.

    Raises:
        ConfigurationError: there are fewer than two questions.
    """
    if len(conversations) < 2:
        raise ConfigurationError("weights cannot be fitted to a single question; give more of them")
    names = list(dict.fromkeys(conversations))
    random = np.random.default_rng(seed)
    if len(names) == 1:
        part = random.permutation(len(conversations)) % _QUESTION_FOLDS
        parts = {f"part {n + 1}": part == n for n in range(min(_QUESTION_FOLDS, len(conversations)))}
    elif len(names) <= _MOST_FOLDS:
        parts = {name: np.array([one == name for one in conversations]) for name in names}
    else:
        part_of = dict(zip(names, (random.permutation(len(names)) % _MOST_FOLDS).tolist(), strict=True))
        parts = {f"part {n + 1}": np.array([part_of[one] == n for one in conversations]) for n in range(_MOST_FOLDS)}
    return [_fold(name, is_test) for name, is_test in parts.items()]


def _fold(name: str, is_test: NDArray[np.bool_]) -> Fold:
    return Fold(name, tuple(np.flatnonzero(~is_test).tolist()), tuple(np.flatnonzero(is_test).tolist()))


def fitted(features: Features, start: RankingWeights) -> RankingWeights:
    """The weights with the highest mean nDCG@10 that the search finds from `start`. Signals that never speak stay."""
    names = [one.name for one in fields(RankingWeights) if one.name not in NAMES or _speaks(features, one.name)]
    weights, best = start, _mean(features, start)
    for _ in range(_ROUNDS):
        before = best
        for name in names:
            trials = [replace(weights, **{name: getattr(weights, name) * step}) for step in _STEPS]
            value, winner = max(((_mean(features, trial), trial) for trial in trials), key=lambda pair: pair[0])
            if value > best + _LEAST_GAIN:
                weights, best = winner, value
        if best == before:
            break
    return weights


def cross_validated(features: Features, parts: Sequence[Fold], start: RankingWeights) -> Iterator[Judged]:
    """Fits on all but one fold and judges on that one, for each."""
    for fold in parts:
        held_out = features.of(fold.test)
        found = fitted(features.of(fold.train), start)
        yield Judged(fold, held_out.ndcg(start), held_out.ndcg(found))


def _mean(features: Features, weights: RankingWeights) -> float:
    return float(features.ndcg(weights).mean())


def _speaks(features: Features, name: str) -> bool:
    return bool(features.signals[..., NAMES.index(name)].any())
