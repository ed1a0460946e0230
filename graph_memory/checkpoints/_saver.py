"""What our checkpointers have in common: LangGraph's methods, sync and async, over bodies that a back end says and drives."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import AsyncIterator, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from graph_memory.blocks import Block
from graph_memory.checkpoints._codec import At, Codec, Kept, Write
from graph_memory.errors import ConfigurationError

T = TypeVar("T")
Body: TypeAlias = Generator[Any, Any, T]
"""Yields what is asked of the server, receives its replies and returns a result."""

_MOST_SECONDS = 1e10


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
    def most(self) -> int | None:
        """How many checkpoints to ask for; None is all, as a filter may let any of them through."""
        return None if self._left is None or self._filter else max(self._left, 0)

    def taken(self, found: Iterable[CheckpointTuple]) -> Iterator[CheckpointTuple]:
        """Those of the checkpoints that the filter lets through, up to the limit."""
        for one in found:
            if self.is_done:
                return
            metadata: dict[str, Any] = dict(one.metadata)
            if all(metadata.get(key) == value for key, value in (self._filter or {}).items()):
                self._left = None if self._left is None else self._left - 1
                yield one


class Keeping(Protocol):
    """What a back end does, as bodies."""

    def put(self, kept: Kept) -> Body[None]:
        """Keeps a checkpoint."""

    def write(self, at: At, writes: Sequence[Write]) -> Body[None]:
        """Keeps a task's writes, of which there is at least one."""

    def one(self, codec: Codec, at: At) -> Body[CheckpointTuple | None]:
        """The checkpoint at a place, or the latest there."""

    def page(self, codec: Codec, wanted: Wanted, rest: Any) -> Body[tuple[list[CheckpointTuple], Any]]:
        """Some checkpoints, newest first, and the `rest` with which to ask for more; None at first, and again at the end."""

    def forget(self, threads: Sequence[str]) -> Body[None]:
        """Deletes threads."""

    def prune(self, threads: Sequence[str]) -> Body[None]:
        """Keeps the latest checkpoint of each namespace, and those of its ancestors that its delta channels are made of."""

    def drop_runs(self, runs: Sequence[str]) -> Body[None]:
        """Deletes what some runs wrote."""

    def copy(self, source: str, target: str) -> Body[None]:
        """Makes one thread what another is."""

    def history(self, codec: Codec, at: At, channels: Sequence[str]) -> Body[dict[str, DeltaChannelHistory]]:
        """What channels are made of at a checkpoint."""


