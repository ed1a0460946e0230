"""Which stored texts answer a question: BM25 for words, cosine for meaning, and the fusion of both into one relevance in 0–1.

Pure array arithmetic. Candidates come from both indexes, neither only re-scores the other. Scores are fused, not ranks: each
signal is scaled per query and weighted, because rank fusion lets a weak signal outvote a clear one (measured on LoCoMo,
R@10 61.0 against 69.0). Every signal stays in the result by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph_memory.errors import ConfigurationError

Scores = NDArray[np.float64]

SATURATION = 1.2
"""BM25's k1: how fast repeating a word stops mattering."""
LENGTH_NORM = 0.75
"""BM25's b: how much a long text is held against it."""
_DECIMALS = 6  # the last bits of a dot product depend on the matrix's shape; ties must not


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """How much each signal counts; only the proportions matter. Measured with MiniLM on LoCoMo: words are the stronger half.

    Raises:
        ConfigurationError: a weight is negative, not finite, or all are zero.
    """

    words: float = 0.6
    meaning: float = 0.4

    def __post_init__(self) -> None:
        if not all(np.isfinite(w) and w >= 0 for w in (self.words, self.meaning)) or self.words + self.meaning == 0:
            raise ConfigurationError(
                f"ranking weights must be finite, not negative and not all zero, got words={self.words}, meaning={self.meaning}"
            )


@dataclass(frozen=True, slots=True)
class Ranking:
    """Relevance per candidate, and the signals that it was made of.

    Attributes:
        relevance: 0–1, higher is closer, rounded so that equal texts tie.
        parts: signal name to its value per candidate, NaN where the candidate has none. "words" and "meaning" are scaled to
            0–1; "words_raw" is BM25, "meaning_raw" the cosine.
    """

    relevance: Scores
    parts: Mapping[str, Scores]

    def parts_of(self, candidates: Sequence[int] | NDArray[np.int64]) -> list[dict[str, float]]:
        """The signals of some candidates, those that one lacks left out."""
        columns = np.round([values[candidates] for values in self.parts.values()], _DECIMALS)
        rows = [dict(zip(self.parts, row, strict=True)) for row in columns.T.tolist()]
        if not np.isnan(columns).any():
            return rows
        return [
            {name: value for name, value in row.items() if value == value} for row in rows
        ]  # NaN differs from itself


def rarity(matching: int, documents: int) -> float:
    """Weight of a word that `matching` of `documents` texts contain: high when rare, close to zero when everywhere."""
    return float(np.log1p((documents - matching + 0.5) / (matching + 0.5)))


def bm25(counts: Scores, lengths: Scores, *, documents: int, average_length: float) -> Scores:
    """BM25 of one word for the texts that contain it.

    Args:
        counts: how often each text contains the word (may be fractional).
        lengths: length of each of these texts, in words.
        documents: texts in all, with or without the word.
        average_length: mean length of all of them.
    """
    saturation = lengths * (SATURATION * LENGTH_NORM / max(average_length, 1e-9)) + SATURATION * (1.0 - LENGTH_NORM)
    scores: Scores = counts * (rarity(len(counts), documents) * (SATURATION + 1.0)) / (counts + saturation)
    return scores


def fuse(*, words: Scores, meaning: Scores | None, weights: FusionWeights) -> Ranking:
    """One relevance from both signals; a signal that says nothing at all for this query leaves it to the other.

    Args:
        words: BM25 per candidate, 0 where no word matches.
        meaning: cosine per candidate, NaN where it has no vector; None when nothing was embedded.
        weights: how much each counts.
    """
    scaled_words = _share_of_best(words)
    parts = {"words": scaled_words, "words_raw": words}
    shares = {"words": weights.words if words.any() else 0.0}
    if meaning is not None and not np.isnan(meaning).all():
        parts |= {"meaning": _position_in_range(meaning), "meaning_raw": meaning}
        shares["meaning"] = weights.meaning
    total = sum(shares.values())
    if total == 0.0:  # only a signal that the weights switch off has anything to say
        return Ranking(np.zeros_like(words), parts)
    relevance = scaled_words * (shares["words"] / total)
    if "meaning" in shares:
        relevance += np.nan_to_num(parts["meaning"]) * (shares["meaning"] / total)
    return Ranking(np.round(relevance.clip(0.0, 1.0), _DECIMALS), parts)


def _share_of_best(raw: Scores) -> Scores:
    """BM25 has no upper bound but a true zero: the best match is 1, no match 0."""
    best = raw.max(initial=0.0)
    return raw / best if best > 0.0 else np.zeros_like(raw)


def _position_in_range(raw: Scores) -> Scores:
    """Cosines have no true zero (some models never give less than 0.7): the closest is 1, the farthest 0.

    When all are equal there is no range, and the cosine stands for itself.
    """
    lowest, highest = np.nanmin(raw), np.nanmax(raw)
    if highest - lowest < 10.0**-_DECIMALS:
        return np.clip(raw, 0.0, 1.0)
    scaled: Scores = (raw - lowest) / (highest - lowest)
    return scaled
