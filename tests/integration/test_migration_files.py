"""Foreign files and databases are read without a write; what is something else is refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from graph_memory import (
    ConfigurationError,
    StoreError,
    open_store,
)
from graph_memory.migration import LangGraphThreads, LangMem
from graph_memory.migration.foreign import postgres_connection, read_only
from tests.migrating import fingerprint, imported


def test_a_connection_for_reading_refuses_to_write(new_database: str, tmp_path: Path):
    """Whoever's bug it would be."""
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection, connection:
        connection.execute("CREATE TABLE x (x)")
    with pytest.raises(StoreError, match="readonly"), read_only(str(tmp_path / "x.db")) as connection:
        connection.execute("INSERT INTO x VALUES (1)")
    with pytest.raises(StoreError, match="takes no writes"), postgres_connection(new_database) as server:
        server.execute("CREATE TABLE x (x int)")


@pytest.mark.parametrize("source", [LangGraphThreads, LangMem])
def test_a_file_of_something_else_is_refused(tmp_path: Path, source: Any):
    """Text that is no database, and a database that holds nothing of the kind."""
    (tmp_path / "text.db").write_text("no database " * 100, encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("CREATE TABLE other (x)")
    with open_store("sqlite://") as store:
        for name in ("text.db", "other.db"):
            before = fingerprint(tmp_path / name)
            with pytest.raises((ConfigurationError, StoreError), match=name):
                imported(source(f"sqlite:///{tmp_path / name}"), store)
            assert fingerprint(tmp_path / name) == before
