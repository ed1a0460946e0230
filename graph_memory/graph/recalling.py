"""What a run asks of the memories of one LLM node, and how it is told about the outcome.

`Desk` holds the memories and settings of one node; the drawn subgraph, the inline mode and the remembering side branch all
work at it, so that both modes give the same result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.runtime import Runtime, get_runtime
from langgraph.store.base import BaseStore

from graph_memory.errors import ConfigurationError
from graph_memory.graph.lineage import LINEAGE, Lineage, lineage_of, was_sent
from graph_memory.graph.scope import scope_of
from graph_memory.graph.state import CONTEXT, MEMORY
from graph_memory.graph.view import seen_by
from graph_memory.memories.assembly import arecall_all, assemble, recall_all
from graph_memory.memories.base import Memory
from graph_memory.memories.planning import REMEMBERED, Plan, Settings, plan
from graph_memory.messages import state_messages
from graph_memory.stats import Stats
from graph_memory.types import Context, Scope, Section

EVENT = "graph_memory"
"""Key of the custom stream events."""

MOST_NAMED = 20
"""Lines that were left out which an event names; it counts them all."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The memories of one LLM node, with their settings.

    Attributes:
        memories: checked by `checking.checked`.
        settings: budget, counter, node.
        messages_key: the state key that holds the conversation.
        store: used when the graph has none of its own.
        stats: takes in what is sent and what it costs; None keeps no statistics.
    """

    memories: tuple[Memory, ...]
    settings: Settings
    messages_key: str = "messages"
    store: BaseStore | None = None
    stats: Stats | None = None

    @property
    def node(self) -> str:
        """The LLM node's name."""
        return self.settings.node

    @property
    def state_key(self) -> str:
        """Where this node's memories keep their thread-scoped state in the `memory` channel."""
        name = self.node or "graph"
        return name if self.settings.agent is None else f"{name}@{self.settings.agent}"

    def plan(self, state: Any, config: RunnableConfig) -> Plan:
        """What to ask, from a graph's state and config."""
        runtime, states = get_runtime(), self.states(state)
        return plan(
            self.memories,
            state_messages(state, self.messages_key),
            scope=self.scope(config),
            settings=self.settings,
            has_store=self.store_of(runtime) is not None,
            # A checkpointer keeps the thread; so do a parent's checkpoints. What was sent is a state of its own, with no past.
            is_whole=_is_known(states) or self.lineage(state, config) is not None or was_sent(config),
            states=states,
        )

    def states(self, state: Any) -> Mapping[str, Mapping[str, Any]]:
        """Each memory's own part of the `memory` channel."""
        mine: Mapping[str, Mapping[str, Any]] = channel_of(state).get(self.state_key, {})
        return mine

    def lineage(self, state: Any, config: RunnableConfig) -> Lineage | None:
        """What of the thread's own past a run may see; None without a checkpointer."""
        channel = channel_of(state)
        is_begun = "root" in (
            channel.get(LINEAGE) or {}
        )  # then nobody has to look through a long thread for its beginning
        messages = [] if is_begun else state_messages(state, self.messages_key)
        return lineage_of(channel, self.scope(config), messages, config)

    def scope(self, config: RunnableConfig) -> Scope:
        """Whose memory the run concerns."""
        return scope_of(config, get_runtime(), self.settings.agent)

    def seen_store(self, state: Any, config: RunnableConfig) -> Any:
        """The store to recall from, as this line of the thread sees it."""
        store = self.store_of(get_runtime())
        return store if store is None else seen_by(self.lineage(state, config), store)

    def current(self, state: Any) -> Context | None:
        """The context in the state, if it was made for this node and for the newest human message."""
        context = state.get(CONTEXT) if isinstance(state, Mapping) else getattr(state, CONTEXT, None)
        if not isinstance(context, Context) or not context.made_for:
            return None
        return context if context.made_for == self.settings.made_for(state_messages(state, self.messages_key)) else None

    def store_of(self, runtime: Runtime[Any] | None) -> BaseStore | None:
        """The graph's store, else this desk's own."""
        return (runtime.store if runtime is not None else None) or self.store

    def recall(self, state: Any, config: RunnableConfig) -> Context:
        """The inline mode: every memory asked one after the other.

        Raises:
            BudgetError: what must be shown exceeds the budget.
        """
        made = self.plan(state, config)
        sections = recall_all(made, self.memories, self.seen_store(state, config), self.settings)
        return told(assemble(made, sections, self.settings, self.memories))

    async def arecall(self, state: Any, config: RunnableConfig) -> Context:
        """The inline mode: every memory asked at once, in one round trip.

        Raises:
            BudgetError: what must be shown exceeds the budget.
        """
        made = self.plan(state, config)
        sections = await arecall_all(made, self.memories, self.seen_store(state, config), self.settings)
        return told(assemble(made, sections, self.settings, self.memories))

    def again(self, context: Context, state: Any, config: RunnableConfig) -> Context:
        """The context for a longer turn from what was retrieved at its start: a tool loop retrieves once.

        Raises:
            BudgetError: what must be shown exceeds the budget.
        """
        return assemble(self.plan(state, config), context.sections, self.settings, self.memories)


