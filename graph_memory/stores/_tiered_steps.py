"""How a `TieredStore` reads and writes, as bodies that yield requests and receive answers; `tiered.py` says why this is right.

Nothing here touches a store or waits: `_tiered_io.py` does, sync and async, and tests do, in any order and with any failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import uniform
from secrets import token_hex
from typing import Any, NamedTuple

from langgraph.store.base import GetOp, Item, Op, PutOp

from graph_memory.errors import ConflictError, GraphMemoryError
from graph_memory.stores import _tiered_slots as slots
from graph_memory.stores._tiered_gate import Gate, View
from graph_memory.stores._tiered_requests import DOWN, Durable, HotError, Pause, Request, Steps
from graph_memory.stores._tiered_slots import Era, Place, Slot, State
from graph_memory.stores.claims import ClaimOp
from graph_memory.stores.eras import EraOp
from graph_memory.stores.swaps import SwapOp

_OWNER = 2  # labels of a namespace that one server of a hot cluster holds
_WRITES = (PutOp, ClaimOp, SwapOp)
_TRIES = 40  # to change slots that others are changing
_PAUSES = (0.002, 0.004, 0.008, 0.016, 0.03, 0.06, 0.12, 0.24)  # seconds between looks at what another reader loads
_MARGIN = 1.1  # of waiting, because clocks run differently

Change = tuple[Place, Slot | None, Slot | None, float]
"""A slot's place, what was seen in it, what it becomes, and for how many seconds."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long slots last, in seconds.

    Attributes:
        hot: a copy.
        writing: a writer that is not heard of again.
        loading: a reader that is not heard of again.
    """

    hot: float = 600.0
    writing: float = 300.0
    loading: float = 5.0


class _Held(NamedTuple):
    """What a writer has announced: under which view, its token and its slots; none while the gate is closed."""

    view: View
    token: str = ""
    slots: Mapping[Place, Slot] = {}


@dataclass(frozen=True)
class Tier:
    """One process's part in a tier.

    Attributes:
        gate: whether copies count.
        time: unix seconds.
        tells_eras: whether the hot store does.
        keeps_ttl: whether the hot store drops by itself what has a time to live.
        expires: whether an item of the durable store may expire that does not say so.
    """

    gate: Gate
    time: Callable[[], float]
    tells_eras: bool
    keeps_ttl: bool
    expires: bool
    timing: Timing = field(default_factory=Timing)

    def batch(self, ops: Sequence[Op | ClaimOp | SwapOp]) -> Steps[list[Any]]:
        """The results of a checked batch."""
        places = list(dict.fromkeys(Place(op.namespace, op.key) for op in ops if isinstance(op, _WRITES)))
        if places:
            written: list[Any] = yield from self.write(places, Durable(ops))
            return written
        gets = [op for op in ops if isinstance(op, GetOp)]
        return (yield from self.get(gets) if len(gets) == len(ops) else _durable(ops))

    def get(self, ops: Sequence[GetOp]) -> Steps[list[Any]]:
        """The items, hot where they are."""
        view = yield from self.gate.view()
        if view.is_closed:
            view = yield from self.gate.reopened(view)
        if view.is_closed or not self.gate.hot.allows():
            return (yield from _durable(ops))
        asked = {Place(op.namespace, op.key): op for op in sorted(ops, key=lambda op: op.refresh_ttl)}
        try:
            found = yield from self._found(asked, view)
        except HotError:
            return (yield from _durable(ops))
        if self.gate.moved_since(view):
            return (yield from _durable(ops))
        return [found[Place(op.namespace, op.key)] for op in ops]

    def write(self, places: Sequence[Place], act: Request) -> Steps[Any]:
        """The answer to a request that changes the items at some places."""
        held = yield from self._announced(places)
        try:
            answer = yield act
        except DOWN:
            yield from self._doubted(places, held)
            raise
        except GraphMemoryError:
            with suppress(HotError):
                yield from self._withdrawn(held)
            raise
        try:
            is_certain = yield from self._finished(held)
        except DOWN:
            yield from self._doubted(places, held)
            raise
        while not is_certain:
            again = yield from self._announced(places)
            is_certain = yield from self._finished(again)
        return answer

    def _found(self, asked: Mapping[Place, GetOp], view: View) -> Steps[dict[Place, Item | None]]:
        found: dict[Place, Item | None] = {}
        left = dict(asked)
        for pause in _PAUSES:
            there, eras = yield from self._slots(left, view)
            now = self.time()
            states = {p: slot.seen_in(eras[p], now) if slot else State.FREE for p, slot in there.items()}
            found |= {p: slot.item(p) for p, slot in there.items() if slot and states[p] is State.COPY}
            mine = yield from self._claimed({p: there[p] for p in states if states[p] is State.FREE}, eras)
            to_read = [p for p in states if p in mine or states[p] in (State.WRITING, State.APART)]
            if to_read:
                found |= yield from self._loaded({p: asked[p] for p in to_read}, mine)
            left = {p: op for p, op in asked.items() if p not in found}
            if not left:
                return found
            yield Pause(pause)
        return found | dict(zip(left, (yield Durable(list(left.values()))), strict=True))

    def _claimed(self, free: Mapping[Place, Slot | None], eras: Mapping[Place, Era]) -> Steps[dict[Place, Slot]]:
        """The slots that this reader is to load: all that were free, or none because somebody else came first."""
        claims = {p: slots.loading(eras[p], self.time() + self.timing.loading) for p in free}
        is_done = yield from self._changed((p, free[p], claim, self.timing.loading) for p, claim in claims.items())
        return claims if is_done else {}

    def _loaded(self, asked: Mapping[Place, GetOp], mine: Mapping[Place, Slot]) -> Steps[dict[Place, Item | None]]:
        """What the durable store has; copies of what this reader loads are put into slots where no writer came."""
        try:
            results = yield Durable(list(asked.values()))
        except Exception:
            with suppress(HotError):
                yield from self._changed((p, claim, None, 0.0) for p, claim in mine.items())
            raise
        found: dict[Place, Item | None] = dict(zip(asked, results, strict=True))
        changes = [(p, claim, self._copy(found[p], claim.era), self.timing.hot) for p, claim in mine.items()]
        with suppress(HotError):
            if not (yield from self._changed(changes)):
                for change in changes:
                    yield from self._changed([change])
        return found

    def _copy(self, item: Item | None, era: Era) -> Slot:
        return slots.holding(item, era, self.time() + self.timing.hot, expires=self.expires)

    def _announced(self, places: Sequence[Place]) -> Steps[_Held]:
        """Sees to it that from now on nobody reads a copy of these places, or makes one that lasts."""
        view = yield from self.gate.view()
        if view.is_closed:
            view = yield from self.gate.reopened(view)
        while not view.is_closed:
            try:
                return (yield from self._marked(places, view))
            except HotError:
                view = yield from self.gate.closed(view)
        if (wait := view.since + self.gate.trust_seconds * _MARGIN - self.gate.clock()) > 0:
            yield Pause(wait)
        return _Held(view)

    def _marked(self, places: Sequence[Place], view: View) -> Steps[_Held]:
        if not self.gate.hot.allows():
            raise HotError
        token = token_hex(8)
        for _ in range(_TRIES):
            there, eras = yield from self._slots(places, view)
            now, seconds = self.time(), self.timing.writing
            then = {p: slots.writing(there[p], eras[p], token, now, now + seconds) for p in places}
            if (yield from self._changed((p, there[p], then[p], seconds) for p in places)):
                return _Held(view, token, then)
            yield Pause(uniform(0, _PAUSES[1]))
        raise HotError

    def _doubted(self, places: Sequence[Place], held: _Held) -> Steps[None]:
        """Of what may yet be written, or is and cannot be told of, nobody reads a copy until the writer's token has ended."""
        if not held.slots:
            with suppress(HotError):
                yield from self._marked(places, held.view)

    def _finished(self, held: _Held) -> Steps[bool]:
        """Ends what was announced, after it was written; whether it is certain that no older copy will be read."""
        if not held.slots:
            return (yield from self.gate.asked()).epoch == held.view.epoch
        try:
            copies = yield from self._written(held)
            now = self.time()
            then = {p: copies.get(p) or slots.written(slot, held.token, now) for p, slot in held.slots.items()}
            if not (yield from self._changed((p, slot, then[p], self.timing.hot) for p, slot in held.slots.items())):
                yield from self._withdrawn(held)
        except HotError:
            return False
        return True

    def _written(self, held: _Held) -> Steps[dict[Place, Slot]]:
        """Copies of what nobody else is writing; they last only if nobody else comes before they are made."""
        alone = [p for p, slot in held.slots.items() if len(slot.writers) == 1]
        try:
            items = (yield Durable([GetOp(*p, refresh_ttl=False) for p in alone])) if alone else []
        except DOWN:
            return {}
        return {p: self._copy(item, held.slots[p].era) for p, item in zip(alone, items, strict=True)}

    def _withdrawn(self, held: _Held) -> Steps[None]:
        """Takes a writer out of slots; and out of those that the hot store has forgotten it in, what was put there since."""
        for _ in range(_TRIES if held.slots else 0):
            there, _ = yield from self._slots(held.slots, held.view)
            now = self.time()
            mine = {p: s for p, s in there.items() if s and (held.token in s.writers or not s.living(now))}
            then = {p: slots.written(slot, held.token, now) for p, slot in mine.items()}
            if (yield from self._changed((p, slot, then[p], self.timing.writing) for p, slot in mine.items())):
                return
            yield Pause(uniform(0, _PAUSES[1]))
        if held.slots:
            raise HotError

    def _slots(self, places: Iterable[Place], view: View) -> Steps[tuple[dict[Place, Slot | None], dict[Place, Era]]]:
        """What is in some slots, and the era under which they would be changed now."""
        some = list(places)
        owners = list(dict.fromkeys(p.namespace[:_OWNER] for p in some)) if self.tells_eras else []
        gets = [GetOp(*p, refresh_ttl=False) for p in some]
        results = yield from self.gate.ask_hot([*gets, *map(EraOp, owners)])
        server = dict(zip(owners, results[len(gets) :], strict=True))
        there = {p: slots.read(item) for p, item in zip(some, results[: len(gets)], strict=True)}
        return there, {p: Era(view.epoch, server.get(p.namespace[:_OWNER], "")) for p in some}

    def _changed(self, changes: Iterable[Change]) -> Steps[bool]:
        """Makes all changes; or none, because a slot was changed by somebody else."""
        ops = [op for p, there, then, seconds in changes for op in slots.swap(p, there, then, self._minutes(seconds))]
        try:
            if ops:
                yield from self.gate.ask_hot(ops)
        except ConflictError:
            return False
        return True

    def _minutes(self, seconds: float) -> float | None:
        return seconds / 60 if self.keeps_ttl and seconds else None


def _durable(ops: Sequence[Any]) -> Steps[list[Any]]:
    results: list[Any] = yield Durable(ops)
    return results
