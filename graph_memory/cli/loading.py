"""Finds what a user names as `module:name`: a graph, a list of memories, or a function that gives one of them."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph

from graph_memory.errors import ConfigurationError, GraphMemoryError

if TYPE_CHECKING:
    from graph_memory.graph.finding import Memories

_FORM = "write module:name, for example app.graphs:builder, from the folder that the module is imported from"


def loaded(spec: str) -> Memories:
    """The graph or the memories of that name. A function is called without arguments.

    Raises:
        ConfigurationError: there is no such module or name, or it cannot be imported.
    """
    module_name, _, name = spec.partition(":")
    if not module_name or not name:
        raise ConfigurationError(f"--graph {spec} names nothing: {_FORM}")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: Any = import_module(module_name)
        for part in name.split("."):
            found = getattr(found, part)
        if callable(found) and not isinstance(found, StateGraph | CompiledStateGraph):
            found = found()
    except GraphMemoryError:
        raise
    except AttributeError as exc:
        raise ConfigurationError(f"--graph {spec}: {exc}; {_FORM}") from exc
    except Exception as exc:  # whatever a user's module does when it is imported
        raise ConfigurationError(f"--graph {spec} cannot be loaded: {type(exc).__name__}: {exc}; {_FORM}") from exc
    named: Memories = found
    return named
