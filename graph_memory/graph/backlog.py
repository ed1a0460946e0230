"""What the outbox says of each memory's background work: how much waits, how much fails, how much lies dead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from graph_memory.graph.pointers import DEAD, WAITING, Pointer
from graph_memory.graph.queues import pointers
from graph_memory.steps import Steps

LATE_SECONDS = 600.0
"""A turn that has waited for so long has no worker, or one that does not keep up."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What of one memory is not taken in yet, the oldest first.

    Attributes:
        waiting: what waits, after tries in vain or not.
        dead: what is not tried any more.
    """

    waiting: tuple[Pointer, ...] = ()
    dead: tuple[Pointer, ...] = ()

    def trouble(self, now: datetime) -> str:
        """What is wrong, with the command that shows it; "" when turns are taken in as they come."""
        failing = [one for one in self.waiting if one.attempts]
        if self.dead:
            return (
                f"{_turns(len(self.dead))} could not be remembered ({self.dead[-1].reason}):"
                " graph-memory outbox --dead lists them, --requeue all tries them again"
            )
        if failing:
            return (
                f"{_turns(len(failing))} failed and will be tried again ({failing[-1].reason}): see graph-memory outbox"
            )
        waited = (now - self.waiting[0].posted_at).total_seconds() if self.waiting else 0.0
        if waited > LATE_SECONDS:
            return (
                f"{_turns(len(self.waiting))} wait to be remembered, the oldest for {waited / 60:,.0f} minutes: see"
                " graph-memory outbox, and start a graph-memory worker"
            )
        return ""


def backlogs() -> Steps[Mapping[str, Backlog]]:
    """Name of each memory of which something waits or lies dead, to what that is."""
    waiting = yield from pointers(WAITING)
    dead = yield from pointers(DEAD)
    return {
        name: Backlog(
            tuple(one for one in waiting if one.memory == name), tuple(one for one in dead if one.memory == name)
        )
        for name in {one.memory for one in (*waiting, *dead)}
    }


def _turns(count: int) -> str:
    return f"{count:,} {'turn' if count == 1 else 'turns'}"
