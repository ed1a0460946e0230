"""What happens when a turn is over: every memory is told of it, on this line of the thread, and the line's head moves on.

A run that finds its slot taken is a fork: everything is told again, to be written on a branch of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import get_runtime
from langgraph.store.base import Op

from graph_memory.errors import ConfigurationError
from graph_memory.graph.commits import Commit
from graph_memory.graph.edits import Known, edited_turns, edits_value, known_turns, with_edits
from graph_memory.graph.lineage import (
    LINEAGE,
    Lineage,
    has_checkpointer,
    line_of,
    lineage_value,
    operation_id,
    root_of,
    task_id,
)
from graph_memory.graph.posting import posted
from graph_memory.graph.recalling import Desk, channel_of, tell
from graph_memory.graph.recording import memory_calls, record_event
from graph_memory.graph.state import MEMORY, merge_memory, next_version
from graph_memory.graph.taking import Taken, taking
from graph_memory.graph.telling import Told, first_cursors, told_to
from graph_memory.graph.view import LineageView
from graph_memory.lockstep import Outcome, arun_all, run_all
from graph_memory.memories.archive import Messages
from graph_memory.memories.assembly import reason_of, traceback_of
from graph_memory.memories.planning import Plan
from graph_memory.messages import state_messages
from graph_memory.namespaces import label, namespace
from graph_memory.steps import Steps, StoreOps

logger = logging.getLogger("graph_memory")


def remember(desk: Desk, state: Any, config: RunnableConfig, *, aside: bool = False) -> dict[str, Any]:
    """Tells every memory of the turn; the update of the `memory` channel.

    Args:
        aside: the conversation is not (yet) the thread's own, because it was sent to the node or leaves with it. Then no
            history is archived, and how far the memories have got stays as it is: being told again changes nothing.

    Raises:
        GraphMemoryError: a memory that is `required` failed.
    """
    telling = _telling(desk, state, config, aside=aside)
    with memory_calls(desk, config):
        taken = _taken(telling)
        if telling.is_forked:
            telling = telling.on_a_branch()
            taken = _taken(telling)
    if left := telling.leftover():
        taken = telling.kept(taken, run_all({LINEAGE: _asking(left)}, store=telling.store)[LINEAGE])
    return telling.update(taken)


async def aremember(desk: Desk, state: Any, config: RunnableConfig, *, aside: bool = False) -> dict[str, Any]:
    """`remember`, all memories in one round trip.

    Raises:
        GraphMemoryError: a memory that is `required` failed.
    """
    telling = _telling(desk, state, config, aside=aside)
    with memory_calls(desk, config):
        taken = await _ataken(telling)
        if telling.is_forked:
            telling = telling.on_a_branch()
            taken = await _ataken(telling)
    if left := telling.leftover():
        cleared = await arun_all({LINEAGE: _asking(left)}, store=telling.store)
        taken = telling.kept(taken, cleared[LINEAGE])
    return telling.update(taken)


def cursors(desk: Desk, state: Any, config: RunnableConfig, pruned: Collection[str]) -> dict[str, Any]:
    """The part of the `memory` channel that says from where on a thread is to be remembered, and which thread it is."""
    messages = state_messages(state, desk.messages_key)
    if desk.scope(config).is_empty:
        return {}
    lineage = desk.lineage(state, config)
    first = first_cursors(desk.memories, messages, desk.states(state), pruned)
    return {
        **(lineage_value(lineage.root, {}) if lineage and first else {}),
        **({desk.state_key: first} if first else {}),
    }


@dataclass(frozen=True)
class _Telling:
    """One telling: who is told what, and where what they write goes."""

    desk: Desk
    told: Sequence[Told]
    store: Any
    lineage: Lineage | None
    commit: Commit | None
    aside: bool
    version: Mapping[str, Any]
    plan: Plan
    begins: str = ""
    known: Mapping[str, Known] = field(default_factory=dict)
    edited: Sequence[Messages] = ()

    @property
    def is_forked(self) -> bool:
        """Whether the commit's slot was found to be somebody else's."""
        return self.commit is not None and self.commit.is_forked

    def body(self, told: Told) -> Steps[Any]:
        """What a memory does with what it is told now."""
        branch = self.commit.head.branch if self.commit else ""
        version = f"+{self.commit.head.commit + 1}" if self.commit and told.is_edit else ""
        turn = replace(told.turn, branch=branch + version)
        memory = told.memory
        if memory.remembers == "background" or (told.failed and memory.defers):
            return posted(told, turn, node=self.desk.state_key, lineage=self.lineage, commit=self.commit)
        return (memory.plain or memory).remember(turn) if told.failed else memory.remember(turn)

    def on_a_branch(self) -> _Telling:
        """The same, to be written on a branch of this operation's own."""
        assert self.commit is not None
        assert self.lineage is not None
        commit = self.commit.on_a_branch()
        return replace(self, commit=commit, store=LineageView(self.store.store, self.lineage, commit))

    def leftover(self) -> list[Any]:
        """What an earlier try of this operation wrote and this one did not."""
        return self.commit.leftover() if self.commit else []

    def kept(self, taken: dict[str, Taken], cleared: Outcome) -> dict[str, Taken]:
        """What was taken in, unless what an earlier try left could not be deleted: then all stays hidden, to be told again."""
        if self.commit is None or cleared.error is None:
            return taken
        self.commit.is_taken = False
        return {name: one.hidden_by(cleared.error) for name, one in taken.items()}

    def update(self, taken: Mapping[str, Taken]) -> dict[str, Any]:
        """How far each has got, and what it wants kept in the thread's state. One that failed will be told again."""
        for one in taken.values():
            _tell_remembered(self.desk, one)
        states = {name: one.state for name, one in taken.items()}
        update = {self.desk.state_key: states} if states and not self.aside else {}
        if self.commit is not None and self.commit.is_taken:
            update |= merge_memory(self._lineage_value(self.commit), self._edits_value(self.commit, taken))
        elif self.begins and not self.aside:
            update |= lineage_value(self.begins, {})
        return {MEMORY: merge_memory(update, self.version)} if update else {}

    def _lineage_value(self, commit: Commit) -> dict[str, Any]:
        was_aside = self.lineage is not None and commit.line in self.lineage.asides
        asides = {commit.line: self.aside} if self.aside or was_aside else None
        return lineage_value(commit.root, {commit.line: commit.head.next()}, asides)

    def _edits_value(self, commit: Commit, taken: Mapping[str, Taken]) -> dict[str, Any]:
        """How the turns read that were told."""
        if self.aside:
            return {}
        has_failed = any(one.edit_error is not None for one in taken.values())
        told = [one.memory.name for one in self.told if one.again]
        place = None if has_failed else commit.head.next()
        return edits_value(commit.line, self.plan, self.known, self.edited, told, place)


