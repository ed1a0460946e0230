"""What the Redis checkpointer does, as rounds of commands; the same for its sync and its async methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from langgraph.checkpoint.base import CheckpointTuple, DeltaChannelHistory

from graph_memory.checkpoints._codec import At, Codec, Kept, Write
from graph_memory.checkpoints._redis_codec import (
    BUCKETS,
    END,
    Head,
    bounds_of,
    directory_keys,
    escape,
    history_of,
    kept,
    name_of,
    place_of,
    put_args,
    run_name,
    thread_keys,
    tuple_of,
    unescape,
    write_args,
)
from graph_memory.checkpoints._redis_scripts import DROP, DUMP, FORGET, HISTORY, PUT, READ, RESTORE, WRITE
from graph_memory.checkpoints._saver import Wanted
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

    def put(self, kept: Kept) -> Steps[None]:
        """Keeps a checkpoint."""
        yield [self._write_call(PUT, kept.at.thread, *put_args(kept))]

    def write(self, at: At, writes: Sequence[Write]) -> Steps[None]:
        """Keeps a task's writes."""
        yield [self._write_call(WRITE, at.thread, *write_args(at, writes))]

    def one(self, codec: Codec, at: At) -> Steps[CheckpointTuple | None]:
        """The checkpoint at a place, or the latest there."""
        args = (b"latest", *bounds_of(at)) if at.id is None else (name_of(at),)
        [found] = yield [self._call(READ, at.thread, *args)]
        return tuple_of(codec, at.thread, found[0]) if found else None

    def page(
        self, codec: Codec, wanted: Wanted, rest: Sequence[At] | None
    ) -> Steps[tuple[list[CheckpointTuple], Sequence[At] | None]]:
        """Some checkpoints, newest first, and the places of the others."""
        places = (yield from self._places(wanted)) if rest is None else rest
        size = _AT_ONCE if wanted.most is None else min(max(wanted.most, 1), _AT_ONCE)
        found = (yield from self._several(codec, places[:size])) if places else []
        return found, places[size:] or None

    def forget(self, threads: Sequence[str]) -> Steps[None]:
        """Deletes threads."""
        if threads:
            yield [self._call(FORGET, name, escape(name)) for name in threads]

    def prune(self, threads: Sequence[str]) -> Steps[None]:
        """Deletes what is old in some threads."""
        for name in threads:
            keys = thread_keys(self.prefix, name)
            heads, blobs = yield [("HGETALL", keys[_HEADS]), ("HKEYS", keys[_BLOBS])]
            known = _heads(name, heads)
            needed = kept(known, (blob.decode() for blob in blobs))
            yield from self._dropped(name, known, [at for at in known if at not in needed])

    def drop_runs(self, runs: Sequence[str]) -> Steps[None]:
        """Deletes what some runs wrote."""
        escaped = {escape(run) for run in runs}
        if not escaped:
            return
        ranges = [(f"[{run}{END}".encode(), f"({run}{chr(ord(END) + 1)}".encode()) for run in escaped]
        found = yield [("ZRANGEBYLEX", key, low, high) for key in self.directories(_RUNS) for low, high in ranges]
        names = dict.fromkeys(unescape(entry.decode().partition(END)[2]) for some in found for entry in some)
        for name in names:
            [heads] = yield [("HGETALL", thread_keys(self.prefix, name)[_HEADS])]
            known = _heads(name, heads)
            yield from self._dropped(name, known, [at for at, head in known.items() if head.run in escaped])

    def copy(self, source: str, target: str) -> Steps[None]:
        """Makes one thread what another is."""
        if source == target:
            return
        [(dumps, heads)] = yield [self._call(DUMP, source)]
        if any(dumps):
            runs = {run for run in (Head.read(head).run for head in heads) if run is not None}
            yield [self._write_call(RESTORE, target, *dumps, *(run_name(run, target) for run in runs))]

    def history(self, codec: Codec, at: At, channels: Sequence[str]) -> Steps[dict[str, DeltaChannelHistory]]:
        """What channels are made of at a checkpoint."""
        if at.id is None:
            order, [low, high] = thread_keys(self.prefix, at.thread)[_ORDER], bounds_of(at)
            [latest] = yield [("ZREVRANGEBYLEX", order, high, low, "LIMIT", 0, 1)]
            at = place_of(at.thread, latest[0]) if latest else at
        [found] = yield [self._call(HISTORY, at.thread, name_of(at), *channels)]
        return history_of(codec, channels, found)

    def _call(self, script: Script, thread: str, *args: Any) -> Call:
        """A run of a script on a thread."""
        return Call(script, thread_keys(self.prefix, thread), args)

    def _write_call(self, script: Script, thread: str, *args: Any) -> Call:
        """A run of a script after which the thread's time begins anew."""
        return self._call(script, thread, escape(thread), self.ttl, *args)

    def directories(self, kind: int) -> list[bytes]:
        """The key of every bucket's threads, or runs."""
        return [directory_keys(self.prefix, bucket)[kind] for bucket in range(BUCKETS)]

    def _several(self, codec: Codec, places: Sequence[At]) -> Steps[list[CheckpointTuple]]:
        """The checkpoints at these places, in this order; those that are gone are left out."""
        grouped: dict[str, list[At]] = {}
        for place in places:
            grouped.setdefault(place.thread, []).append(place)
        replies = yield [self._call(READ, thread, *map(name_of, some)) for thread, some in grouped.items()]
        found = {
            place_of(thread, reply[0]): tuple_of(codec, thread, reply)
            for thread, some in zip(grouped, replies, strict=True)
            for reply in some
        }
        return [found[place] for place in places if place in found]

    def _places(self, wanted: Wanted) -> Steps[list[At]]:
        """The checkpoints that a listing covers, newest first."""
        at = wanted.at
        if at is None:
            found = yield [("ZRANGE", key, 0, -1) for key in self.directories(_THREADS)]
            names = [unescape(name.decode()) for some in found for name in some]
        else:
            names = [at.thread]
        replies = (yield [self._order(name, wanted) for name in names]) if names else []
        places = [place_of(thread, name) for thread, some in zip(names, replies, strict=True) for name in some]
        return sorted(
            (place for place in places if _covers(wanted, place)), key=lambda place: place.id or "", reverse=True
        )

    def _order(self, thread: str, wanted: Wanted) -> Command:
        """The names of a thread's checkpoints: of one namespace alone when it is asked for, and no more than needed."""
        key, at = thread_keys(self.prefix, thread)[_ORDER], wanted.at
        if at is None or at.space is None or at.id is not None:
            return ("ZRANGE", key, 0, -1)
        low, high = bounds_of(at)
        if wanted.before is not None:
            high = b"(" + name_of(replace(at, id=wanted.before))
        return ("ZREVRANGEBYLEX", key, high, low, "LIMIT", 0, -1 if wanted.most is None else wanted.most)

    def _dropped(self, thread: str, known: dict[At, Head], gone: Sequence[At]) -> Steps[None]:
        """Deletes checkpoints; those that stay do not name a parent that went."""
        if not gone:
            return
        ids = {(at.space, at.id) for at in gone}
        orphans = [
            part
            for at, head in known.items()
            if head.parent is not None and (at.space, at.id) not in ids and (at.space, head.parent) in ids
            for part in (name_of(at), replace(head, parent=None).json)
        ]
        yield [self._call(DROP, thread, escape(thread), len(gone), *map(name_of, gone), *orphans)]


def _covers(wanted: Wanted, place: At) -> bool:
    """Whether a checkpoint is asked for, by its name."""
    if wanted.before is not None and not (place.id or "") < wanted.before:
        return False
    at = wanted.at
    return at is None or (at.space in (None, place.space) and at.id in (None, place.id) and at.thread == place.thread)


def _heads(thread: str, reply: Any) -> dict[At, Head]:
    """HGETALL's reply, which redis-py makes a mapping for a single command and on a cluster leaves as it is."""
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
    return {place_of(thread, name): Head.read(data) for name, data in pairs}