def _is_known(states: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a memory was told of this thread before; what a node notes for one is no sign of that."""
    return any(REMEMBERED in mine for mine in states.values())


def channel_of(state: Any) -> Mapping[str, Any]:
    found = state.get(MEMORY) if isinstance(state, Mapping) else getattr(state, MEMORY, None)
    return found or {}


def check_desk(desk: Desk) -> None:
    """Refuses what would fail on every turn only.

    Raises:
        ConfigurationError: the store, the recorder of statistics or the agent is something else.
    """
    if desk.store is not None and not hasattr(desk.store, "batch"):
        raise ConfigurationError(
            f"store must be a BaseStore, got a {type(desk.store).__name__}: open one with open_store(url)"
        )
    if desk.stats is not None and not isinstance(desk.stats, Stats):
        raise ConfigurationError("stats must be a recorder: pass an instance, Stats()")
    if desk.settings.agent is not None and not isinstance(desk.settings.agent, str):
        raise ConfigurationError(f"agent must be a name, got a {type(desk.settings.agent).__name__}")


def told(context: Context) -> Context:
    """The context, after the custom stream was told what each memory gave and how the budget was split."""
    for section in context.sections:
        tell_recalled(section, context)
    tell_assembled(context)
    return context


def tell_recalled(section: Section, context: Context) -> None:
    """One custom stream event per memory: what it gave, what was kept, how long it took, why it gave nothing."""
    tell(
        {
            "event": "recalled",
            "node": context.node,
            "memory": section.memory,
            "offered": len(section.snippets),
            "kept": sum(line.memory == section.memory for line in context.kept),
            "tokens": context.tokens.get(section.memory, 0),
            "budget_tokens": context.budget_tokens,
            "elapsed_ms": round(section.elapsed_ms, 3),
            "degraded": section.degraded,
        }
    )


def tell_assembled(context: Context) -> None:
    """One custom stream event per context: whose the budget's tokens became, and what was left out by which rule.

    What was left out is named by its ids, never by its text, and no more than `MOST_NAMED` of it.
    """
    left_out = context.dropped
    named = [
        {"memory": line.memory, "memo_id": line.memo_id, "tokens": line.tokens, "rule": line.rule}
        for line in left_out[:MOST_NAMED]
    ]
    tell(
        {
            "event": "assembled",
            "node": context.node,
            "budget_tokens": context.budget_tokens,
            "total_tokens": context.total_tokens,
            "tokens": dict(context.tokens),
            "dropped_count": len(left_out),
            "dropped": named,
        }
    )


def tell(event: Mapping[str, Any]) -> None:
    """Sends an event to whoever streams "custom"."""
    get_stream_writer()({EVENT: dict(event)})
