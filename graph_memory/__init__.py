"""Memory for LangGraph: attach it to an LLM node, and the node is handed the right context within a token budget.

Names are imported when they are first used, so that `import graph_memory` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graph_memory.checkpoints import open_checkpointer as open_checkpointer
    from graph_memory.context.tokens import counter_from as counter_from
    from graph_memory.context.tokens import token_counter as token_counter
    from graph_memory.errors import BudgetError as BudgetError
    from graph_memory.errors import ConfigurationError as ConfigurationError
    from graph_memory.errors import ConflictError as ConflictError
    from graph_memory.errors import GraphMemoryError as GraphMemoryError
    from graph_memory.errors import MissingExtraError as MissingExtraError
    from graph_memory.errors import ModelError as ModelError
    from graph_memory.errors import SchemaOutdatedError as SchemaOutdatedError
    from graph_memory.errors import StoreError as StoreError
    from graph_memory.errors import StoreUnavailableError as StoreUnavailableError
    from graph_memory.graph.attach import attach as attach
    from graph_memory.graph.orchestrator import orchestrator as orchestrator
    from graph_memory.graph.state import MemoryState as MemoryState
    from graph_memory.lifecycle import aforget as aforget
    from graph_memory.lifecycle import forget as forget
    from graph_memory.memories.assembly import aget_context as aget_context
    from graph_memory.memories.assembly import get_context as get_context
    from graph_memory.memories.base import Memory as Memory
    from graph_memory.memories.buffer import BufferMemory as BufferMemory
    from graph_memory.memories.everywhere import asearch as asearch
    from graph_memory.memories.everywhere import search as search
    from graph_memory.memories.searching import Found as Found
    from graph_memory.memories.vector import VectorMemory as VectorMemory
    from graph_memory.opening import open_memory as open_memory
    from graph_memory.stores import open_store as open_store
    from graph_memory.types import Context as Context
    from graph_memory.types import Line as Line
    from graph_memory.types import Memo as Memo
    from graph_memory.types import Query as Query
    from graph_memory.types import Scope as Scope
    from graph_memory.types import Section as Section
    from graph_memory.types import Snippet as Snippet
    from graph_memory.types import TokenCounter as TokenCounter
    from graph_memory.types import Turn as Turn

__version__ = "0.1.0"

_HOMES = {
    "checkpoints": ["open_checkpointer"],
    "context.tokens": ["counter_from", "token_counter"],
    "errors": [
        "BudgetError",
        "ConfigurationError",
        "ConflictError",
        "GraphMemoryError",
        "MissingExtraError",
        "ModelError",
        "SchemaOutdatedError",
        "StoreError",
        "StoreUnavailableError",
    ],
    "graph.attach": ["attach"],
    "graph.orchestrator": ["orchestrator"],
    "graph.state": ["MemoryState"],
    "lifecycle": ["aforget", "forget"],
    "memories.assembly": ["aget_context", "get_context"],
    "memories.base": ["Memory"],
    "memories.buffer": ["BufferMemory"],
    "memories.everywhere": ["asearch", "search"],
    "memories.searching": ["Found"],
    "memories.vector": ["VectorMemory"],
    "opening": ["open_memory"],
    "stores": ["open_store"],
    "types": ["Context", "Line", "Memo", "Query", "Scope", "Section", "Snippet", "TokenCounter", "Turn"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME_OF, "__version__"])


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'graph_memory' has no attribute {name!r}")
    value = getattr(import_module(f"graph_memory.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
