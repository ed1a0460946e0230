"""The tables of a SQLite store, and how a file is recognised and made one.

    gm_meta        name -> value; "dims" is the size of the vectors, once there are any
    gm_namespaces  one row per namespace that holds something, with the counters that ranking and caches rely on
    gm_items       the items; an id says its namespace (upper half) and is never used again within it
    gm_vectors     by item id: unit float32 vectors, one after the other, with the digest of the text of each
    gm_postings    by namespace and term: which items hold it, how often, and how long they are

Whenever what is indexed of an item changes, the item gets a new id. So index rows are only ever added (with higher ids) or
removed, and a cache of them is brought up to date by reading what lies above the highest id that it knows. `version` counts the
changes of a namespace's index, `removed` is the version at which something was last removed. Ids of namespaces are never
used again (AUTOINCREMENT), or a cache could mistake one tenant's rows for another's.
"""

from __future__ import annotations

import sqlite3

from graph_memory.errors import SchemaOutdatedError
from graph_memory.sqlite_files import APPLICATION_ID, CHECKPOINT_TABLES, foreign, is_ours, tables

VERSION = 1
"""`PRAGMA user_version` of the files that this version reads and writes."""
ITEM_BITS = 32
"""An item's id is its namespace's id shifted by this, plus a number that grows."""

_TABLES = """
CREATE TABLE gm_meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE gm_namespaces (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    last_item INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 0,
    removed INTEGER NOT NULL DEFAULT 0,
    documents INTEGER NOT NULL DEFAULT 0,
    length REAL NOT NULL DEFAULT 0
);
CREATE TABLE gm_items (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL,
    key TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER,
    ttl INTEGER,
    digest BLOB NOT NULL,
    length REAL NOT NULL,
    value TEXT NOT NULL,
    terms TEXT NOT NULL
);
CREATE UNIQUE INDEX gm_items_by_key ON gm_items (namespace, key);
CREATE INDEX gm_items_by_age ON gm_items (namespace, updated_at DESC, key);
CREATE INDEX gm_items_by_expiry ON gm_items (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE gm_vectors (id INTEGER PRIMARY KEY, digests BLOB NOT NULL, vectors BLOB NOT NULL);
CREATE TABLE gm_postings (
    namespace INTEGER NOT NULL,
    term TEXT NOT NULL,
    item INTEGER NOT NULL,
    count REAL NOT NULL,
    length REAL NOT NULL,
    PRIMARY KEY (namespace, term, item)
) WITHOUT ROWID;
"""


def is_ready(connection: sqlite3.Connection, path: str | None) -> bool:
    """Whether the file is a store of this version; False when it can become one.

    Raises:
        StoreError: the file belongs to another program.
        SchemaOutdatedError: another version of graph_memory wrote it.
    """
    if is_ours(connection):
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version != VERSION:
            raise SchemaOutdatedError(
                f"{path} has schema {version}, this graph_memory reads schema {VERSION}: use the version of graph_memory that "
                f"wrote it, or a newer one"
            )
        return True
    other = int(connection.execute("PRAGMA application_id").fetchone()[0])
    if other or {name for name in tables(connection) if not name.startswith("sqlite_")} - CHECKPOINT_TABLES:
        raise foreign(path)
    return False


def create(connection: sqlite3.Connection, path: str | None) -> None:
    """Makes the file a store, inside a write transaction, unless another process was first."""
    if is_ready(connection, path):
        return
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def dims(connection: sqlite3.Connection) -> int | None:
    """Size of the stored vectors; None while there are none."""
    row = connection.execute(
        "SELECT value FROM gm_meta WHERE name = 'dims' AND EXISTS (SELECT 1 FROM gm_vectors)"
    ).fetchone()
    return None if row is None else int(row[0])


def set_dims(connection: sqlite3.Connection, size: int) -> None:
    """Writes the size of the vectors down."""
    connection.execute("INSERT OR REPLACE INTO gm_meta VALUES ('dims', ?)", (size,))
