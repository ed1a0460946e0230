"""What happens when a turn is over: every memory is told of it, each from where it had got to.

How far a memory has got stands in the thread's `memory` channel, so a turn whose run failed is made up for by the next one,
and a memory that failed alone catches up alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import get_runtime

from graph_memory.graph.recalling import Desk, tell
from graph_memory.graph.scope import scope_of
from graph_memory.graph.state import MEMORY
from graph_memory.lockstep import Outcome, arun_all, run_all
from graph_memory.memories.assembly import REMEMBERED, reason_of, traceback_of
from graph_memory.memories.base import Memory
from graph_memory.messages import is_final_answer, newest_human, state_messages
from graph_memory.steps import Steps
from graph_memory.types import Scope, Turn

logger = logging.getLogger("graph_memory")

_FROM_THE_START = ""


def remember(desk: Desk, state: Any, config: RunnableConfig) -> dict[str, Any]:
    """Tells every memory of the turn; the update of the `memory` channel.

    Raises:
        GraphMemoryError: a memory that is `required` failed.
    """
    telling = _telling(desk, state, config)
    return telling.update(desk, run_all(telling.bodies, store=desk.store_of(get_runtime())))


async def aremember(desk: Desk, state: Any, config: RunnableConfig) -> dict[str, Any]:
    """`remember`, all memories in one round trip.

    Raises:
        GraphMemoryError: a memory that is `required` failed.
    """
    telling = _telling(desk, state, config)
    return telling.update(desk, await arun_all(telling.bodies, store=desk.store_of(get_runtime())))


def root_of(state: Any, scope: Scope) -> str:
    """The id of the thread's root: kept in the `memory` channel, so that a copied thread keeps it; at first the thread's."""
    found = state.get(MEMORY) if isinstance(state, Mapping) else getattr(state, MEMORY, None)
    return str((found or {}).get("root") or scope.thread_id or "")


def unremembered(messages: Sequence[BaseMessage], last: str | None) -> int:
    """Index of the first message that is to be remembered: the one after that with id `last`.

    When that one is not there, of the newest turn, and of the turns right before it that never got an answer.
    """
    if last == _FROM_THE_START:
        return 0
    if last is not None:
        for index in range(len(messages) - 1, -1, -1):
            if messages[index].id == last:
                return index + 1
    start = max(0, newest_human(messages))
    while start > 0:
        before = max(0, newest_human(messages[:start]))
        if any(is_final_answer(message) for message in messages[before:start]):
            return start
        start = before
    return start


@dataclass(frozen=True, slots=True)
class _Telling:
    """What the memories are told: the thread, from which message on each, and the bodies that take it in."""

    messages: Sequence[BaseMessage]
    first: Mapping[str, int]
    bodies: Mapping[str, Steps[Any]]
    root: str

    def update(self, desk: Desk, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        """How far each has got, and what it wants kept in the thread's state. One that failed will be told again."""
        states: dict[str, Any] = {}
        for memory in desk.memories:
            if memory.name not in outcomes:
                continue
            outcome, first = outcomes[memory.name], self.first[memory.name]
            if outcome.error is None:
                states[memory.name] = {**(outcome.value or {}), REMEMBERED: self.messages[-1].id}
            else:
                states[memory.name] = {REMEMBERED: self.messages[first - 1].id if first else _FROM_THE_START}
            _tell_remembered(desk, memory, outcome)
        return {MEMORY: {"root": self.root, desk.node or "graph": states}} if states else {}


def _telling(desk: Desk, state: Any, config: RunnableConfig) -> _Telling:
    messages, scope = state_messages(state, desk.messages_key), scope_of(config, get_runtime(), desk.settings.agent)
    root, states, now = root_of(state, scope), desk.states(state), datetime.now(UTC)
    first, bodies = {}, {}
    for memory in [] if scope.is_empty else desk.memories:
        mine = states.get(memory.name, {})
        start = unremembered(messages, mine.get(REMEMBERED))
        told = tuple(message for message in messages[start:] if message.type != "system")
        if told:
            previous = messages[start - 1] if start else None
            first[memory.name] = start
            bodies[memory.name] = memory.remember(Turn(scope, told, root, now, previous, mine))
    return _Telling(messages, first, bodies, root)


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
