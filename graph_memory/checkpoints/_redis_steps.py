"""What the Redis checkpointer does, as rounds of commands; the same for its sync and its async methods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple, DeltaChannelHistory

from graph_memory.checkpoints._redis_codec import (
    BUCKETS,
    END,
    At,
    Codec,
    Head,
    directory_keys,
    escape,
    kept,
    place_of,
    run_name,
    thread_keys,
    unescape,
)
from graph_memory.checkpoints._redis_scripts import DROP, DUMP, FORGET, HISTORY, PUT, READ, RESTORE, WRITE
from graph_memory.errors import ConfigurationError
from graph_memory.redis_rounds import Call, Command, Script, Steps

_AT_ONCE = 50  # checkpoints of one reply
_THREADS, _RUNS, _ORDER, _HEADS, _BLOBS = 0, 1, 2, 3, 5


@dataclass(frozen=True, slots=True)
class Threads:
    """Where threads are, and how long they are kept.

    Attributes:
        prefix: of every key.
        ttl: milliseconds after the last write; 0 keeps them.
    """

    prefix: str
    ttl: int

    def keys(self, thread: str) -> list[bytes]:
        """Every key that scripts about a thread take."""
        return thread_keys(self.prefix, thread)

    def call(self, script: Script, thread: str, *args: Any) -> Call:
        """A run of a script on a thread."""
        return Call(script, self.keys(thread), args)

    def directories(self, kind: int) -> list[bytes]:
        """The key of every bucket's threads, or runs."""
        return [directory_keys(self.prefix, bucket)[kind] for bucket in range(BUCKETS)]


