"""SQLite files: connecting, telling ours from foreign ones, and what a driver error means. Nothing about their tables.

One file may hold both a store and LangGraph's checkpoints: the store's tables begin with "gm_" and the file carries our
application id; a file that holds nothing but LangGraph's checkpoint tables is welcome too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from graph_memory.errors import ConfigurationError, GraphMemoryError, StoreError, StoreUnavailableError

APPLICATION_ID = 0x674D656D
"""What `PRAGMA application_id` says in our files: "gMem"."""
CHECKPOINT_TABLES = frozenset({"checkpoints", "writes"})
"""The tables of langgraph-checkpoint-sqlite."""

_PRAGMAS = (
    "journal_mode = WAL",  # readers and a writer do not wait for each other
    "synchronous = NORMAL",  # with WAL a power cut may undo the last commits but never corrupts
    "wal_autocheckpoint = 4000",  # pages; 1,000, the default, makes bulk writes 20 % slower
    "temp_store = MEMORY",
)
_UNREADABLE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_REFUSED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}


def connect(path: str | None, timeout_seconds: float, *, create: bool = True) -> sqlite3.Connection:
    """A connection in WAL mode that begins transactions only when told to; None is a database in memory.

    Args:
        path: the file.
        timeout_seconds: how long to wait for others.
        create: whether to make a file that is not there.

    Raises:
        ConfigurationError: the file's folder does not exist, the path is a folder, or there is no file and none is to be made.
        StoreError: the file cannot be opened or is no SQLite database.
        StoreUnavailableError: another process holds it for longer than the timeout.
    """
    if path is not None:
        try:
            _check_place(Path(path), create=create)
        except PermissionError as exc:
            raise StoreError(f"{path} cannot be looked at: check the permissions of its folder") from exc
    with translated(path):
        connection = sqlite3.connect(path or ":memory:", timeout_seconds, isolation_level=None, check_same_thread=False)
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            connection.close()
            raise
    return connection


def tables(connection: sqlite3.Connection) -> frozenset[str]:
    """Names of the tables that a file holds."""
    return frozenset(name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))


def is_ours(connection: sqlite3.Connection) -> bool:
    """Whether a graph_memory store lives in the file."""
    return int(connection.execute("PRAGMA application_id").fetchone()[0]) == APPLICATION_ID


def check_for_checkpoints(path: str, timeout_seconds: float, *, create: bool = True) -> None:
    """Makes sure that LangGraph's saver can keep checkpoints in a file; with `create` it makes a file that is not there.

    Raises:
        ConfigurationError: as in `connect`.
        StoreError: the file is foreign, damaged or cannot be written.
        StoreUnavailableError: another process holds it for longer than the timeout.
    """
    with closing(connect(path, timeout_seconds, create=create)) as connection, translated(path):
        if not is_ours(connection) and tables(connection) and not CHECKPOINT_TABLES & tables(connection):
            raise foreign(path)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def foreign(path: str | None) -> StoreError:
    """What to say about a database that another program made."""
    return StoreError(f"{path} is a SQLite database of another program, not a graph_memory store: name another file")


@contextmanager
def translated(path: str | None) -> Iterator[None]:
    """Turns what sqlite3 raises inside into this package's errors."""
    try:
        yield
    except sqlite3.Error as exc:
        raise translate(exc, path) from exc


def translate(exc: sqlite3.Error, path: str | None) -> GraphMemoryError:
    """What a driver error means to whoever uses the file."""
    where = path or "the database in memory"
    code = _code(exc)
    if code in _BUSY:
        return StoreUnavailableError(f"{where} is locked by another process for longer than the timeout: try again")
    if code in _UNREADABLE:
        return StoreError(f"{where} is not a graph_memory store: it is no SQLite database, or it is damaged")
    if code in _REFUSED:
        return StoreError(f"{where} cannot be opened for writing: check the permissions of the file and of its folder")
    if code == sqlite3.SQLITE_FULL:
        return StoreError(f"{where} cannot grow: the disk is full")
    return StoreError(f"{where} failed: {exc}")


def is_busy(exc: sqlite3.Error) -> bool:
    """Whether trying again may help."""
    return _code(exc) in _BUSY


def _code(exc: sqlite3.Error) -> int:
    """SQLite's primary result code; -1 when the error comes from Python's module itself."""
    return (getattr(exc, "sqlite_errorcode", None) or -1) & 0xFF


def _check_place(path: Path, *, create: bool) -> None:
    if path.is_dir():
        raise ConfigurationError(f"{path} is a folder, not a file: name a file in it, such as {path / 'memory.db'}")
    if not path.parent.exists():
        raise ConfigurationError(f"the folder {path.parent} does not exist: create it first")
    if not create and not path.exists():
        raise ConfigurationError(
            f"there is no memory file {path}: check the url, or make one with `graph-memory chat` or `graph-memory ingest`"
        )
