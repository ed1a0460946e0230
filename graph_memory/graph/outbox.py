"""What waits to be remembered in the background: a turn as one store item, and the pointer by which a worker finds it.

An entry lies in its user's own namespace, so that forgetting the user takes it along; it is there as long as its turn is not
taken in. Its pointer is written and deleted in the same batch. A dead letter is an entry whose pointer lies in the other queue.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from langchain_core.messages import BaseMessage, messages_from_dict
from langgraph.store.base import PutOp

from graph_memory.errors import StoreError
from graph_memory.graph.commits import Commit, Key
from graph_memory.graph.lineage import LINEAGE
from graph_memory.graph.pointers import BOX, DEAD, WAITING, Pointer, aware, iso, moment_of
from graph_memory.graph.positions import Position
from graph_memory.messages import SAID_AT, message_value, said_at
from graph_memory.namespaces import label, namespace
from graph_memory.types import Line, Origin, Scope, Turn


@dataclass(frozen=True, slots=True)
class Entry:
    """One memory's share of one turn, to be taken in later.

    Attributes:
        id: the same for a re-run of the same node, so that it is written once.
        memory: name of the memory.
        node: the LLM node, with its agent if it has one: where the memory is found.
        turn: what the memory is told; without a token counter.
        posted_at: when.
        position: where it was committed; None without a lineage.
        attempts: how often it was tried in vain.
        not_before: when it may be tried again; None is at once.
        reason: why the last try failed, in a sentence that holds nothing of what was said.
    """

    id: str
    memory: str
    node: str
    turn: Turn
    posted_at: datetime
    position: Position | None = None
    attempts: int = 0
    not_before: datetime | None = None
    reason: str = ""

    @property
    def where(self) -> tuple[str, ...]:
        """The namespace of its lane: what one memory is told of one thread, in order."""
        lane = digest(self.turn.root, self.node, self.memory)
        return (*namespace(self.turn.scope, BOX), label("lane", lane))

    @property
    def key(self) -> Key:
        """Its namespace and key."""
        return self.where, self.id

    def commit(self) -> Commit | None:
        """Where its records go; None without a lineage.

        Its slot is apart from that of the run, whose re-run deletes what it does not write again.
        """
        if self.position is None:
            return None
        it, lineage = self.position, namespace(self.turn.scope, LINEAGE)
        return Commit(
            thread=self.turn.root,
            root=it.root,
            line=it.line,
            head=it.head,
            operation=it.operation,
            place=(*lineage, label("root", it.root), label("memory", self.memory)),
            is_retold=it.is_retold,
            is_late=True,
            part=it.part,
        )

    def puts(self) -> list[PutOp]:
        """Operations that write it, with its pointer."""
        return [
            PutOp(self.where, self.id, self.to_value(), index=False),
            self.pointer().put(WAITING),
        ]

    def buries(self) -> list[PutOp]:
        """Operations that make it a dead letter."""
        pointer = self.pointer()
        return [PutOp(self.where, self.id, self.to_value(), index=False), pointer.put(DEAD), pointer.delete(WAITING)]

    def deletes(self) -> list[PutOp]:
        """Operations that remove it and its pointer."""
        return [PutOp(self.where, self.id, None), self.pointer().delete(WAITING)]

    def failed(self, reason: str, not_before: datetime | None) -> Entry:
        """The same after one more try in vain."""
        return replace(self, attempts=self.attempts + 1, reason=reason, not_before=not_before)

    def pointer(self) -> Pointer:
        """What the queue holds of it."""
        return Pointer(
            self.id, self.where, self.memory, self.node, self.posted_at, self.attempts, self.not_before, self.reason
        )

    def to_value(self) -> dict[str, Any]:
        """As the store keeps it. The origin marks it as a record of its commit."""
        turn = self.turn
        origin = Origin(turn.root, turn_id=turn.turn_id, memory=self.memory)
        return {
            "origin": asdict(origin),
            "id": self.id,
            "memory": self.memory,
            "node": self.node,
            "posted_at": self.posted_at.isoformat(),
            "attempts": self.attempts,
            "not_before": iso(self.not_before),
            "reason": self.reason,
            "position": self.position.to_value() if self.position else None,
            "turn": _turn_value(turn),
        }

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Entry:
        """The entry that `to_value` wrote.

        Raises:
            StoreError: it is something else.
        """
        try:
            return cls._of(value)
        except (AttributeError, KeyError, TypeError, ValueError, NotImplementedError) as exc:
            raise StoreError("a turn in the outbox cannot be read: another version of graph_memory wrote it") from exc

    @classmethod
    def _of(cls, value: Mapping[str, Any]) -> Entry:
        position = value["position"]
        return cls(
            id=value["id"],
            memory=value["memory"],
            node=value["node"],
            turn=_turn_of(value["turn"]),
            posted_at=aware(value["posted_at"]),
            position=Position.from_value(position) if position else None,
            attempts=value["attempts"],
            not_before=moment_of(value["not_before"]),
            reason=value["reason"],
        )


def entry_id(operation: str, node: str, memory: str, turn: Turn) -> str:
    """Deterministic: of the operation, the memory and the messages that it is told, which are all that tells sent tasks apart.

    The owner is part of it: dead letters of all users are listed, and put back, by it.
    """
    ends = (turn.messages[0].id or "", turn.messages[-1].id or "") if turn.messages else ("", "")
    return digest(*namespace(turn.scope, BOX), operation, turn.root, node, memory, *ends)


def digest(*parts: str) -> str:
    """A short key of some texts: 20 hexadecimal digits."""
    raw = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(raw, digest_size=10).hexdigest()


def _turn_value(turn: Turn) -> dict[str, Any]:
    return {
        "scope": asdict(turn.scope),
        "messages": [_message_value(message, turn.now) for message in turn.messages],
        "previous": _message_value(turn.previous, turn.now) if turn.previous else None,
        "root": turn.root,
        "now": turn.now.isoformat(),
        "state": dict(turn.state),
        "branch": turn.branch,
        "told": turn.told,
        "turn_id": turn.turn_id,
        "share_tokens": turn.share_tokens,
        "shown": [[line.memory, line.memo_id, line.score] for line in turn.shown],
    }


def _turn_of(value: Mapping[str, Any]) -> Turn:
    previous = value["previous"]
    return Turn(
        scope=Scope(**value["scope"]),
        messages=tuple(messages_from_dict(value["messages"])),
        root=value["root"],
        now=datetime.fromisoformat(value["now"]),
        previous=messages_from_dict([previous])[0] if previous else None,
        state=value["state"],
        branch=value["branch"],
        told=value["told"],
        turn_id=value["turn_id"],
        share_tokens=value["share_tokens"],
        shown=tuple(Line(memory, memo, "", 0, True, "", score) for memory, memo, score in value.get("shown", ())),
    )


def _message_value(message: BaseMessage, now: datetime) -> dict[str, Any]:
    """The message with the time when it was said, which is not that of the worker."""
    when = {SAID_AT: said_at(message, now).isoformat()}
    return message_value(message.model_copy(update={"additional_kwargs": {**message.additional_kwargs, **when}}))
