"""Tables of other programs in a SQLite file or a Postgres database, opened for reading only and read row by row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from graph_memory.errors import ConfigurationError, StoreError, StoreUnavailableError
from graph_memory.sqlite_files import is_busy
from graph_memory.types import utc
from graph_memory.urls import Place, extra

if TYPE_CHECKING:
    import psycopg

_TIMEOUT = 10.0
_PAGE = 500


class Condition(NamedTuple):
    """That a column is a text, or begins with it and a mark."""

    column: str
    value: str
    mark: str


class Tables(Protocol):
    """What is asked of a database."""

    @property
    def where(self) -> str:
        """What it is called in errors."""
        ...

    def names(self) -> frozenset[str]:
        """Names of its tables."""
        ...

    def columns(self, table: str) -> frozenset[str]:
        """Names of a table's columns."""
        ...

    def rows(
        self, table: str, columns: Sequence[str], order: Sequence[str], only: Condition | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of a table in an order, of which few are held at a time."""
        ...

    def distinct(self, table: str, column: str) -> Iterator[str]:
        """The values of a column, each once, sorted."""
        ...


@contextmanager
def opened(place: Place) -> Iterator[Tables]:
    """The tables of a SQLite file or a Postgres database, for reading.

    Raises:
        ConfigurationError: there is no such file, or the server refuses.
        StoreError: what is there cannot be read.
        StoreUnavailableError: the server does not answer, or another process holds the file.
    """
    with _sqlite(place.path) if place.scheme == "sqlite" else _postgres(place.url) as tables:
        yield tables


@contextmanager
def read_only(path: str | None) -> Iterator[sqlite3.Connection]:
    """A connection to a SQLite file that cannot write.

    Raises:
        ConfigurationError: there is no such file.
        StoreError: it is no SQLite database, or is damaged.
        StoreUnavailableError: another process holds it.
    """
    if path is None or not Path(path).is_file():
        raise ConfigurationError(f"there is no file {path or 'in a url without a path'} to import from: check the url")
    try:
        with closing(_connected(path)) as connection:
            yield connection
    except sqlite3.Error as exc:
        if is_busy(exc):
            raise StoreUnavailableError(f"{path} is held by another process: try again") from exc
        raise StoreError(f"{path} cannot be read: {exc}") from exc


@contextmanager
def postgres_connection(url: str, **options: Any) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a Postgres database that cannot write.

    Raises:
        MissingExtraError: the packages for Postgres are not installed.
        ConfigurationError: the url is malformed, or the server refuses.
        StoreError: what is asked is not there.
        StoreUnavailableError: the server does not answer.
    """
    with extra("Postgres", "postgres"):
        import psycopg

        from graph_memory.postgres_servers import checked, describe, translate
    where = describe(checked(url))
    try:
        with psycopg.connect(url, connect_timeout=int(_TIMEOUT), prepare_threshold=None, **options) as connection:
            connection.read_only = True
            yield connection
    except psycopg.Error as exc:
        raise translate(exc, where) from exc


def _connected(path: str) -> sqlite3.Connection:
    """A file in WAL mode can only be read with others in mind where its folder can be written to; elsewhere nobody writes."""
    uri = f"{Path(path).absolute().as_uri()}?mode=ro"
    try:
        return _answering(uri)
    except sqlite3.OperationalError as exc:
        if exc.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
    return _answering(f"{uri}&immutable=1")


def _answering(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, _TIMEOUT, uri=True, check_same_thread=False)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def _sqlite(path: str | None) -> Iterator[Tables]:
    with read_only(path) as connection:
        yield _Sqlite(str(path), connection)


@contextmanager
def _postgres(url: str) -> Iterator[Tables]:
    with postgres_connection(url) as connection:
        yield _Postgres(connection.info.dbname, connection)


@dataclass(frozen=True)
class _Sqlite:
    where: str
    connection: sqlite3.Connection

    def names(self) -> frozenset[str]:
        return frozenset(
            name for (name,) in self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        )

    def columns(self, table: str) -> frozenset[str]:
        return frozenset(row[1] for row in self.connection.execute(f"PRAGMA table_info({_quoted(table)})"))

    def rows(
        self, table: str, columns: Sequence[str], order: Sequence[str], only: Condition | None = None
    ) -> Iterator[tuple[Any, ...]]:
        named, by = (", ".join(map(_quoted, some)) for some in (columns, order))
        where, values = "", list[str]()
        if only is not None:
            column, begin = _quoted(only.column), only.value + only.mark
            where = f" WHERE {column} = ? OR substr({column}, 1, {len(begin)}) = ?"
            values = [only.value, begin]
        yield from self.connection.execute(f"SELECT {named} FROM {_quoted(table)}{where} ORDER BY {by}", values)

    def distinct(self, table: str, column: str) -> Iterator[str]:
        name = _quoted(column)
        found = self.connection.execute(f"SELECT DISTINCT {name} FROM {_quoted(table)} ORDER BY {name}")
        return (str(value) for (value,) in found)


@dataclass(frozen=True)
class _Postgres:
    where: str
    connection: psycopg.Connection[Any]

    def names(self) -> frozenset[str]:
        asked = "SELECT c.relname FROM pg_class AS c WHERE c.relkind IN ('r', 'p', 'v') AND pg_table_is_visible(c.oid)"
        return frozenset(name for (name,) in self.connection.execute(asked))

    def columns(self, table: str) -> frozenset[str]:
        asked = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
        return frozenset(name for (name,) in self.connection.execute(asked, [_quoted(table)]))

    def rows(
        self, table: str, columns: Sequence[str], order: Sequence[str], only: Condition | None = None
    ) -> Iterator[tuple[Any, ...]]:
        from psycopg import sql

        named, by = (sql.SQL(", ").join(map(sql.Identifier, some)) for some in (columns, order))
        asked, values = sql.SQL("SELECT {} FROM {}").format(named, sql.Identifier(table)), list[str]()
        if only is not None:
            column, begin = sql.Identifier(only.column), only.value + only.mark
            asked += sql.SQL(" WHERE {0} = %s OR left({0}, {1}) = %s").format(column, len(begin))
            values = [only.value, begin]
        with self.connection.cursor("graph_memory_import") as cursor:
            cursor.itersize = _PAGE
            cursor.execute(asked + sql.SQL(" ORDER BY ") + by, values)
            yield from cursor

    def distinct(self, table: str, column: str) -> Iterator[str]:
        from psycopg import sql

        name = sql.Identifier(column)
        asked = sql.SQL("SELECT DISTINCT {0} FROM {1} ORDER BY {0}").format(name, sql.Identifier(table))
        with self.connection.cursor("graph_memory_distinct") as cursor:
            cursor.itersize = _PAGE
            cursor.execute(asked)
            yield from (str(value) for (value,) in cast("Iterator[tuple[Any]]", cursor))


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def moment_of(value: Any) -> datetime | None:
    """A time as SQLite (a text, in UTC where it names no zone) or Postgres gives it; None for what is none."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return utc(moment) if isinstance(moment, datetime) else None
