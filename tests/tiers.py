"""A tier whose processes, stores and time are played by the test: any order, any failure at any request.

What a read returns must be nothing older than what had been acknowledged before it began. Left out is what `stores/tiered.py`
says is given up: a process that cannot reach the durable store, and a writer that dies as the hot store forgets that it writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from langgraph.store.base import GetOp, Item, PutOp

from graph_memory.errors import ConflictError, StoreUnavailableError
from graph_memory.stores._breaker import Breaker
from graph_memory.stores._tiered_gate import Gate
from graph_memory.stores._tiered_requests import Durable, Hot, HotError, Pause
from graph_memory.stores._tiered_slots import Place
from graph_memory.stores._tiered_steps import Tier, Timing
from graph_memory.stores.claims import ClaimOp, is_held_by_another
from graph_memory.stores.eras import EraOp

GATE = Place(("tier",), "gate")
_THEN = datetime(2025, 1, 1, tzinfo=UTC)


class Shelf:
    """A store of values, as both stores of a tier are, that can be set back to an earlier state."""

    def __init__(self) -> None:
        self.values: dict[tuple[Any, str], dict[str, Any]] = {}
        self.era = 0

    def batch(self, ops: Iterable[Any]) -> list[Any]:
        """As a back end carries it out."""
        ops = list(ops)
        for op in ops:
            if isinstance(op, ClaimOp) and is_held_by_another(self.values.get((op.namespace, op.key)), op):
                raise ConflictError("held")
        results = [self._read(op) for op in ops]
        for op in ops:
            if isinstance(op, PutOp | ClaimOp):
                self.values.pop((op.namespace, op.key), None)
                if op.value is not None:
                    self.values[op.namespace, op.key] = deepcopy(dict(op.value))
        return results

    def _read(self, op: Any) -> Any:
        if isinstance(op, EraOp):
            return str(self.era)
        value = self.values.get((op.namespace, op.key)) if isinstance(op, GetOp) else None
        if value is None:
            return None
        return Item(value=deepcopy(value), key=op.key, namespace=op.namespace, created_at=_THEN, updated_at=_THEN)


@dataclass
class Process:
    """One process of a tier; `reaches_hot` is its network."""

    world: World
    reaches_hot: bool = True
    tier: Tier = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begins anew, knowing nothing."""
        clock = self.world.clock
        gate = Gate(GATE, Breaker(5.0, clock), Breaker(1.0, clock), 1.0, clock, takes_claims=True)
        self.tier = Tier(gate, clock, True, False, False, Timing(hot=100.0, writing=50.0, loading=2.0))


@dataclass
class Running:
    """A read or a write on its way."""

    process: Process
    steps: Any
    place: Place
    is_read: bool
    era: int
    is_blind: bool
    oldest: int
    request: Any = None
    wakes: float = 0.0
    committed: int = 0


class World:
    """Everything there is."""

    def __init__(self, processes: int) -> None:
        self.now = 0.0
        self.hot, self.durable = Shelf(), Shelf()
        self.is_durable_up = True
        self.history: dict[Place, list[Any]] = {}
        self.acknowledged: dict[Place, int] = {}
        self.running: list[Running] = []
        self.processes = [Process(self) for _ in range(processes)]
        self.kept: dict[Any, Any] = {}
        self.reads = 0

    def clock(self) -> float:
        """The time."""
        return self.now

    def read(self, process: Process, place: Place) -> Running:
        """Begins a read."""
        return self._begin(process, process.tier.batch([GetOp(*place)]), place, is_read=True)

    def write(self, process: Process, place: Place, value: Any) -> Running:
        """Begins a write; None deletes."""
        put = PutOp(*place, None if value is None else {"n": value})
        return self._begin(process, process.tier.batch([put]), place, is_read=False)

    def _begin(self, process: Process, steps: Any, place: Place, *, is_read: bool) -> Running:
        is_blind = process.tier.gate.durable.is_open
        one = Running(process, steps, place, is_read, self.hot.era, is_blind, self.acknowledged.get(place, 0))
        self.running.append(one)
        self._advance(one, lambda: next(steps))
        return one

    def step(self, one: Running, fault: str = "") -> None:
        """Answers the request of one that is running; a fault is "before" or "after" it is carried out."""
        if one.wakes > self.now:
            return
        try:
            answer = self._answer(one, fault)
        except (HotError, ConflictError, StoreUnavailableError) as exc:
            error = exc
            self._advance(one, lambda: one.steps.throw(error))
        else:
            self._advance(one, lambda: one.steps.send(answer))

    def crash(self, process: Process) -> None:
        """A process ends at once, and another begins."""
        for one in [one for one in self.running if one.process is process]:
            self.running.remove(one)
        process.start()

    def restart_hot(self, *, remembers: bool) -> None:
        """It knows what it once kept, or nothing."""
        self.hot.values = deepcopy(self.kept) if remembers else {}
        self.hot.era += 1

    def was_closed(self) -> bool:
        """Whether anybody takes the gate for closed."""
        known = [process.tier.gate.known for process in self.processes]
        return any(view.is_closed for view in known if view) or bool(self.durable.values.get(GATE, {}).get("closed"))

    def _answer(self, one: Running, fault: str) -> Any:
        request = one.request
        if isinstance(request, Pause):
            return None
        if isinstance(request, Hot):
            if not one.process.reaches_hot or fault == "before":
                raise HotError
            result = self.hot.batch(request.ops)
            if fault == "after":
                raise HotError
            return result
        assert isinstance(request, Durable)
        if not self.is_durable_up or fault == "before":
            raise StoreUnavailableError("down")
        result = self.durable.batch(request.ops)
        self._note(one)
        if fault == "after":
            raise StoreUnavailableError("down")
        return result

    def _note(self, one: Running) -> None:
        for op in one.request.ops:
            if isinstance(op, PutOp) and (op.namespace, op.key) != GATE:
                past = self.history.setdefault(one.place, [None])
                past.append(None if op.value is None else op.value["n"])
                one.committed = len(past) - 1

    def _advance(self, one: Running, move: Any) -> None:
        try:
            one.request = move()
        except StopIteration as stop:
            self.running.remove(one)
            if one.is_read and not one.is_blind and not one.process.tier.gate.durable.is_open:
                self._check(one, stop.value[0])
            self.acknowledged[one.place] = max(one.committed, self.acknowledged.get(one.place, 0))
        except StoreUnavailableError:
            self.running.remove(one)
        else:
            one.wakes = self.now + one.request.seconds if isinstance(one.request, Pause) else 0.0

    def _check(self, one: Running, item: Item | None) -> None:
        value, past = item.value["n"] if item else None, self.history.get(one.place, [None])
        self.reads += 1
        assert value in past[one.oldest :], f"read {value} where {past[one.oldest :]} was stored"


