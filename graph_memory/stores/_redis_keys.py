"""Names of the keys in Redis. Pure.

Owners (a namespace's first two labels) are spread over a fixed number of buckets, whose hash tag keeps everything of one owner in
one slot of a cluster. Each bucket has a directory of its namespaces, so all of them are listed without scanning the keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

from graph_memory.errors import ConfigurationError
from graph_memory.stores._ops import Namespace, encode_path, path_range

BUCKETS = 128
"""Never changed: it is part of where things are."""
_OWNER = 2  # labels
_SPACE = ("order", "rows", "expiry", "meta")


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names under a prefix that tells this store from other users of the same Redis.

    Raises:
        ConfigurationError: the prefix is empty or holds a brace.
    """

    prefix: str = "graph_memory"

    def __post_init__(self) -> None:
        if not isinstance(self.prefix, str) or not self.prefix or set("{}") & set(self.prefix):
            raise ConfigurationError("prefix must be text without braces, and not empty")

    def directory(self, bucket: int) -> bytes:
        """The sorted set of the namespaces of a bucket."""
        return _named(self.prefix, bucket, "spaces")

    def item(self, namespace: Namespace, key: str) -> bytes:
        """An item. A namespace has no empty label, so the doubled terminator parts it from the key."""
        return self.before(namespace) + key.encode()

    def before(self, namespace: Namespace) -> bytes:
        """What the names of a namespace's items begin with; the item's key follows."""
        return _items(self.prefix, namespace)

    def space(self, namespace: Namespace) -> Sequence[bytes]:
        """What a namespace has: directory, then order, rows, expiry and meta."""
        return _space(self.prefix, namespace)


@lru_cache(1024)
def bucket_of(namespace: Namespace) -> int:
    """The bucket of a namespace's owner."""
    return crc32(encode_path(namespace[:_OWNER]).encode()) % BUCKETS


def buckets_under(prefix: Namespace) -> Iterable[int]:
    """The buckets where namespaces under a prefix may be: one, unless the prefix is shorter than an owner."""
    return [bucket_of(prefix)] if len(prefix) >= _OWNER else range(BUCKETS)


def bounds(prefix: Namespace) -> tuple[bytes, bytes]:
    """The range of a directory's members under a prefix, as ZRANGEBYLEX takes it."""
    low, high = path_range(prefix)
    return b"[" + low.encode() if low else b"-", b"(" + high.encode() if high else b"+"


def _named(prefix: str, bucket: int, name: str) -> bytes:
    return f"{{{prefix}:{bucket}}}:{name}".encode()


@lru_cache(1024)
def _space(prefix: str, namespace: Namespace) -> tuple[bytes, ...]:
    """The keys of a namespace; kept as those of items are."""
    bucket, path = bucket_of(namespace), encode_path(namespace)
    return _named(prefix, bucket, "spaces"), *(_named(prefix, bucket, f"{kind}:{path}") for kind in _SPACE)


@lru_cache(1024)
def _items(prefix: str, namespace: Namespace) -> bytes:
    """What the names of a namespace's items begin with; kept because a batch has many of them."""
    return _named(prefix, bucket_of(namespace), f"item:{encode_path(namespace)}\x1f")
