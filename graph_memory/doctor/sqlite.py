"""Looks into a SQLite file: whether it is ours, whole and writable, what is kept there, and what the disk could have back."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from graph_memory.doctor.findings import Finding, latency, packages, timed, waiting
from graph_memory.sqlite_files import CHECKPOINT_TABLES, connect, is_ours, tables, translated
from graph_memory.stores._sqlite_schema import VERSION, is_ready
from graph_memory.urls import Place

_LARGE = 2 << 30  # bytes that are too many to be read for a check
_WASTE = 0.5  # of a file


def examine(place: Place, options: Mapping[str, Any]) -> list[Finding]:
    """What is found at a `sqlite:///` url; a file that is not there is not made."""
    found = [packages("langgraph-checkpoint-sqlite"), Finding("ok", "sqlite", f"SQLite {sqlite3.sqlite_version}")]
    if place.path is None:
        return [
            *found,
            Finding("warn", "file", "memory is kept in this process alone", "name a file: sqlite:///memory.db"),
        ]
    folder = Path(place.path).parent
    if not folder.exists():
        return [*found, Finding("fail", "file", f"the folder {folder} does not exist", f'mkdir -p "{folder}"')]
    if not Path(place.path).exists():
        return [*found, Finding("warn", "file", f"{place.path} is not there yet; the first use makes it")]
    with closing(connect(place.path, options["timeout_seconds"])) as connection, translated(place.path):
        if not is_ready(connection, place.path):
            found.append(Finding("ok", "store", "nothing is remembered here yet"))
        found += _file(connection, Path(place.path))
        if is_ours(connection):
            found += _store(connection)
        has_checkpoints = tables(connection) >= CHECKPOINT_TABLES
        says = "LangGraph's tables are there" if has_checkpoints else "LangGraph's tables are not there yet"
        return [*found, Finding("ok", "checkpoints", says), latency(timed(lambda: _looked(connection)))]


def _file(connection: sqlite3.Connection, path: Path) -> list[Finding]:
    connection.execute("BEGIN IMMEDIATE")  # whoever may not write, or is kept from it, hears of it here
    connection.execute("ROLLBACK")
    size, pages, free = path.stat().st_size, *(_number(connection, name) for name in ("page_count", "freelist_count"))
    found = [Finding("ok", "file", f"{path}, {size / 1e6:.1f} MB, can be written")]
    if free > _WASTE * pages:
        says = f"{100 * free // pages} % of the file is empty"
        found.append(Finding("warn", "space", says, f'sqlite3 "{path}" VACUUM'))
    if size > _LARGE:
        found.append(
            Finding("ok", "damage", "not looked for in so large a file", f'sqlite3 "{path}" "PRAGMA quick_check"')
        )
    elif (said := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        found.append(Finding("fail", "damage", "the file is damaged", f'sqlite3 "{path}" .recover, or a backup'))
    else:
        found.append(Finding("ok", "damage", f"quick_check says {said}"))
    return found


def _store(connection: sqlite3.Connection) -> list[Finding]:
    [(items,)] = connection.execute("SELECT count(*) FROM gm_items")
    [(spaces,)] = connection.execute("SELECT count(*) FROM gm_namespaces")
    [(expired,)] = connection.execute("SELECT count(*) FROM gm_items WHERE expires_at <= ?", [time.time_ns() // 1000])
    dims = connection.execute("SELECT value FROM gm_meta WHERE name = 'dims'").fetchone()
    vectors = f"vectors of {dims[0]} dimensions" if dims else "no vectors"
    return [
        Finding("ok", "schema", f"version {VERSION}"),
        Finding("ok", "store", f"items: {items:,}, namespaces: {spaces:,}, {vectors}"),
        waiting(expired, "store.sweep_ttl(), regularly"),
    ]


def _looked(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
