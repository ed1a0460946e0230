"""What happens to the tier of `tests/tiers.py`: random lives, and one that no random life is likely to be."""

from __future__ import annotations

from copy import deepcopy
from random import Random

from langgraph.store.base import PutOp

from graph_memory.stores._tiered_requests import Durable
from graph_memory.stores._tiered_slots import Place
from tests.tiers import GATE, Running, World


class Life:
    """Three processes to which random things happen: two items and much trouble; or one item that all crowd around, request by
    request, with little of it; and there, writers that often do not know whether they have written."""

    def __init__(self, seed: int) -> None:
        self.random, self.world, self.number = Random(seed), World(3), 0
        self.is_crowded = self.random.random() < 0.6
        self.doubt = 0.4 if self.is_crowded and self.random.random() < 0.5 else 0.02
        self.places = [Place(("users", "ada"), key) for key in ("a" if self.is_crowded else "ab")]

    def go_on(self, acts: int) -> None:
        """Some random things."""
        for _ in range(acts):
            self.act()

    def act(self) -> None:
        """One random thing."""
        todo = {
            self.read: 60, self.write: 40, self.step: 200, self.finish: 120, self.wait: 30, self.cut_or_mend: 10,
            self.durable_down_or_up: 6, self.crash: 7, self.save_hot: 10, self.restart_hot: 7, self.land: 8,
            self.search: 10,
        }  # fmt: skip
        if self.is_crowded:
            todo |= {self.step: 500, self.finish: 20, self.cut_or_mend: 1, self.durable_down_or_up: 1, self.crash: 2}
        if self.doubt > 0.1:
            todo |= {self.land: 40, self.search: 60, self.finish: 60}
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
        fault = self.random.choices(["", "before", "after"], [200 if self.is_crowded else 20, 1, 1])[0]
        if self._may_be_late(one) and self.random.random() < self.doubt:
            fault = "late"
        if fault == "after" and isinstance(one.request, Durable) and self.world.was_closed():
            fault = "before"
        self.world.step(one, fault)
        return one

    def _may_be_late(self, one: Running) -> bool:
        """Writes alone, whose token is in its slot."""
        ops = one.request.ops if isinstance(one.request, Durable) else ()
        is_write = any(isinstance(op, PutOp) and (op.namespace, op.key) != GATE for op in ops)
        return is_write and one.is_announced and one.era == self.world.hot.era and not self.world.was_closed()

    def land(self) -> None:
        """What was late is carried out."""
        self.world.land()

    def search(self) -> None:
        """Somebody looks into the durable store."""
        self.world.search(self.random.choice(self.places))

    def finish(self) -> None:
        """All requests of one are answered, but for pauses."""
        one = self.step()
        for _ in range(40):
            if one is not None and one in self.world.running:
                self.world.step(one)

    def wait(self) -> None:
        """Time goes by; longer than a writer's word holds only if none is on its way."""
        seconds = self.random.choice([0.01, 0.5, 1.2, 6.0, 120.0])
        if self.world.late and self.world.now + seconds > self.world.late[0][0] + 40:
            self.world.land()
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


def doubt_across_epochs() -> None:
    """A writer does not know whether it has written; the gate is closed and opened by others; and then it is written."""
    world = World(2)
    here, there = (Place(("users", "ada"), key) for key in "ab")
    ada, bob = world.processes

    def done(one: Running) -> None:
        while one in world.running:
            world.now = max(world.now, one.wakes)
            world.step(one)

    done(world.write(ada, here, 1))
    doubtful = world.write(ada, here, 2)
    while not isinstance(doubtful.request, Durable) or not any(isinstance(op, PutOp) for op in doubtful.request.ops):
        world.step(doubtful)
    world.step(doubtful, "late")
    bob.reaches_hot = False
    done(world.write(bob, there, 1))
    bob.reaches_hot = True
    world.now += 6
    for process in (bob, ada, bob, ada):
        done(world.read(process, here))
    world.land()
    world.search(here)
    done(world.read(ada, here))
