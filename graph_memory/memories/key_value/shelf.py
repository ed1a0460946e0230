"""Where key-value memory keeps one namespace: immutable memos under deterministic ids, of which the newest of a key counts.

What a graph's turn writes has an id of its turn, so that a re-run writes it again and a fork still finds the value before; what
application code writes is replaced in place. A deletion is a tombstone: an item that is no memo, so that no search finds it. No
item holds more than one value, so two writers of different keys never meet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from langgraph.store.base import Item, PutOp, SearchOp

from graph_memory.errors import ConfigurationError
from graph_memory.memories.key_value.values import from_fields, shown, to_fields
from graph_memory.memories.records import is_valid_at, memo_id, stored
from graph_memory.namespaces import label, namespace
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Memo, Origin, Scope, utc

KIND = "value"
"""Kind of the memos that hold a value."""

LONGEST_NAME = 512
"""Characters that a key or the name of a namespace may have."""

_TOMBSTONE = "tombstone"
_DELETED, _EXPIRED = "deleted", "expired"
_ORIGIN = tuple(field.name for field in fields(Origin))
PAGE = 500
"""Items that are asked for at once."""

TICK = timedelta(microseconds=1)
"""What tells two moments apart."""


@dataclass(frozen=True, slots=True)
class Version:
    """What a key was set to, or that it was deleted.

    Attributes:
        key: whose version it is.
        moment: when it was set or deleted; the newest version counts.
        origin: which turn wrote it; without a turn id, application code did.
        place: store namespace and key of the item.
        item: what the store keeps.
        memo: None for a tombstone.
    """

    key: str
    moment: datetime
    origin: Origin
    place: tuple[tuple[str, ...], str]
    item: Mapping[str, Any]
    memo: Memo | None = None

    def holds_at(self, now: datetime) -> bool:
        """Whether it is a value that has not expired."""
        return self.memo is not None and is_valid_at(self.memo, now)

    @property
    def value(self) -> Any:
        """What the key was set to.

        Raises:
            StoreError: it is damaged.
        """
        return from_fields(self.item)


@dataclass(frozen=True, slots=True)
class Shelf:
    """One namespace of one scope.

    Attributes:
        where: the store namespace above those of its keys.
        memory: name of the memory.
        space: name of the namespace.
        versions: how many values set by application code are kept of each key.
        compress_above_bytes: larger values are packed; None packs nothing.
        shown_characters: how much of a value is shown in the context.
    """

    where: tuple[str, ...]
    memory: str
    space: str
    versions: int
    compress_above_bytes: int | None
    shown_characters: int

    def versions_of(self, key: str) -> Steps[list[Version]]:
        """All versions of a key, newest first."""
        items = yield from every_item(key_place(self.where, key))
        return [version for version in newest_first(items) if version.key == key]

    def newest(self) -> Steps[list[Version]]:
        """The newest version of every key, oldest first; tombstones and expired values are among them."""
        items = yield from every_item(self.where)
        found: dict[str, Version] = {}
        for version in newest_first(items):
            found.setdefault(version.key, version)
        return sorted(found.values(), key=lambda version: (version.moment, version.key))

    def set(
        self, key: str, value: Any, now: datetime, ttl_seconds: float | None, metadata: Mapping[str, Any]
    ) -> Steps[None]:
        """Sets a value for application code; it is the newest, whatever the clock says."""
        known = yield from self.versions_of(key)
        origin = Origin("", memory=self.memory, ordinal=self._slot(known))
        puts = self.puts(key, value, origin, _after(known, now), ttl_seconds=ttl_seconds, metadata=metadata)
        yield StoreOps(puts)

    def delete(self, key: str, now: datetime) -> Steps[bool]:
        """Deletes a key for application code; whether there was a value.

        What turns wrote stays behind the tombstone, for forks of their thread.
        """
        known = yield from self.versions_of(key)
        gone: dict[tuple[tuple[str, ...], str], PutOp] = {
            version.place: PutOp(*version.place, None) for version in known if not version.origin.turn_id
        }
        if any(version.origin.turn_id for version in known):
            tomb = self.tombstone(key, Origin("", memory=self.memory), _after(known, now))
            gone[tomb.namespace, tomb.key] = tomb
        yield StoreOps(list(gone.values()))
        return bool(known) and known[0].holds_at(now)

    def puts(
        self,
        key: str,
        value: Any,
        origin: Origin,
        moment: datetime,
        *,
        ttl_seconds: float | None = None,
        metadata: Mapping[str, Any] | None = None,
        source: str = "",
        stem: str = "",
    ) -> list[PutOp]:
        """Operations that set a value; a turn's `stem` makes its ids, so that forks write under ids of their own.

        A value that expires has a tombstone beneath it: when a store drops it, the value before must not come back.

        Raises:
            ConfigurationError: the value is not JSON.
        """
        fields = to_fields(value, self.compress_above_bytes)
        memo = Memo(
            id=self._id(key, origin, stem),
            text=f"{key}: {shown(value, self.shown_characters)}",
            origin=origin,
            said_at=moment,
            kind=KIND,
            source=source,
            metadata={**(metadata or {}), "key": key, "namespace": self.space},
            valid_to=None if ttl_seconds is None else moment + timedelta(seconds=ttl_seconds),
        )
        item, where = {**stored(memo, ()), **fields}, key_place(self.where, key)
        put = PutOp(where, memo.id, item, index=["search"], ttl=None if ttl_seconds is None else ttl_seconds / 60)
        return [put] if ttl_seconds is None else [self.tombstone(key, origin, moment, _EXPIRED, stem=stem), put]

    def tombstone(self, key: str, origin: Origin, moment: datetime, why: str = _DELETED, *, stem: str = "") -> PutOp:
        """The operation that deletes a key."""
        item = {
            _TOMBSTONE: why,
            "said_at": moment.isoformat(),
            "origin": asdict(origin),
            "metadata": {"key": key, "namespace": self.space},
        }
        mark = _EXPIRED if why == _EXPIRED else ""
        return PutOp(key_place(self.where, key), self._id(key, origin, stem, mark), item, index=False)

    def _slot(self, known: Sequence[Version]) -> int:
        """The place of the next value: a free one, else that of the oldest."""
        mine = [v for v in known if not v.origin.turn_id and v.item.get(_TOMBSTONE) != _EXPIRED]
        taken = [version.origin.ordinal for version in mine][: self.versions]
        free = [slot for slot in range(self.versions) if slot not in taken]
        return free[0] if free else taken[-1]

    def _id(self, key: str, origin: Origin, stem: str, mark: str = "") -> str:
        whose = "\x1f".join((self.memory, self.space, mark, key))
        return memo_id(stem, origin.turn_id, whose, origin.ordinal)


def shelf_place(scope: Scope, memory: str, space: str) -> tuple[str, ...]:
    """The store namespace of one namespace of a memory.

    Raises:
        ConfigurationError: the scope names neither a user nor a thread.
    """
    return (*namespace(scope, memory), label("space", space))


def key_place(shelf: tuple[str, ...], key: str) -> tuple[str, ...]:
    """The store namespace of one key's versions, whatever its length and alphabet."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return (*shelf, label("key", digest))


