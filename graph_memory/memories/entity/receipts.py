"""Receipts of the messages that entity memory has read: what each became, so that it is read once, and anew when it is edited.
Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.store.base import GetOp, Item

from graph_memory.memories.records import memo_id
from graph_memory.messages import said_at, speaker_of, text_of
from graph_memory.namespaces import namespace
from graph_memory.types import Turn


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was made of a message.

    Attributes:
        digest: of its text.
        said_at: when it was said, kept from the first time, so that telling it again makes nothing newer.
        seq: its position in the thread, likewise.
        records: namespace and key of the memos that it became.
    """

    digest: str
    said_at: str
    seq: int
    records: tuple[tuple[tuple[str, ...], str], ...] = ()

    @classmethod
    def of(cls, item: Item | None) -> Receipt | None:
        """What is stored; None when the message was never read."""
        if item is None:
            return None
        records = tuple((tuple(where), str(key)) for where, key in item.value["records"])
        return cls(item.value["digest"], item.value["said_at"], int(item.value["seq"]), records)

    def to_value(self, origin: Mapping[str, Any]) -> dict[str, Any]:
        """As it is stored."""
        records = [[list(where), key] for where, key in self.records]
        return {
            "origin": dict(origin),
            "digest": self.digest,
            "said_at": self.said_at,
            "seq": self.seq,
            "records": records,
        }


def receipt_get(turn: Turn, memory: str, message: BaseMessage) -> GetOp:
    """Asks for a message's receipt."""
    key = memo_id(turn.stem, message.id or "", memory)
    return GetOp(namespace(turn.scope, f"{memory}/read"), key, refresh_ttl=False)


def digest_of(message: BaseMessage) -> str:
    """What tells an edited message from an unchanged one."""
    raw = f"{speaker_of(message)}\x1f{text_of(message)}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(raw, digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class Reading:
    """One message that is to be read.

    Attributes:
        message: the message.
        at: when it was said.
        seq: its position in the thread.
        old: its receipt, when it was read before and has been edited since.
    """

    message: BaseMessage
    at: datetime
    seq: int
    old: Receipt | None = None


def unread(turn: Turn, spoken: Sequence[BaseMessage], items: Sequence[Item | None], first_seq: int) -> list[Reading]:
    """The messages that were not read before, or not as they now are."""
    readings = []
    for i, (message, item) in enumerate(zip(spoken, items, strict=True)):
        old = Receipt.of(item)
        if old is not None and old.digest == digest_of(message):
            continue
        at = datetime.fromisoformat(old.said_at) if old else said_at(message, turn.now)
        readings.append(Reading(message, at, old.seq if old else first_seq + i, old))
    return readings
