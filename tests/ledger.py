"""Writes and reads that go on while something breaks, and a ledger of what was acknowledged, compared with the store at the end.

    with under_load(store) as ledger:
        ledger.goes_on()
        server.kill()
        ledger.notices()
        server.start()
        ledger.goes_on()
    ledger.check(store)

Writers are threads that call `batch` and tasks that call `abatch`. Each writes pairs of items in a namespace of its own, replaces
and deletes them, and reads some of them back. A batch that raised one of our errors may or may not have been carried out, now or
later: what it was about is not written again.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from langgraph.store.base import BaseStore, GetOp, Op, PutOp

from graph_memory.errors import GraphMemoryError

PATIENCE = 60.0  # seconds, on a machine that is busy with other tests
SLOTS, PAUSE = 12, 0.005
Batch = Callable[[Sequence[Op]], Coroutine[Any, Any, list[Any]]]


@dataclass
class Writer:
    """One line of writes.

    Attributes:
        acknowledged: how many batches were.
        refused: what our errors said, and how often.
        states: slot to the values that it may have: one, or two after a batch whose fate is unknown; None is deleted.
        wrong: what was read and cannot be.
    """

    number: int
    acknowledged: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    states: dict[str, tuple[int | None, ...]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    _era: int = 0

    @property
    def space(self) -> tuple[str, ...]:
        """Where it writes."""
        return ("users", f"writer {self.number}", "facts")

    async def step(self, n: int, chance: random.Random, batch: Batch) -> None:
        """A pair written, and one read."""
        slot = f"{self._era} {chance.randrange(SLOTS)}"
        value = None if chance.random() < 0.2 else n
        before = self.states.get(slot, (None,))
        self.states[slot] = (*before, value)
        try:
            await batch([PutOp(self.space, f"{slot} {half}", _value(value)) for half in "ab"])
            self.states[slot] = (value,)
            self.acknowledged += 1
            seen = chance.choice([known for known in self.states if len(self.states[known]) == 1])
            self._compare(seen, await batch(self._gets(seen)))
        except GraphMemoryError as exc:
            self.refused[str(exc)] += 1
            self._era += len(self.states[slot]) > 1
            await batch([])  # lets other tasks go on

    def check(self, store: BaseStore) -> None:
        """Compares everything with what the store has: item by item, and as it lists them."""
        slots = list(self.states)
        items = store.batch([get for slot in slots for get in self._gets(slot)])
        for slot, pair in zip(slots, zip(items[::2], items[1::2], strict=True), strict=True):
            self._compare(slot, pair)
        assert self.wrong == []
        assert {hit.key for hit in store.search(self.space, limit=100_000)} == {item.key for item in items if item}

    def _keys(self, slot: str) -> list[str]:
        return [f"{slot} {half}" for half in "ab"]

    def _gets(self, slot: str) -> list[Op]:
        return [GetOp(self.space, key) for key in self._keys(slot)]

    def _compare(self, slot: str, items: Sequence[Any]) -> None:
        found = [item and item.value["n"] for item in items]
        if found[0] != found[1] or found[0] not in self.states[slot]:
            self.wrong.append(f"{slot}: {found} is there, {self.states[slot]} was written")


class Ledger:
    """What all writers did."""

    def __init__(self, writers: Sequence[Writer], running: Sequence[Future[None]]) -> None:
        self.writers, self._running = writers, running

    @property
    def refused(self) -> Counter[str]:
        """What our errors said, and how often."""
        return sum((writer.refused for writer in self.writers), Counter())

    def goes_on(self, batches: int = 10) -> None:
        """Returns when each writer had some more batches acknowledged."""
        wanted = [writer.acknowledged + batches for writer in self.writers]
        self._wait(lambda: all(w.acknowledged >= n for w, n in zip(self.writers, wanted, strict=True)), "goes on")

    def notices(self, text: str = "") -> None:
        """Returns when each writer was refused once more with words that hold a text."""
        before = [self._told(writer, text) for writer in self.writers]
        self._wait(
            lambda: all(self._told(w, text) > n for w, n in zip(self.writers, before, strict=True)), f"says {text!r}"
        )

    def check(self, store: BaseStore) -> None:
        """Nothing acknowledged is lost, nothing is half written, nothing that was deleted is back."""
        for writer in self.writers:
            writer.check(store)

    def _told(self, writer: Writer, text: str) -> int:
        return sum(count for message, count in list(writer.refused.items()) if text in message)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + PATIENCE
        while not condition():
            for one in self._running:
                if one.done():
                    one.result()
            assert time.monotonic() < until, f"no writer {what}: {self.refused}"
            time.sleep(PAUSE)


@contextmanager
def under_load(
    store: BaseStore, *, threads: int = 2, tasks: int = 2, opening: Callable[[], Any] | None = None
) -> Iterator[Ledger]:
    """Writers that write until the block ends, over an open store.

    Args:
        store: what threads write to.
        threads, tasks: how many.
        opening: makes a store that is opened in the tasks' event loop, as an application would; without it they share `store`.
    """
    opened = nullcontext(store) if opening is None else opening()
    writers, over = [Writer(number) for number in range(threads + tasks)], threading.Event()
    with ThreadPoolExecutor(threads + 1) as pool:
        running = [pool.submit(_thread, store, writer, over) for writer in writers[:threads]]
        running.append(pool.submit(lambda: asyncio.run(_tasks(opened, writers[threads:], over))))
        try:
            yield Ledger(writers, running)
        finally:
            over.set()
    for one in running:
        one.result()


def _thread(store: BaseStore, writer: Writer, over: threading.Event) -> None:
    async def batch(ops: Sequence[Op]) -> list[Any]:
        return store.batch(ops) if ops else _pause()

    with suppress(StopIteration):  # it waits for nothing, and so ends at once
        _line(writer, batch, over).send(None)


async def _tasks(opened: Any, writers: Sequence[Writer], over: threading.Event) -> None:
    async with opened as store:

        async def batch(ops: Sequence[Op]) -> list[Any]:
            return await store.abatch(ops) if ops else await asyncio.sleep(PAUSE, [])

        await asyncio.gather(*(_line(writer, batch, over) for writer in writers))


async def _line(writer: Writer, batch: Batch, over: threading.Event) -> None:
    chance, n = random.Random(writer.number), 0
    while not over.is_set():
        n += 1
        await writer.step(n, chance, batch)


def _pause() -> list[Any]:
    time.sleep(PAUSE)
    return []


def _value(n: int | None) -> dict[str, Any] | None:
    return None if n is None else {"n": n, "text": f"fact {n}"}
