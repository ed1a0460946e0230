"""Stores: where memory lives that lasts across threads. `open_store` gives the one that a url names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graph_memory.errors import ConfigurationError
from graph_memory.namespaces import escape, user_prefix
from graph_memory.urls import Opening, Place, check_options, extra, parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langgraph.store.base import BaseStore

    from graph_memory.stores._embedding import Embedder

__all__ = ["OPTIONS", "open_store"]

TIER = frozenset({"hot", "hot_seconds", "retry_seconds", "trust_seconds", "queue"})
SEAL = frozenset({"encrypt", "clear", "reads_plain"})
_COMMON = frozenset({"dims", "fields", "ttl", "timeout_seconds", "weights"}) | TIER | SEAL
OPTIONS = {
    "sqlite": _COMMON | {"cache_mb", "clock"},
    "postgresql": _COMMON | {"user", "pool_size"},
    "redis": _COMMON | {"cache_mb", "prefix", "most_ranked", "max_connections"},
    "supabase": _COMMON | {"key", "token", "max_connections"},
}
"""What `open_store` takes beside `embed`, by scheme; `SqliteStore`, `PostgresStore` and so on say what each means."""

_HOT_TIMEOUT = 0.5  # seconds: whoever waits longer for what should be fast is better served by the durable store


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
            cache_mb, prefix, most_ranked, max_connections (`RedisStore`); key, token, max_connections (`SupabaseStore`). With
            hot, the url of a Redis (or a store) in front of it, also hot_seconds, retry_seconds, trust_seconds and queue, see
            `TieredStore`. With encrypt, a key or several, values are encrypted; also clear and reads_plain, see `EncryptedStore`.

    Raises:
        ConfigurationError: the url, `embed` or an option is wrong; on entering the block, when the file's folder does not exist,
            or the file, which is not to be made.
        MissingExtraError: the packages that this kind of url needs are not installed.
        StoreError: on entering the block, when the file is foreign, damaged or cannot be written, or the server refuses.
        StoreUnavailableError: on entering the block, when the server does not answer.
    """
    place = parse(url)
    check_options(options, OPTIONS[place.scheme], "open_store")
    tier, seal = ({name: options.pop(name) for name in some & options.keys()} for some in (TIER, SEAL))
    store = _store(place, embed, options, create=create)
    if tier:
        store = _tiered(store, tier, options)
    return _encrypted(store, seal, options.get("fields")) if seal else store


def _store(place: Place, embed: Embedder | None, options: dict[str, Any], *, create: bool = True) -> Opening[BaseStore]:
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


def _tiered(durable: Any, tier: dict[str, Any], options: Mapping[str, Any]) -> Opening[BaseStore]:
    """The hot store knows no users: whoever's rights the durable one checks has copies of their own, or none."""
    from graph_memory.stores.tiered import TieredStore

    if "hot" not in tier:
        raise ConfigurationError(
            f"{', '.join(sorted(tier))} belong to a tier: name its hot store too, hot='redis://...'"
        )
    hot, user = tier.pop("hot"), options.get("user")
    if options.get("token") is not None or (user is not None and not _is_redis(hot)):
        raise ConfigurationError(
            "copies in a hot store would be readable past the rights that the durable one checks: with user=, name a Redis by "
            "its url, which keeps each user's apart; with token=, use no hot store"
        )
    if user is not None:
        tier["gate"] = (*user_prefix(user), "tier")
    if isinstance(hot, str):
        hot = _store(parse(hot), None, hot_options(hot, user, _HOT_TIMEOUT))
    return TieredStore(hot, durable, **tier)


def hot_options(url: str, user: str | None, timeout_seconds: float) -> dict[str, Any]:
    """What the hot store of a tier is opened with: keys of its own, and for a user's copies keys that are theirs alone."""
    prefix = "graph_memory_hot" if user is None else f"graph_memory_hot:{escape(user)}"
    return {"timeout_seconds": timeout_seconds} | ({"prefix": prefix} if _is_redis(url) else {})


def _is_redis(hot: Any) -> bool:
    return isinstance(hot, str) and parse(hot).scheme == "redis"


def _encrypted(store: Any, options: dict[str, Any], fields: Sequence[str] | None) -> Opening[BaseStore]:
    from graph_memory.stores.encrypted import EncryptedStore

    if options.get("encrypt") is None:
        raise ConfigurationError(f"{', '.join(sorted(options))} belong to encryption: give a key too, encrypt=...")
    return EncryptedStore(store, options.pop("encrypt"), fields=fields, **options)
