"""What happens when a turn is over: every memory is told of it, each from where it had got to.

How far a memory has got stands in the thread's `memory` channel, so a turn whose run failed is made up for by the next one,
and a memory that failed alone catches up alone.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
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
from graph_memory.memories.assembly import reason_of, traceback_of
from graph_memory.memories.base import Memory
from graph_memory.memories.planning import REMEMBERED, overflow_of, start_after
from graph_memory.messages import is_final_answer, newest_human, state_messages
from graph_memory.steps import Steps
from graph_memory.types import Scope, Turn

logger = logging.getLogger("graph_memory")

_FROM_THE_START = ""


def remember(desk: Desk, state: Any, config: RunnableConfig, *, aside: bool = False) -> dict[str, Any]:
    """Tells every memory of the turn; the update of the `memory` channel.

    Args:
        aside: the conversation is not (yet) the thread's own, because it was sent to the node or leaves with it. Then no
            history is archived, and how far the memories have got stays as it is: being told again changes nothing.

    Raises:
        GraphMemoryError: a memory that is `required` failed.
    """
    telling = _telling(desk, state, config, aside=aside)
    outcomes = run_all(telling.bodies, store=desk.store_of(get_runtime()), deadline_seconds=_deadlines(desk))
    return telling.update(desk, outcomes)


async def aremember(desk: Desk, state: Any, config: RunnableConfig, *, aside: bool = False) -> dict[str, Any]:
    """`remember`, all memories in one round trip.

    Raises:
        GraphMemoryError: a memory that is `required` failed.
    """
    telling = _telling(desk, state, config, aside=aside)
    outcomes = await arun_all(telling.bodies, store=desk.store_of(get_runtime()), deadline_seconds=_deadlines(desk))
    return telling.update(desk, outcomes)


def cursors(desk: Desk, state: Any, config: RunnableConfig, pruned: Collection[str]) -> dict[str, Any]:
    """The part of the `memory` channel that says from where on a thread is to be remembered.

    For memories that are new to the thread it is written before the first answer, so that a turn is not lost when the run ends
    between its answer and its memory. Where the message that a memory got to is pruned, everything that stays is new to it.
    """
    messages, scope = state_messages(state, desk.messages_key), scope_of(config, get_runtime(), desk.settings.agent)
    states = desk.states(state)
    start = _start_of(messages, None)
    cursor = messages[start - 1].id if start else _FROM_THE_START
    known = {m.name: states.get(m.name, {}).get(REMEMBERED) for m in desk.memories}
    fed = {m.name for m in desk.memories if m.feeds == "overflow"}
    new = {
        name: {REMEMBERED: _FROM_THE_START if name in fed else cursor} for name, last in known.items() if last is None
    }
    new |= {name: {REMEMBERED: _FROM_THE_START} for name, last in known.items() if last in pruned}
    return {} if scope.is_empty or not new else {"root": _root(state, scope), desk.state_key: new}


def _deadlines(desk: Desk) -> dict[str, float | None]:
    return {memory.name: memory.remember_deadline_seconds for memory in desk.memories}


def _root(state: Any, scope: Scope) -> str:
    """The id of the thread's root: kept in the `memory` channel, so that a copied thread keeps it; at first the thread's."""
    found = state.get(MEMORY) if isinstance(state, Mapping) else getattr(state, MEMORY, None)
    return str((found or {}).get("root") or scope.thread_id or "")


def _start_of(messages: Sequence[BaseMessage], last: str | None) -> int:
    """Index of the first message that is to be remembered: that of the turn in which the one after id `last` stands.

    When that one is not there, of the newest turn, and of the turns right before it that never got an answer.
    """
    if last == _FROM_THE_START:
        return 0
    if last is not None:
        for index in range(len(messages) - 1, -1, -1):
            if messages[index].id == last:
                return _turn_start(messages, index + 1)
    start = max(0, newest_human(messages))
    while start > 0:
        before = max(0, newest_human(messages[:start]))
        if any(is_final_answer(message) for message in messages[before:start]):
            return start
        start = before
    return start


def _turn_start(messages: Sequence[BaseMessage], index: int) -> int:
    """Where the turn of a message begins: a turn that has grown since is told whole. Past the end, past the end."""
    while 0 < index < len(messages) and messages[index].type != "human":
        index -= 1
    return index


@dataclass(frozen=True, slots=True)
class _Telling:
    """What the memories are told: the thread, from which message to which each, and the bodies that take it in."""

    messages: Sequence[BaseMessage]
    first: Mapping[str, int]
    end: Mapping[str, int]
    bodies: Mapping[str, Steps[Any]]
    root: str
    aside: bool

    def update(self, desk: Desk, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        """How far each has got, and what it wants kept in the thread's state. One that failed will be told again."""
        states: dict[str, Any] = {}
        for memory in desk.memories:
            if memory.name not in outcomes:
                continue
            outcome, first = outcomes[memory.name], self.first[memory.name]
            if outcome.error is None:
                states[memory.name] = {**(outcome.value or {}), REMEMBERED: self.messages[self.end[memory.name] - 1].id}
            else:
                states[memory.name] = {REMEMBERED: self.messages[first - 1].id if first else _FROM_THE_START}
            _tell_remembered(desk, memory, outcome)
        return {MEMORY: {"root": self.root, desk.state_key: states}} if states and not self.aside else {}


def _telling(desk: Desk, state: Any, config: RunnableConfig, *, aside: bool) -> _Telling:
    made, states = desk.plan(state, config), desk.states(state)
    root, messages = _root(state, made.scope), made.messages
    overflow = overflow_of(made, desk.memories, desk.settings)
    first, end, bodies = {}, {}, {}
    for memory in [] if made.scope.is_empty else desk.memories:
        is_fed = memory.feeds == "overflow"
        if aside and (is_fed or memory.placement == "history"):
            continue
        mine = states.get(memory.name, {})
        last = mine.get(REMEMBERED)
        start = (start_after(messages, last) or 0) if is_fed else _start_of(messages, last)
        stop = overflow if is_fed else len(messages)
        told = tuple(message for message in messages[start:stop] if message.type != "system")
        if told:
            previous = messages[start - 1] if start else None
            first[memory.name], end[memory.name] = start, stop
            turn = Turn(made.scope, told, root, datetime.now(UTC), previous, mine, desk.settings.counter)
            bodies[memory.name] = memory.remember(turn)
    return _Telling(messages, first, end, bodies, root, aside)


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
