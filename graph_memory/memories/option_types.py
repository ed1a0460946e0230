"""Whether a memory's options are of the kind that they are declared with, before anything is compared or called with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from graph_memory.errors import ConfigurationError


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_KINDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "int": (_is_whole, "a whole number"),
    "float": (_is_number, "a number"),
    "bool": (lambda value: isinstance(value, bool), "True or False"),
    "str": (lambda value: isinstance(value, str), "a text"),
    "Mapping": (lambda value: isinstance(value, Mapping), "a mapping"),
    "Callable": (callable, "a function"),
    "Reranker": (callable, "a function of a question and texts"),
    "Extract": (callable, "a function of a text"),
    "Episodes": (lambda value: type(value).__name__ == "Episodes", "Episodes(...)"),
    "RankingWeights": (lambda value: type(value).__name__ == "RankingWeights", "RankingWeights(...)"),
    "PreserveRules": (lambda value: type(value).__name__ == "PreserveRules", "PreserveRules(...)"),
}


def check_option_types(memory: Any) -> None:
    """Refuses an option of another kind than it is declared with.

    Raises:
        ConfigurationError: names the memory, the option and what to give.
    """
    for one in fields(memory):
        parts = [part.strip().partition("[")[0] for part in str(one.type).split("|")]
        value = getattr(memory, one.name)
        if (value is None and "None" in parts) or not all(part in _KINDS or part == "None" for part in parts):
            continue
        kinds = [_KINDS[part] for part in parts if part != "None"]
        if not any(fits(value) for fits, _ in kinds):
            wanted = [what for _, what in kinds] + ["None"] * ("None" in parts)
            raise ConfigurationError(
                f"memory {getattr(memory, 'name', '')!r} has {one.name}={value!r}: give {' or '.join(wanted)}"
            )
