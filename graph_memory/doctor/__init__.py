"""`examine` looks at a place where memory is kept, and says what is right with it and what is not.

A back end is a function in a module of its own, from a `Place` and seconds to findings, and one line of `_EXAMINERS`. What it
asks and what it makes of the answers are apart: the latter is pure.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from graph_memory.doctor.findings import Finding as Finding
from graph_memory.errors import ConfigurationError, GraphMemoryError
from graph_memory.urls import Place, parse

__all__ = ["Finding", "examine"]

Examiner = Callable[[Place, float], list[Finding]]
"""Examines a place; each answer may take so many seconds. Raises `GraphMemoryError` when there is nobody to ask."""

_EXAMINERS = {scheme: f"graph_memory.doctor.{scheme}" for scheme in ("sqlite", "redis", "postgresql")}
"""Modules with an `examine`, by scheme."""


def examine(url: str, *, timeout_seconds: float = 5.0) -> list[Finding]:
    """What is found at a url; a single failure when nobody answers there.

    Raises:
        ConfigurationError: it is no url of a place that can be examined.
    """
    place = parse(url)
    if place.scheme not in _EXAMINERS:
        raise ConfigurationError(f"{place.scheme} cannot be examined yet: name the url of its database")
    examiner: Examiner = import_module(_EXAMINERS[place.scheme]).examine
    try:
        return examiner(place, timeout_seconds)
    except GraphMemoryError as exc:
        return [Finding("fail", "connection", str(exc))]
