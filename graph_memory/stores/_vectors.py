"""Arithmetic over the unit vectors of one namespace, the same on every back end that ranks in the process."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph_memory.stores._embedding import Vector

_PAIRS, _AT_ONCE = 512, 32  # few rows at once: fresh memory costs more than the arithmetic


def cosines(rows: NDArray[Any], vector: Vector) -> NDArray[np.float32]:
    """Of unit vectors. `einsum` keeps to one thread and is as fast: BLAS starts one per core, and on a busy machine waits for
    them (20,000 × 384 on two cores: 0.9 ms against 8)."""
    found: NDArray[np.float32] = np.einsum("ij,j->i", rows, vector)
    return found


def spread(rows: NDArray[Any]) -> tuple[float, float] | None:
    """Mean and standard deviation of the cosine of two vectors, from up to 512 pairs that lie far apart."""
    if len(rows) < 3:
        return None
    one = np.arange(0, len(rows), max(1, len(rows) // _PAIRS))
    other = (one * 7919 + len(rows) // 2) % len(rows)
    pairs = [(one[at : at + _AT_ONCE], other[at : at + _AT_ONCE]) for at in range(0, len(one), _AT_ONCE)]
    found = np.concatenate([np.einsum("ij,ij->i", rows[a], rows[b]) for a, b in pairs])
    found = found[found < 0.999]  # an item and itself, or its copy
    return (float(found.mean()), float(found.std()) or 1.0) if len(found) else None