def _telling(desk: Desk, state: Any, config: RunnableConfig, *, aside: bool) -> _Telling:
    made, lineage = desk.plan(state, config), desk.lineage(state, config)
    thread = made.scope.thread_id or ""
    # Without a checkpointer the client sends the thread, and nothing that was decided about it is remembered.
    made = replace(made, is_whole=made.is_whole and lineage is not None)
    context = desk.current(state)
    shown = context.kept if context is not None else ()
    told = told_to(made, desk.memories, desk.settings, root=thread, aside=aside, shown=shown)
    store, version = desk.store_of(get_runtime()), next_version(channel_of(state), desk.state_key)
    if store is None or lineage is None or not told:
        begins = root_of(made.scope, made.messages) if lineage is None and has_checkpointer(config) else ""
        return _Telling(desk, told, store, lineage, None, aside, version, made, begins)
    line = line_of(desk.state_key, made.scope)
    known = {} if aside else known_turns(channel_of(state), line)
    edited = edited_turns(made.messages, known)
    told = with_edits(told, made, edited, known, thread)
    commit = Commit(
        thread=thread,
        root=lineage.root,
        line=line,
        head=lineage.head(line),
        operation=operation_id(config, line),
        place=(*namespace(made.scope, "@lineage"), label("root", lineage.root)),
        is_retold=any(one.is_again for one in told) or line in lineage.asides or lineage.shares(line),
        part=task_id(config, made.turn_id) if aside else "",
    )
    view = LineageView(store, lineage, commit)
    return _Telling(desk, told, view, lineage, commit, aside, version, made, known=known, edited=edited)


