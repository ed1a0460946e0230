"""`graph-memory eval --fit`: weights for one's own conversations, with what they gain on questions they were not fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from graph_memory.cli.figures import held_out
from graph_memory.cli.settings import Settings
from graph_memory.cli.show import console, progress
from graph_memory.context.ranking import RankingWeights
from graph_memory.evaluation.data import Dataset
from graph_memory.evaluation.features import Features, row_of
from graph_memory.evaluation.fit import Judged, cross_validated, fitted, folds
from graph_memory.evaluation.measures import Difference, paired_bootstrap
from graph_memory.evaluation.options import weights_text
from graph_memory.evaluation.running import remember
from graph_memory.memories.vector import VectorMemory

_LOSS = 0.005
"""What is lost on a category that is worth a word, in nDCG@10."""


def fit(settings: Settings, dataset: Dataset, memory: VectorMemory, out: Path, *, seed: int) -> dict[str, Any]:
    """Fits weights, shows whether that helps, writes them to `out`; returns the same for a machine.

    Raises:
        ConfigurationError: there are too few questions.
        StoreError: the embedder failed.
        OSError: `out` cannot be written.
    """
    about = [conversation.name for conversation in dataset.conversations for _ in conversation.questions]
    parts = folds(about, seed=seed)
    features = features_of(settings, dataset, memory)
    judged = []
    with progress("fitting", len(parts) + 1) as advance:
        for one in cross_validated(features, parts, memory.weights):
            judged.append(one)
            advance(1)
        weights = fitted(features, memory.weights)
    gain = _gain(judged, seed)
    out.write_text(weights_text(weights), encoding="utf-8")
    if len(set(about)) == 1:
        console().print(f"There is one conversation only: its questions are split in {len(parts)} parts.")
    by_category = _by_category(dataset, judged)
    console().print(held_out(judged, by_category))
    console().print(verdict(gain, by_category))
    console().print(f"{out}: weights fitted to all {len(about):,} questions; {changed(memory.weights, weights)}")
    return _machine_readable(dataset, judged, gain, weights)


def features_of(settings: Settings, dataset: Dataset, memory: VectorMemory) -> Features:
    """What the signals say about every question's candidates."""
    rows = []
    with settings.open() as opened, progress("asking", dataset.size) as advance:
        for conversation in dataset.conversations:
            remember(conversation, opened.store)
            for question in conversation.questions:
                rows.append(row_of(conversation, question, memory, opened.store))
                advance(1)
    return Features(rows)


def verdict(gain: Difference, by_category: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Whether fitting helps, in a sentence; and on which categories it costs what it gains on others."""
    figures = (
        f"nDCG@10 {100 * gain.mean:+.1f} points on held-out questions"
        f" (95 % interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    )
    if gain.low > 0:
        losing = [name for name, pairs in by_category.items() if fmean(b - a for b, a in pairs) > _LOSS]
        cost = f" It costs on {', '.join(losing)}: look whether you want that." if losing else ""
        return f"Fitting helps: {figures}.{cost}"
    return f"Fitting does not help here: {figures}. Keep the weights you have."


def changed(before: RankingWeights, after: RankingWeights) -> str:
    """Which weights differ: "words 1.6 to 2"."""
    shown = [
        (one.name, *(f"{getattr(weights, one.name):.3g}" for weights in (before, after)))
        for one in fields(RankingWeights)
    ]
    return ", ".join(f"{name} {old} to {new}" for name, old, new in shown if old != new) or "none changed"


def _by_category(dataset: Dataset, judged: Sequence[Judged]) -> dict[str, list[tuple[float, float]]]:
    """nDCG@10 of each held-out question, before and fitted."""
    categories = [question.category for conversation in dataset.conversations for question in conversation.questions]
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in sorted(set(categories))}
    for one in judged:
        for number, before, after in zip(one.fold.test, one.before.tolist(), one.after.tolist(), strict=True):
            found[categories[number]].append((before, after))
    return found


def _gain(judged: Sequence[Judged], seed: int) -> Difference:
    before, after = (np.concatenate([getattr(one, name) for one in judged]) for name in ("before", "after"))
    return paired_bootstrap(before.tolist(), after.tolist(), seed=seed)


def _machine_readable(
    dataset: Dataset, judged: Sequence[Judged], gain: Difference, weights: RankingWeights
) -> dict[str, Any]:
    names = [question.id for conversation in dataset.conversations for question in conversation.questions]
    questions = [
        {"id": names[number], "fold": one.fold.name, "before": before, "fitted": after}
        for one in judged
        for number, before, after in zip(one.fold.test, one.before.tolist(), one.after.tolist(), strict=True)
    ]
    return {
        "data": dataset.name,
        "measure": "nDCG@10",
        "gain": asdict(gain),
        "weights": asdict(weights),
        "held_out": questions,
    }
