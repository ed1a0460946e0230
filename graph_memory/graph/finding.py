"""Finds the memories of a graph that can remember in the background."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph

from graph_memory.errors import ConfigurationError
from graph_memory.graph.node import MemoryNode
from graph_memory.memories.base import Memory

Memories = StateGraph[Any, Any, Any, Any] | CompiledStateGraph[Any, Any, Any, Any] | Iterable[Memory]
"""A graph with memory, compiled or not, or the memories themselves."""


def memories_by_node(source: Memories) -> Mapping[tuple[str, str], Memory]:
    """Node and name to memory; those of a list are for every node, which is "" then.

    Raises:
        ConfigurationError: it is no graph and no list of memories, or none of them can remember in the background.
    """
    found = {(node, memory.name): memory for node, memory in _all(source) if memory.defers}
    if not found:
        raise ConfigurationError(
            "a worker needs memories that can remember in the background, and there are none here: set"
            " remembers='background' on those that shall, such as EntityMemory"
        )
    return found


def _all(source: Memories) -> Iterator[tuple[str, Memory]]:
    if isinstance(source, StateGraph | CompiledStateGraph):
        yield from _of_graph(source)
        return
    listed = list(source) if isinstance(source, Iterable) else [source]
    for memory in listed:
        if not isinstance(memory, Memory):
            raise ConfigurationError(
                f"a worker takes a graph or a list of memories, not {type(memory).__name__}: give it the graph that attach was"
                " called on"
            )
        yield "", memory


def _of_graph(
    graph: StateGraph[Any, Any, Any, Any] | CompiledStateGraph[Any, Any, Any, Any],
) -> Iterator[tuple[str, Memory]]:
    builder = graph.builder if isinstance(graph, CompiledStateGraph) else graph
    for spec in builder.nodes.values():
        runnable = spec.runnable
        if isinstance(runnable, MemoryNode):
            yield from ((runnable.desk.state_key, memory) for memory in runnable.desk.memories)
        elif isinstance(runnable, CompiledStateGraph):
            yield from _of_graph(runnable)
