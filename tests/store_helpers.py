"""What the tests of SQLite stores share."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from graph_memory.stores.sqlite import SqliteStore

ADA = ("users", "ada")
BOB = ("users", "bob")


class Clock:
    """A time that moves when told to."""

    def __init__(self) -> None:
        self.now = datetime(2025, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **step: float) -> None:
        """Moves the time on."""
        self.now += timedelta(**step)


def keys(store: SqliteStore, *args: Any, **kwargs: Any) -> list[str]:
    """Keys of the hits, in order."""
    return [hit.key for hit in store.search(*args, **kwargs)]


def scores(store: SqliteStore, query: str, prefix: tuple[str, ...] = ADA) -> list[tuple[str, float, dict[str, float]]]:
    """All that a ranking says."""
    return [(hit.key, hit.score, hit.parts) for hit in store.search(prefix, query=query, limit=100)]


def rows(path: str) -> dict[str, int]:
    """How many rows each of our tables holds."""
    tables = ("gm_namespaces", "gm_items", "gm_vectors", "gm_postings")
    with closing(sqlite3.connect(path)) as connection:
        return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
