"""Bringing a Postgres database up to date: numbered SQL files, each applied once, in a transaction that also records it.

Safe to run from several processes at once, also behind a transaction pooler: every transaction takes an advisory lock and looks
again at what is recorded. A file that was changed after it was applied is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph_memory.errors import ConfigurationError, SchemaOutdatedError, StoreError
from graph_memory.sql_files import Migration, migrations
from graph_memory.urls import extra

if TYPE_CHECKING:
    import psycopg

MOST_DIMENSIONS = 4000
"""pgvector's HNSW index takes 2,000 dimensions of four bytes each, or 4,000 of two."""

_LOCK = 7_013_550_318_124_455  # any number that no other program is likely to lock
_RECORDS = """
CREATE SCHEMA IF NOT EXISTS graph_memory;
CREATE TABLE IF NOT EXISTS graph_memory.migrations (
    version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
);
"""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a run did, or would do.

    Attributes:
        applied: the migrations, in order.
        dims: the size of vectors that was newly chosen; None when it stayed.
        dropped: vectors of another size that went.
    """

    applied: tuple[Migration, ...]
    dims: int | None = None
    dropped: int = 0


def migrate(
    url: str,
    *,
    dims: int | None = None,
    drop_vectors: bool = False,
    dry_run: bool = False,
    folder: Path | None = None,
    timeout_seconds: float = 60.0,
) -> Migrated:
    """Applies what a database lacks, and chooses the size of its vectors.

    Without a size any will do, as long as all vectors are of one, and every search compares them one by one; with one there is an
    HNSW index for namespaces of more than 4,000 texts. When the size changes, vectors of another are lost: their items stay and
    are found by words, and by meaning again once they are put anew.

    Args:
        url: of the database; its role must own the schema, or be allowed to make it.
        dims: size of the vectors; None leaves it as it is.
        drop_vectors: whether vectors of another size may go.
        dry_run: only says what would be done.
        folder: another place for the files, for tests.
        timeout_seconds: how long to wait for the server to be reached, and for others that migrate.

    Raises:
        ConfigurationError: the url or `dims` is wrong, or vectors of another size are there and may not go.
        MissingExtraError: psycopg is not installed.
        SchemaOutdatedError: a migration was changed after it was applied, or a newer version migrated the database.
        StoreError: the server refuses.
    """
    if dims is not None and not 1 <= dims <= MOST_DIMENSIONS:
        raise ConfigurationError(f"dims must be a whole number from 1 to {MOST_DIMENSIONS:,}, got {dims}")
    every = migrations(folder)
    with _connected(url, timeout_seconds) as (connection, where):
        lacking = [one for one in every if one.version not in _checked(connection, every, where)]
        if not dry_run:
            lacking = [one for one in lacking if _apply(connection, one, every, where, timeout_seconds)]
        with _locked(connection, timeout_seconds, is_alone=not dry_run):
            change = _dimension_changes(connection, dims)
            dropped = _vectors_of_another_size(connection, dims) if change else 0
            if dropped and not drop_vectors:
                raise ConfigurationError(
                    f"{where} holds {dropped:,} vectors of another size than {dims}: they cannot be converted; add "
                    f"--drop-vectors to go on without them, their items are found by words until they are put again"
                )
            if change and not dry_run:
                connection.execute("SELECT graph_memory.set_dimension(%s)", [dims])
    return Migrated(tuple(lacking), dims if change else None, dropped)


@contextmanager
def _connected(url: str, timeout_seconds: float) -> Iterator[tuple[psycopg.Connection[Any], str]]:
    with extra("Postgres", "postgres"):
        import psycopg

        from graph_memory.postgres_servers import checked, describe, translate

    where = describe(checked(url))
    seconds = max(2, round(timeout_seconds))
    try:
        with psycopg.connect(url, autocommit=True, prepare_threshold=None, connect_timeout=seconds) as connection:
            yield connection, where
    except psycopg.Error as exc:
        if exc.sqlstate in ("0A000", "58P01", "42704") and "extension" in str(exc):
            raise StoreError(
                f"{where} has no pgvector: install it on the server (Debian: postgresql-17-pgvector), then migrate again"
            ) from exc
        if exc.sqlstate == "42501":
            raise StoreError(
                f"{where} does not let this role make the schema: migrate as the database's owner"
            ) from exc
        raise translate(exc, where) from exc


def _checked(connection: psycopg.Connection[Any], every: tuple[Migration, ...], where: str) -> Mapping[int, str]:
    """What is recorded: version to checksum.

    Raises:
        SchemaOutdatedError: it is not what these files say.
    """
    [[exists]] = connection.execute("SELECT to_regclass('graph_memory.migrations') IS NOT NULL").fetchall()
    if not exists:
        return {}
    there = dict(connection.execute("SELECT version, checksum FROM graph_memory.migrations").fetchall())
    for one in every:
        if there.get(one.version, one.checksum) != one.checksum:
            raise SchemaOutdatedError(
                f"migration {one} was changed after it was applied to {where}: restore the file, and put changes into a new one"
            )
    if max(there, default=0) > len(every):
        raise SchemaOutdatedError(
            f"{where} has migration {max(there)}, this graph_memory knows {len(every)}: install a newer graph_memory"
        )
    return there


@contextmanager
def _locked(connection: psycopg.Connection[Any], timeout_seconds: float, *, is_alone: bool = True) -> Iterator[None]:
    """A transaction, in which nobody else migrates when `is_alone`."""
    with connection.transaction():
        connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{round(timeout_seconds * 1000)}ms"])
        if is_alone:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield


def _apply(
    connection: psycopg.Connection[Any], one: Migration, every: tuple[Migration, ...], where: str, seconds: float
) -> bool:
    """Applies a migration unless another process was first; whether it did."""
    with _locked(connection, seconds):
        connection.execute(_RECORDS)
        if one.version in _checked(connection, every, where):
            return False
        connection.execute(one.sql.encode())
        connection.execute(
            "INSERT INTO graph_memory.migrations (version, name, checksum) VALUES (%s, %s, %s)",
            [one.version, one.name, one.checksum],
        )
    return True


def _dimension_changes(connection: psycopg.Connection[Any], dims: int | None) -> bool:
    if dims is None:
        return False
    [[exists]] = connection.execute("SELECT to_regprocedure('graph_memory.dimension()') IS NOT NULL").fetchall()
    return not exists or connection.execute("SELECT graph_memory.dimension()").fetchall() != [(dims,)]


def _vectors_of_another_size(connection: psycopg.Connection[Any], dims: int | None) -> int:
    [[exists]] = connection.execute(
        "SELECT to_regprocedure('graph_memory.vectors_beside(integer)') IS NOT NULL"
    ).fetchall()
    if not exists:
        return 0
    [[count]] = connection.execute("SELECT graph_memory.vectors_beside(%s)", [dims]).fetchall()
    return int(count)
