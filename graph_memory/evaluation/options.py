"""Settings of `VectorMemory` as YAML: those that change what is found, never those that change what is stored.

    candidates: 300
    weights: {speaker: 1.2, newest: 0}

What is left out stays as it is by default. What is not known is refused with the names that are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from graph_memory.context.ranking import RankingWeights
from graph_memory.errors import ConfigurationError
from graph_memory.memories.vector import VectorMemory

_COUNTS = ("limit", "candidates")
_NUMBERS = ("threshold", "freshness_weight", "half_life_hours")
_KNOWN = (*_COUNTS, *_NUMBERS, "weights")
_SIGNALS = tuple(one.name for one in fields(RankingWeights))


def read_memory(path: Path) -> VectorMemory:
    """The memory that a YAML file describes.

    Raises:
        ConfigurationError: it is no YAML, or an option is unknown or has a value that cannot be.
        OSError: it cannot be opened.
    """
    import yaml

    try:
        raw = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, RecursionError) as exc:
        mark = getattr(exc, "problem_mark", None)
        place = f" (line {mark.line + 1})" if mark is not None else ""
        raise ConfigurationError(f"{path.name} is not YAML{place}") from exc
    return memory_of({} if raw is None else raw, path.name)


def memory_of(raw: object, where: str) -> VectorMemory:
    """The memory that a mapping of options describes; `where` is named when something is wrong.

    Raises:
        ConfigurationError: as in `read_memory`.
    """
    options = _mapping(raw, where, "option", _KNOWN)
    for name in _COUNTS:
        if name in options and not _is_count(options[name]):
            raise ConfigurationError(f"{where}: {name} is {options[name]!r}; give a whole number of 1 or more")
    _check_numbers({name: options[name] for name in _NUMBERS if name in options}, where)
    weights = _mapping(options.pop("weights", {}), f"{where}, weights", "signal", _SIGNALS)
    _check_numbers(weights, f"{where}, weights")
    try:
        return VectorMemory(**options, weights=RankingWeights(**weights))
    except ValueError as exc:
        raise ConfigurationError(f"{where}: {exc}") from exc


def described(memory: VectorMemory) -> dict[str, Any]:
    """The memory's options as a mapping that `memory_of` takes."""
    return {**{name: getattr(memory, name) for name in _KNOWN if name != "weights"}, "weights": asdict(memory.weights)}


def weights_text(weights: RankingWeights) -> str:
    """The weights as YAML that `read_memory` takes."""
    return "weights:\n" + "".join(f"  {name}: {value:.4g}\n" for name, value in asdict(weights).items())


def _mapping(raw: object, where: str, what: str, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise ConfigurationError(f"{where}: expected a value for each {what}; known are {', '.join(known)}")
    for name in raw:
        if name not in known:
            raise ConfigurationError(f"{where}: there is no {what} {name!r}; known are {', '.join(known)}")
    return dict(raw)


def _check_numbers(values: Mapping[str, Any], where: str) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigurationError(f"{where}: {name} is {value!r}; give a number")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
