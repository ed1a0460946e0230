"""Reading items from a SQLite store: by key, newest first, and by what a filter says; and listing namespaces.

Every function runs inside the caller's transaction and leaves expired items out.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from langgraph.store.base import GetOp, ListNamespacesOp, SearchOp

from graph_memory.stores._filters import matches
from graph_memory.stores._ops import Namespace, decode_path, encode_path, list_namespaces, path_range
from graph_memory.stores._sqlite_cache import Space
from graph_memory.stores._sqlite_filter import prefilter
from graph_memory.stores.hits import Hit, Kept

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_COLUMNS = "id, key, value, created_at, updated_at, ttl"
_MOST_KEYS = 40  # of one statement
_ALIVE = "(expires_at IS NULL OR expires_at > :now)"
_SPACES = "SELECT {} FROM gm_namespaces AS n WHERE path >= :low AND path < :high"


class Row(NamedTuple):
    """One living item as stored; times in microseconds since 1970, `value` still JSON."""

    id: int
    key: str
    value: str
    created_at: int
    updated_at: int
    ttl: int | None


class Read(NamedTuple):
    """One operation's result, and the items whose time to live starts anew because they were read: (id, ttl)."""

    result: Any
    touched: tuple[tuple[int, int], ...] = ()


def microseconds(moment: datetime) -> int:
    """A moment as it is stored."""
    return (moment - _EPOCH) // _MICROSECOND


def gets(connection: sqlite3.Connection, ops: Sequence[GetOp], now: int) -> list[Read]:
    """The item under each key, or None. One statement for many keys of a namespace: 40 µs instead of 250 for twenty."""
    keys: dict[Namespace, dict[str, None]] = {}
    for op in ops:
        keys.setdefault(op.namespace, {})[op.key] = None
    rows = {
        (namespace, row.key): row
        for namespace, some in keys.items()
        for row in _under(connection, namespace, some, now)
    }
    return [_got(op, rows.get((op.namespace, op.key))) for op in ops]


def _under(connection: sqlite3.Connection, namespace: Namespace, keys: Iterable[str], now: int) -> Iterator[Row]:
    """The living items under some keys of a namespace. The last key is repeated, so that two statements serve all."""
    left = list(keys)
    while left:
        some, left = left[:_MOST_KEYS], left[_MOST_KEYS:]
        asked = some + some[-1:] * (_MOST_KEYS - len(some) if len(some) > 1 else 0)
        yield from map(
            Row._make,
            connection.execute(
                f"SELECT {_COLUMNS} FROM gm_items WHERE namespace = (SELECT id FROM gm_namespaces WHERE path = ?) "
                f"AND key IN ({', '.join('?' * len(asked))}) AND (expires_at IS NULL OR expires_at > ?)",
                (encode_path(namespace), *asked, now),
            ),
        )


def _got(op: GetOp, row: Row | None) -> Read:
    if row is None:
        return Read(None)
    item = Kept(
        is_mortal=row.ttl is not None,
        value=json.loads(row.value),
        key=row.key,
        namespace=op.namespace,
        created_at=_moment(row.created_at),
        updated_at=_moment(row.updated_at),
    )
    return Read(item, touched([row], op.refresh_ttl))


def newest(connection: sqlite3.Connection, op: SearchOp, now: int) -> Read:
    """One page of the items under a prefix that match the filter, last updated first, then by key."""
    spaces = {space.id: space for space in spaces_under(connection, op.namespace_prefix)}
    sql, operands = prefilter(op.filter)
    rows = connection.execute(
        f"SELECT {_COLUMNS}, namespace FROM gm_items WHERE namespace IN (SELECT value FROM json_each(:spaces)) AND {_ALIVE}{sql} "
        f"ORDER BY updated_at DESC, key, id LIMIT :limit OFFSET :offset",
        {"spaces": json.dumps(list(spaces)), "now": now} | operands | _bounds(op),
    )
    page: Iterable[tuple[Any, ...]] = rows
    if op.filter:
        page = islice(_filtered(rows, op), op.offset, op.offset + op.limit)
    found = [(Row(*row[:-1]), spaces[row[-1]].namespace) for row in page]
    rows.close()
    return Read([hit(row, namespace) for row, namespace in found], touched([row for row, _ in found], op.refresh_ttl))