class Life:
    """Three processes and two items, to which random things happen."""

    def __init__(self, seed: int) -> None:
        self.random, self.world, self.number = Random(seed), World(3), 0
        self.places = [Place(("users", "ada"), key) for key in "ab"]

    def go_on(self, acts: int) -> None:
        """Some random things."""
        for _ in range(acts):
            self.act()

    def act(self) -> None:
        """One random thing."""
        todo = {
            self.read: 60, self.write: 40, self.step: 200, self.finish: 120, self.wait: 30, self.cut_or_mend: 10,
            self.durable_down_or_up: 6, self.crash: 7, self.save_hot: 10, self.restart_hot: 7,
        }  # fmt: skip
        [action] = self.random.choices(list(todo), list(todo.values()))
        action()

    def read(self) -> None:
        """Somebody begins to read."""
        if len(self.world.running) < 6:
            self.world.read(self.random.choice(self.world.processes), self.random.choice(self.places))

    def write(self) -> None:
        """Somebody begins to write or to delete."""
        if len(self.world.running) < 6:
            self.number += 1
            value = None if self.random.random() < 0.2 else self.number
            self.world.write(self.random.choice(self.world.processes), self.random.choice(self.places), value)

    def step(self) -> Running | None:
        """One request is answered, perhaps by a failure."""
        if not self.world.running:
            return None
        one = self.random.choice(self.world.running)
        fault = self.random.choices(["", "before", "after"], [20, 1, 1])[0]
        if fault == "after" and isinstance(one.request, Durable) and self.world.was_closed():
            fault = "before"
        self.world.step(one, fault)
        return one

    def finish(self) -> None:
        """All requests of one are answered, but for pauses."""
        one = self.step()
        for _ in range(40):
            if one is not None and one in self.world.running:
                self.world.step(one)

    def wait(self) -> None:
        """Time goes by; longer than a writer's word holds only if none is on its way."""
        seconds = self.random.choice([0.01, 0.5, 1.2, 6.0, 120.0])
        if seconds < 50 or not self.world.running:
            self.world.now += seconds

    def cut_or_mend(self) -> None:
        """A process loses the hot store, or has it back."""
        self.random.choice(self.world.processes).reaches_hot ^= True

    def durable_down_or_up(self) -> None:
        """For everybody."""
        self.world.is_durable_up ^= True

    def crash(self) -> None:
        """A process ends, unless the hot store has just forgotten that it writes."""
        process = self.random.choice(self.world.processes)
        own = [one for one in self.world.running if one.process is process]
        if all(one.is_read or one.era == self.world.hot.era for one in own):
            self.world.crash(process)

    def save_hot(self) -> None:
        """The hot store writes to its disk what it has."""
        self.world.kept = deepcopy(self.world.hot.values)

    def restart_hot(self) -> None:
        """It comes back with what it last wrote to disk, or with nothing."""
        self.world.restart_hot(remembers=self.random.random() < 0.6)
