"""`graph-memory worker`: takes in what waits in the outbox, until it is told to stop."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass

from graph_memory.cli.loading import loaded
from graph_memory.cli.settings import Settings
from graph_memory.cli.show import console
from graph_memory.graph.queues import dead_letters, pending
from graph_memory.graph.worker import Worker, WorkerOptions

_STOPS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Job:
    """What the worker is to do.

    Attributes:
        graph: `module:name` of the graph or the memories.
        options: how it goes about it.
        until_empty: whether it ends when nothing waits any more.
    """

    graph: str
    options: WorkerOptions
    until_empty: bool = False


def worker(settings: Settings, job: Job) -> None:
    """The command. SIGTERM and Ctrl-C end it after the turn at hand.

    Raises:
        ConfigurationError: the graph cannot be found, or has no memory that remembers in the background.
        StoreError: the memory cannot be used.
    """
    with settings.open() as memory:
        works = Worker(loaded(job.graph), memory.store, options=job.options)
        before = {stop: signal.signal(stop, lambda *_: works.stop()) for stop in _STOPS}
        try:
            console().print(f"waiting: {amount(len(pending(memory.store)), 'turn')}")
            _until_empty(works, job.options) if job.until_empty else works.run()
        finally:
            for stop, handler in before.items():
                signal.signal(stop, handler)
        left, dead = len(pending(memory.store)), len(dead_letters(memory.store))
        console().print(f"stopped; waiting: {amount(left, 'turn')}, dead letters: {dead:,}")


def _until_empty(works: Worker, options: WorkerOptions) -> None:
    while not works.is_stopping and works.waits():
        if not works.drain():
            time.sleep(options.poll_seconds)


def amount(count: int, noun: str) -> str:
    """ "1 turn", "3 turns"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