def namespaces(connection: sqlite3.Connection, op: ListNamespacesOp, now: int) -> Read:
    """The namespaces that hold a living item."""
    living = f"EXISTS (SELECT 1 FROM gm_items WHERE namespace = n.id AND {_ALIVE})"
    paths = connection.execute(
        f"{_SPACES.format('path')} AND {living}", _range(_literal_prefix(op)) | {"now": now}
    ).fetchall()
    return Read(list_namespaces((decode_path(path) for (path,) in paths), op))


def spaces_under(connection: sqlite3.Connection, prefix: Namespace) -> list[Space]:
    """Every namespace at or under a prefix, with its counters."""
    columns = "id, path, last_item, version, removed, documents, length"
    rows = connection.execute(_SPACES.format(columns), _range(prefix))
    return [Space(id_, decode_path(path), *counters) for id_, path, *counters in rows]


def fetch(
    connection: sqlite3.Connection, ids: Iterable[int], now: int, conditions: Mapping[str, Any] | None
) -> list[Row]:
    """The living items among `ids` that match a filter."""
    sql, operands = prefilter(conditions)
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM gm_items WHERE id IN (SELECT value FROM json_each(:ids)) AND {_ALIVE}{sql}",
        {"ids": json.dumps(list(ids)), "now": now} | operands,
    )
    return [row for row in map(Row._make, rows) if not conditions or matches(json.loads(row.value), conditions)]


def ages(connection: sqlite3.Connection, ids: Iterable[int], now: int) -> list[tuple[int, str, int]]:
    """Id, key and `updated_at` of the living items among `ids`: what ties are broken by, without the values."""
    rows = connection.execute(
        f"SELECT id, key, updated_at FROM gm_items WHERE id IN (SELECT value FROM json_each(:ids)) AND {_ALIVE}",
        {"ids": json.dumps(list(ids)), "now": now},
    )
    return rows.fetchall()


def hit(row: Row, namespace: Namespace, score: float | None = None, parts: dict[str, float] | None = None) -> Hit:
    """A search result, its value still to be decoded."""
    return Hit(namespace, row.key, row.value, _moment(row.created_at), _moment(row.updated_at), score, parts)


def touched(rows: Iterable[Row], refresh: bool) -> tuple[tuple[int, int], ...]:
    """The (id, ttl) of the rows that live longer because they were read."""
    return tuple((row.id, row.ttl) for row in rows if row.ttl is not None) if refresh else ()


def _filtered(rows: Iterable[tuple[Any, ...]], op: SearchOp) -> Iterator[tuple[Any, ...]]:
    return (row for row in rows if matches(json.loads(row[2]), op.filter))


def _bounds(op: SearchOp) -> dict[str, int]:
    """A filter is applied to what SQL gives, so with one SQL must not cut."""
    return {"limit": -1, "offset": 0} if op.filter else {"limit": op.limit, "offset": op.offset}


def _literal_prefix(op: ListNamespacesOp) -> Namespace:
    """Labels that every match begins with; the pattern itself is applied afterwards."""
    prefixes = [tuple(c.path) for c in op.match_conditions or () if c.match_type == "prefix" and "*" not in c.path]
    return max(prefixes, key=len, default=())


def _range(prefix: Namespace) -> dict[str, str | bytes]:
    """Bounds that the index can use; to SQLite every text is below the empty blob."""
    low, high = path_range(prefix)
    return {"low": low, "high": b"" if high is None else high}


def _moment(stored: int) -> datetime:
    return _EPOCH + stored * _MICROSECOND
