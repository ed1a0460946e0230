"""The import itself: batches of what a source yields, each written before the next is read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias

from graph_memory.errors import ConfigurationError, GraphMemoryError, StoreError
from graph_memory.memories.base import Memory
from graph_memory.memories.ranked import forget_notes
from graph_memory.migration.records import Exact, Fault, Kept, Noted, Said, Source, on_a_line, usable
from graph_memory.migration.report import ImportReport
from graph_memory.migration.threads import Chunk, Threads
from graph_memory.migration.writing import Writer, by_user
from graph_memory.steps import Call, Steps, arun, run

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

BATCH = 200
"""Records that are written at once."""


class BadRecordError(ConfigurationError):
    """A record cannot be used, and was not to be skipped; what stands before it is imported.

    Attributes:
        fault: which, and why.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__(
            f"{on_a_line(str(fault))}; what stands before it is imported, and without strict it is skipped"
        )
        self.fault = fault


_Batch: TypeAlias = list[Chunk | Noted | Kept | Exact | Fault]
_Batches: TypeAlias = Generator[_Batch, None, None]
Progress: TypeAlias = Callable[[int], None]
"""Is told how many records were read since it was told last."""


def import_from(
    source: Source,
    store: BaseStore,
    *,
    memories: Sequence[Memory] = (),
    agent: str | None = None,
    dry_run: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Brings memories from elsewhere into a store, where they are found as if they had been remembered here.

    Running it again changes nothing of what is there, and goes on where an interrupted one was. The source is not changed.

    Args:
        source: `Conversations`, `Export`, `LangMem`, `ChatHistory`, `LangGraphItems` or `LangGraphThreads`, or one of your own.
        store: where to.
        memories: into which; for each kind (`VectorMemory`, `BufferMemory`, `KeyValueMemory`) that is not among them, one with
            its defaults. What a graph is to recall must have the same name here and there.
        agent: whose memories they become, where agents have their own.
        dry_run: only says what would be done.
        strict: ends at the first that cannot be used, instead of going on without it.
        progress: is told how many records were read.

    Returns:
        What was new, known and skipped.

    Raises:
        ConfigurationError: the source or a memory is wrong; what stands before is imported.
        BadRecordError: one of its records cannot be used (with `strict`).
        StoreError: the source or the store failed.
    """
    writer = Writer.to(memories, agent, ImportReport(dry_run=dry_run))
    return run(_importing(source, writer, strict=strict, progress=progress), store=store)


async def aimport_from(
    source: Source,
    store: BaseStore,
    *,
    memories: Sequence[Memory] = (),
    agent: str | None = None,
    dry_run: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """`import_from`, awaiting the store; the source is read in a worker thread."""
    writer = Writer.to(memories, agent, ImportReport(dry_run=dry_run))
    return await arun(_importing(source, writer, strict=strict, progress=progress), store=store)


def _importing(source: Source, writer: Writer, *, strict: bool, progress: Progress | None) -> Steps[ImportReport]:
    reading = _Reading(_batches(source, strict=strict))
    try:
        while batch := (yield Call(reading.batch)):
            yield from _write(batch, writer)
            if progress is not None:
                progress(_size(batch))
    finally:
        reading.close()
        forget_notes()
    return writer.report


def _write(batch: _Batch, writer: Writer) -> Steps[None]:
    for fault in (one for one in batch if isinstance(one, Fault)):
        writer.report.skip(fault)
    for chunk in (one for one in batch if isinstance(one, Chunk)):
        yield from writer.turns(chunk)
    yield from by_user((one for one in batch if isinstance(one, Noted)), writer.facts)
    yield from by_user((one for one in batch if isinstance(one, Kept)), writer.values)
    if exact := [one for one in batch if isinstance(one, Exact)]:
        yield from writer.items(exact)


class _Reading:
    """Batches that a worker thread reads. When the import is cancelled while it does, the thread closes the source, not we."""

    def __init__(self, batches: _Batches) -> None:
        self._batches = batches
        self._is_over = False
        self._lock = threading.Lock()

    def batch(self) -> _Batch:
        """The next batch; an empty one at the end."""
        with self._lock:
            found = next(self._batches, [])
        if self._is_over:
            self.close()
        return found

    def close(self) -> None:
        """Ends the reading, as soon as nobody reads."""
        self._is_over = True
        if self._lock.acquire(blocking=False):
            try:
                self._batches.close()
            finally:
                self._lock.release()


def _batches(source: Source, *, strict: bool) -> _Batches:
    """What a source yields, in batches; all that was read is handed over before what ends the reading is raised."""
    threads, batch = Threads(), list[Chunk | Noted | Kept | Exact | Fault]()
    try:
        with closing(source.records()) as records:
            for one in map(usable, records):
                batch += threads.add(one) if isinstance(one, Said) else [one]
                if strict and isinstance(one, Fault):
                    raise BadRecordError(one)
                if _size(batch) >= BATCH:
                    yield batch
                    batch = []
    except Exception as exc:  # a source may be anybody's code, and what it gave before is kept
        if batch := [*batch, *threads.rest()]:
            yield batch
        if isinstance(exc, GraphMemoryError):
            raise
        raise StoreError(f"the source failed: {type(exc).__name__}") from exc
    if batch := [*batch, *threads.rest()]:
        yield batch


def _size(batch: _Batch) -> int:
    return sum(len(one.messages) if isinstance(one, Chunk) else 1 for one in batch)
