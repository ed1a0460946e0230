"""Single parts of consolidation by their names: pruning, and moving between tiers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from graph_memory.context.workspaces import Workspace
from graph_memory.lifecycle.consolidation import aconsolidate, consolidate
from graph_memory.lifecycle.rules import ConsolidationReport, ConsolidationRules
from graph_memory.memories.vector import VectorMemory

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore


def prune(
    store: BaseStore,
    user_id: str,
    *,
    below: float,
    after_days: float = 30.0,
    dry_run: bool = True,
    memory: VectorMemory | None = None,
    now: datetime | None = None,
) -> ConsolidationReport:
    """Removes memos older than `after_days` that score below `below`; where episodes are kept, only what they tell of.

    Raises:
        ConfigurationError: a number is out of range.
        StoreError: the store failed.
    """
    return consolidate(store, user_id, dry_run=dry_run, memory=memory, rules=_pruning(below, after_days), now=now)


async def aprune(
    store: BaseStore,
    user_id: str,
    *,
    below: float,
    after_days: float = 30.0,
    dry_run: bool = True,
    memory: VectorMemory | None = None,
    now: datetime | None = None,
) -> ConsolidationReport:
    """`prune`, awaiting the store."""
    rules = _pruning(below, after_days)
    return await aconsolidate(store, user_id, dry_run=dry_run, memory=memory, rules=rules, now=now)


def move_tiers(
    store: BaseStore,
    user_id: str,
    workspace: Workspace,
    *,
    dry_run: bool = True,
    memory: VectorMemory | None = None,
    now: datetime | None = None,
) -> ConsolidationReport:
    """Promotes and demotes memos by a workspace's rules, from how often they were shown (`count_accesses`).

    Raises:
        StoreError: the store failed.
    """
    return consolidate(store, user_id, dry_run=dry_run, memory=memory, rules=_moving(workspace), now=now)


async def amove_tiers(
    store: BaseStore,
    user_id: str,
    workspace: Workspace,
    *,
    dry_run: bool = True,
    memory: VectorMemory | None = None,
    now: datetime | None = None,
) -> ConsolidationReport:
    """`move_tiers`, awaiting the store."""
    return await aconsolidate(store, user_id, dry_run=dry_run, memory=memory, rules=_moving(workspace), now=now)


def _pruning(below: float, after_days: float) -> ConsolidationRules:
    return ConsolidationRules(condense=False, similarity=None, prune_below=below, prune_after_days=after_days)


def _moving(workspace: Workspace) -> ConsolidationRules:
    return ConsolidationRules(condense=False, similarity=None, prune_below=None, workspace=workspace)
