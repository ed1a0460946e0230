"""LangGraph's checkpoints on plain Redis: core commands alone, no modules; one server, TLS, or a Redis Cluster.

A channel's value is kept once per version, as LangGraph's Postgres saver does. Everything of a thread is in one slot of a
cluster, and each checkpoint, each task's writes and each deletion is one Lua script: done wholly or not at all.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

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
from graph_memory.checkpoints import _redis_steps as steps
from graph_memory.checkpoints._redis_codec import At, Codec
from graph_memory.checkpoints._redis_steps import Threads
from graph_memory.errors import ConfigurationError
from graph_memory.redis_client import MOST_CONNECTIONS, Server

_MOST_SECONDS = 1e10


class RedisSaver(Block, BaseCheckpointSaver[str]):
    """A checkpointer in Redis 6.2 or newer, or Valkey, for graphs that are invoked and graphs that are awaited.

    It connects on first use, or at the start of a `with` or `async with` block, which also closes it. Every method is one round
    trip, but for those that list, prune, copy or delete by run.

    Args:
        url: `redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS. One node of a cluster is enough to name.
        serde: LangGraph's serializer. None is its `JsonPlusSerializer`, which never pickles and obeys
            `LANGGRAPH_STRICT_MSGPACK`. An `EncryptedSerializer` encrypts everything but names (of threads, namespaces, channels,
            tasks, runs).
        ttl_seconds: how long a thread is kept after it was last written to; None keeps it.
        timeout_seconds: how long to wait for a connection and for each reply.
        prefix: what the names of all keys begin with; savers with different ones do not see each other.
        max_connections: how many at once.

    Raises:
        ConfigurationError: an argument is wrong.
        MissingExtraError: redis-py is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        serde: SerializerProtocol | None = None,
        ttl_seconds: float | None = None,
        timeout_seconds: float = 5.0,
        prefix: str = "graph_memory",
        max_connections: int = MOST_CONNECTIONS,
    ) -> None:
        super().__init__(serde=serde)
        if not isinstance(prefix, str) or not prefix or set("{}") & set(prefix):
            raise ConfigurationError("prefix must be text without braces, and not empty")
        if ttl_seconds is not None and not 0 < ttl_seconds < _MOST_SECONDS:
            raise ConfigurationError("ttl_seconds must be a positive number of seconds, or None to keep threads")
        if timeout_seconds <= 0 or max_connections < 1:
            raise ConfigurationError("timeout_seconds and max_connections must be positive")
        self._server = Server(url, timeout_seconds=timeout_seconds, max_connections=max_connections)
        self._threads = Threads(prefix, 0 if ttl_seconds is None else max(1, round(ttl_seconds * 1000)))

    @property
    def _codec(self) -> Codec:
        return Codec(self.serde)  # LangGraph clones savers and gives the clone another serializer

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that a config names, or the latest of its thread and namespace; None when there is none.

        Raises:
            StoreUnavailableError: no answer in time.
        """
        return self._server.run(steps.one(self._threads, self._codec, At.of(config)))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """`get_tuple`, awaiting Redis."""
        return await self._server.arun(steps.one(self._threads, self._codec, At.of(config)))

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
        wanted = steps.Wanted(config, filter, before, limit)
        places = self._server.run(steps.places(self._threads, wanted))
        for some in wanted.chunks(places):
            found = self._server.run(steps.several(self._threads, self._codec, some))
            yield from wanted.taken(found)
            if wanted.is_done:
                return

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """`list`, awaiting Redis."""
        wanted = steps.Wanted(config, filter, before, limit)
        places = await self._server.arun(steps.places(self._threads, wanted))
        for some in wanted.chunks(places):
            for one in wanted.taken(await self._server.arun(steps.several(self._threads, self._codec, some))):
                yield one
            if wanted.is_done:
                return

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keeps a checkpoint and the values of the channels that changed; returns the config that names it."""
        at, args = self._codec.put(config, checkpoint, metadata, new_versions)
        self._server.run(steps.put(self._threads, at, args))
        return at.config

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """`put`, awaiting Redis."""
        at, args = self._codec.put(config, checkpoint, metadata, new_versions)
        await self._server.arun(steps.put(self._threads, at, args))
        return at.config

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keeps what a task wrote after a checkpoint. A task that writes again changes nothing but its errors and interrupts."""
        at = At.of(config)
        self._server.run(steps.write(self._threads, at, self._codec.writes(at, writes, task_id, task_path)))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """`put_writes`, awaiting Redis."""
        at = At.of(config)
        await self._server.arun(steps.write(self._threads, at, self._codec.writes(at, writes, task_id, task_path)))

    def delete_thread(self, thread_id: str) -> None:
        """Deletes everything of a thread."""
        self._server.run(steps.forget(self._threads, [str(thread_id)]))

    async def adelete_thread(self, thread_id: str) -> None:
        """`delete_thread`, awaiting Redis."""
        await self._server.arun(steps.forget(self._threads, [str(thread_id)]))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Deletes the checkpoints that some runs wrote, with their writes and the values that no other checkpoint needs."""
        self._server.run(steps.drop_runs(self._threads, _texts(run_ids)))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """`delete_for_runs`, awaiting Redis."""
        await self._server.arun(steps.drop_runs(self._threads, _texts(run_ids)))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Makes the target what the source is, with all checkpoints and writes. A source that is empty changes nothing."""
        self._server.run(steps.copy(self._threads, str(source_thread_id), str(target_thread_id)))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """`copy_thread`, awaiting Redis."""
        await self._server.arun(steps.copy(self._threads, str(source_thread_id), str(target_thread_id)))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Deletes what is old.

        Args:
            thread_ids: of these threads.
            strategy: "keep_latest" keeps the latest checkpoint of each namespace, and as many of its ancestors as its delta
                channels are made of; "delete" keeps nothing.

        Raises:
            ConfigurationError: the strategy is unknown.
        """
        self._server.run(steps.prune(self._threads, _texts(thread_ids), strategy))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """`prune`, awaiting Redis."""
        await self._server.arun(steps.prune(self._threads, _texts(thread_ids), strategy))

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Per channel what was written to it by the checkpoint's ancestors, oldest first, and the value that this starts from."""
        return self._server.run(steps.history(self._threads, self._codec, At.of(config), channels))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """`get_delta_channel_history`, awaiting Redis."""
        return await self._server.arun(steps.history(self._threads, self._codec, At.of(config), channels))

    def get_next_version(self, current: str | None, channel: None) -> str:
        """A version above `current`; two forks never give their values the same one."""
        number = 0 if current is None else int(str(current).split(".")[0])
        return f"{number + 1:032}.{random.random():016}"

    def close(self) -> None:
        """Closes the connections; later use raises `StoreError`. May be called twice."""
        self._server.close()

    async def aclose(self) -> None:
        """Closes the connections of the running event loop too."""
        await self._server.aclose()

    def _open(self) -> None:
        self._server.open()

    async def _aopen(self) -> None:
        await self._server.aopen()


def _texts(ids: Sequence[str]) -> Sequence[str]:
    if isinstance(ids, str):
        raise ConfigurationError("give a list of ids, not one text")
    return [str(one) for one in ids]