class Wanted:
    """What a listing asks for, and how much of it is still wanted."""

    def __init__(
        self,
        config: RunnableConfig | None,
        filter: dict[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> None:
        self.at = None if config is None else At.of(config)
        self.before: str | None = before["configurable"].get("checkpoint_id") if before else None
        self._filter = filter
        self._left = limit

    @property
    def is_done(self) -> bool:
        """Whether as many as wanted were taken."""
        return self._left is not None and self._left <= 0

    @property
    def most(self) -> int:
        """How many names to ask for; -1 is all, as a filter may let any of them through."""
        return -1 if self._left is None or self._filter else max(self._left, 0)

    def covers(self, place: At) -> bool:
        """Whether a checkpoint is asked for, by its name."""
        if self.before is not None and not (place.id or "") < self.before:
            return False
        return self.at is None or (
            self.at.space in (None, place.space) and self.at.id in (None, place.id) and self.at.thread == place.thread
        )

    def chunks(self, places: Sequence[At]) -> Iterator[Sequence[At]]:
        """The places, so many at once as are likely to be needed."""
        size = _AT_ONCE if self.most < 0 else min(max(self.most, 1), _AT_ONCE)
        for start in range(0, len(places), size):
            if self.is_done:
                return
            yield places[start : start + size]

    def taken(self, found: Iterable[CheckpointTuple]) -> Iterator[CheckpointTuple]:
        """Those of the checkpoints that the filter lets through, up to the limit."""
        for one in found:
            if self.is_done:
                return
            metadata: dict[str, Any] = dict(one.metadata)
            if all(metadata.get(key) == value for key, value in (self._filter or {}).items()):
                self._left = None if self._left is None else self._left - 1
                yield one


def put(threads: Threads, at: At, args: Sequence[Any]) -> Steps[None]:
    """Keeps a checkpoint."""
    yield [threads.call(PUT, at.thread, escape(at.thread), threads.ttl, *args)]


def write(threads: Threads, at: At, args: Sequence[Any]) -> Steps[None]:
    """Keeps a task's writes."""
    if args:
        yield [threads.call(WRITE, at.thread, escape(at.thread), threads.ttl, *args)]


def one(threads: Threads, codec: Codec, at: At) -> Steps[CheckpointTuple | None]:
    """The checkpoint at a place, or the latest there."""
    args = (b"latest", *at.bounds) if at.id is None else (at.name,)
    [found] = yield [threads.call(READ, at.thread, *args)]
    return codec.tuple(at.thread, found[0]) if found else None


def several(threads: Threads, codec: Codec, places: Sequence[At]) -> Steps[list[CheckpointTuple]]:
    """The checkpoints at these places, in this order; those that are gone are left out."""
    grouped: dict[str, list[At]] = {}
    for place in places:
        grouped.setdefault(place.thread, []).append(place)
    replies = yield [threads.call(READ, thread, *(at.name for at in some)) for thread, some in grouped.items()]
    found = {
        place_of(thread, reply[0]): codec.tuple(thread, reply)
        for thread, some in zip(grouped, replies, strict=True)
        for reply in some
    }
    return [found[place] for place in places if place in found]


def places(threads: Threads, wanted: Wanted) -> Steps[list[At]]:
    """The checkpoints that a listing covers, newest first."""
    if wanted.is_done:
        return []
    at = wanted.at
    if at is None:
        found = yield [("ZRANGE", key, 0, -1) for key in threads.directories(_THREADS)]
        names = [unescape(name.decode()) for some in found for name in some]
    else:
        names = [at.thread]
    replies = (yield [_order(threads, name, wanted) for name in names]) if names else []
    found_places = [place_of(thread, name) for thread, some in zip(names, replies, strict=True) for name in some]
    covered = [place for place in found_places if wanted.covers(place)]
    return sorted(covered, key=lambda place: place.id or "", reverse=True)


def forget(threads: Threads, names: Sequence[str]) -> Steps[None]:
    """Deletes threads."""
    if names:
        yield [threads.call(FORGET, name, escape(name)) for name in names]


def prune(threads: Threads, names: Sequence[str], strategy: str) -> Steps[None]:
    """Deletes what is old in some threads."""
    if strategy == "delete":
        yield from forget(threads, names)
        return
    if strategy != "keep_latest":
        raise ConfigurationError('the strategy of pruning is "keep_latest" or "delete"')
    for name in names:
        keys = threads.keys(name)
        heads, blobs = yield [("HGETALL", keys[_HEADS]), ("HKEYS", keys[_BLOBS])]
        known = _heads(name, heads)
        needed = kept(known, (blob.decode() for blob in blobs))
        yield from _dropped(threads, name, known, [at for at in known if at not in needed])


def drop_runs(threads: Threads, run_ids: Sequence[str]) -> Steps[None]:
    """Deletes what some runs wrote."""
    runs = {escape(run) for run in run_ids}
    if not runs:
        return
    ranges = [(f"[{run}{END}".encode(), f"({run}{chr(ord(END) + 1)}".encode()) for run in runs]
    found = yield [("ZRANGEBYLEX", key, low, high) for key in threads.directories(_RUNS) for low, high in ranges]
    names = dict.fromkeys(unescape(entry.decode().partition(END)[2]) for some in found for entry in some)
    for name in names:
        [heads] = yield [("HGETALL", threads.keys(name)[_HEADS])]
        known = _heads(name, heads)
        yield from _dropped(threads, name, known, [at for at, head in known.items() if head.run in runs])


def copy(threads: Threads, source: str, target: str) -> Steps[None]:
    """Makes one thread what another is."""
    if source == target:
        return
    [(dumps, heads)] = yield [threads.call(DUMP, source)]
    if any(dumps):
        runs = {run for run in (Head.read(head).run for head in heads) if run is not None}
        names = [run_name(run, target) for run in runs]
        yield [threads.call(RESTORE, target, escape(target), threads.ttl, *dumps, *names)]


def history(threads: Threads, codec: Codec, at: At, channels: Sequence[str]) -> Steps[dict[str, DeltaChannelHistory]]:
    """What channels are made of at a checkpoint."""
    if not channels:
        return {}
    if at.id is None:
        [latest] = yield [("ZREVRANGEBYLEX", threads.keys(at.thread)[_ORDER], *reversed(at.bounds), "LIMIT", 0, 1)]
        at = place_of(at.thread, latest[0]) if latest else at
    [found] = yield [threads.call(HISTORY, at.thread, at.name, *channels)]
    return codec.history(channels, found)


def _order(threads: Threads, thread: str, wanted: Wanted) -> Command:
    """The names of a thread's checkpoints: when one namespace is asked for, of that one alone, and no more than needed."""
    key, at = threads.keys(thread)[_ORDER], wanted.at
    if at is None or at.space is None or at.id is not None:
        return ("ZRANGE", key, 0, -1)
    low, high = at.bounds
    if wanted.before is not None:
        high = b"(" + replace(at, id=wanted.before).name
    return ("ZREVRANGEBYLEX", key, high, low, "LIMIT", 0, wanted.most)


def _heads(thread: str, reply: Any) -> dict[At, Head]:
    """HGETALL's reply, which redis-py makes a mapping for a single command and on a cluster leaves as it is."""
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
    return {place_of(thread, name): Head.read(data) for name, data in pairs}


def _dropped(threads: Threads, thread: str, known: dict[At, Head], gone: Sequence[At]) -> Steps[None]:
    """Deletes checkpoints; those that stay do not name a parent that went."""
    if not gone:
        return
    ids = {(at.space, at.id) for at in gone}
    orphans = [
        part
        for at, head in known.items()
        if head.parent is not None and (at.space, at.id) not in ids and (at.space, head.parent) in ids
        for part in (at.name, replace(head, parent=None).json)
    ]
    yield [threads.call(DROP, thread, escape(thread), len(gone), *(at.name for at in gone), *orphans)]
