"""Memory for LangGraph: attach it to an LLM node, and the node is handed the right context within a token budget.

Names are imported when they are first used, so that `import graph_memory` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graph_memory.answering import extractive_node as extractive_node
    from graph_memory.checkpoints import open_checkpointer as open_checkpointer
    from graph_memory.configured import attach_from as attach_from
    from graph_memory.configured import memories_from as memories_from
    from graph_memory.context.calibration import CalibratedCounter as CalibratedCounter
    from graph_memory.context.calibration import Calibration as Calibration
    from graph_memory.context.complexity import ComplexityEstimate as ComplexityEstimate
    from graph_memory.context.complexity import ComplexityRules as ComplexityRules
    from graph_memory.context.complexity import estimate_complexity as estimate_complexity
    from graph_memory.context.costs import Price as Price
    from graph_memory.context.costs import Usage as Usage
    from graph_memory.context.links import context_links as context_links
    from graph_memory.context.tokens import counter_from as counter_from
    from graph_memory.context.tokens import token_counter as token_counter
    from graph_memory.context.workspaces import Workspace as Workspace
    from graph_memory.errors import BudgetError as BudgetError
    from graph_memory.errors import ConfigurationError as ConfigurationError
    from graph_memory.errors import ConflictError as ConflictError
    from graph_memory.errors import GraphMemoryError as GraphMemoryError
    from graph_memory.errors import MissingExtraError as MissingExtraError
    from graph_memory.errors import ModelError as ModelError
    from graph_memory.errors import SchemaOutdatedError as SchemaOutdatedError
    from graph_memory.errors import StoreError as StoreError
    from graph_memory.errors import StoreUnavailableError as StoreUnavailableError
    from graph_memory.extract.preferences import said_preferences as said_preferences
    from graph_memory.graph.attach import attach as attach
    from graph_memory.graph.background import background_worker as background_worker
    from graph_memory.graph.middleware import MemoryMiddleware as MemoryMiddleware
    from graph_memory.graph.orchestrator import orchestrator as orchestrator
    from graph_memory.graph.queues import dead_letters as dead_letters
    from graph_memory.graph.queues import pending as pending
    from graph_memory.graph.queues import requeue as requeue
    from graph_memory.graph.scope import scope_of as scope_of
    from graph_memory.graph.state import MemoryState as MemoryState
    from graph_memory.graph.tools import memory_tools as memory_tools
    from graph_memory.graph.worker import Worker as Worker
    from graph_memory.graph.worker import WorkerOptions as WorkerOptions
    from graph_memory.health import acheck_health as acheck_health
    from graph_memory.health import check_health as check_health
    from graph_memory.lifecycle import ConsolidationReport as ConsolidationReport
    from graph_memory.lifecycle import ConsolidationRules as ConsolidationRules
    from graph_memory.lifecycle import Reencryption as Reencryption
    from graph_memory.lifecycle import UserStatistics as UserStatistics
    from graph_memory.lifecycle import access_node as access_node
    from graph_memory.lifecycle import aconsolidate as aconsolidate
    from graph_memory.lifecycle import aexport_user as aexport_user
    from graph_memory.lifecycle import aforget as aforget
    from graph_memory.lifecycle import aimport_user as aimport_user
    from graph_memory.lifecycle import amove_tiers as amove_tiers
    from graph_memory.lifecycle import aprune as aprune
    from graph_memory.lifecycle import areencrypt as areencrypt
    from graph_memory.lifecycle import astatistics as astatistics
    from graph_memory.lifecycle import consolidate as consolidate
    from graph_memory.lifecycle import consolidation_node as consolidation_node
    from graph_memory.lifecycle import export_user as export_user
    from graph_memory.lifecycle import forget as forget
    from graph_memory.lifecycle import import_user as import_user
    from graph_memory.lifecycle import move_tiers as move_tiers
    from graph_memory.lifecycle import prune as prune
    from graph_memory.lifecycle import reencrypt as reencrypt
    from graph_memory.lifecycle import statistics as statistics
    from graph_memory.memories.assembly import aget_context as aget_context
    from graph_memory.memories.assembly import get_context as get_context
    from graph_memory.memories.base import Memory as Memory
    from graph_memory.memories.buffer import BufferMemory as BufferMemory
    from graph_memory.memories.conversation import conversation_memory as conversation_memory
    from graph_memory.memories.entity import EntityAnalytics as EntityAnalytics
    from graph_memory.memories.entity import EntityFact as EntityFact
    from graph_memory.memories.entity import EntityMemory as EntityMemory
    from graph_memory.memories.entity import EntityView as EntityView
    from graph_memory.memories.episodes.finishing import afinish_session as afinish_session
    from graph_memory.memories.episodes.finishing import finish_session as finish_session
    from graph_memory.memories.episodes.keeping import Episodes as Episodes
    from graph_memory.memories.everywhere import asearch as asearch
    from graph_memory.memories.everywhere import search as search
    from graph_memory.memories.key_value.memory import KeyValueMemory as KeyValueMemory
    from graph_memory.memories.searching import Found as Found
    from graph_memory.memories.summary.compression import Compression as Compression
    from graph_memory.memories.summary.compression import CompressionPreview as CompressionPreview
    from graph_memory.memories.summary.compression import Compressions as Compressions
    from graph_memory.memories.summary.memory import SummaryMemory as SummaryMemory
    from graph_memory.memories.summary.preserving import PreserveRules as PreserveRules
    from graph_memory.memories.vector import VectorMemory as VectorMemory
    from graph_memory.memories.working.items import Scratchpad as Scratchpad
    from graph_memory.memories.working.items import WorkingItem as WorkingItem
    from graph_memory.memories.working.items import WorkingStep as WorkingStep
    from graph_memory.memories.working.memory import WorkingMemory as WorkingMemory
    from graph_memory.memories.working.state import together as together
    from graph_memory.migration import aimport_from as aimport_from
    from graph_memory.migration import import_from as import_from
    from graph_memory.models import StructuredBy as StructuredBy
    from graph_memory.opening import open_memory as open_memory
    from graph_memory.opening import options_from_env as options_from_env
    from graph_memory.sealing import new_key as new_key
    from graph_memory.settings import MemorySettings as MemorySettings
    from graph_memory.settings import load_workspaces as load_workspaces
    from graph_memory.stats import BudgetAlert as BudgetAlert
    from graph_memory.stats import Stats as Stats
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
    "answering": ["extractive_node"],
    "checkpoints": ["open_checkpointer"],
    "configured": ["attach_from", "memories_from"],
    "context.calibration": ["CalibratedCounter", "Calibration"],
    "context.complexity": ["ComplexityEstimate", "ComplexityRules", "estimate_complexity"],
    "context.costs": ["Price", "Usage"],
    "context.links": ["context_links"],
    "context.tokens": ["counter_from", "token_counter"],
    "context.workspaces": ["Workspace"],
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
    "extract.preferences": ["said_preferences"],
    "graph.attach": ["attach"],
    "graph.background": ["background_worker"],
    "graph.middleware": ["MemoryMiddleware"],
    "graph.orchestrator": ["orchestrator"],
    "graph.queues": ["dead_letters", "pending", "requeue"],
    "graph.scope": ["scope_of"],
    "graph.state": ["MemoryState"],
    "graph.tools": ["memory_tools"],
    "graph.worker": ["Worker", "WorkerOptions"],
    "health": ["acheck_health", "check_health"],
    "lifecycle": [
        "ConsolidationReport",
        "ConsolidationRules",
        "Reencryption",
        "UserStatistics",
        "access_node",
        "aconsolidate",
        "aexport_user",
        "aforget",
        "aimport_user",
        "amove_tiers",
        "aprune",
        "areencrypt",
        "astatistics",
        "consolidate",
        "consolidation_node",
        "export_user",
        "forget",
        "import_user",
        "move_tiers",
        "prune",
        "reencrypt",
        "statistics",
    ],
    "memories.assembly": ["aget_context", "get_context"],
    "memories.base": ["Memory"],
    "memories.buffer": ["BufferMemory"],
    "memories.conversation": ["conversation_memory"],
    "memories.entity": ["EntityAnalytics", "EntityFact", "EntityMemory", "EntityView"],
    "memories.episodes.finishing": ["afinish_session", "finish_session"],
    "memories.episodes.keeping": ["Episodes"],
    "memories.everywhere": ["asearch", "search"],
    "memories.key_value.memory": ["KeyValueMemory"],
    "memories.searching": ["Found"],
    "memories.summary.compression": ["Compression", "CompressionPreview", "Compressions"],
    "memories.summary.memory": ["SummaryMemory"],
    "memories.summary.preserving": ["PreserveRules"],
    "memories.vector": ["VectorMemory"],
    "memories.working.items": ["Scratchpad", "WorkingItem", "WorkingStep"],
    "memories.working.memory": ["WorkingMemory"],
    "memories.working.state": ["together"],
    "models": ["StructuredBy"],
    "migration": ["aimport_from", "import_from"],
    "opening": ["open_memory", "options_from_env"],
    "sealing": ["new_key"],
    "settings": ["MemorySettings", "load_workspaces"],
    "stats": ["BudgetAlert", "Stats"],
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
