"""Stores: where memory lives that lasts across threads. `open_store` gives the one that a url names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graph_memory.urls import Opening, check_options, extra, parse

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

    from graph_memory.stores._embedding import Embedder

__all__ = ["OPTIONS", "open_store"]

_COMMON = frozenset({"dims", "fields", "ttl", "timeout_seconds", "weights"})
OPTIONS = {
    "sqlite": _COMMON | {"cache_mb", "clock"},
    "postgresql": _COMMON | {"user", "pool_size"},
    "redis": _COMMON | {"cache_mb", "prefix", "most_ranked", "max_connections"},
    "supabase": _COMMON | {"key", "token", "max_connections"},
}
"""What `open_store` takes beside `embed`, by scheme; `SqliteStore`, `PostgresStore` and so on say what each means."""


def open_store(url: str, *, embed: Embedder | None = None, create: bool = True, **options: Any) -> Opening[BaseStore]:
    """The store that a url names, for a `with` or an `async with` block.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute/path.db` or `sqlite://` (in memory, gone after the block);
            `postgresql://user:password@host/database`; `redis://[user:password@]host[:port][/db]`, or `rediss://…` for TLS;
            `https://<project>.supabase.co` with `key=` and `token=`.
        embed: LangChain `Embeddings`, a function (sync or async) from a list of texts to vectors, or an `init_embeddings`
            string such as "openai:text-embedding-3-small". Without it, search goes by words alone.
        create: whether to make a SQLite file that is not there; for reading, better not. Servers have nothing to make.
        options: dims, fields, ttl, timeout_seconds, weights; cache_mb, clock (`SqliteStore`); user, pool_size (`PostgresStore`);
            cache_mb, prefix, most_ranked, max_connections (`RedisStore`); key, token, max_connections (`SupabaseStore`).

    Raises:
        ConfigurationError: the url, `embed` or an option is wrong; on entering the block, when the file's folder does not exist,
            or the file, which is not to be made.
        MissingExtraError: the packages that this kind of url needs are not installed.
        StoreError: on entering the block, when the file is foreign, damaged or cannot be written, or the server refuses.
        StoreUnavailableError: on entering the block, when the server does not answer.
    """
    place = parse(url)
    check_options(options, OPTIONS[place.scheme], "open_store")
    if place.scheme == "postgresql":
        with extra("Postgres", "postgres"):
            from graph_memory.stores.postgres import PostgresStore
        return PostgresStore(place.url, embed=embed, **options)
    if place.scheme == "redis":
        with extra("Redis", "redis"):
            from graph_memory.stores.redis import RedisStore
        return RedisStore(place.url, embed=embed, **options)
    if place.scheme == "supabase":
        with extra("Supabase", "supabase"):
            from graph_memory.stores.supabase import SupabaseStore
        return SupabaseStore(place.url, embed=embed, **options)
    from graph_memory.stores.sqlite import SqliteStore

    return SqliteStore(place.path, embed=embed, create=create, **options)
