"""Postgres databases as urls name them, and what Postgres and psycopg raise as this package's errors: the one place for it.

Messages name the database and say what to do. They never show a password, nor Postgres's own words, which may quote what was
stored. Importing this needs the `postgres` extra.
"""

from __future__ import annotations

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolTimeout

from graph_memory.errors import (
    ConfigurationError,
    ConflictError,
    GraphMemoryError,
    SchemaOutdatedError,
    StoreError,
    StoreUnavailableError,
)

HELD = "GM001"
"""SQLSTATE of a claimed slot that somebody else holds; see sql/0006_batch.sql."""

_MISSING = {"3F000", "42883", "42P01", "42704", "42703"}  # schema, function, table, type, column
_AGAIN = {"40001", "40P01"}  # serialisation failure, deadlock
_GONE = {"57P01", "57P02", "57P03", "25P03"}  # shutdown, crash, starting up, idle too long
_SENTENCES = {
    "28P01": "refuses the password: correct it in the url",
    "28000": "refuses the user: correct the url, or pg_hba.conf on the server",
    "3D000": "does not exist: create the database, or correct the url",
    "42501": "refuses: the role or the user that the store was opened for has no right to that; nothing was written",
    "54000": "cannot keep that: a value, a key or a namespace is too large; nothing was written",
    "22003": "cannot keep that: a number in a value is too large; nothing was written",
    "25006": "takes no writes: the server is a read-only replica",
    "53100": "cannot grow: the disk is full",
    "0A000": "cannot do that: it needs Postgres 15 or newer with pgvector 0.8 or newer",
}
_UNAVAILABLE = {
    "53300": "has no connection left: raise the server's limit, or lower pool_size",
    "57014": "gave no answer in time",
    "55P03": "gave no answer in time: other writers hold what is needed",
}


def checked(url: str) -> str:
    """The url, if it is one that Postgres understands.

    Raises:
        ConfigurationError: it is not. The message does not show it: it may hold a password.
    """
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise ConfigurationError(
            "not a url that Postgres understands: write postgresql://user:password@host:5432/database"
        ) from None
    return url


def describe(url: str) -> str:
    """The database that a url names, without the password."""
    parts = conninfo_to_dict(url)
    return f"the Postgres database {parts.get('dbname') or parts.get('user') or 'postgres'} on {parts.get('host') or 'localhost'}"


def outdated(where: str) -> SchemaOutdatedError:
    """What to say when the schema is missing or older than this version needs."""
    return SchemaOutdatedError(
        f"{where} lacks migrations: run `graph-memory migrate URL` with the url of that database"
    )


def translate(exc: psycopg.Error, where: str) -> GraphMemoryError:
    """What a driver error means to whoever uses the store."""
    code = exc.sqlstate or ""
    if code == HELD:
        return ConflictError("somebody else holds the slot that a batch claims; nothing of it was written")
    if code in _MISSING:
        return outdated(where)
    if code in _SENTENCES:
        return StoreError(f"{where} {_SENTENCES[code]}")
    if code in _UNAVAILABLE:
        return StoreUnavailableError(f"{where} {_UNAVAILABLE[code]}")
    if isinstance(exc, PoolTimeout):
        return StoreUnavailableError(f"{where} gave no connection in time: it is busy, or cannot be reached")
    if is_lost(exc):
        return _unreachable(exc, where)
    return StoreError(f"{where} failed ({type(exc).__name__} {code}); nothing was written")


def is_lost(exc: psycopg.Error) -> bool:
    """Whether the connection broke or was never made, so that another may serve."""
    code = exc.sqlstate or ""
    return code in _GONE or code.startswith("08") or (isinstance(exc, psycopg.OperationalError) and not code)


def may_be_tried_again(exc: BaseException) -> bool:
    """Whether the same batch may succeed a moment later."""
    return isinstance(exc, psycopg.Error) and not isinstance(exc, PoolTimeout) and (is_lost(exc) or was_undone(exc))


def was_undone(exc: BaseException) -> bool:
    """Whether Postgres rolled the batch back because of others, so that trying again doubles nothing."""
    return isinstance(exc, psycopg.Error) and exc.sqlstate in _AGAIN


def _unreachable(exc: psycopg.Error, where: str) -> GraphMemoryError:
    words = str(exc)
    for code, sign in (
        ("28P01", "password authentication failed"),
        ("28000", "no pg_hba.conf entry"),
        ("3D000", "does not exist"),
    ):
        if sign in words:  # libpq gives no SQLSTATE for what fails before there is a connection
            return StoreError(f"{where} {_SENTENCES[code]}")
    return StoreUnavailableError(f"{where} gave no answer in time, or cannot be reached")
