"""`examine` looks at a place where memory is kept, and says what is right with it and what is not.

A back end is a function in a module of its own, from a `Place` and options to findings, and one line of `_EXAMINERS`; what lies
around it, a tier or encryption, is looked at beside. What is asked and what is made of the answers are apart: the latter is pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

from graph_memory.doctor.findings import Finding as Finding
from graph_memory.errors import GraphMemoryError
from graph_memory.stores import OPTIONS, SEAL, TIER, hot_options
from graph_memory.urls import Place, check_options, extra, parse

__all__ = ["Finding", "examine"]

Options = Mapping[str, Any]
"""Those of `open_store`, `timeout_seconds` among them: how long each answer may take."""
Examiner = Callable[[Place, Options], list[Finding]]
"""Examines a place. Raises `GraphMemoryError` when there is nobody to ask."""

_SCHEMES = ("sqlite", "redis", "postgresql", "supabase")
_EXAMINERS = {scheme: f"graph_memory.doctor.{scheme}" for scheme in _SCHEMES}
"""Modules with an `examine`, by scheme."""
_EXTRAS = {"redis": ("Redis", "redis"), "postgresql": ("Postgres", "postgres"), "supabase": ("Supabase", "supabase")}
"""What a package that is missing is for, and the extra that brings it, by scheme."""

_NOT_OF_COPIES = frozenset({"persistence", "checkpoints", "packages"})
"""What does not matter of a store that holds copies alone."""


def examine(url: str, *, timeout_seconds: float = 5.0, **options: Any) -> list[Finding]:
    """What is found at a url; a single failure when nobody answers there.

    Args:
        timeout_seconds: how long each answer may take.
        options: as `open_store` is given them. Looked at are key and token (Supabase), prefix (Redis); with hot, the url of a
            Redis, also the tier, and its queue; with encrypt, also what is sealed with which key.

    Raises:
        ConfigurationError: it is no url of a memory, or an option is unknown.
    """
    place = parse(url)
    check_options(options, OPTIONS[place.scheme], "examine")
    own = {name: option for name, option in options.items() if name not in TIER | SEAL}
    own |= {"timeout_seconds": timeout_seconds}
    found = _found("connection", partial(_examined, place, own))
    if isinstance(hot := options.get("hot"), str):
        found += _hot(hot, options.get("user"), timeout_seconds)
    for names, subject in ((TIER, "tier"), (SEAL, "encryption")):
        if names & options.keys() and not any(one.subject == "connection" for one in found):
            around = import_module(f"graph_memory.doctor.{subject}").examine
            found += _found(subject, partial(around, url, own | options))
    return found


def _examined(place: Place, options: Options) -> list[Finding]:
    with extra(*_EXTRAS.get(place.scheme, ("SQLite", "cli"))):
        examiner: Examiner = import_module(_EXAMINERS[place.scheme]).examine
        return examiner(place, options)


def _hot(url: str, user: str | None, timeout_seconds: float) -> list[Finding]:
    """What is found of the hot store of a tier."""
    place = parse(url)
    found = _found("connection", partial(_examined, place, hot_options(url, user, timeout_seconds)))
    return [replace(one, says=f"hot: {one.says}") for one in found if one.subject not in _NOT_OF_COPIES]


def _found(subject: str, examined: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return examined()
    except GraphMemoryError as exc:
        return [Finding("fail", subject, str(exc))]
