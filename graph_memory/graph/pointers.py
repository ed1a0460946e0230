"""Pointers: by them a worker finds what waits in the outbox of every user, and which dead letters there are.

Pointers lie in a queue, which workers list as a whole, but there in a place of their user's own, so that a store with row-level
security takes them from that user and shows them to no other. They hold nothing of what was said.

Where users reach the store themselves, one of them may write anything into their own places. A worker, who reaches everybody's,
therefore follows a pointer only to the entries of the user in whose place it lies.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from langgraph.store.base import GetOp, Item, PutOp

from graph_memory.errors import StoreError
from graph_memory.graph.commits import Key
from graph_memory.namespaces import ROOT, label

logger = logging.getLogger("graph_memory")

WAITING = (ROOT, label("outbox", "waiting"))
"""Prefix of the namespaces, one a user, of the pointers to what waits."""

DEAD = (ROOT, label("outbox", "dead"))
"""The same for dead letters: what failed too often, kept until somebody requeues it."""

BOX = "@outbox"
"""Where entries are, in the place of a memory's name. No memory can be named so."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a queue holds of an entry: where it is and when it is due; nothing of what was said.

    Attributes:
        id: the entry's.
        where: namespace of its lane.
        memory, node, posted_at, attempts, not_before, reason: as in `Entry`.
    """

    id: str
    where: tuple[str, ...]
    memory: str
    node: str
    posted_at: datetime
    attempts: int = 0
    not_before: datetime | None = None
    reason: str = ""

    @property
    def key(self) -> Key:
        """Namespace and key of the entry."""
        return self.where, self.id

    def put(self, queue: tuple[str, ...]) -> PutOp:
        """The operation that puts it into a queue."""
        return PutOp(_place(queue, self.where), self.id, self.to_value(), index=False)

    def delete(self, queue: tuple[str, ...]) -> PutOp:
        """The operation that takes it out of a queue."""
        return PutOp(_place(queue, self.where), self.id, None)

    def get(self, queue: tuple[str, ...]) -> GetOp:
        """The operation that reads it in a queue."""
        return GetOp(_place(queue, self.where), self.id, refresh_ttl=False)

    def to_value(self) -> dict[str, Any]:
        """As the store keeps it."""
        return {
            "where": list(self.where),
            "memory": self.memory,
            "node": self.node,
            "posted_at": self.posted_at.isoformat(),
            "attempts": self.attempts,
            "not_before": iso(self.not_before),
            "reason": self.reason,
        }

    @classmethod
    def of(cls, item: Item) -> Pointer:
        """The pointer that `to_value` wrote.

        Raises:
            StoreError: it is something else, or lies in another user's place than it points to.
        """
        value = item.value
        try:
            pointer = cls(
                id=item.key,
                where=tuple(value["where"]),
                memory=value["memory"],
                node=value["node"],
                posted_at=aware(value["posted_at"]),
                attempts=int(value["attempts"]),
                not_before=moment_of(value["not_before"]),
                reason=value["reason"],
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise StoreError("an item in a queue of the outbox is no pointer") from exc
        texts = (pointer.memory, pointer.node, pointer.reason, *pointer.where)
        if not all(isinstance(text, str) for text in texts) or pointer.where[:2] != (ROOT, item.namespace[-1]):
            raise StoreError("a pointer in the outbox lies in another user's place than it points to")
        return pointer


def pointers_of(items: Iterable[Item]) -> list[Pointer]:
    """The pointers that a queue holds, the oldest first. What is none, or leads to another user, is left out."""
    found = list[Pointer]()
    for item in items:
        try:
            found.append(Pointer.of(item))
        except StoreError as exc:
            logger.warning("%s: it is left alone", exc)
    return sorted(found, key=lambda pointer: (pointer.posted_at, pointer.id))


def pointers_to(places: Iterable[Key]) -> list[PutOp]:
    """Operations that delete the pointers to what is deleted under these places, entries or not."""
    box = label("memory", BOX)
    return [
        PutOp(_place(queue, where), key, None) for where, key in places if box in where for queue in (WAITING, DEAD)
    ]


def _place(queue: tuple[str, ...], where: tuple[str, ...]) -> tuple[str, ...]:
    """Where in a queue the pointers to entries of this namespace are: row-level security goes by the owner's label."""
    return (*queue, where[1])


def iso(moment: datetime | None) -> str | None:
    """A time as text, if there is one."""
    return None if moment is None else moment.isoformat()


def moment_of(stored: str | None) -> datetime | None:
    """The time that `iso` wrote, if there is one."""
    return None if stored is None else aware(stored)


def aware(stored: str) -> datetime:
    """The time that `iso` wrote.

    Raises:
        ValueError: it is none, or of no zone.
    """
    moment = datetime.fromisoformat(stored)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment
