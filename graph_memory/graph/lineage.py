"""Which records of a thread a run may see, and where it may write: exactly once, and safe in forks. Pure.

A thread's records carry the place where they were committed: a line (one LLM node's writing for one user), a branch of it and a
number on that branch. How far a line has got on which branch is its head; heads stand in the checkpointed `memory` channel, so a
fork, a replay or a resume brings back the heads of its moment, and with them what was known then.

A commit takes the slot after its head. Where another operation holds that slot, this run is a fork: it goes on under a branch of
its own, named after its operation, and remembers in `cuts` up to where it still sees the branches that it came from. An
operation is told from a retry of itself by the id of the root checkpoint that its superstep started from, which a retry and a
resume keep and a fork or replay does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.runnables import RunnableConfig

from graph_memory.namespaces import owner
from graph_memory.types import Scope

LINEAGE = "@lineage"
"""Key of the `memory` channel. A node of this name cannot have memory."""

_CHECKPOINTER = "__pregel_checkpointer"
"""Where LangGraph keeps the checkpointer of a run; there is no public way to ask whether there is one."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far one line has got.

    Attributes:
        branch: name of the branch; "" for the first.
        commit: number of the newest commit on it; 0 before the first.
        cuts: branch and number up to which the branches are seen that this one came from.
    """

    branch: str = ""
    commit: int = 0
    cuts: tuple[tuple[str, int], ...] = ()

    def next(self) -> Head:
        """The head after one more commit."""
        return Head(self.branch, self.commit + 1, self.cuts)

    def forked(self, operation: str) -> Head:
        """The head of the branch that `operation` begins here, before its first commit."""
        cuts = (*self.cuts, (self.branch, self.commit)) if self.commit else self.cuts
        return Head(operation, 0, cuts)

    def to_value(self) -> dict[str, Any]:
        """As the `memory` channel keeps it."""
        return {"branch": self.branch, "commit": self.commit, "cuts": [list(cut) for cut in self.cuts]}

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Head:
        """The head that `to_value` wrote."""
        return cls(value["branch"], value["commit"], tuple((name, last) for name, last in value["cuts"]))


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a run may see of its own thread.

    Attributes:
        root: id of the thread's root, kept when a thread is copied.
        heads: line to head, as checkpointed.
        asides: lines that were last told something beside the thread, which they may be told again with it.
        edited: line and id of a message that was edited, to the branch and number of the commit that holds what memories (the
            third) made of it since; what they made of it before is not seen.
    """

    root: str
    heads: Mapping[str, Head] = field(default_factory=dict)
    asides: Collection[str] = ()
    edited: Mapping[tuple[str, str], Sequence[Any]] = field(default_factory=dict)
    _reach: dict[tuple[str, str], int] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for line, head in self.heads.items():
            self._reach.update({(line, branch): last for branch, last in (*head.cuts, (head.branch, head.commit))})

    @property
    def is_forked(self) -> bool:
        """Whether any line has ever begun a branch."""
        return any(head.branch for head in self.heads.values())

    def shares(self, line: str) -> bool:
        """Whether another node of the thread writes for the same owner, and so may have written the same records."""
        return any(other != line and other.rpartition("~")[2] == line.rpartition("~")[2] for other in self.heads)

    def head(self, line: str) -> Head:
        """Where the line has got to."""
        return self.heads.get(line, Head())

    def sees(self, origin: Mapping[str, Any]) -> bool:
        """Whether a record of that origin is visible: any of another thread or outside of lineage, and this thread's own past."""
        branch = origin.get("branch")
        if branch is None or origin.get("root") != self.root:
            return True
        line = origin.get("line", "")
        if origin["commit"] > self._reach.get((line, branch), 0):
            return False
        version = self.edited.get((line, origin.get("turn_id", ""))) if self.edited else None
        return version is None or origin.get("memory") not in version[2] or [branch, origin["commit"]] == version[:2]


def lineage_of(
    channel: Mapping[str, Any], scope: Scope, messages: Any, config: RunnableConfig, *, is_threads: bool = False
) -> Lineage | None:
    """The lineage of a run; None without a checkpointer, because then there are no forks and nothing brings heads back.

    A subgraph has none before a root is in its state, which lasts only if its parent has the `memory` channel too. Where no
    node of the parent has memory, a thread's first turn is remembered outside of lineage, and seen from its replays. Nor has
    what was sent a state of its own, unless the `memory` channel was sent along.

    Args:
        channel: the `memory` channel.
        scope: names the thread.
        messages: the thread's; the first human one tells a thread from a later one of the same id, until a root is in the state.
        config: the run's.
        is_threads: whether the channel and the messages are known to be the thread's, though the node may have been sent.
    """
    kept: Mapping[str, Any] = channel.get(LINEAGE) or {}
    if "root" in kept:
        heads = {line: Head.of(value) for line, value in (kept.get("heads") or {}).items()}
        asides = [line for line, is_so in (kept.get("asides") or {}).items() if is_so]
        edited = kept.get("edited") or {}
        places = {(line, message): place for line, found in edited.items() for message, place in found.items()}
        return Lineage(kept["root"], heads, asides, places)
    is_inner = "|" in str((config.get("configurable") or {}).get("checkpoint_ns") or "")
    if not has_checkpointer(config) or is_inner or (was_sent(config) and not is_threads):
        return None
    return Lineage(root_of(scope, messages))


def has_checkpointer(config: RunnableConfig) -> bool:
    """Whether the run's checkpoints are kept."""
    return (config.get("configurable") or {}).get(_CHECKPOINTER) is not None


def was_sent(config: RunnableConfig) -> bool:
    """Whether the node runs on a state of its own, by `Send`; LangGraph says so in the run's metadata."""
    path = (config.get("metadata") or {}).get("langgraph_path") or ("",)
    return bool(path[0] == "__pregel_push")


def line_of(node: str, scope: Scope) -> str:
    """The line of an LLM node's writing for one owner: a thread that is gone on with under another user has two."""
    return f"{node}~{_digest(owner(scope), scope.agent or '', size=3)}"


def tools_line(config: RunnableConfig, scope: Scope) -> str:
    """The line of a tools node's writing for one owner; each place in the graph has its own, as two may write at once.

    Its ending is none of an LLM node's: what they write is never the same (`Lineage.shares`).
    """
    places = "/".join(part.split(":")[0] for part in _places(config))
    return f"@tools/{places}~{_digest('tools', owner(scope), scope.agent or '', size=3)}"


def node_of(line: str) -> str:
    """The LLM node of a line."""
    return line.rpartition("~")[0] or line


def root_of(scope: Scope, messages: Any) -> str:
    """A thread's root, made of its id and its first human message, so that a replay of its beginning makes the same."""
    first = next((message.id or "" for message in messages if message.type == "human"), "")
    return _digest(scope.thread_id or "", first, size=8)


def operation_id(config: RunnableConfig, line: str) -> str:
    """What a retry or a resume of this node shares with its first try, and nothing else does: 10 hexadecimal digits.

    Of the thread (a copied one has the same checkpoints), the root checkpoint's id, the names in the checkpoint namespace (its
    ids change when a subgraph is retried) and the line.
    """
    configurable = config.get("configurable") or {}
    root = (configurable.get("checkpoint_map") or {}).get("", "")
    places = "|".join(part.split(":")[0] for part in _places(config))
    return _digest(str(configurable.get("thread_id")), str(root), places, line)


def task_id(config: RunnableConfig, turn_id: str) -> str:
    """What tells a task from the others that were sent beside it; a retry, a resume or another try of its subgraph keeps it.

    Of the root graph's task, whose id comes from the root checkpoint, and of the node's own path, which counts what was sent.
    The ids between them are new whenever a subgraph starts over. Tasks that were sent there, two subgraphs deep or more, are
    told apart by the turn that they work on.
    """
    first, *inner = _places(config) or [""]
    names = [place.split(":")[0] for place in inner]
    path = str((config.get("metadata") or {}).get("langgraph_path"))
    return _digest(first, *names, path, turn_id if len(inner) > 1 else "")


def _places(config: RunnableConfig) -> list[str]:
    """The checkpoint namespace, without what a retry adds."""
    places = str((config.get("configurable") or {}).get("checkpoint_ns") or "").split("|")
    return [place for place in places if not place.isdigit()]


def lineage_value(root: str, heads: Mapping[str, Head], asides: Mapping[str, bool] | None = None) -> dict[str, Any]:
    """The part of the `memory` channel that keeps a lineage."""
    kept = {"root": root, "heads": {line: head.to_value() for line, head in heads.items()}}
    return {LINEAGE: {**kept, "asides": dict(asides)} if asides else kept}


def _digest(*parts: str, size: int = 5) -> str:
    raw = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(raw, digest_size=size).hexdigest()
