"""CPU seconds and megabytes of an import into a SQLite file, and of the same import again.

    python -m benchmarks.importing [COUNT ...]      default: 10000 100000

Facts of 20 users; conversations of 20 users in threads of 20 messages, one thread after the other, and the same threads mixed
turn by turn, as a log has them: with many threads the pauses in each are long, and every exchange is a session. Without an
embedder. Each in a process of its own, because memory is a process's maximum.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from graph_memory import import_from, open_store
from graph_memory.migration import Conversations, Noted, Source
from graph_memory.migration.records import Records

USERS, THREAD = 20, 20
BEGAN = datetime(2025, 2, 4, tzinfo=UTC)


class Facts:
    """A source of facts that are made while they are read."""

    def __init__(self, count: int) -> None:
        self._count = count

    def records(self) -> Records:
        """Facts, user by user."""
        for number in range(self._count):
            user = f"user{number * USERS // self._count}"
            yield Noted(f"fact {number}", user, str(number), _text(number), BEGAN, {})


def _text(number: int) -> str:
    return f"Number {number} is about topic {number % 997} and colour {number % 13}."


def _lines(count: int, *, mixed: bool) -> Iterator[str]:
    threads = count // THREAD
    for number in range(count):
        thread = (number // 2) % threads if mixed else number // THREAD
        said = {
            "role": ("user", "assistant")[number % 2],
            "content": _text(number),
            "timestamp": BEGAN.timestamp() + number,
        }
        yield json.dumps({**said, "user_id": f"user{thread % USERS}", "thread_id": f"thread{thread}"})


def _source(kind: str, count: int, folder: Path) -> Source:
    if kind == "facts":
        return Facts(count)
    path = folder / "said.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in _lines(count, mixed=kind == "mixed threads"))
    return Conversations(path)


def measure(kind: str, count: int) -> str:
    """One line of the table."""
    figures = []
    with tempfile.TemporaryDirectory() as folder, open_store(f"sqlite:///{folder}/memory.db") as store:
        source = _source(kind, count, Path(folder))
        before = _megabytes()
        for _ in range(2):
            began = time.process_time()
            import_from(source, store)
            figures.append(f"{time.process_time() - began:.1f} s")
    return f"| {kind} | {count:,} | {' | '.join(figures)} | {_megabytes() - before} MB |"


def _megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(argv: list[str]) -> None:
    """The table, or a line of it."""
    if argv[:1] == ["--one"]:
        print(measure(argv[1], int(argv[2])))
        return
    print("| | records | first import | again | memory |\n| --- | --- | --- | --- | --- |", flush=True)
    for count in argv or ["10000", "100000"]:
        for kind in ("facts", "threads", "mixed threads"):
            subprocess.run([sys.executable, "-m", "benchmarks.importing", "--one", kind, count], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
