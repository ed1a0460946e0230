"""A worker beside a graph, in the same process, for as long as a block lasts."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import TYPE_CHECKING

from graph_memory.graph.finding import Memories
from graph_memory.graph.worker import Worker, WorkerOptions

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore


def background_worker(
    memories: Memories, store: BaseStore, *, options: WorkerOptions | None = None
) -> BackgroundWorker:
    """A worker beside a graph, for a `with` block (in a thread) or an `async with` block (as a task).

    Leaving the block waits for the turn at hand; what is left in the outbox is taken in by the next worker.

    Raises:
        ConfigurationError: none of the memories can remember in the background.
    """
    return BackgroundWorker(Worker(memories, store, options=options))


class BackgroundWorker:
    """Runs a worker for as long as a block lasts."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._thread = threading.Thread(target=worker.run, name="graph_memory_worker", daemon=True)
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> Worker:
        self._thread.start()
        return self._worker

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.stop()
        self._thread.join()

    async def __aenter__(self) -> Worker:
        self._task = asyncio.create_task(self._worker.arun())
        return self._worker

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.stop()
        if self._task is not None:
            await self._task
