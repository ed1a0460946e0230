"""Counting what a context showed, where a memory does not count by itself (`VectorMemory.counts_accesses`): by a call, or as a
node of a graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import get_runtime

from graph_memory.graph.runnables import GraphStep
from graph_memory.graph.scope import scope_of
from graph_memory.graph.state import CONTEXT
from graph_memory.memories.accesses import Accesses
from graph_memory.steps import Steps, arun, run
from graph_memory.types import Context, Scope

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

DEFAULT = ("vector",)


def count_accesses(
    scope: Scope,
    context: Context,
    *,
    store: BaseStore,
    memories: Iterable[str] = DEFAULT,
    now: datetime | None = None,
) -> int:
    """Counts what a context showed of these memories; two round trips, however much it was.

    Args:
        scope: whose memory.
        context: what the model was handed.
        store: where the memos are.
        memories: names of vector memories.
        now: the time of the access; the present when left out.

    Returns:
        How many memos were counted; those that this turn's context was counted for already are not.

    Raises:
        ConfigurationError: the scope names neither a user nor a thread.
        StoreError: the store failed.
    """
    return run(_counting(scope, context, tuple(memories), now or datetime.now(UTC)), store=store)


async def acount_accesses(
    scope: Scope,
    context: Context,
    *,
    store: BaseStore,
    memories: Iterable[str] = DEFAULT,
    now: datetime | None = None,
) -> int:
    """`count_accesses`, awaiting the store."""
    return await arun(_counting(scope, context, tuple(memories), now or datetime.now(UTC)), store=store)


def access_node(memories: Iterable[str] = DEFAULT) -> GraphStep:
    """A graph's node that counts what `memory_context` showed. Put it after the LLM node, beside whatever else follows.

    It changes no state, and does nothing where there is no context, no store or nobody to remember for.
    """
    names = tuple(memories)

    def steps(state: Any, config: RunnableConfig) -> Steps[int] | None:
        found = state.get(CONTEXT) if isinstance(state, Mapping) else getattr(state, CONTEXT, None)
        scope = scope_of(config, get_runtime())
        if not isinstance(found, Context) or scope.is_empty or get_runtime().store is None:
            return None
        return _counting(scope, found, names, datetime.now(UTC))

    def call(state: Any, config: RunnableConfig) -> dict[str, Any]:
        if (counting := steps(state, config)) is not None:
            run(counting, store=get_runtime().store)
        return {}

    async def acall(state: Any, config: RunnableConfig) -> dict[str, Any]:
        if (counting := steps(state, config)) is not None:
            await arun(counting, store=get_runtime().store)
        return {}

    return GraphStep(call, acall, name="count_accesses")


def _counting(scope: Scope, context: Context, memories: tuple[str, ...], now: datetime) -> Steps[int]:
    lines = [line for line in context.kept if line.memory in memories]
    return Accesses.of(scope, lines, context.turn_id, now).counted()
