"""A tier whose processes, stores and time are played by the test: any order, any failure at any request.

What a read returns must be nothing older than what had been acknowledged before it began; nor than what was written without its
writer knowing, and that somebody has seen. Left out is what `stores/tiered.py` says is given up: a process that cannot reach the
durable store, and a writer that dies, or does not know whether it has written, as the hot store forgets that it writes or while
the gate is closed.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
    is_announced: bool = False


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
        self.late: list[tuple[float, Running, Any]] = []
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
        """Answers the request of one that is running; a fault is "before" or "after" it is carried out, or "late": who asked
        is told that it failed, and it is carried out at some later time."""
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

    def land(self) -> None:
        """What was late is carried out."""
        for _, one, request in self.late:
            self._commit(one, request)
        self.late.clear()

    def search(self, place: Place) -> None:
        """Somebody looks into the durable store, as every search does; what is seen there is as good as acknowledged, unless its
        writer is still at it."""
        if not self.was_closed() and not any(one.place == place and not one.is_read for one in self.running):
            self.acknowledged[place] = len(self.history.get(place, [None])) - 1

    def restart_hot(self, *, remembers: bool) -> None:
        """It knows what it once kept, or nothing; and forgets no writer that is late."""
        self.land()
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
            one.is_announced |= any(isinstance(op, PutOp) and "writers" in (op.value or {}) for op in request.ops)
            return result
        assert isinstance(request, Durable)
        if not self.is_durable_up or fault == "before":
            raise StoreUnavailableError("down")
        if fault == "late":
            self.late.append((self.now, one, request))
            raise StoreUnavailableError("down")
        result = self._commit(one, request)
        if fault == "after":
            raise StoreUnavailableError("down")
        return result

    def _commit(self, one: Running, request: Durable) -> list[Any]:
        for op in request.ops:
            if isinstance(op, PutOp) and (op.namespace, op.key) != GATE:
                past = self.history.setdefault(one.place, [None])
                past.append(None if op.value is None else op.value["n"])
                one.committed = len(past) - 1
        return self.durable.batch(request.ops)

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
