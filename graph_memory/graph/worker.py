"""Takes in what waits in the outbox: beside a graph, or in a process of its own (`graph-memory worker`), several at once.

An entry is there until its memory has taken it in, so a worker that is killed loses nothing: its lease runs out, and the next
one goes on. On stores that take claims, what a memory writes last and the removal of the entry are one batch, under the lease.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from graph_memory.errors import ConfigurationError, ConflictError, GraphMemoryError
from graph_memory.graph.batches import Batch
from graph_memory.graph.draining import Lane, lanes, opened, put_off, taken_in
from graph_memory.graph.finding import Memories, memories_by_node
from graph_memory.graph.leases import Lease
from graph_memory.graph.outbox import Entry
from graph_memory.lockstep import Outcome, arun_all, run_all
from graph_memory.memories.assembly import reason_of, traceback_of
from graph_memory.memories.base import Memory
from graph_memory.steps import Steps, arun, run
from graph_memory.stores.claims import takes_claims

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

logger = logging.getLogger("graph_memory")

_BODY = "body"
_OF_LEASE = 0.9
"""Share of its lease that one try may take: it must end before somebody else may begin."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How a worker goes about it.

    Attributes:
        debounce_seconds: how long a thread must rest before its turns are taken in; those of one exchange are then told as one. 0
            takes in each turn by itself, at once.
        lease_seconds: how long a try may take, and how long the turns of a killed worker wait.
        attempts: how often a turn is tried before it becomes a dead letter.
        backoff_seconds: the wait after the first try in vain; it doubles with each.
        longest_backoff_seconds: the longest wait.
        poll_seconds: how often an idle worker looks.
    """

    debounce_seconds: float = 0.0
    lease_seconds: float = 120.0
    attempts: int = 8
    backoff_seconds: float = 2.0
    longest_backoff_seconds: float = 600.0
    poll_seconds: float = 0.5

    def __post_init__(self) -> None:
        for name in ("lease_seconds", "attempts", "poll_seconds"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"a worker's {name} is {getattr(self, name)}: give a number above 0")
        for name in ("debounce_seconds", "backoff_seconds", "longest_backoff_seconds"):
            if not getattr(self, name) >= 0:
                raise ConfigurationError(f"a worker's {name} is {getattr(self, name)}: give a number, 0 or more")

    def wait_seconds(self, attempts: int) -> float:
        """How long to wait when `attempts` tries before this one were in vain."""
        return min(self.longest_backoff_seconds, self.backoff_seconds * 2.0 ** min(attempts, 40))


class Worker:
    """Takes in turns from the outbox of a store.

    Args:
        memories: the memories that remember in the background: the graph that they are attached to (compiled or not), or a list.
            Turns of memories that are not among them are left to others.
        store: the store that the graph uses.
        options: how it goes about it.
        clock: the time, for tests.

    Raises:
        ConfigurationError: none of the memories can remember in the background.
    """

    def __init__(
        self,
        memories: Memories,
        store: BaseStore,
        *,
        options: WorkerOptions | None = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.store = store
        self.options = options or WorkerOptions()
        self._memories = memories_by_node(memories)
        self._clock = clock
        self._holder = uuid4().hex
        self._stopping = threading.Event()
        self._ring: Callable[[], object] = lambda: None

    def stop(self) -> None:
        """Ends `run` or `arun` after the turn at hand. May be called from a signal handler or another thread."""
        self._stopping.set()
        self._ring()

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping.is_set()

    def waits(self) -> int:
        """How many turns of this worker's memories wait, due or not.

        Raises:
            StoreError: the store failed.
        """
        return sum(len(lane.pointers) for lane in run(lanes(), store=self.store) if self._memory_of(lane) is not None)

    def run(self) -> None:
        """Takes in what waits and what comes, until `stop`. A store that fails is logged and tried again."""
        while not self._stopping.is_set():
            try:
                done = self.drain()
            except GraphMemoryError as exc:
                done = 0
                logger.warning("the outbox could not be read, it is tried again: %s", exc)
            if not done:
                self._stopping.wait(self.options.poll_seconds)

    async def arun(self) -> None:
        """`run`, awaiting the store and the models."""
        loop, bell = asyncio.get_running_loop(), asyncio.Event()
        self._ring = lambda: loop.call_soon_threadsafe(bell.set)
        while not self._stopping.is_set():
            try:
                done = await self.adrain()
            except GraphMemoryError as exc:
                done = 0
                logger.warning("the outbox could not be read, it is tried again: %s", exc)
            if not done:
                await _heard(bell, self.options.poll_seconds)

    def drain(self) -> int:
        """Takes in what is ready now; how many turns were taken in or became dead letters.

        Raises:
            StoreError: the store failed.
        """
        ready = self._ready(run(lanes(), store=self.store))
        return sum(self._drained(lane, memory) for lane, memory in ready)

    async def adrain(self) -> int:
        """`drain`, awaiting the store and the models.

        Raises:
            StoreError: the store failed.
        """
        done = 0
        for lane, memory in self._ready(await arun(lanes(), store=self.store)):
            done += await self._adrained(lane, memory)
        return done

    def _ready(self, found: Sequence[Lane]) -> Iterator[tuple[Lane, Memory]]:
        """The lanes that are due and this worker's, until it is to stop."""
        for lane in found:
            memory = self._memory_of(lane)
            if self._stopping.is_set():
                return
            if memory is not None and lane.ready_at(self.options.debounce_seconds) <= self._clock():
                yield lane, memory

    def _memory_of(self, lane: Lane) -> Memory | None:
        return self._memories.get((lane.node, lane.memory)) or self._memories.get(("", lane.memory))

    def _drained(self, lane: Lane, memory: Memory) -> int:
        lease = self._lease(lane)
        left, done = run(opened(lane, lease), store=self.store), 0
        while left and not self._stopping.is_set():
            batch, view, steps = self._told(left, memory, lease)
            outcome = run_all({_BODY: steps}, store=view, deadline_seconds=self._deadlines)[_BODY]
            if not run(self._settled(batch, lease, outcome), store=self.store):
                return done
            left, done = left[len(batch.entries) :], done + len(batch.entries)
        if done or left:
            run(lease.release(), store=self.store)
        return done

    async def _adrained(self, lane: Lane, memory: Memory) -> int:
        lease = self._lease(lane)
        left, done = await arun(opened(lane, lease), store=self.store), 0
        while left and not self._stopping.is_set():
            batch, view, steps = self._told(left, memory, lease)
            outcome = (await arun_all({_BODY: steps}, store=view, deadline_seconds=self._deadlines))[_BODY]
            if not await arun(self._settled(batch, lease, outcome), store=self.store):
                return done
            left, done = left[len(batch.entries) :], done + len(batch.entries)
        if done or left:
            await arun(lease.release(), store=self.store)
        return done

    def _told(self, left: Sequence[Entry], memory: Memory, lease: Lease) -> tuple[Batch, Any, Steps[None]]:
        batch = Batch.first(left, joins=self.options.debounce_seconds > 0)
        view, commit = batch.view(self.store)
        return batch, view, taken_in(batch, memory.remember(batch.turn), lease, commit)

    def _settled(self, batch: Batch, lease: Lease, outcome: Outcome) -> Steps[bool]:
        """Whether to go on with the lane. What failed is put off; what was lost is somebody else's, or forgotten."""
        if outcome.error is None:
            return True
        reason = reason_of(outcome.error)
        try:
            dead = yield from put_off(
                batch,
                lease,
                reason,
                attempts=self.options.attempts,
                wait_seconds=self.options.wait_seconds,
                now=self._clock(),
            )
        except ConflictError:
            return False
        logger.warning(
            "memory %r did not take in a turn from the outbox (%s): %s",
            batch.last.memory,
            "now a dead letter" if dead else "it is tried again",
            reason,
            exc_info=traceback_of(outcome.error),
        )
        if dead == len(batch.entries):
            return True
        yield from lease.release()
        return False

    def _lease(self, lane: Lane) -> Lease:
        return Lease(lane.where, self._holder, self.options.lease_seconds, takes_claims(self.store), self._clock)

    @property
    def _deadlines(self) -> dict[str, float | None]:
        return {_BODY: self.options.lease_seconds * _OF_LEASE}


async def _heard(bell: asyncio.Event, seconds: float) -> None:
    """Waits so long, or until the bell rings."""
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        return
