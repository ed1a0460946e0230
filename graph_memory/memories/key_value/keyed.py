"""Typed values under keys: the part of key-value memory that application code calls, sync and async over one generator each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, overload

from graph_memory.errors import ConfigurationError
from graph_memory.memories.base import Memory
from graph_memory.memories.key_value.shelf import Shelf, checked_name, shelf_place
from graph_memory.memories.key_value.values import as_type
from graph_memory.steps import Steps, arun, run
from graph_memory.types import Scope

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

T = TypeVar("T")
D = TypeVar("D")


def utc_now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


_LONGEST_TTL_SECONDS = 100 * 366 * 86_400.0
"""What comes later than that no calendar holds in the end."""


def check_ttl(ttl_seconds: float | None) -> None:
    """Refuses what is no time to live.

    Raises:
        ConfigurationError: it is not above zero, or longer than a hundred years.
    """
    if ttl_seconds is not None and not 0 < ttl_seconds <= _LONGEST_TTL_SECONDS:
        raise ConfigurationError(
            f"ttl_seconds={ttl_seconds} is no time to live: give seconds above 0, up to a hundred years, or None"
        )


@dataclass(frozen=True, kw_only=True)
class KeyedValues(Memory):
    """Keeps JSON values under keys, in namespaces.

    Attributes:
        namespace: where values are set and got unless a call names another.
        ttl_seconds: how long a value holds unless a call says otherwise; None keeps it.
        versions: how many values set by application code are kept of each key, for `history`.
        compress_above_bytes: a value whose JSON is larger is packed by Zstandard; None packs nothing.
        shown_characters: how much of a value the context shows.
        clock: the time, for tests.
    """

    namespace: str = "profile"
    ttl_seconds: float | None = None
    versions: int = 1
    compress_above_bytes: int | None = 4096
    shown_characters: int = 200
    clock: Callable[[], datetime] = field(default=utc_now, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_name(self.namespace, "namespace")
        for name in ("versions", "shown_characters"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ConfigurationError(f"memory {self.name!r} needs {name} as a whole number, 1 or more")
        if self.compress_above_bytes is not None and self.compress_above_bytes < 0:
            raise ConfigurationError(f"memory {self.name!r} needs compress_above_bytes of 0 or more, or None")
        check_ttl(self.ttl_seconds)

    @overload
    def get(
        self, scope: Scope, key: str, default: Any = None, *, store: BaseStore, namespace: str | None = None
    ) -> Any: ...

    @overload
    def get(
        self, scope: Scope, key: str, default: D, *, store: BaseStore, type: type[T], namespace: str | None = None
    ) -> T | D: ...

    @overload
    def get(
        self,
        scope: Scope,
        key: str,
        default: None = None,
        *,
        store: BaseStore,
        type: type[T],
        namespace: str | None = None,
    ) -> T | None: ...

    def get(
        self,
        scope: Scope,
        key: str,
        default: Any = None,
        *,
        store: BaseStore,
        type: Any = None,
        namespace: str | None = None,
    ) -> Any:
        """The value under a key, or `default` when there is none, it was deleted or has expired.

        Args:
            scope: whose memory.
            key: what to look up.
            default: given back when there is no value; it is not checked.
            store: where values are kept.
            type: what the value is turned into and checked by: a class, `list[int]`, a pydantic model, a dataclass.
            namespace: where to look; None takes the memory's own.

        Raises:
            ConfigurationError: the key or the scope makes no sense.
            StoreError: the store failed, or the value is not of that type.
        """
        return run(self._get(scope, key, default, type, namespace), store=store)

    @overload
    async def aget(
        self, scope: Scope, key: str, default: Any = None, *, store: BaseStore, namespace: str | None = None
    ) -> Any: ...

    @overload
    async def aget(
        self, scope: Scope, key: str, default: D, *, store: BaseStore, type: type[T], namespace: str | None = None
    ) -> T | D: ...

    @overload
    async def aget(
        self,
        scope: Scope,
        key: str,
        default: None = None,
        *,
        store: BaseStore,
        type: type[T],
        namespace: str | None = None,
    ) -> T | None: ...

    async def aget(
        self,
        scope: Scope,
        key: str,
        default: Any = None,
        *,
        store: BaseStore,
        type: Any = None,
        namespace: str | None = None,
    ) -> Any:
        """`get`, awaiting the store."""
        return await arun(self._get(scope, key, default, type, namespace), store=store)

    def set(
        self,
        scope: Scope,
        key: str,
        value: Any,
        *,
        store: BaseStore,
        ttl_seconds: float | None = None,
        namespace: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Sets a key to a JSON value, in place of the one before.

        Args:
            scope: whose memory.
            key: 1 to 512 characters.
            value: None, bool, int, float, str, or lists and dicts of these.
            store: where values are kept.
            ttl_seconds: how long it holds; None takes the memory's own.
            namespace: where to set it; None takes the memory's own.
            metadata: what a search or a recall may filter by.

        Raises:
            ConfigurationError: the value is not JSON, or the key or the scope makes no sense.
            StoreError: the store failed.
        """
        run(self._set(scope, key, value, ttl_seconds, namespace, metadata), store=store)

    async def aset(
        self,
        scope: Scope,
        key: str,
        value: Any,
        *,
        store: BaseStore,
        ttl_seconds: float | None = None,
        namespace: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """`set`, awaiting the store."""
        await arun(self._set(scope, key, value, ttl_seconds, namespace, metadata), store=store)

    def delete(self, scope: Scope, key: str, *, store: BaseStore, namespace: str | None = None) -> bool:
        """Deletes a key; whether there was a value.

        Raises:
            StoreError: the store failed.
        """
        return run(self._delete(scope, key, namespace), store=store)

    async def adelete(self, scope: Scope, key: str, *, store: BaseStore, namespace: str | None = None) -> bool:
        """`delete`, awaiting the store."""
        return await arun(self._delete(scope, key, namespace), store=store)

    def list(self, scope: Scope, prefix: str = "", *, store: BaseStore, namespace: str | None = None) -> Sequence[str]:
        """The keys that begin with `prefix` and hold a value, sorted.

        Raises:
            StoreError: the store failed.
        """
        return run(self._keys(scope, prefix, namespace), store=store)

    async def alist(
        self, scope: Scope, prefix: str = "", *, store: BaseStore, namespace: str | None = None
    ) -> Sequence[str]:
        """`list`, awaiting the store."""
        return await arun(self._keys(scope, prefix, namespace), store=store)

    def items(
        self, scope: Scope, prefix: str = "", *, store: BaseStore, namespace: str | None = None
    ) -> Mapping[str, Any]:
        """Keys that begin with `prefix`, with their values, sorted by key.

        Raises:
            StoreError: the store failed, or a value is damaged.
        """
        return run(self._items(scope, prefix, namespace), store=store)

    async def aitems(
        self, scope: Scope, prefix: str = "", *, store: BaseStore, namespace: str | None = None
    ) -> Mapping[str, Any]:
        """`items`, awaiting the store."""
        return await arun(self._items(scope, prefix, namespace), store=store)

    def history(
        self, scope: Scope, key: str, *, store: BaseStore, namespace: str | None = None
    ) -> Sequence[tuple[datetime, Any]]:
        """What a key was set to, newest first, each with its time: the last `versions` values, and those learnt in turns.

        Raises:
            StoreError: the store failed, or a value is damaged.
        """
        return run(self._history(scope, key, namespace), store=store)

    async def ahistory(
        self, scope: Scope, key: str, *, store: BaseStore, namespace: str | None = None
    ) -> Sequence[tuple[datetime, Any]]:
        """`history`, awaiting the store."""
        return await arun(self._history(scope, key, namespace), store=store)

    def _get(self, scope: Scope, key: str, default: Any, wanted: Any, space: str | None) -> Steps[Any]:
        known = yield from self.shelf(scope, space).versions_of(checked_name(key, "key"))
        if not known or not known[0].holds_at(self.clock()):
            return default
        return known[0].value if wanted is None else as_type(known[0].value, wanted)

    def _set(
        self,
        scope: Scope,
        key: str,
        value: Any,
        ttl_seconds: float | None,
        space: str | None,
        metadata: Mapping[str, Any] | None,
    ) -> Steps[None]:
        ttl = self.ttl_seconds if ttl_seconds is None else ttl_seconds
        check_ttl(ttl)
        shelf, key = self.shelf(scope, space), checked_name(key, "key")
        yield from shelf.set(key, value, self.clock(), ttl, metadata or {})

    def _delete(self, scope: Scope, key: str, space: str | None) -> Steps[bool]:
        return (yield from self.shelf(scope, space).delete(checked_name(key, "key"), self.clock()))

    def _keys(self, scope: Scope, prefix: str, space: str | None) -> Steps[Sequence[str]]:
        found, now = (yield from self.shelf(scope, space).newest()), self.clock()
        return sorted(v.key for v in found if v.key.startswith(prefix) and v.holds_at(now))

    def _items(self, scope: Scope, prefix: str, space: str | None) -> Steps[Mapping[str, Any]]:
        found, now = (yield from self.shelf(scope, space).newest()), self.clock()
        return {
            v.key: v.value for v in sorted(found, key=lambda v: v.key) if v.key.startswith(prefix) and v.holds_at(now)
        }

    def _history(self, scope: Scope, key: str, space: str | None) -> Steps[Sequence[tuple[datetime, Any]]]:
        known = yield from self.shelf(scope, space).versions_of(checked_name(key, "key"))
        return [(version.moment, version.value) for version in known if version.memo is not None]

    def shelf(self, scope: Scope, space: str | None = None) -> Shelf:
        """Where a namespace's values are kept; None is the memory's own."""
        name = self.namespace if space is None else checked_name(space, "namespace")
        where = shelf_place(scope, self.name, name)
        return Shelf(where, self.name, name, self.versions, self.compress_above_bytes, self.shown_characters)
