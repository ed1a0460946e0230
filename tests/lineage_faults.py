"""Stores and checkpointers that fail at a chosen moment: as a process that dies, or as a disk that does not answer."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.base import BaseStore, Op


class CrashError(BaseException):
    """The process is gone: no handler of ours may catch it."""


class DiskError(Exception):
    """What a driver raises."""


@dataclass
class Fuse:
    """Fails at the n-th of the operations that it watches.

    Attributes:
        left: how many operations it lets begin until then; None never fails.
        after: whether the operation is carried out nevertheless.
        stays: whether everything after it fails too, until somebody mends it: a kill; without, finally clauses still work.
        error: what is raised.
        cancels: stops an asynchronous run from outside, where a process would die.
    """

    left: int | None = None
    after: bool = False
    stays: bool = False
    error: type[BaseException] = CrashError
    is_dead: bool = False
    cancels: Callable[[], object] | None = None

    def mend(self) -> None:
        """A new process: nothing fails any more."""
        self.left, self.is_dead = None, False

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Around one operation."""
        burns = self._counts_down()
        if burns and not self.after:
            self._burn()
        yield
        if burns:
            self._burn()

    def stop(self) -> DiskError:
        """Ends an asynchronous run from outside; what its task that failed is to raise, which is an exception like any other."""
        if self.cancels is not None:
            self.cancels()
        return DiskError("the process is gone")

    def _counts_down(self) -> bool:
        if self.is_dead:
            raise self.error
        if self.left is None:
            return False
        self.left -= 1
        return self.left == 0

    def _burn(self) -> None:
        self.left, self.is_dead = None, self.stays
        raise self.error


class FusedStore(BaseStore):
    """A store that fails when one of its fuses burns down."""

    supports_ttl = True

    def __init__(self, store: BaseStore, *fuses: Fuse) -> None:
        self.store, self.fuses = store, fuses

    @property
    def takes_claims(self) -> bool:
        """As the store beneath."""
        return getattr(self.store, "takes_claims", False)

    def batch(self, ops: Iterable[Op]) -> list[Any]:
        """As the store beneath, or a failure."""
        one, two = self.fuses
        with one.watch(), two.watch():
            return self.store.batch(list(ops))

    async def abatch(self, ops: Iterable[Op]) -> list[Any]:
        """As `batch`."""
        one, two = self.fuses
        try:
            with one.watch(), two.watch():
                return await self.store.abatch(list(ops))
        except CrashError:
            one.stop()
            await (
                asyncio.Event().wait()
            )  # whoever waits is cancelled; an exception would be taken for a store that failed
            raise


class FusedSaver(InMemorySaver):
    """A checkpointer that fails when its fuse burns down."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self.fuse = fuse

    def put(self, *args: Any, **kwargs: Any) -> Any:
        """As InMemorySaver, or a failure."""
        with self.fuse.watch():
            return super().put(*args, **kwargs)

    def put_writes(self, *args: Any, **kwargs: Any) -> None:
        """As InMemorySaver, or a failure."""
        with self.fuse.watch():
            super().put_writes(*args, **kwargs)

    async def aput(self, *args: Any, **kwargs: Any) -> Any:
        """As `put`."""
        try:
            return self.put(*args, **kwargs)
        except CrashError:
            raise self.fuse.stop() from None

    async def aput_writes(self, *args: Any, **kwargs: Any) -> None:
        """As `put_writes`."""
        try:
            self.put_writes(*args, **kwargs)
        except CrashError:
            raise self.fuse.stop() from None

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """All of a thread under another id, as the server's thread copy does."""
        source, target = source_thread_id, target_thread_id
        self.storage[target] = copy.deepcopy(self.storage[source])
        for table in (self.writes, self.blobs):
            for key in [key for key in table if key[0] == source]:
                table[(target, *key[1:])] = copy.deepcopy(table[key])
