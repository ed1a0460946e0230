"""What a store on Postgres says when the database refuses, vectors of the wrong size included."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graph_memory.errors import ConfigurationError, GraphMemoryError
from graph_memory.stores._embedding import size_mismatch

if TYPE_CHECKING:
    import psycopg

_WRONG_SIZES = re.compile(r"(?:expected (\d+) dimensions, not (\d+))|(?:different \w+ dimensions (\d+) and (\d+))")


def translate(exc: psycopg.Error, where: str) -> GraphMemoryError:
    """What a driver error means to whoever uses the store."""
    from graph_memory.postgres_servers import translate as translate_any

    return wrong_size(exc.diag.message_primary or "", where) or translate_any(exc, where)


def wrong_size(message: str, where: str) -> ConfigurationError | None:
    """What Postgres's own words mean when they are about the size of vectors."""
    found = _WRONG_SIZES.search(message)
    if found is None:
        return None
    stored, given = (int(size) for size in found.groups() if size)
    return size_mismatch(given, stored, where)
