"""A process that forks workers on demand: a worker is there in milliseconds, to be killed at any moment.

Run as `python -m tests.forking URL OPTIONS`, the options of the store as JSON; each line on stdin starts a worker, whose process
id is written to stdout.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from graph_memory.graph.worker import Worker, WorkerOptions
from graph_memory.stores import open_store
from tests.outbox import NoteMemory

OPTIONS = WorkerOptions(lease_seconds=0.5, attempts=1000, backoff_seconds=0, poll_seconds=0.005)


def work(url: str, options: dict[str, Any]) -> None:
    """A worker whose notes have random keys, so that one turn taken in twice makes two."""
    memory = NoteMemory(is_random=True, work=lambda text: time.sleep(random.random() * 0.012))
    with open_store(url, **options) as store:
        Worker([memory], store, options=OPTIONS).run()


def main(url: str, options: dict[str, Any]) -> None:
    """Forks one worker per line."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        pid = os.fork()
        if not pid:
            random.seed()
            work(url, options)
            os._exit(0)
        print(pid, flush=True)


@dataclass
class Workers:
    """Some workers in processes of their own, of which one is killed and replaced now and then."""

    forker: subprocess.Popen[str]
    pids: list[int] = field(default_factory=list)

    def start(self) -> None:
        """One more."""
        assert self.forker.stdin is not None
        assert self.forker.stdout is not None
        self.forker.stdin.write("\n")
        self.forker.stdin.flush()
        self.pids.append(int(self.forker.stdout.readline()))

    def kill(self) -> None:
        """The oldest dies at once, whatever it is doing; another takes its place."""
        os.kill(self.pids.pop(0), signal.SIGKILL)
        self.start()


@contextmanager
def workers(url: str, count: int, **options: Any) -> Iterator[Workers]:
    """So many workers for as long as the block lasts."""
    warnings = "-W", "error", "-W", "ignore:a service key stands above row-level security"  # a worker serves all users
    command = [sys.executable, *warnings, "-m", "tests.forking", url, json.dumps(options)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as forker:
        running = Workers(forker)
        try:
            for _ in range(count):
                running.start()
            yield running
        finally:
            for pid in running.pids:
                os.kill(pid, signal.SIGKILL)
            forker.kill()


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
