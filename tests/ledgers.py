"""Load on a store while something happens to its server, and a ledger of what it acknowledged, which must be there at the end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from langgraph.store.base import BaseStore, Op, PutOp

from graph_memory.errors import StoreError
from graph_memory.memories.listing import listed
from graph_memory.steps import run

WRITERS, PARTS = 4, "abc"
_PATIENCE = 120.0  # seconds


def place(writer: int) -> tuple[str, ...]:
    """Where a writer writes."""
    return ("ledger", f"writer {writer}")


def parts(writer: int, number: int) -> list[Op]:
    """One batch."""
    text = {"text": f"tea {number}", "n": number}
    return [PutOp(place(writer), f"{number} {part}", text) for part in PARTS]


class Ledger:
    """Writers who go on for as long as the block lasts, whatever the store says. A refused batch is not tried again.

    Args:
        opening: opens the store; once, however often its server goes away.
        mode: "invoke" for threads, "ainvoke" for tasks of one event loop.
    """

    def __init__(self, opening: Callable[[], Any], mode: str) -> None:
        self.acknowledged: dict[int, set[int]] = defaultdict(set)
        self.refused: dict[int, dict[int, str]] = defaultdict(dict)
        self._opening, self._stopping = opening, threading.Event()
        self._failed: list[BaseException] = []
        work = self._write if mode == "invoke" else lambda: asyncio.run(self._awrite())
        self._thread = threading.Thread(target=self._kept, args=(work,))

    def __enter__(self) -> Self:
        self._thread.start()
        self.wait_for_more()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        assert self._failed == []

    @property
    def refusals(self) -> set[str]:
        """What the store said when it refused."""
        return {text for some in self.refused.values() for text in some.values()}

    def wait_for_more(self, count: int = 3) -> None:
        """Until every writer had so many more batches acknowledged."""
        before, late = [len(self.acknowledged[n]) for n in range(WRITERS)], time.monotonic() + _PATIENCE
        while any(len(self.acknowledged[n]) < had + count for n, had in enumerate(before)):
            assert self._failed == []
            assert time.monotonic() < late, "the store does not recover"
            time.sleep(0.01)

    def wait_for_refusals(self) -> None:
        """Until every writer was refused once more, in one of our own sentences."""
        before, late = [len(self.refused[n]) for n in range(WRITERS)], time.monotonic() + _PATIENCE
        while any(len(self.refused[n]) <= had for n, had in enumerate(before)):
            assert time.monotonic() < late, "the store waits for ever"
            time.sleep(0.01)

    def check(self, store: BaseStore) -> None:
        """Nothing acknowledged is lost, no batch is there by halves, and the index agrees with the items."""
        for writer in range(WRITERS):
            held = {item.key: item.value["n"] for item in run(listed(place(writer)), store=store)}
            there = {number for number in held.values() if all(f"{number} {part}" in held for part in PARTS)}
            assert self.acknowledged[writer] <= there
            assert there <= self.acknowledged[writer] | set(self.refused[writer])
            assert len(held) == len(PARTS) * len(there)
            found = store.search(place(writer), query="tea", limit=len(held) + 1)
            assert {hit.key for hit in found} == set(held)

    def _kept(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as exc:
            self._failed.append(exc)
            raise

    def _write(self) -> None:
        with self._opening() as store:
            threads = [
                threading.Thread(target=self._kept, args=(lambda n=n: self._go_on(store, n),)) for n in range(WRITERS)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _go_on(self, store: BaseStore, writer: int) -> None:
        number = 0
        while not self._stopping.is_set():
            number += 1
            try:
                store.batch(parts(writer, number))
            except StoreError as exc:
                self.refused[writer][number] = str(exc)
                time.sleep(0.01)
            else:
                self.acknowledged[writer].add(number)

    async def _awrite(self) -> None:
        async with self._opening() as store:
            await asyncio.gather(*(self._ago_on(store, writer) for writer in range(WRITERS)))

    async def _ago_on(self, store: BaseStore, writer: int) -> None:
        number = 0
        while not self._stopping.is_set():
            number += 1
            try:
                await store.abatch(parts(writer, number))
            except StoreError as exc:
                self.refused[writer][number] = str(exc)
                await asyncio.sleep(0.01)
            else:
                self.acknowledged[writer].add(number)
