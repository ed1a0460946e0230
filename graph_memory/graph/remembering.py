"""What happens when a turn is over: every memory is told of it, each from where it had got to.

How far a memory has got stands in the thread's `memory` channel, so a turn whose run failed is made up for by the next one,
and a memory that failed alone catches up alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import get_runtime

from graph_memory.graph.recalling import Desk, tell
from graph_memory.graph.scope import scope_of
from graph_memory.graph.state import MEMORY
from graph_memory.lockstep import Outcome, arun_all, run_all
from graph_memory.memories.assembly import reason_of, traceback_of
from graph_memory.memories.base import Memory
from graph_memory.messages import newest_human, state_messages
from graph_memory.steps import Steps
from graph_memory.types import Scope, Turn

logger = logging.getLogger("graph_memory")

_REMEMBERED = "remembered"


def remember(desk: Desk, state: Any, config: RunnableConfig) -> dict[str, Any]:
    """Tells every memory of the turn; the update of the `memory` channel.

    Raises:
        GraphMemoryError: a memory that is `required` failed.
    """
    messages, bodies, root = _bodies(desk, state, config)
    outcomes = run_all(bodies, store=desk.store_of(get_runtime()))
    return _update(desk, messages, outcomes, root)


async def aremember(desk: Desk, state: Any, config: RunnableConfig) -> dict[str, Any]:
    """`remember`, all memories in one round trip.

    Raises:
        GraphMemoryError: a memory that is `required` failed.
    """
    messages, bodies, root = _bodies(desk, state, config)
    outcomes = await arun_all(bodies, store=desk.store_of(get_runtime()))
    return _update(desk, messages, outcomes, root)


def root_of(state: Any, scope: Scope) -> str:
    """The id of the thread's root: kept in the `memory` channel, so that a copied thread keeps it; at first the thread's."""
    found = state.get(MEMORY) if isinstance(state, Mapping) else getattr(state, MEMORY, None)
    return str((found or {}).get("root") or scope.thread_id or "")


def unremembered(messages: Sequence[BaseMessage], last: str | None) -> int:
    """Index of the first message after the one with id `last`; of the newest turn when that one is not there."""
    if last is not None:
        for index in range(len(messages) - 1, -1, -1):
            if messages[index].id == last:
                return index + 1
    return max(0, newest_human(messages))


def _bodies(desk: Desk, state: Any, config: RunnableConfig) -> tuple[list[BaseMessage], dict[str, Steps[Any]], str]:
    messages, scope = state_messages(state, desk.messages_key), scope_of(config, get_runtime(), desk.settings.agent)
    root, states, now = root_of(state, scope), desk.states(state), datetime.now(UTC)
    if scope.is_empty:
        return messages, {}, root
    bodies = {}
    for memory in desk.memories:
        mine = states.get(memory.name, {})
        first = unremembered(messages, mine.get(_REMEMBERED))
        told = tuple(message for message in messages[first:] if message.type != "system")
        if told:
            previous = messages[first - 1] if first else None
            bodies[memory.name] = memory.remember(Turn(scope, told, root, now, previous, mine))
    return messages, bodies, root


def _update(desk: Desk, messages: Sequence[BaseMessage], outcomes: Mapping[str, Outcome], root: str) -> dict[str, Any]:
    states: dict[str, Any] = {}
    for memory in desk.memories:
        outcome = outcomes.get(memory.name)
        if outcome is None:
            continue
        if outcome.error is None:
            states[memory.name] = {**(outcome.value or {}), _REMEMBERED: messages[-1].id}
        _tell_remembered(desk, memory, outcome)
    return {MEMORY: {"root": root, desk.node or "graph": states}} if states else {}


def _tell_remembered(desk: Desk, memory: Memory, outcome: Outcome) -> None:
    reason = "" if outcome.error is None else reason_of(outcome.error)
    if outcome.error is not None:
        if memory.required:
            raise outcome.error
        logger.warning(
            "memory %r did not take in the turn: %s", memory.name, reason, exc_info=traceback_of(outcome.error)
        )
    tell(
        {
            "event": "remembered",
            "node": desk.node,
            "memory": memory.name,
            "elapsed_ms": round(outcome.elapsed_ms, 3),
            "degraded": reason,
        }
    )
