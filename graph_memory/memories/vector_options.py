"""What the options of vector memory may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graph_memory.errors import ConfigurationError
from graph_memory.models import checked_model

if TYPE_CHECKING:
    from graph_memory.memories.vector import VectorMemory


def check_options(memory: VectorMemory) -> None:
    """Refuses options that make no sense.

    Raises:
        ConfigurationError: names the option.
        MissingExtraError: the model is a name, and `langchain` is not installed.
    """
    checked_model(memory.importance_model, memory.name)
    for name, least in (("limit", 1), ("candidates", 1), ("rerank", 1), ("fill", 0)):
        if not isinstance(getattr(memory, name), int) or getattr(memory, name) < least:
            raise ConfigurationError(
                f"memory {memory.name!r} has {name} {getattr(memory, name)}: give a whole number, {least} or more"
            )
    if memory.placement == "history":
        raise ConfigurationError(
            f"memory {memory.name!r} cannot be placed as history: only whole turns can, as BufferMemory"
        )
    if not memory.roles or not set(memory.roles) <= {"human", "ai"}:
        raise ConfigurationError(f"memory {memory.name!r} has roles {memory.roles}: choose from 'human' and 'ai'")
    if memory.ttl_seconds is not None and not memory.ttl_seconds > 0:
        raise ConfigurationError(
            f"memory {memory.name!r} has ttl_seconds={memory.ttl_seconds}: give seconds above 0, or None"
        )
    if not 0 <= memory.threshold <= 1 or not 0 <= memory.freshness_weight <= 1:
        raise ConfigurationError(
            f"memory {memory.name!r} has threshold {memory.threshold} and freshness_weight {memory.freshness_weight}:"
            " both lie in 0–1"
        )
    if not memory.half_life_hours > 0:
        raise ConfigurationError(
            f"memory {memory.name!r} has half_life_hours {memory.half_life_hours}: give hours above 0"
        )
