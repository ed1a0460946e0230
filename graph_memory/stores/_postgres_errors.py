"""What a Postgres store says when the database refuses, vectors of the wrong size included."""

from __future__ import annotations

import re

import psycopg

from graph_memory.errors import GraphMemoryError
from graph_memory.postgres_servers import translate as translate_any
from graph_memory.stores._embedding import size_mismatch

_WRONG_SIZES = re.compile(r"(?:expected (\d+) dimensions, not (\d+))|(?:different \w+ dimensions (\d+) and (\d+))")


def translate(exc: psycopg.Error, where: str) -> GraphMemoryError:
    """What a driver error means to whoever uses the store."""
    found = _WRONG_SIZES.search(exc.diag.message_primary or "")
    if found is None:
        return translate_any(exc, where)
    stored, given = (int(size) for size in found.groups() if size)
    return size_mismatch(given, stored, where)
