"""What Postgres's SQLSTATEs mean to whoever uses a store or a checkpointer, however the database was reached. Pure.

Messages name the place and say what to do. They never show Postgres's own words, which may quote what was stored.
"""

from __future__ import annotations

from graph_memory.errors import ConflictError, GraphMemoryError, SchemaOutdatedError, StoreError, StoreUnavailableError

HELD = "GM001"
"""SQLSTATE of a claimed slot that somebody else holds; see sql/0006_batch.sql."""
UNDONE = frozenset({"40001", "40P01"})
"""Serialisation failure and deadlock: rolled back because of others, so that trying again doubles nothing."""

_GONE = {"57P01", "57P02", "57P03", "25P03"}  # shutdown, crash, starting up, idle too long
_MISSING = {"3F000", "42883", "42P01", "42704", "42703"}  # schema, function, table, type, column
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


def is_gone(code: str) -> bool:
    """Whether a SQLSTATE says that the connection broke or was never made, so that another may serve."""
    return code in _GONE or code.startswith("08")


def outdated(where: str) -> SchemaOutdatedError:
    """What to say when the schema is missing or older than this version needs."""
    return SchemaOutdatedError(
        f"{where} lacks migrations: run `graph-memory migrate URL` with the url of that database"
    )


def refusal(code: str, where: str) -> GraphMemoryError | None:
    """The error that a SQLSTATE stands for; None when it is none of those that are told apart."""
    if code == HELD:
        return ConflictError("somebody else holds the slot that a batch claims; nothing of it was written")
    if code in _MISSING:
        return outdated(where)
    if code in _SENTENCES:
        return StoreError(f"{where} {_SENTENCES[code]}")
    if code in _UNAVAILABLE:
        return StoreUnavailableError(f"{where} {_UNAVAILABLE[code]}")
    return None
