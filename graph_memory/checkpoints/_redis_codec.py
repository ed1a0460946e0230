"""What a Redis checkpointer keeps, as names and bytes, and back. Pure, but for the serializer.

Values go through LangGraph's serializer, and so does all of a checkpoint and its metadata; with an `EncryptedSerializer`
Redis sees none of them. It sees names: of threads, namespaces, checkpoints, channels with their versions, tasks and runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from zlib import crc32

import ormsgpack
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    PendingWrite,
    get_checkpoint_metadata,
    writes_sort_key,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from graph_memory.errors import ConfigurationError

BUCKETS = 128
"""Never changed: it is part of where things are."""
END, _ESCAPE = "\x1f", "\x1b"
_OF_THREAD = ("order", "heads", "bodies", "blobs", "writes", "tasks")


@dataclass(frozen=True, slots=True)
class At:
    """A place among checkpoints.

    Attributes:
        thread: its id.
        space: checkpoint namespace; None is all of them.
        id: of the checkpoint; None is the latest.
    """

    thread: str
    space: str | None = ""
    id: str | None = None

    @classmethod
    def of(cls, config: RunnableConfig) -> At:
        """What a config names.

        Raises:
            ConfigurationError: it names no thread.
        """
        named = config.get("configurable", {})
        if named.get("thread_id") is None:
            raise ConfigurationError('a checkpoint needs a thread: give config={"configurable": {"thread_id": "1"}}')
        space = named.get("checkpoint_ns")
        return cls(str(named["thread_id"]), None if space is None else str(space), named.get("checkpoint_id") or None)

    @property
    def config(self) -> RunnableConfig:
        """The config that names it."""
        return {"configurable": {"thread_id": self.thread, "checkpoint_ns": self.space or "", "checkpoint_id": self.id}}

    @property
    def name(self) -> bytes:
        """A checkpoint's name within its thread; names sort by namespace, then by id."""
        return f"{escape(self.space or '')}{END}{escape(self.id or '')}".encode()

    @property
    def bounds(self) -> tuple[bytes, bytes]:
        """The range of the names of all checkpoints of the namespace, as ZRANGEBYLEX takes it."""
        space = escape(self.space or "").encode()
        return b"[" + space + b"\x1f", b"(" + space + b"\x20"


def escape(text: str) -> str:
    """The text without the terminator."""
    return text.replace(_ESCAPE, _ESCAPE + "0").replace(END, _ESCAPE + "1")


def unescape(text: str) -> str:
    """What was escaped."""
    return text.replace(_ESCAPE + "1", END).replace(_ESCAPE + "0", _ESCAPE)


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


def head_of(at: At, parent: str | None, checkpoint: Checkpoint, metadata: Mapping[str, Any]) -> Head:
    """The head of a checkpoint."""
    run = metadata.get("run_id")
    blobs = {channel: _blob_name(at, channel, version) for channel, version in checkpoint["channel_versions"].items()}
    deltas = list(metadata.get("counters_since_delta_snapshot") or ())
    return Head(parent, None if run is None else escape(str(run)), blobs, deltas)


def run_name(run: str, thread: str) -> str:
    """The entry that says that a run, whose id is escaped already, wrote in a thread."""
    return f"{run}{END}{escape(thread)}"


@dataclass(frozen=True, slots=True)
class Codec:
    """Checkpoints and writes to bytes and back."""

    serde: SerializerProtocol

    def put(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, versions: ChannelVersions
    ) -> tuple[At, list[Any]]:
        """The place of a new checkpoint, and what the script PUT takes after thread and ttl."""
        parent = At.of(config)
        at = At(parent.thread, parent.space or "", checkpoint["id"])
        full = get_checkpoint_metadata(config, metadata)
        head = head_of(at, parent.id, checkpoint, full)
        values = checkpoint["channel_values"]
        rest = {key: value for key, value in checkpoint.items() if key != "channel_values"}
        body = ormsgpack.packb([*self.serde.dumps_typed(rest), *self.serde.dumps_typed(full)])
        run = "" if head.run is None else run_name(head.run, at.thread)
        blobs = [
            part
            for channel, version in versions.items()
            if channel in values
            for part in (
                _blob_name(at, channel, version),
                ormsgpack.packb(list(self.serde.dumps_typed(values[channel]))),
            )
        ]
        return at, [at.name, head.json, body, run, *blobs]

    def writes(self, at: At, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str) -> list[Any]:
        """What the script WRITE takes after thread and ttl. Errors, interrupts and the like replace what is there."""
        args: list[Any] = []
        for position, (channel, value) in enumerate(writes):
            index = WRITES_IDX_MAP.get(channel, position)
            name = at.name + f"{END}{escape(task_id)}{END}{index}".encode()
            packed = ormsgpack.packb([task_id, index, channel, task_path, *self.serde.dumps_typed(value)])
            args += name, int(index < 0), packed
        return args

    def tuple(self, thread: str, reply: Sequence[Any]) -> CheckpointTuple:
        """One checkpoint as the script READ returns it."""
        name, data, body, blobs, writes = reply
        at, head = place_of(thread, name), Head.read(data)
        kind, rest, metadata_kind, metadata = ormsgpack.unpackb(body)
        stored = dict(zip((name.decode() for name in blobs[::2]), blobs[1::2], strict=True))
        checkpoint = self.serde.loads_typed((kind, rest))
        names = {channel: head.blobs[channel] for channel in checkpoint["channel_versions"]}
        values = {channel: self._value(stored[name]) for channel, name in names.items() if name in stored}
        return CheckpointTuple(
            config=at.config,
            checkpoint=cast(Checkpoint, {**checkpoint, "channel_values": values}),
            metadata=self.serde.loads_typed((metadata_kind, metadata)),
            parent_config=At(thread, at.space, head.parent).config if head.parent else None,
            pending_writes=self._pending(writes[1::2]),
        )

    def history(self, channels: Sequence[str], reply: Sequence[Any]) -> dict[str, DeltaChannelHistory]:
        """What the script HISTORY returns, per channel: writes oldest first, and the value that they start from."""
        steps, found = reply
        seeds = {channel.decode(): (int(count), blob) for channel, count, blob in found}
        pending = [self._pending(step[1::2], channels) for step in steps]
        histories: dict[str, DeltaChannelHistory] = {}
        for channel in channels:
            count, blob = seeds.get(channel, (len(steps), None))
            older_first = reversed(pending[:count])
            histories[channel] = {"writes": [write for step in older_first for write in step if write[1] == channel]}
            if blob is not None:
                histories[channel]["seed"] = self._value(blob)
        return histories

    def _pending(self, packed: Iterable[bytes], channels: Sequence[str] | None = None) -> list[PendingWrite]:
        writes = [ormsgpack.unpackb(one) for one in packed]
        writes.sort(key=lambda write: writes_sort_key(write[3], write[0], write[1]))
        return [
            (task, channel, self.serde.loads_typed((kind, data)))
            for task, _, channel, _, kind, data in writes
            if channels is None or channel in channels
        ]

    def _value(self, blob: bytes) -> Any:
        kind, data = ormsgpack.unpackb(blob)
        return self.serde.loads_typed((kind, data))


def _blob_name(at: At, channel: str, version: Any) -> str:
    return f"{escape(at.space or '')}{END}{escape(channel)}{END}{escape(str(version))}"


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
