"""The branches of a thread, from its checkpoints: which turns each has, and what was remembered of them.

A moment is a checkpoint in which a turn was over and remembered, or where a branch ends. Moments make a tree, because every fork
and every replay goes its own way from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.store.base import ListNamespacesOp, MatchCondition, SearchOp

from graph_memory.graph.commits import slot_key
from graph_memory.graph.lineage import LINEAGE, Head
from graph_memory.graph.pointers import BOX
from graph_memory.graph.state import MEMORY
from graph_memory.namespaces import label, name_of, namespace
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Scope

_MOST_SLOTS = 10_000


@dataclass(frozen=True, slots=True)
class Moment:
    """One turn of a line.

    Attributes:
        checkpoint_id: what `{"configurable": {"thread_id": …, "checkpoint_id": …}}` goes back to.
        at: when the checkpoint was made.
        messages: what was said since the moment before.
        heads: line to head, as the checkpoint has them.
        remembered: memory's name to how many records were committed with it.
    """

    checkpoint_id: str
    at: datetime
    messages: tuple[BaseMessage, ...]
    heads: Mapping[str, Head]
    remembered: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Line:
    """A run of moments without a fork between them, and the lines that begin after its last one."""

    moments: tuple[Moment, ...]
    forks: tuple[Line, ...] = ()


def read_slots(scope: Scope, root: str) -> Steps[dict[str, dict[str, int]]]:
    """Slot to what was committed there: memory's name to how many records."""
    place = (*namespace(scope, LINEAGE), label("root", root))
    [items] = yield StoreOps([SearchOp(place, limit=_MOST_SLOTS, refresh_ttl=False)])
    counts: dict[str, Counter[str]] = {}
    for item in items:  # what was remembered in the background has slots of its own, under the same key
        names = (_memory(where) for where, _ in item.value["keys"])
        counts.setdefault(item.key, Counter()).update(name for name in names if name != BOX)
    return {key: dict(count) for key, count in counts.items()}


def _memory(where: Sequence[str]) -> str:
    """The memory that keeps records there; what it keeps beside them ("entity/names") is its own too."""
    return name_of(where[3]).partition("/")[0]


def root_in(checkpoints: Iterable[CheckpointTuple]) -> str:
    """The thread's root; "" when none of its checkpoints has one, because nothing was remembered with lineage."""
    found = (_lineage(one).get("root") for one in checkpoints)
    return next((root for root in found if root), "")


def is_nobodys(thread: str, checkpoints: Iterable[CheckpointTuple]) -> Steps[bool]:
    """Whether a thread belongs to no user: none of its runs named one, and what it remembered is private to it."""
    if any(cast("Mapping[str, Any]", one.metadata or {}).get("user_id") for one in checkpoints):
        return False
    own = namespace(Scope(thread_id=thread), LINEAGE)[:2]
    [found] = yield StoreOps([ListNamespacesOp(match_conditions=(MatchCondition("prefix", own),), limit=1)])
    return any(tuple(where[:2]) == own for where in found)


def lines_of(
    checkpoints: Iterable[CheckpointTuple], slots: Mapping[str, Mapping[str, int]], *, messages_key: str = "messages"
) -> list[Line]:
    """The thread as a forest: usually one line with its forks.

    Args:
        checkpoints: all of the thread's root namespace, in any order.
        slots: what `read_slots` found.
        messages_key: the state key that holds the conversation.
    """
    known = {_id(one): one for one in checkpoints}
    parents = {key: _parent(one) for key, one in known.items()}
    inner = {parent for parent in parents.values() if parent}
    new = {key: _new_heads(one, known.get(parents[key] or "")) for key, one in known.items()}
    shown = {key for key in known if key not in inner or new[key]}
    remembered = {key: _remembered(new[key], slots) for key in shown}
    children: dict[str, list[str]] = {}
    for key in sorted(shown):
        children.setdefault(_shown_parent(key, parents, shown), []).append(key)
    return [_line(key, (), known, children, remembered, messages_key) for key in children.get("", [])]


def _line(
    key: str,
    before: Sequence[BaseMessage],
    known: Mapping[str, CheckpointTuple],
    children: Mapping[str, Sequence[str]],
    remembered: Mapping[str, Mapping[str, int]],
    messages_key: str,
) -> Line:
    """The line that begins with a checkpoint: a loop along it, a call for each fork."""
    moments: list[Moment] = []
    while True:
        messages = known[key].checkpoint["channel_values"].get(messages_key) or []
        moments.append(_moment(known[key], before, messages, remembered[key]))
        before, following = messages, children.get(key, [])
        if len(following) != 1:
            break
        key = following[0]
    forks = tuple(_line(child, before, known, children, remembered, messages_key) for child in following)
    return Line(tuple(moments), forks)


def _moment(
    found: CheckpointTuple,
    before: Sequence[BaseMessage],
    messages: Sequence[BaseMessage],
    remembered: Mapping[str, int],
) -> Moment:
    there = {message.id for message in before}
    return Moment(
        _id(found),
        datetime.fromisoformat(found.checkpoint["ts"]),
        tuple(message for message in messages if message.id not in there),
        _heads(found),
        remembered,
    )


def _new_heads(found: CheckpointTuple, parent: CheckpointTuple | None) -> dict[str, Head]:
    """The lines that committed with this checkpoint; a turn that failed has its parent's heads."""
    before = _heads(parent) if parent is not None else {}
    return {line: head for line, head in _heads(found).items() if before.get(line) != head}


def _remembered(heads: Mapping[str, Head], slots: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for line, head in heads.items():
        counts.update(slots.get(slot_key(line, head), {}))
    return dict(counts)


def _shown_parent(key: str, parents: Mapping[str, str | None], shown: set[str]) -> str:
    above = parents.get(key)
    while above and above not in shown:
        above = parents.get(above)
    return above or ""


def _lineage(found: CheckpointTuple) -> Mapping[str, Any]:
    lineage: Mapping[str, Any] = (found.checkpoint["channel_values"].get(MEMORY) or {}).get(LINEAGE) or {}
    return lineage


def _heads(found: CheckpointTuple) -> dict[str, Head]:
    return {line: Head.of(value) for line, value in (_lineage(found).get("heads") or {}).items()}


def _id(found: CheckpointTuple) -> str:
    return str(found.checkpoint["id"])


def _parent(found: CheckpointTuple) -> str | None:
    return found.parent_config["configurable"]["checkpoint_id"] if found.parent_config else None