def _asking(ops: Sequence[Op]) -> Steps[None]:
    yield StoreOps(ops)


def _taken(telling: _Telling) -> dict[str, Taken]:
    """One memory after the other, until one finds that this is a fork: then the others would ask their models in vain."""
    talks = _Talks(telling)
    while talks.asked and not telling.is_forked:
        name, told = next(iter(talks.asked.items()))
        body = {name: telling.body(told)}
        talks.answered(run_all(body, store=telling.store, deadline_seconds=_deadlines(telling.desk)))
    return talks.taken


async def _ataken(telling: _Telling) -> dict[str, Taken]:
    """All memories at once."""
    talks = _Talks(telling)
    while talks.asked and not telling.is_forked:
        bodies = {name: telling.body(told) for name, told in talks.asked.items()}
        talks.answered(await arun_all(bodies, store=telling.store, deadline_seconds=_deadlines(telling.desk)))
    return talks.taken


class _Talks:
    """What each memory is told now, until it has taken in what it can."""

    def __init__(self, telling: _Telling) -> None:
        self.taken: dict[str, Taken] = {}
        self._talks = {told.memory.name: taking(told, splits=not telling.aside) for told in telling.told}
        self.asked = {name: next(talk) for name, talk in self._talks.items()}

    def answered(self, outcomes: Mapping[str, Outcome]) -> None:
        """What came of it: a memory is told more, or is done."""
        for name, outcome in outcomes.items():
            try:
                self.asked[name] = self._talks[name].send(_checked(outcome))
            except StopIteration as done:
                self.taken[name] = done.value
                del self.asked[name]


def _deadlines(desk: Desk) -> dict[str, float | None]:
    return {memory.name: memory.remember_deadline_seconds for memory in desk.memories}


def _checked(outcome: Outcome) -> Outcome:
    """The outcome, or a failure where a memory returned what cannot be kept in the thread's state."""
    if outcome.error is not None or outcome.value is None or isinstance(outcome.value, Mapping):
        return outcome
    wrong = ConfigurationError(f"remember returned a {type(outcome.value).__name__}: return a mapping, or None")
    return replace(outcome, value=None, error=wrong)


def _tell_remembered(desk: Desk, taken: Taken) -> None:
    memory, aside = taken.told.memory, taken.aside
    here = {"node": desk.node, "memory": memory.name}
    if taken.edit_error is not None:
        if memory.required:
            raise taken.edit_error
        logger.warning("memory %r did not take in a turn that was edited: %s", memory.name, reason_of(taken.edit_error))
    if taken.error is not None:
        if memory.required:
            raise taken.error
        log = (
            "memory %r set a turn aside that it kept failing on: %s"
            if aside
            else "memory %r did not take in the turn: %s"
        )
        logger.warning(log, memory.name, reason_of(taken.error), exc_info=traceback_of(taken.error))
    tell(
        {
            "event": "remembered" if memory.remembers == "inline" else "posted",
            **here,
            "elapsed_ms": round(taken.elapsed_ms, 3),
            "degraded": "" if taken.error is None else reason_of(taken.error),
        }
    )
    if aside is not None:
        tell(
            {
                "event": "set_aside",
                **here,
                "turn_id": aside.turn.turn_id,
                "reason": aside.failed,
                "dead_letter": memory.defers,
            }
        )
    for event in (event for kept in taken.kept for event in memory.events(kept)):
        tell({**here, **event})
        record_event(desk, event, taken.told.turn.scope)
