"""A Postgres of a test's own, that keeps what it acknowledges, to be killed, paused and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.postgres_server import ServerMissingError, binaries_of_postgres, new_cluster, started


class Server:
    """One server, with durable commits.

    Attributes:
        home: folder of its data and its socket.
        port: on loopback.
    """

    def __init__(self, binaries: Path, home: Path, settings: Mapping[str, str]) -> None:
        self.home, self._binaries, self._settings = home, binaries, settings
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        new_cluster(binaries, home)
        self.start()

    @property
    def url(self) -> str:
        """Of its database."""
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """The same behind a proxy."""
        return f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def start(self) -> None:
        """Starts it and waits until it answers."""
        settings = {"listen_addresses": "127.0.0.1", "port": str(self.port), "log_min_messages": "panic"}
        self._process = started(self._binaries, self.home, {**settings, **self._settings})

    def kill(self) -> None:
        """Ends all its processes at once, as the machine's crash would."""
        for pid in self._pids():
            _signal(pid, signal.SIGKILL)
        self._process.wait()

    def pause(self) -> None:
        """It keeps its connections and answers nothing."""
        self._pids()

    def resume(self) -> None:
        """It goes on."""
        for pid in self._pids():
            _signal(pid, signal.SIGCONT)

    def _pids(self) -> list[int]:
        """Its processes, stopped: first the one that starts the others."""
        main = self._process.pid
        _signal(main, signal.SIGSTOP)
        found = subprocess.run(["pgrep", "-P", str(main)], capture_output=True, text=True, check=False).stdout
        children = [int(pid) for pid in found.split()]
        for pid in children:
            _signal(pid, signal.SIGSTOP)
        return [main, *children]


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


@contextmanager
def running(**settings: str) -> Iterator[Server]:
    """A new server with some settings."""
    try:
        binaries = binaries_of_postgres()
    except ServerMissingError as exc:
        pytest.fail(str(exc)) if os.environ.get("CI") else pytest.skip(str(exc))
    home = Path(tempfile.mkdtemp(prefix="gm-pg-"))
    try:
        server = Server(binaries, home, settings)
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(home, ignore_errors=True)
