"""From a plan to a context: recall, then merge. The subgraph's nodes and the inline mode both call what is here.

`recall_all` runs the memories (in lockstep when async), `assemble` merges their sections. A memory that fails or is late leaves
an empty section with the reason (law 7).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.messages import BaseMessage, HumanMessage

from graph_memory.context.merge import merge
from graph_memory.context.tokens import token_counter
from graph_memory.errors import BudgetError, ConfigurationError, GraphMemoryError
from graph_memory.lockstep import Outcome, arun_all, run_all
from graph_memory.memories.checking import checked
from graph_memory.memories.planning import Plan, Settings, plan, shares_of
from graph_memory.memories.tiering import by_workspace, tiers_of
from graph_memory.messages import with_ids
from graph_memory.steps import AsyncBatches, Batches
from graph_memory.types import Context, Scope, Section, TokenCounter

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

    from graph_memory.memories.base import Memory

logger = logging.getLogger("graph_memory")


def recall_all(
    plan: Plan, memories: Sequence[Memory], store: Batches | None, settings: Settings
) -> tuple[Section, ...]:
    """Every memory's section, in order.

    Raises:
        GraphMemoryError: a memory that is `required` failed.
    """
    outcomes = run_all(
        {m.name: m.recall(plan.query(m, settings)) for m in memories},
        store=store,
        deadline_seconds={m.name: m.deadline_seconds for m in memories},
    )
    return tuple(section_of(memory, outcomes[memory.name]) for memory in memories)


async def arecall_all(
    plan: Plan, memories: Sequence[Memory], store: AsyncBatches | None, settings: Settings
) -> tuple[Section, ...]:
    """`recall_all` in lockstep: six memories, one round trip.

    Raises:
        GraphMemoryError: a memory that is `required` failed.
    """
    outcomes = await arun_all(
        {m.name: m.recall(plan.query(m, settings)) for m in memories},
        store=store,
        deadline_seconds={m.name: m.deadline_seconds for m in memories},
    )
    return tuple(section_of(memory, outcomes[memory.name]) for memory in memories)


def section_of(memory: Memory, outcome: Outcome) -> Section:
    """The section of a recall that ended well, or an empty one that says why it did not.

    Raises:
        Exception: the memory's error, when it is `required`.
    """
    if outcome.error is None and not isinstance(outcome.value, Section):
        wrong = ConfigurationError(f"recall returned a {type(outcome.value).__name__}: return self.section(...)")
        outcome = replace(outcome, value=None, error=wrong)
    if outcome.error is None:
        section: Section = outcome.value
        return replace(section, elapsed_ms=outcome.elapsed_ms)
    if memory.required:
        raise outcome.error
    reason = reason_of(outcome.error)
    logger.warning("memory %r gave nothing: %s", memory.name, reason, exc_info=traceback_of(outcome.error))
    return replace(memory.section(degraded=reason), elapsed_ms=outcome.elapsed_ms)


def reason_of(error: Exception) -> str:
    """One line for people: our own errors speak for themselves, others are named by their type only."""
    return str(error) if isinstance(error, GraphMemoryError) else f"{type(error).__name__} in the memory"


def traceback_of(error: Exception) -> Exception | None:
    """What a log shall show the traceback of: an error that is not one of ours, or the one that ours came from."""
    if isinstance(error, GraphMemoryError):
        return error.__cause__ if isinstance(error.__cause__, Exception) else None
    return error


def assemble(plan: Plan, sections: Sequence[Section], settings: Settings, memories: Sequence[Memory]) -> Context:
    """The context that the LLM node receives; sections that are too long are cut by their memory's `truncate`, if it has one.

    A workspace limits what memories add. What must be shown may take up to the hard budget.

    Raises:
        BudgetError: what must be shown exceeds the budget.
    """
    workspace = settings.workspace
    if workspace is None:
        context = _merged(plan, sections, settings, memories, settings.budget_tokens)
    else:
        weighed = by_workspace(sections, memories, workspace, plan.now)
        try:
            context = _merged(plan, weighed, settings, memories, plan.budget_tokens)
        except BudgetError:
            context = _merged(plan, weighed, settings, memories, settings.budget_tokens)
        tiers = tiers_of(context, memories, weighed, workspace)
        context = replace(context, workspace=workspace.name, complexity=plan.complexity or "", tiers=tiers)
    return replace(context, sections=tuple(sections), made_for=settings.made_for(plan.messages))


def _merged(
    plan: Plan, sections: Sequence[Section], settings: Settings, memories: Sequence[Memory], budget_tokens: int
) -> Context:
    return merge(
        plan.messages,
        sections,
        budget_tokens=budget_tokens,
        reserve_tokens=settings.reserve_tokens,
        counter=plan.counter,
        turn_id=plan.turn_id,
        node=settings.node,
        truncate={m.name: partial(_truncated, m, plan.counter) for m in memories if m.cuts},
        steady_tokens=settings.steady_budget,
        shares=shares_of(memories),
    )


def _truncated(memory: Memory, counter: TokenCounter, section: Section, max_tokens: int) -> Section:
    try:
        cut = memory.truncate(section, max_tokens, counter)
    except Exception as exc:  # noqa: BLE001 - then whole groups go, as for memories that cut nothing (law 7)
        logger.warning("memory %r could not cut its section: %s", memory.name, type(exc).__name__)
        return section
    return cut if isinstance(cut, Section) else section


def get_context(
    memories: Sequence[Memory],
    scope: Scope,
    query: str,
    *,
    store: BaseStore | None = None,
    messages: Sequence[BaseMessage] = (),
    budget_tokens: int = 4000,
    reserve_tokens: int = 0,
    counter: TokenCounter | None = None,
    filter: Mapping[str, Any] | None = None,
) -> Context:
    """The context that an LLM node with these memories would receive for `query`, without a graph.

    Args:
        memories: what to ask.
        scope: whose memory.
        query: what the user says now.
        store: where memos are; without one only what `messages` holds is there.
        messages: what was said before in this thread, oldest first; empty asks the archive.
        budget_tokens: tokens that the context may have.
        reserve_tokens: tokens of the budget that are left free.
        counter: how tokens are counted; tiktoken where it can load, else an estimate.
        filter: metadata that recalled memos must carry.

    Raises:
        BudgetError: what must be shown exceeds the budget.
        ConfigurationError: a setting is wrong.
    """
    settings = Settings(budget_tokens, reserve_tokens, counter or token_counter())
    memories, asked = checked(memories, settings), _asked(messages, query)
    made = plan(
        memories, asked, scope=scope, settings=settings, has_store=store is not None, is_whole=False, filter=filter
    )
    return assemble(made, recall_all(made, memories, store, settings), settings, memories)


async def aget_context(
    memories: Sequence[Memory],
    scope: Scope,
    query: str,
    *,
    store: BaseStore | None = None,
    messages: Sequence[BaseMessage] = (),
    budget_tokens: int = 4000,
    reserve_tokens: int = 0,
    counter: TokenCounter | None = None,
    filter: Mapping[str, Any] | None = None,
) -> Context:
    """`get_context`, awaiting the store and asking all memories in one round trip.

    Raises:
        BudgetError: what must be shown exceeds the budget.
        ConfigurationError: a setting is wrong.
    """
    settings = Settings(budget_tokens, reserve_tokens, counter or token_counter())
    memories, asked = checked(memories, settings), _asked(messages, query)
    made = plan(
        memories, asked, scope=scope, settings=settings, has_store=store is not None, is_whole=False, filter=filter
    )
    return assemble(made, await arecall_all(made, memories, store, settings), settings, memories)


def _asked(messages: Sequence[BaseMessage], query: str) -> list[BaseMessage]:
    return with_ids([*messages, HumanMessage(query)])
