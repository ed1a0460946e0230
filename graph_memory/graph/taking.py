"""How a memory takes in what it is told, and what becomes of a turn that it cannot digest. Pure.

As a rule all that a memory has not taken in yet is told at once. When that failed `TRIES` times, which an outage does too, it is
told turn by turn: first one, then two, then four at once, as long as it goes well, and after a failure once more from one on. A
first turn that fails even alone, while the newest one is taken in right after it, is set aside, and learning goes on behind it.
In an outage both fail, and all is kept.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from graph_memory.graph.state import merge_memory
from graph_memory.graph.telling import Told
from graph_memory.lockstep import Outcome
from graph_memory.memories.assembly import reason_of
from graph_memory.memories.base import Memory
from graph_memory.memories.planning import REMEMBERED

TRIES = 3
"""How often a memory fails on what it is told before it is told turn by turn."""

TRIED = "tried"
"""Key of a memory's thread-scoped state: how often it failed since it last took in all that it was told."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a memory took in.

    Attributes:
        told: what it was told.
        upto: the cursor now.
        tried: how often it failed since it last took in everything.
        kept: what it returned for each part that it took in, in order.
        error: why it did not take in everything; None when it did.
        elapsed_ms: how long it took.
        aside: the turn that was set aside; None when there was none.
        edit_error: why it did not take in a turn that was edited; None when it did.
    """

    told: Told
    upto: str
    tried: int = 0
    kept: tuple[Mapping[str, Any], ...] = ()
    error: Exception | None = None
    elapsed_ms: float = 0.0
    aside: Told | None = None
    edit_error: Exception | None = None

    @property
    def state(self) -> dict[str, Any]:
        """What is to be merged into the memory's thread-scoped state."""
        changed: dict[str, Any] = {REMEMBERED: self.upto}
        if self.tried or self.told.turn.state.get(TRIED):
            changed[TRIED] = self.tried
        return {**merged(self.kept), **changed}

    def hidden_by(self, error: Exception) -> Taken:
        """As if nothing had been taken in, because what was written stays hidden."""
        tried = self.told.turn.state.get(TRIED, 0)
        return Taken(self.told, self.told.before, tried, error=error, elapsed_ms=self.elapsed_ms)


def taking(told: Told, *, splits: bool) -> Generator[Told, Outcome, Taken]:
    """Yields what the memory is to be told next and receives the outcome; returns what it took in.

    Args:
        told: all that it has not taken in. What was edited comes first.
        splits: whether it may be told turn by turn, and a turn be set aside.
    """
    error: Exception | None = None
    for edit in told.again:
        error = (yield edit).error or error
    return replace((yield from _new_taking(told, splits)), edit_error=error)


def _new_taking(told: Told, splits: bool) -> Generator[Told, Outcome, Taken]:
    tried = int(told.turn.state.get(TRIED, 0))
    ends = _turn_ends(told) if splits and tried >= TRIES else [len(told.turn.messages)]
    so_far, done, size, has_stumbled = _SoFar(told), 0, 1, False
    while done < len(ends):
        stop = min(done + size, len(ends))
        outcome = yield so_far.next(ends[done - 1] if done else 0, ends[stop - 1])
        so_far = so_far.after(outcome, ends[stop - 1])
        if outcome.error is None:
            done, size = stop, size * 2
        elif size > 1 and not has_stumbled:
            size, has_stumbled = 1, True
        else:
            break
    else:
        return so_far.taken(0, None)
    if done or len(ends) == 1 or not sets_aside(told.memory):
        return so_far.taken(tried + 1, outcome.error)
    probe = yield so_far.next(ends[-2], ends[-1])
    if probe.error is not None:
        return so_far.taken(tried + 1, outcome.error)
    first = replace(so_far.next(0, ends[0]), failed=reason_of(outcome.error), tried=tried + 1)
    given = yield first
    if given.error is not None:
        return so_far.taken(tried + 1, given.error)
    return replace(so_far.after(given, ends[0]).taken(0, outcome.error), aside=first)


def sets_aside(memory: Memory) -> bool:
    """Whether a turn can be set aside for the memory: as a dead letter, or by taking it in another way."""
    return memory.defers or memory.plain is not None


def merged(updates: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """Several updates of a memory's state as one."""
    found: dict[str, Any] = {}
    for update in updates:
        found = merge_memory(found, update)
    return found


@dataclass(frozen=True, slots=True)
class _SoFar:
    """What was taken in up to a moment.

    Attributes:
        told: what is being told.
        kept: what the memory returned.
        stop: how many of the messages it has taken in.
        elapsed_ms: how long it took.
    """

    told: Told
    kept: tuple[Mapping[str, Any], ...] = field(default=())
    stop: int = 0
    elapsed_ms: float = 0.0

    def next(self, start: int, stop: int) -> Told:
        """The part from one message up to another."""
        whole = self.told.turn
        if (start, stop) == (0, len(whole.messages)):
            return self.told
        messages = whole.messages[start:stop]
        turn = replace(
            whole,
            messages=messages,
            previous=whole.messages[start - 1] if start else whole.previous,
            told=0 if start else whole.told,
            state=merge_memory(whole.state, merged(self.kept)),
            turn_id=next((m.id or "" for m in reversed(messages) if m.type == "human"), whole.turn_id),
            shown=whole.shown if stop == len(whole.messages) else (),
        )
        return replace(self.told, turn=turn, after=self._cursor(stop))

    def after(self, outcome: Outcome, stop: int) -> _SoFar:
        """The same after an attempt at what ends there."""
        elapsed = self.elapsed_ms + outcome.elapsed_ms
        if outcome.error is not None:
            return replace(self, elapsed_ms=elapsed)
        return replace(self, kept=(*self.kept, outcome.value or {}), stop=stop, elapsed_ms=elapsed)

    def taken(self, tried: int, error: Exception | None) -> Taken:
        """What was taken in, in the end."""
        return Taken(self.told, self._cursor(self.stop), tried, self.kept, error, self.elapsed_ms)

    def _cursor(self, stop: int) -> str:
        if not stop:
            return self.told.before
        messages = self.told.turn.messages
        return self.told.after if stop == len(messages) else messages[stop - 1].id or ""


def _turn_ends(told: Told) -> list[int]:
    """How many of the messages there are up to the end of each turn that has something new."""
    messages = told.turn.messages
    begins = [i for i in range(max(1, told.turn.told), len(messages)) if messages[i].type == "human"]
    return [*begins, len(messages)]
