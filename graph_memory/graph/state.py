"""The state keys that memory adds to a graph, and the channels behind them.

`memory` is checkpointed and holds what belongs to the thread: `{"root": ..., "<node>": {"<memory>": {...}}}`.
`memory_context` is the explained context of the newest call; it is streamed with updates and values but never checkpointed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

from langgraph.channels import UntrackedValue
from langgraph.graph import MessagesState
from typing_extensions import TypedDict  # pydantic refuses typing's before Python 3.12

from graph_memory.types import Context

MEMORY = "memory"
CONTEXT = "memory_context"


def merge_memory(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any]:
    """`new` over `old`, nested mappings merged key by key. The reducer of the `memory` channel."""
    merged = dict(old or {})
    for key, value in (new or {}).items():
        there = merged.get(key)
        merged[key] = merge_memory(there, value) if isinstance(there, Mapping) and isinstance(value, Mapping) else value
    return merged


class MergedUntracked(UntrackedValue[dict[str, Any]]):
    """A dict that parallel nodes fill key by key; never checkpointed."""

    def update(self, values: Sequence[dict[str, Any]]) -> bool:
        """The new keys over the old; an empty dict clears."""
        if not values:
            return False
        merged = dict(self.value) if self.is_available() else {}
        for value in values:
            merged = {**merged, **value} if value else {}
        self.value = merged
        return True


MemoryChannel = Annotated[dict[str, Any], merge_memory]
ContextChannel = Annotated[Any, UntrackedValue(Context, guard=False)]
"""Holds a `Context`; Any, because LangGraph derives JSON schemas of a graph's state from its annotations."""


class MemoryState(MessagesState):
    """`MessagesState` with the two keys of memory, for graphs that use `orchestrator` by themselves."""

    memory: MemoryChannel
    memory_context: ContextChannel


def state_schema(name: str, fields: Mapping[str, Any]) -> Any:
    """A TypedDict whose keys are known only at run time, because the key of the conversation is the user's."""
    return cast(Any, TypedDict)(name, dict(fields), total=False)
