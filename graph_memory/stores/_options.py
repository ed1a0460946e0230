"""Options that every back end checks in the same way."""

from __future__ import annotations

import math
from collections.abc import Sequence

from graph_memory.errors import ConfigurationError


def positive(name: str, number: float) -> float:
    """The number, if it is one above zero.

    Raises:
        ConfigurationError: it is not.
    """
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 < number < math.inf:
        raise ConfigurationError(f"{name} must be a positive number, got {number!r}")
    return number


def paths(fields: Sequence[str] | None) -> tuple[str, ...] | None:
    """The paths that a store indexes, checked; None is the default.

    Raises:
        ConfigurationError: it is one text or no list of texts.
    """
    if fields is None:
        return None
    if not isinstance(fields, (list, tuple)) or not all(isinstance(path, str) for path in fields):
        raise ConfigurationError('fields must be a list of paths such as ["text"]')
    return tuple(fields)
