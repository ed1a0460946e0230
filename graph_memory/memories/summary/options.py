"""What the options of summary memory may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from graph_memory.errors import ConfigurationError
from graph_memory.memories.summary.compression import Strategy
from graph_memory.memories.summary.writing import LEAST_CALL_TOKENS, Fallback
from graph_memory.models import checked_model

if TYPE_CHECKING:
    from graph_memory.memories.summary.memory import SummaryMemory


def check_options(memory: SummaryMemory) -> None:
    """Refuses options that make no sense.

    Raises:
        ConfigurationError: names the option.
        MissingExtraError: the model is a name, and `langchain` is not installed.
    """
    checked_model(memory.model, memory.name)

    def refuse(name: str, advice: str) -> None:
        raise ConfigurationError(f"memory {memory.name!r} has {name}={getattr(memory, name)!r}: {advice}")

    if memory.placement == "history":
        refuse("placement", "a summary is text: choose 'system' or 'tail'")
    if memory.strategy not in get_args(Strategy):
        refuse("strategy", f"choose from {', '.join(get_args(Strategy))}")
    if memory.fallback not in get_args(Fallback):
        refuse("fallback", f"choose from {', '.join(get_args(Fallback))}")
    if memory.threshold_tokens != "adaptive" and not _is_count(memory.threshold_tokens, 1):
        refuse("threshold_tokens", "give a whole number of tokens above 0, or 'adaptive'")
    if not 0 < memory.ratio < 1:
        refuse("ratio", "give a fraction above 0 and below 1")
    if not _is_count(memory.keep_recent, 0):
        refuse("keep_recent", "give a whole number of messages, 0 or more")
    for name, least in (("max_tokens", 1), ("context_tokens", 1), ("call_tokens", LEAST_CALL_TOKENS)):
        if getattr(memory, name) is not None and not _is_count(getattr(memory, name), least):
            refuse(name, f"give a whole number of tokens, {least} or more, or None")


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
