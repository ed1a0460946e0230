"""What the Supabase checkpointer does, as calls of SQL functions; the same for its sync and its async methods.

The functions are those of sql/0008_checkpoints.sql and sql/0009_reading_checkpoints.sql. Bytes travel as base64.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, TypeVar

from langgraph.checkpoint.base import CheckpointTuple, DeltaChannelHistory

from graph_memory.checkpoints._codec import At, Codec, Kept, Write
from graph_memory.checkpoints._saver import Wanted
from graph_memory.errors import ConfigurationError

T = TypeVar("T")
_AT_ONCE = 50  # checkpoints of one reply


class Call(NamedTuple):
    """A function of the schema, and its argument."""

    function: str
    op: Mapping[str, Any]
    is_repeatable: bool = True


Steps: TypeAlias = Generator[Call, Any, T]


@dataclass(frozen=True, slots=True)
class Threads:
    """Whose threads are meant, and how long they are kept.

    Attributes:
        user: for whom a service key acts; a token speaks for itself.
        ttl_seconds: after the last write; None keeps them.
    """

    user: str | None
    ttl_seconds: float | None

    def put(self, kept: Kept) -> Steps[None]:
        """Keeps a checkpoint."""
        checkpoint = {"parent": kept.parent, "run": kept.run, "versions": kept.versions, "deltas": kept.deltas}
        values = [{"channel": v.channel, "version": v.version, "value": _text(v.data)} for v in kept.values]
        yield self._call("put_checkpoint", kept.at, **checkpoint, body=_text(kept.body), values=values)

    def write(self, at: At, writes: Sequence[Write]) -> Steps[None]:
        """Keeps a task's writes; of two for one place the last."""
        last = {(write.task, write.place): write for write in writes}.values()
        given = [{"task": write.task, "at": write.place, "value": _text(write.data)} for write in last]
        yield self._call("put_writes", at, writes=given)

    def one(self, codec: Codec, at: At) -> Steps[CheckpointTuple | None]:
        """The checkpoint at a place, or the latest there."""
        rows = yield self._call("get_checkpoint", at)
        return _restored(codec, rows[0]) if rows else None

    def page(
        self, codec: Codec, wanted: Wanted, rest: Sequence[str] | None
    ) -> Steps[tuple[list[CheckpointTuple], Sequence[str] | None]]:
        """Some checkpoints, newest first, and where the others begin."""
        at = wanted.at
        place = {} if at is None else {"thread": _plain(at.thread), "space": _plain(at.space), "id": _plain(at.id)}
        limit = _AT_ONCE if wanted.most is None else min(wanted.most, _AT_ONCE)
        page = {**place, "before": wanted.before, "after": rest, "limit": limit}
        rows = yield self._named("list_checkpoints", **page)
        last = rows[-1] if len(rows) == limit else None
        return [_restored(codec, row) for row in rows], last and [last["id"], last["thread"], last["space"]]

    def forget(self, threads: Sequence[str]) -> Steps[None]:
        """Deletes threads."""
        yield self._named("delete_threads", threads=[_plain(name) for name in threads])

    def prune(self, threads: Sequence[str]) -> Steps[None]:
        """Deletes what is old in some threads."""
        yield self._named("prune_threads", threads=[_plain(name) for name in threads])

    def drop_runs(self, runs: Sequence[str]) -> Steps[None]:
        """Deletes what some runs wrote."""
        yield self._named("delete_runs", runs=[_plain(run) for run in runs])

    def copy(self, source: str, target: str) -> Steps[None]:
        """Makes one thread what another is; doing it later once more would undo what was written to the copy meanwhile."""
        call = self._call("copy_thread", At(target), source=_plain(source))
        yield call._replace(is_repeatable=False)

    def history(self, codec: Codec, at: At, channels: Sequence[str]) -> Steps[dict[str, DeltaChannelHistory]]:
        """What channels are made of at a checkpoint."""
        rows = yield self._call("channel_history", at, channels=list(channels))
        steps = [[b64decode(text) for text in row["writes"]] for row in rows]
        seeds = {
            channel: (count, b64decode(text))
            for count, row in enumerate(rows, 1)
            for channel, text in row["held"].items()
        }
        return codec.history(channels, steps, seeds)

    def _call(self, function: str, at: At, **op: Any) -> Call:
        place = {"thread": _plain(at.thread), "space": _plain(at.space or ""), "id": _plain(at.id)}
        return self._named(function, ttl=self.ttl_seconds, **place, **op)

    def _named(self, function: str, **op: Any) -> Call:
        return Call(function, {"user": self.user, **op})


def _restored(codec: Codec, row: Mapping[str, Any]) -> CheckpointTuple:
    """A checkpoint as graph_memory.kept is read."""
    values = {channel: b64decode(text) for channel, text in row["held"].items()}
    at = At(row["thread"], row["space"], row["id"])
    return codec.restored(at, row["parent"], b64decode(row["body"]), values, [b64decode(one) for one in row["writes"]])


def _text(data: bytes) -> str:
    return b64encode(data).decode()


def _plain(name: str | None) -> str | None:
    if name is not None and "\0" in name:
        raise ConfigurationError(
            "Postgres keeps no NUL character: take it out of the id of the thread, checkpoint or run"
        )
    return name
