"""The names of what a Redis checkpointer keeps, and the bytes behind them. Pure, but for the serializer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from langgraph.checkpoint.base import CheckpointTuple, DeltaChannelHistory

from graph_memory.checkpoints._codec import At, Codec, Kept, Write

BUCKETS = 128
"""Never changed: it is part of where things are."""
END, _ESCAPE = "\x1f", "\x1b"
_OF_THREAD = ("order", "heads", "bodies", "blobs", "writes", "tasks")


def escape(text: str) -> str:
    """The text without the terminator."""
    return text.replace(_ESCAPE, _ESCAPE + "0").replace(END, _ESCAPE + "1")


def unescape(text: str) -> str:
    """What was escaped."""
    return text.replace(_ESCAPE + "1", END).replace(_ESCAPE + "0", _ESCAPE)


def name_of(at: At) -> bytes:
    """A checkpoint's name within its thread; names sort by namespace, then by id."""
    return f"{escape(at.space or '')}{END}{escape(at.id or '')}".encode()


def bounds_of(at: At) -> tuple[bytes, bytes]:
    """The range of the names of all checkpoints of a namespace, as ZRANGEBYLEX takes it."""
    space = escape(at.space or "").encode()
    return b"[" + space + b"\x1f", b"(" + space + b"\x20"


def place_of(thread: str, name: bytes) -> At:
    """The checkpoint of a thread that a name names."""
    space, _, id_ = name.decode().partition(END)
    return At(thread, unescape(space), unescape(id_))


def bucket_of(thread: str) -> int:
    """The bucket of a thread."""
    return crc32(thread.encode()) % BUCKETS


def directory_keys(prefix: str, bucket: int) -> list[bytes]:
    """Threads and runs of a bucket."""
    return [f"{{{prefix}:{bucket}}}:{kind}".encode() for kind in ("threads", "runs")]


def thread_keys(prefix: str, thread: str) -> list[bytes]:
    """Every key that scripts about a thread take."""
    bucket = bucket_of(thread)
    own = [f"{{{prefix}:{bucket}}}:thread-{kind}:{thread}".encode() for kind in _OF_THREAD]
    return [*directory_keys(prefix, bucket), *own]


@dataclass(frozen=True, slots=True)
class Head:
    """What scripts and pruning need of a checkpoint, without its content.

    Attributes:
        parent: id of the checkpoint before it.
        run: the escaped id of the run that wrote it.
        blobs: channel to the name of its blob.
        deltas: channels whose value is made of ancestors' writes.
    """

    parent: str | None
    run: str | None
    blobs: Mapping[str, str]
    deltas: Sequence[str] = ()

    @property
    def json(self) -> str:
        """As it is stored; what is absent is left out, because Lua's null is no nil."""
        parent = None if self.parent is None else escape(self.parent)
        given = {"p": parent, "r": self.run, "f": dict(self.blobs), "d": list(self.deltas) or None}
        return json.dumps({key: value for key, value in given.items() if value is not None}, separators=(",", ":"))

    @classmethod
    def read(cls, data: bytes) -> Head:
        """The head that is stored."""
        given = json.loads(data)
        parent = given.get("p")
        return cls(None if parent is None else unescape(parent), given.get("r"), given["f"], given.get("d", ()))


def run_name(run: str, thread: str) -> str:
    """The entry that says that a run, whose id is escaped already, wrote in a thread."""
    return f"{run}{END}{escape(thread)}"


def put_args(kept: Kept) -> list[Any]:
    """What the script PUT takes after thread and ttl."""
    at, run = kept.at, None if kept.run is None else escape(kept.run)
    blobs = {channel: _blob_name(at, channel, version) for channel, version in kept.versions.items()}
    values = [part for value in kept.values for part in (_blob_name(at, value.channel, value.version), value.data)]
    entry = "" if run is None else run_name(run, at.thread)
    return [name_of(at), Head(kept.parent, run, blobs, kept.deltas).json, kept.body, entry, *values]


def write_args(at: At, writes: Sequence[Write]) -> list[Any]:
    """What the script WRITE takes after thread and ttl."""
    args: list[Any] = []
    for write in writes:
        name = name_of(at) + f"{END}{escape(write.task)}{END}{write.place}".encode()
        args += name, int(write.place < 0), write.data
    return args


def tuple_of(codec: Codec, thread: str, reply: Sequence[Any]) -> CheckpointTuple:
    """One checkpoint as the script READ returns it."""
    name, data, body, blobs, writes = reply
    head = Head.read(data)
    stored = dict(zip((name.decode() for name in blobs[::2]), blobs[1::2], strict=True))
    values = {channel: stored[name] for channel, name in head.blobs.items() if name in stored}
    return codec.restored(place_of(thread, name), head.parent, body, values, writes[1::2])


def history_of(codec: Codec, channels: Sequence[str], reply: Sequence[Any]) -> dict[str, DeltaChannelHistory]:
    """What the script HISTORY returns, per channel."""
    steps, found = reply
    seeds = {channel.decode(): (int(count), blob) for channel, count, blob in found}
    return codec.history(channels, [step[1::2] for step in steps], seeds)


def _blob_name(at: At, channel: str, version: str) -> str:
    return f"{escape(at.space or '')}{END}{escape(channel)}{END}{escape(version)}"


def kept(heads: Mapping[At, Head], blobs: Iterable[str]) -> set[At]:
    """The latest checkpoint of each namespace, and those of its ancestors that its delta channels are made of."""
    latest: dict[str, At] = {}
    for at in heads:
        space = at.space or ""
        if space not in latest or (at.id or "") > (latest[space].id or ""):
            latest[space] = at
    stored = frozenset(blobs)
    return {one for at in latest.values() for one in _needed(at, heads, stored)}


def _needed(at: At, heads: Mapping[At, Head], blobs: frozenset[str]) -> Iterable[At]:
    yield at
    left = {channel for channel in heads[at].deltas if heads[at].blobs.get(channel) not in blobs}
    while left and (parent := heads[at].parent) is not None:
        at = At(at.thread, at.space, parent)
        if at not in heads:
            return
        yield at
        left = {channel for channel in left if heads[at].blobs.get(channel) not in blobs}
