"""The state keys that memory adds to a graph, and the channels behind them.

`memory` is checkpointed and holds what belongs to the thread: `{"@lineage": {...}, "<node>": {"<memory>": {...}}}`.
`memory_context` is the explained context of the newest call; it is streamed with updates and values but never checkpointed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, cast

from langgraph.channels import UntrackedValue
from langgraph.graph import MessagesState
from typing_extensions import TypedDict  # pydantic refuses typing's before Python 3.12

from graph_memory.graph.lineage import LINEAGE, node_of
from graph_memory.types import Context

MEMORY = "memory"
CONTEXT = "memory_context"


VERSIONS = "versions"
"""Key of the lineage that counts the updates of each LLM node's part."""


def merge_memory(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any]:
    """`new` over `old`, nested mappings merged key by key. The reducer of the `memory` channel.

    A subgraph over `MemoryState` gives back the whole channel as it was when it began. Where an LLM node's part has been
    updated beside it, which its version tells, what is there wins.
    """
    old, new = old or {}, new or {}
    there = _versions(old)
    late = {node for node, version in _versions(new).items() if version < there.get(node, 0)}
    return _merged(old, _yielding(new, old, late) if late else new)


def next_version(channel: Mapping[str, Any], node: str) -> dict[str, Any]:
    """The part of the `memory` channel that goes with an update of an LLM node's part."""
    return {LINEAGE: {VERSIONS: {node: _versions(channel).get(node, 0) + 1}}}


def _versions(channel: Mapping[str, Any]) -> Mapping[str, int]:
    found: Mapping[str, int] = (channel.get(LINEAGE) or {}).get(VERSIONS) or {}
    return found


def _yielding(new: Mapping[str, Any], old: Mapping[str, Any], nodes: Collection[str]) -> dict[str, Any]:
    """`new` without what `old` knows better of these nodes."""
    lineage = {
        key: {line: one for line, one in value.items() if node_of(line) not in nodes}
        if isinstance(value, Mapping)
        else value
        for key, value in new[LINEAGE].items()
    }
    return {**new, LINEAGE: lineage, **{node: _merged(new[node], old.get(node) or {}) for node in nodes if node in new}}


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in new.items():
        there = merged.get(key)
        merged[key] = _merged(there, value) if isinstance(there, Mapping) and isinstance(value, Mapping) else value
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
