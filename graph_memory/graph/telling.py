"""What each memory is told when a turn is over: from where it had got to, in the thread as it now stands. Pure.

How far a memory has got stands in the thread's `memory` channel, so a turn whose run failed is made up for by the next one, and a
memory that failed alone catches up alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import BaseMessage

from graph_memory.memories.base import Memory
from graph_memory.memories.planning import REMEMBERED, Plan, Settings, overflow_of, share_tokens, start_after
from graph_memory.messages import is_final_answer, newest_human
from graph_memory.types import Line, Turn

FROM_THE_START = ""


@dataclass(frozen=True, slots=True)
class Told:
    """One memory's share of the telling.

    Attributes:
        memory: who is told.
        turn: what.
        before: the cursor as it was, for a memory that fails: id of the last message before what it is told.
        after: the cursor when it has taken it in.
        is_again: whether some of it may have been written by an attempt that failed.
        failed: why the memory cannot take it in, when it is to be set aside; "" else.
        tried: how often it failed on it by then.
        is_edit: whether it is another version of a turn that the memory knows.
        again: turns that were edited, which the memory is told before this.
    """

    memory: Memory
    turn: Turn
    before: str
    after: str
    is_again: bool
    failed: str = ""
    tried: int = 0
    is_edit: bool = False
    again: tuple[Told, ...] = ()


def told_to(
    plan: Plan,
    memories: Sequence[Memory],
    settings: Settings,
    *,
    root: str,
    aside: bool,
    shown: Sequence[Line] = (),
) -> list[Told]:
    """What every memory is told; those that have nothing new to hear are left out.

    Args:
        plan: the thread, and each memory's state.
        memories: those of the node.
        settings: those of the node.
        root: id of the thread's root.
        aside: the conversation is not the thread's own yet: then no history is archived, and nothing overflows.
        shown: the lines of the context that the turn began with.
    """
    overflow = overflow_of(plan, memories, settings)
    found = []
    for memory in [] if plan.scope.is_empty else memories:
        is_fed = memory.feeds == "overflow"
        if not (aside and (is_fed or memory.placement == "history")):
            share = share_tokens(plan, memory, memories)
            found.append(_told(plan, memory, root, overflow if is_fed else None, share))
    return [_with_shown(told, shown) for told in found if told is not None]


def _with_shown(told: Told, shown: Sequence[Line]) -> Told:
    mine = tuple(line for line in shown if line.memory == told.memory.name)
    return replace(told, turn=replace(told.turn, shown=mine)) if mine else told


def _told(plan: Plan, memory: Memory, root: str, overflow: int | None, share: int) -> Told | None:
    messages, state = plan.messages, plan.states.get(memory.name, {})
    last = state.get(REMEMBERED)
    cursor = _cursor(messages, last) if overflow is None else start_after(messages, last) or 0
    start = cursor if overflow is not None else _turn_start(messages, cursor)
    stop = len(messages) if overflow is None else overflow
    heard = [message for message in messages[start:stop] if message.type != "system"]
    known = sum(message.type != "system" for message in messages[start:cursor])
    if len(heard) <= known:
        return None
    turn = Turn(
        plan.scope,
        tuple(heard),
        root,
        plan.now,
        messages[start - 1] if start else None,
        state,
        plan.counter,
        told=known,
        turn_id=plan.turn_id,
        share_tokens=share,
    )
    before = last if last is not None else _id_before(messages, start)
    is_again = overflow is None and start < newest_human(messages)
    return Told(memory, turn, before, messages[stop - 1].id or "", is_again)


def first_cursors(
    memories: Sequence[Memory],
    messages: Sequence[BaseMessage],
    states: Mapping[str, Mapping[str, Any]],
    pruned: Collection[str],
) -> dict[str, dict[str, Any]]:
    """Cursors of the memories that are new to the thread, and of those whose message is pruned: what stays is new to them.

    They are written before the first answer, so that a turn is not lost when the run ends between its answer and its memory. What
    feeds on overflow begins with the thread, what is told turns with the newest one.
    """
    cursor = _id_before(messages, _turn_start(messages, _cursor(messages, None)))
    found = {}
    for memory in memories:
        last = states.get(memory.name, {}).get(REMEMBERED)
        if last in pruned or (last is None and memory.feeds == "overflow"):
            found[memory.name] = {REMEMBERED: FROM_THE_START}
        elif last is None:
            found[memory.name] = {REMEMBERED: cursor}
    return found


def _cursor(messages: Sequence[BaseMessage], last: str | None) -> int:
    """Index of the first message that a memory has not taken in, when `last` is the id of the last one that it has.

    When that one is not there: where the newest turn begins, with the turns right before it that never got an answer.
    """
    if last == FROM_THE_START:
        return 0
    if last is not None and (found := start_after(messages, last)) is not None:
        return found
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


def _id_before(messages: Sequence[BaseMessage], index: int) -> str:
    return (messages[index - 1].id or "") if index else FROM_THE_START
