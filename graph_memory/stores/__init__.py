"""Stores: where memory lives that lasts across threads. `open_store` gives the one that a url names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graph_memory.urls import Opening, check_options, parse

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

    from graph_memory.stores._embedding import Embedder

__all__ = ["OPTIONS", "open_store"]

OPTIONS = frozenset({"dims", "fields", "ttl", "cache_mb", "timeout_seconds", "weights", "clock"})
"""What `open_store` takes beside `embed`; `SqliteStore` says what each means."""


def open_store(url: str, *, embed: Embedder | None = None, **options: Any) -> Opening[BaseStore]:
    """The store that a url names, for a `with` or an `async with` block.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute/path.db` or `sqlite://` (in memory, gone after the block).
        embed: LangChain `Embeddings`, a function (sync or async) from a list of texts to vectors, or an `init_embeddings`
            string such as "openai:text-embedding-3-small". Without it, search goes by words alone.
        options: see `SqliteStore`: dims, fields, ttl, cache_mb, timeout_seconds, weights, clock.

    Raises:
        ConfigurationError: the url, `embed` or an option is wrong.
        StoreError: on entering the block, when the file is foreign, damaged or cannot be written.
    """
    place = parse(url)
    check_options(options, OPTIONS, "open_store")
    from graph_memory.stores.sqlite import SqliteStore

    return SqliteStore(place.path, embed=embed, **options)