class Saver(Block, BaseCheckpointSaver[str]):
    """A checkpointer for graphs that are invoked and graphs that are awaited."""

    def __init__(self, keeping: Keeping, serde: SerializerProtocol | None) -> None:
        super().__init__(serde=serde)
        self._keeping = keeping

    @property
    def _codec(self) -> Codec:
        return Codec(self.serde)  # LangGraph clones savers and gives the clone another serializer

    @abstractmethod
    def _run(self, body: Body[T]) -> T:
        """Drives a body."""

    @abstractmethod
    async def _arun(self, body: Body[T]) -> T:
        """Drives a body, awaiting the server."""

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that a config names, or the latest of its thread and namespace; None when there is none.

        Raises:
            StoreUnavailableError: no answer in time.
        """
        return self._run(self._keeping.one(self._codec, At.of(config)))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """`get_tuple`, awaiting the server."""
        return await self._arun(self._keeping.one(self._codec, At.of(config)))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Checkpoints, newest first.

        Args:
            config: the thread, and perhaps namespace and checkpoint; None lists all threads.
            filter: what their metadata must hold.
            before: only those older than this one.
            limit: how many at most.
        """
        wanted, rest = Wanted(config, filter, before, limit), None
        while not wanted.is_done:
            found, rest = self._run(self._keeping.page(self._codec, wanted, rest))
            yield from wanted.taken(found)
            if rest is None:
                return

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """`list`, awaiting the server."""
        wanted, rest = Wanted(config, filter, before, limit), None
        while not wanted.is_done:
            found, rest = await self._arun(self._keeping.page(self._codec, wanted, rest))
            for one in wanted.taken(found):
                yield one
            if rest is None:
                return

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keeps a checkpoint and the values of the channels that changed; returns the config that names it."""
        kept = self._codec.checkpoint(config, checkpoint, metadata, new_versions)
        self._run(self._keeping.put(kept))
        return kept.at.config

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """`put`, awaiting the server."""
        kept = self._codec.checkpoint(config, checkpoint, metadata, new_versions)
        await self._arun(self._keeping.put(kept))
        return kept.at.config

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keeps what a task wrote after a checkpoint. A task that writes again changes nothing but its errors and interrupts."""
        if writes:
            self._run(self._keeping.write(At.of(config), self._codec.writes(writes, task_id, task_path)))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """`put_writes`, awaiting the server."""
        if writes:
            await self._arun(self._keeping.write(At.of(config), self._codec.writes(writes, task_id, task_path)))

    def delete_thread(self, thread_id: str) -> None:
        """Deletes everything of a thread."""
        self._run(self._keeping.forget([str(thread_id)]))

    async def adelete_thread(self, thread_id: str) -> None:
        """`delete_thread`, awaiting the server."""
        await self._arun(self._keeping.forget([str(thread_id)]))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Deletes the checkpoints that some runs wrote, with their writes and the values that no other checkpoint needs."""
        self._run(self._keeping.drop_runs(_texts(run_ids)))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """`delete_for_runs`, awaiting the server."""
        await self._arun(self._keeping.drop_runs(_texts(run_ids)))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Makes the target what the source is, with all checkpoints and writes. A source that is empty changes nothing."""
        self._run(self._keeping.copy(str(source_thread_id), str(target_thread_id)))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """`copy_thread`, awaiting the server."""
        await self._arun(self._keeping.copy(str(source_thread_id), str(target_thread_id)))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Deletes what is old.

        Args:
            thread_ids: of these threads.
            strategy: "keep_latest" keeps the latest checkpoint of each namespace, and as many of its ancestors as its delta
                channels are made of; "delete" keeps nothing.

        Raises:
            ConfigurationError: the strategy is unknown.
        """
        self._run(self._pruned(thread_ids, strategy))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """`prune`, awaiting the server."""
        await self._arun(self._pruned(thread_ids, strategy))

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Per channel what was written to it by the checkpoint's ancestors, oldest first, and the value that this starts from."""
        return self._run(self._keeping.history(self._codec, At.of(config), channels)) if channels else {}

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """`get_delta_channel_history`, awaiting the server."""
        return await self._arun(self._keeping.history(self._codec, At.of(config), channels)) if channels else {}

    def get_next_version(self, current: str | None, channel: None) -> str:
        """A version above `current`; two forks never give their values the same one."""
        number = 0 if current is None else int(str(current).split(".")[0])
        return f"{number + 1:032}.{random.random():016}"

    def _pruned(self, thread_ids: Sequence[str], strategy: str) -> Body[None]:
        if strategy == "delete":
            return self._keeping.forget(_texts(thread_ids))
        if strategy == "keep_latest":
            return self._keeping.prune(_texts(thread_ids))
        raise ConfigurationError('the strategy of pruning is "keep_latest" or "delete"')


def checked_ttl(ttl_seconds: float | None) -> float | None:
    """How long threads are kept, if it is that.

    Raises:
        ConfigurationError: it is not.
    """
    if ttl_seconds is not None and not 0 < ttl_seconds < _MOST_SECONDS:
        raise ConfigurationError("ttl_seconds must be a positive number of seconds, or None to keep threads")
    return ttl_seconds


def _texts(ids: Sequence[str]) -> Sequence[str]:
    if isinstance(ids, str):
        raise ConfigurationError("give a list of ids, not one text")
    return [str(one) for one in ids]
