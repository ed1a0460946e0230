"""The rules that a tier's argument rests on (`graph_memory/stores/tiered.py`), each broken on purpose. A mutation is a patch of
`monkeypatch`; a law that does not notice one does not hold the rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from langgraph.store.base import GetOp, PutOp

from graph_memory.errors import GraphMemoryError
from graph_memory.stores import _tiered_slots as slots
from graph_memory.stores._tiered_gate import Gate, View
from graph_memory.stores._tiered_requests import Durable, HotError, Pause
from graph_memory.stores._tiered_slots import Era, Place, Slot, State
from graph_memory.stores._tiered_steps import Tier, _Held

Mutation = Callable[[pytest.MonkeyPatch], None]
MUTATIONS: dict[str, Mutation] = {}


def mutation(rule: str) -> Callable[[Mutation], Mutation]:
    """Notes a mutation under the rule that it breaks."""

    def note(break_it: Mutation) -> Mutation:
        MUTATIONS[rule] = break_it
        return break_it

    return note


@mutation("writers announce themselves before they go to the durable store")
def _unannounced(patch: pytest.MonkeyPatch) -> None:
    def announced(self: Tier, places: Sequence[Place]) -> Any:
        view = yield from self.gate.view()
        return _Held(view)

    patch.setattr(Tier, "_announced", announced)
    patch.setattr(Tier, "_finished", lambda self, held: _at_once(True))


@mutation("while a token is there nobody serves the slot")
def _served_while_written(patch: pytest.MonkeyPatch) -> None:
    def writing(there: Slot | None, era: Era, token: str, now: float, until: float) -> Slot:
        state = there.state if there and there.era == era else State.WRITING
        writers = (there.living(now) if there else {}) | {token: until}
        return Slot(era, until, state, writers, there.copy if there else "")

    def seen_in(self: Slot, era: Era, now: float) -> State:
        return self.state if self.era == era and self.until > now and self.state is not State.WRITING else State.FREE

    patch.setattr(slots, "writing", writing)
    patch.setattr(Slot, "seen_in", seen_in)


@mutation("while a token is there nobody fills the slot")
def _claimed_while_written(patch: pytest.MonkeyPatch) -> None:
    def seen_in(self: Slot, era: Era, now: float) -> State:
        return self.state if self.era == era and self.until > now and self.state is not State.WRITING else State.FREE

    patch.setattr(Slot, "seen_in", seen_in)


@mutation("a reader fills a slot only if it still holds the reader's own claim")
def _filled_whatever_is_there(patch: pytest.MonkeyPatch) -> None:
    def loaded(self: Tier, asked: Mapping[Place, Any], mine: Mapping[Place, Slot]) -> Any:
        results = yield Durable(list(asked.values()))
        found = dict(zip(asked, results, strict=True))
        puts = [PutOp(*p, self._copy(found[p], claim.era).to_value(), index=False) for p, claim in mine.items()]
        with suppress(HotError):
            yield from self.gate.ask_hot(puts)
        return found

    patch.setattr(Tier, "_loaded", loaded)


@mutation("a reader's claim is from before it asked the durable store")
def _claimed_after_asking(patch: pytest.MonkeyPatch) -> None:
    def loaded(self: Tier, asked: Mapping[Place, Any], mine: Mapping[Place, Slot]) -> Any:
        results = yield Durable(list(asked.values()))
        found = dict(zip(asked, results, strict=True))
        with suppress(HotError):
            for p in mine:
                there, eras = yield from self._slots([p], self.gate.known or View())
                if there[p] is None or not there[p].living(self.time()):
                    yield from self._changed([(p, there[p], self._copy(found[p], eras[p]), self.timing.hot)])
        return found

    patch.setattr(Tier, "_loaded", loaded)


@mutation("a writer fills a slot only if no other writer was there when it came")
def _filled_beside_others(patch: pytest.MonkeyPatch) -> None:
    def written(self: Tier, held: _Held) -> Any:
        items = yield Durable([_get(p) for p in held.slots])
        return {p: self._copy(item, held.slots[p].era) for p, item in zip(held.slots, items, strict=True)}

    patch.setattr(Tier, "_written", written)


@mutation("a writer fills a slot only if no other writer came since")
def _filled_over_others(patch: pytest.MonkeyPatch) -> None:
    real = Tier._finished

    def finished(self: Tier, held: _Held) -> Any:
        if not held.slots:
            return (yield from real(self, held))
        try:
            copies = yield from self._written(held)
            yield from self.gate.ask_hot(
                [PutOp(*p, copy.to_value() if (copy := copies.get(p)) else None, index=False) for p in held.slots]
            )
        except HotError:
            return False
        return True

    patch.setattr(Tier, "_finished", finished)


@mutation("a writer that does not know whether it has written leaves its token")
def _withdrawn_in_doubt(patch: pytest.MonkeyPatch) -> None:
    def write(self: Tier, places: Sequence[Place], act: Any) -> Any:
        held = yield from self._announced(places)
        try:
            answer = yield act
        except GraphMemoryError:
            with suppress(HotError):
                yield from self._withdrawn(held)
            raise
        is_certain = yield from self._finished(held)
        while not is_certain:
            is_certain = yield from self._finished((yield from self._announced(places)))
        return answer

    patch.setattr(Tier, "write", write)


@mutation("a writer that cannot announce itself closes the gate")
def _left_open(patch: pytest.MonkeyPatch) -> None:
    def announced(self: Tier, places: Sequence[Place]) -> Any:
        view = yield from self.gate.view()
        with suppress(HotError):
            return (yield from self._marked(places, view))
        return _Held(view)

    patch.setattr(Tier, "_announced", announced)


@mutation("a writer that cannot sign off is not certain")
def _certain_of_itself(patch: pytest.MonkeyPatch) -> None:
    real = Tier._finished

    def finished(self: Tier, held: _Held) -> Any:
        yield from real(self, held)
        return True

    patch.setattr(Tier, "_finished", finished)


@mutation("a writer behind a closed gate waits until nobody can believe that it is open")
def _impatient(patch: pytest.MonkeyPatch) -> None:
    real = Tier._announced
    patch.setattr(Tier, "_announced", lambda self, places: _without_waiting(real(self, places)))


def _without_waiting(steps: Any) -> Any:
    move = partial(next, steps)
    while True:
        try:
            request = move()
        except StopIteration as stop:
            return stop.value
        if isinstance(request, Pause) and request.seconds > 0.3:
            move = partial(next, steps)
            continue
        try:
            answer = yield request
        except (HotError, GraphMemoryError) as exc:
            move = partial(steps.throw, exc)
        else:
            move = partial(steps.send, answer)


@mutation("behind a closed gate nobody reads copies")
def _read_behind_the_gate(patch: pytest.MonkeyPatch) -> None:
    real = Tier.get

    def get(self: Tier, ops: Any) -> Any:
        view = yield from self.gate.view()
        if view.is_closed and self.gate.hot.allows():
            try:
                found = yield from self._found({Place(op.namespace, op.key): op for op in ops}, view)
            except HotError:
                return (yield Durable(ops))
            return [found[Place(op.namespace, op.key)] for op in ops]
        return (yield from real(self, ops))

    patch.setattr(Tier, "get", get)


@mutation("the gate opens under a new epoch")
def _same_epoch(patch: pytest.MonkeyPatch) -> None:
    def slots_of(self: Tier, places: Any, view: View) -> Any:
        return (yield from _real_slots(self, places, replace(view, epoch="")))

    patch.setattr(Tier, "_slots", slots_of)


_real_slots = Tier._slots


@mutation("whoever has written past the hot store asks once more for the gate")
def _does_not_ask_again(patch: pytest.MonkeyPatch) -> None:
    real = Tier._finished

    def finished(self: Tier, held: _Held) -> Any:
        return (yield from real(self, held)) if held.slots else True

    patch.setattr(Tier, "_finished", finished)


@mutation("what is known of the gate is relied on for a while only")
def _never_asks_the_gate(patch: pytest.MonkeyPatch) -> None:
    real = Gate.view

    def view(self: Gate) -> Any:
        return self.known if self.known is not None else (yield from real(self))

    patch.setattr(Gate, "view", view)


@mutation("slots of another era of the hot server do not count")
def _eras_do_not_matter(patch: pytest.MonkeyPatch) -> None:
    def slots_of(self: Tier, places: Any, view: View) -> Any:
        there, eras = yield from _real_slots(self, places, view)
        there = {p: replace(s, era=Era(s.era.epoch, "")) if s else None for p, s in there.items()}
        return there, {p: Era(era.epoch, "") for p, era in eras.items()}

    patch.setattr(Tier, "_slots", slots_of)


@mutation("a writer that the hot store has forgotten takes out what was put there since")
def _trusts_the_hot_store(patch: pytest.MonkeyPatch) -> None:
    def withdrawn(self: Tier, held: _Held) -> Any:
        for _ in range(40 if held.slots else 0):
            there, _ = yield from self._slots(held.slots, held.view)
            now = self.time()
            mine = {p: s for p, s in there.items() if s and held.token in s.writers}
            then = {p: slots.written(s, held.token, now) for p, s in mine.items()}
            if (yield from self._changed((p, s, then[p], 50.0) for p, s in mine.items())):
                return
        if held.slots:
            raise HotError

    patch.setattr(Tier, "_withdrawn", withdrawn)


@mutation("writers bind across eras of the hot server")
def _writers_of_one_era(patch: pytest.MonkeyPatch) -> None:
    def seen_in(self: Slot, era: Era, now: float) -> State:
        if self.era != era:
            return State.FREE
        return State.WRITING if self.living(now) else self.state if self.until > now else State.FREE

    patch.setattr(Slot, "seen_in", seen_in)


@mutation("a writer that goes leaves the others' tokens")
def _takes_all_out(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(slots, "written", lambda there, token, now: None)


@mutation("a writer that comes keeps the others' tokens")
def _pushes_others_out(patch: pytest.MonkeyPatch) -> None:
    real = slots.writing
    patch.setattr(slots, "writing", lambda there, era, token, now, until: real(None, era, token, now, until))


@mutation("every change of a slot has a name of its own")
def _same_operation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(slots, "token_hex", lambda size: "one")


def _at_once(value: Any) -> Any:
    return value
    yield


def _get(place: Place) -> GetOp:
    return GetOp(*place, refresh_ttl=False)
