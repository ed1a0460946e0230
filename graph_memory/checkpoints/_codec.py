"""What our checkpointers keep, as names and bytes, and back; whatever they keep it in. Pure, but for the serializer.

Values go through LangGraph's serializer, and so does all of a checkpoint and its metadata; with an `EncryptedSerializer` the
server sees none of them. It sees names: of threads, namespaces, checkpoints, channels with their versions, tasks and runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

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


class Value(NamedTuple):
    """What a channel holds in one of its versions."""

    channel: str
    version: str
    data: bytes


class Write(NamedTuple):
    """What a task wrote to a channel, at which place among its writes.

    Below zero are errors, interrupts and the like: they replace what is there, others do not.
    """

    task: str
    place: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint as it is kept.

    Attributes:
        at: its place.
        parent: id of the checkpoint before it.
        run: id of the run that wrote it.
        versions: channel to version.
        deltas: channels whose value is made of ancestors' writes.
        body: the rest of it, and its metadata.
        values: of the channels that changed.
    """

    at: At
    parent: str | None
    run: str | None
    versions: Mapping[str, str]
    deltas: Sequence[str]
    body: bytes
    values: Sequence[Value]


@dataclass(frozen=True, slots=True)
class Codec:
    """Checkpoints and writes to bytes and back."""

    serde: SerializerProtocol

    def checkpoint(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, versions: ChannelVersions
    ) -> Kept:
        """A new checkpoint, whose parent the config names."""
        parent = At.of(config)
        full: dict[str, Any] = dict(get_checkpoint_metadata(config, metadata))
        values = checkpoint["channel_values"]
        rest = {key: value for key, value in checkpoint.items() if key != "channel_values"}
        return Kept(
            at=At(parent.thread, parent.space or "", checkpoint["id"]),
            parent=parent.id,
            run=None if full.get("run_id") is None else str(full["run_id"]),
            versions={channel: str(version) for channel, version in checkpoint["channel_versions"].items()},
            deltas=list(full.get("counters_since_delta_snapshot") or ()),
            body=ormsgpack.packb([*self.serde.dumps_typed(rest), *self.serde.dumps_typed(full)]),
            values=[
                Value(channel, str(version), ormsgpack.packb(list(self.serde.dumps_typed(values[channel]))))
                for channel, version in versions.items()
                if channel in values
            ],
        )

    def writes(self, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str) -> list[Write]:
        """What a task wrote."""
        return [
            Write(
                task_id,
                place := WRITES_IDX_MAP.get(channel, position),
                ormsgpack.packb([task_id, place, channel, task_path, *self.serde.dumps_typed(value)]),
            )
            for position, (channel, value) in enumerate(writes)
        ]

    def restored(
        self, at: At, parent: str | None, body: bytes, values: Mapping[str, bytes], writes: Iterable[bytes]
    ) -> CheckpointTuple:
        """One checkpoint, given the values of its channels and the writes after it."""
        kind, rest, metadata_kind, metadata = ormsgpack.unpackb(body)
        checkpoint = self.serde.loads_typed((kind, rest))
        held = {channel: self._value(data) for channel, data in values.items()}
        return CheckpointTuple(
            config=at.config,
            checkpoint=cast(Checkpoint, {**checkpoint, "channel_values": held}),
            metadata=self.serde.loads_typed((metadata_kind, metadata)),
            parent_config=At(at.thread, at.space, parent).config if parent else None,
            pending_writes=self._pending(writes),
        )

    def history(
        self, channels: Sequence[str], steps: Sequence[Iterable[bytes]], seeds: Mapping[str, tuple[int, bytes]]
    ) -> dict[str, DeltaChannelHistory]:
        """What channels are made of.

        Args:
            steps: the writes after each ancestor, newest first.
            seeds: per channel whose value some ancestor has, how many ancestors that took, and the value.
        """
        pending = [self._pending(step, channels) for step in steps]
        histories: dict[str, DeltaChannelHistory] = {}
        for channel in channels:
            count, data = seeds.get(channel, (len(steps), None))
            older_first = reversed(pending[:count])
            histories[channel] = {"writes": [write for step in older_first for write in step if write[1] == channel]}
            if data is not None:
                histories[channel]["seed"] = self._value(data)
        return histories

    def _pending(self, packed: Iterable[bytes], channels: Sequence[str] | None = None) -> list[PendingWrite]:
        writes = [ormsgpack.unpackb(one) for one in packed]
        writes.sort(key=lambda write: writes_sort_key(write[3], write[0], write[1]))
        return [
            (task, channel, self.serde.loads_typed((kind, data)))
            for task, _, channel, _, kind, data in writes
            if channels is None or channel in channels
        ]

    def _value(self, data: bytes) -> Any:
        kind, value = ormsgpack.unpackb(data)
        return self.serde.loads_typed((kind, value))