def checked_name(name: str, what: str) -> str:
    """A key or the name of a namespace.

    Raises:
        ConfigurationError: it is no text, blank, or longer than `LONGEST_NAME`.
    """
    if not isinstance(name, str):
        raise ConfigurationError(f"a {what} is text, got {type(name).__name__}")
    if not name.strip() or len(name) > LONGEST_NAME:
        raise ConfigurationError(
            f"a {what} has 1 to {LONGEST_NAME} characters, not all blank; this one has {len(name)}"
        )
    return name


def holding(versions: Iterable[Version], now: datetime) -> list[Memo]:
    """The memos of the versions that are values and have not expired."""
    return [version.memo for version in versions if version.memo is not None and version.holds_at(now)]


def every_item(prefix: tuple[str, ...]) -> Steps[list[Item]]:
    """Everything that a store keeps under a namespace, each once; what is over too, which the caller's clock tells."""
    found: dict[tuple[tuple[str, ...], str], Item] = {}
    offset = 0
    while True:
        search = SearchOp(prefix, limit=PAGE, offset=offset, refresh_ttl=False)
        [page] = yield StoreOps([search], with_expired=True)
        offset += len(page)
        found |= {(item.namespace, item.key): item for item in page if item.namespace[: len(prefix)] == prefix}
        if len(page) < PAGE:
            return list(found.values())


def newest_first(items: Iterable[Item]) -> list[Version]:
    """The items that are versions of keys, the newest first; at the same moment a value comes before a tombstone."""
    found = [version for item in items if (version := _version(item)) is not None]
    return sorted(found, key=lambda v: (v.moment, v.memo is not None, v.place[1]), reverse=True)


def _version(item: Item) -> Version | None:
    """The item decoded; None when it is something else."""
    value = item.value
    try:
        origin = Origin(**{name: value["origin"][name] for name in _ORIGIN if name in value["origin"]})
        memo = None if _TOMBSTONE in value else Memo.from_value(value)
        moment = utc(datetime.fromisoformat(value["said_at"]))
        key = value["metadata"]["key"]
    except (KeyError, TypeError, ValueError):
        return None
    return Version(key, moment, origin, (item.namespace, item.key), value, memo)


def _after(known: Sequence[Version], now: datetime) -> datetime:
    """Now, or right after the newest version where the clock went back since."""
    return max(now, known[0].moment + TICK) if known else now
