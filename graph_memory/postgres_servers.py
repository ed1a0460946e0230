"""Postgres databases as urls name them, and what Postgres and psycopg raise as this package's errors: the one place for it.

Messages name the database and say what to do. They never show a password, nor Postgres's own words, which may quote what was
stored. Importing this needs the `postgres` extra.
"""

from __future__ import annotations

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolTimeout

from graph_memory.errors import ConfigurationError, GraphMemoryError, StoreError, StoreUnavailableError
from graph_memory.sql_states import UNDONE, is_gone, refusal

_SIGNS = {"password authentication failed": "28P01", "no pg_hba.conf entry": "28000", "does not exist": "3D000"}


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


def translate(exc: psycopg.Error, where: str) -> GraphMemoryError:
    """What a driver error means to whoever uses the store."""
    code = _code(exc)
    if (refused := refusal(code, where)) is not None:
        return refused
    if isinstance(exc, PoolTimeout):
        return StoreUnavailableError(f"{where} gave no connection in time: it is busy, or cannot be reached")
    if is_lost(exc):
        return StoreUnavailableError(f"{where} gave no answer in time, or cannot be reached")
    return StoreError(f"{where} failed ({type(exc).__name__} {code}); nothing was written")


def is_lost(exc: psycopg.Error) -> bool:
    """Whether the connection broke or was never made, so that another may serve."""
    code = exc.sqlstate or ""
    return is_gone(code) or (isinstance(exc, psycopg.OperationalError) and not code)


def may_be_tried_again(exc: BaseException) -> bool:
    """Whether the same batch may succeed a moment later."""
    return isinstance(exc, psycopg.Error) and not isinstance(exc, PoolTimeout) and (is_lost(exc) or was_undone(exc))


def was_undone(exc: BaseException) -> bool:
    """Whether Postgres rolled the batch back because of others, so that trying again doubles nothing."""
    return isinstance(exc, psycopg.Error) and exc.sqlstate in UNDONE


def _code(exc: psycopg.Error) -> str:
    """The SQLSTATE; libpq gives none for what fails before there is a connection."""
    words = str(exc) if isinstance(exc, psycopg.OperationalError) else ""
    return exc.sqlstate or next((code for sign, code in _SIGNS.items() if sign in words), "")
