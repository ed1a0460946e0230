"""What is refused of memories and their settings before a graph is built with them, each in one sentence. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from langchain_core.messages import HumanMessage

from graph_memory.context.workspaces import Workspace
from graph_memory.errors import ConfigurationError

if TYPE_CHECKING:
    from graph_memory.memories.base import Memory
    from graph_memory.memories.planning import Settings


def checked(memories: Iterable[Memory], settings: Settings) -> tuple[Memory, ...]:
    """The memories, after the checks that concern them together.

    Raises:
        ConfigurationError: there are none, one is no memory, two share a name, or the budget is below the fixed overhead.
    """
    found = listed(memories)
    if not found:
        raise ConfigurationError("no memories were given: pass at least one, for example [BufferMemory()]")
    names = [memory.name for memory in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"two memories are named {name!r}: give each its own, for example name='{name}_2'")
    _check_promotion(found, names)
    counter = settings.counter
    if not hasattr(counter, "count_message"):
        raise ConfigurationError("counter must be a TokenCounter: wrap a function of texts with counter_from(function)")
    if settings.workspace is not None and not isinstance(settings.workspace, Workspace):
        raise ConfigurationError("workspace must be a Workspace, or the name of a preset such as 'research'")
    if not isinstance(settings.budget_tokens, int) or not isinstance(settings.reserve_tokens, int):
        raise ConfigurationError("budget_tokens and reserve_tokens must be whole numbers of tokens")
    floor = counter.overhead + counter.count_message(HumanMessage("")) + settings.reserve_tokens
    if settings.budget_tokens <= floor:
        raise ConfigurationError(
            f"budget_tokens={settings.budget_tokens} leaves no room: framing and reserve alone take {floor} tokens"
            f" ({counter.name})"
        )
    return found


def listed(memories: Iterable[Memory]) -> tuple[Memory, ...]:
    """The memories, each of which is one.

    Raises:
        ConfigurationError: it is no list, or something in it is no memory.
    """
    if _is_memory(memories):
        raise ConfigurationError(f"memories must be a list, got {type(memories).__name__}: put it in brackets")
    given: object = memories  # an annotation keeps nobody from passing a text
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigurationError(
            f"memories must be a list of memories, got {type(memories).__name__}: for example [BufferMemory()]"
        )
    found = tuple(memories)
    for memory in found:
        if isinstance(memory, type):
            named = memory.__name__
            raise ConfigurationError(f"{named} is no memory: pass an instance, for example {named}()")
        if not _is_memory(memory):
            raise ConfigurationError(
                f"{memory!r:.60} is no memory: pass an instance of a memory's class, for example BufferMemory()"
            )
    return found


def _is_memory(value: object) -> bool:
    return not isinstance(value, type) and callable(getattr(value, "recall", None))


def _check_promotion(memories: Sequence[Memory], names: Sequence[str]) -> None:
    for memory in memories:
        target = getattr(memory, "promote_to", None)
        if target is not None and target not in names:
            raise ConfigurationError(
                f"memory {memory.name!r} has promote_to={target!r}, but no memory beside it has that name: choose from"
                f" {', '.join(names)}"
            )
