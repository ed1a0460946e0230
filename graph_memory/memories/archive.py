"""The archive of a thread: its turns as they were, one store item per turn, never indexed for search.

A turn's key is a hash of the id of its first message and one of the ids of all, so that archiving it again changes nothing,
a turn that has grown is known as the same, and a replay that answered otherwise has a key of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from langchain_core.messages import BaseMessage, messages_from_dict
from langgraph.store.base import GetOp, Item, PutOp

from graph_memory.messages import DERIVED, message_value
from graph_memory.namespaces import label, namespace
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Scope

Messages = tuple[BaseMessage, ...]

_HEAD = "head"
_RECENT_TURNS = 128
_SAME_TURN = 16
"""Digits of a key that a turn keeps while it grows."""


def split_turns(messages: Iterable[BaseMessage]) -> list[Messages]:
    """The messages by turn, system messages left out; what precedes the first human message is a turn of its own."""
    turns: list[list[BaseMessage]] = []
    for message in messages:
        if message.type == "human" or not turns:
            turns.append([])
        if message.type != "system":
            turns[-1].append(message)
    return [tuple(turn) for turn in turns if turn]


def turn_key(turn: Messages) -> str:
    """The key of a turn: 24 hexadecimal digits, because the keys of a window stand in every checkpoint."""
    ids = [message.id or "" for message in turn]
    told_apart = ids if ids[0].startswith(DERIVED) else ids[:1]  # equal turns without ids must not share a key
    return _digest(told_apart, 8) + _digest(ids, 4)


def _digest(ids: Sequence[str], size: int) -> str:
    return hashlib.blake2b("\x1f".join(ids).encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


@dataclass(frozen=True, slots=True)
class Archive:
    """Where one buffer keeps the turns of one thread.

    Attributes:
        where: the namespace.
        ttl_minutes: how long the store keeps a turn; None keeps it.
    """

    where: tuple[str, ...]
    ttl_minutes: float | None = None

    @classmethod
    def of(cls, scope: Scope, memory: str, ttl_seconds: float | None) -> Archive | None:
        """The archive of the scope's thread; None when the scope names no thread."""
        if scope.thread_id is None:
            return None
        where = (*namespace(scope, memory), label("thread", scope.thread_id))
        return cls(where, None if ttl_seconds is None else ttl_seconds / 60)

    def puts(self, turns: Iterable[Messages]) -> list[PutOp]:
        """Operations that archive whole turns."""
        return [
            PutOp(
                self.where,
                turn_key(t),
                {"messages": [message_value(m) for m in t]},
                index=False,
                ttl=self.ttl_minutes,
            )
            for t in turns
        ]

    def read(self, keys: Sequence[str]) -> Steps[dict[str, Messages]]:
        """The archived turns under these keys, in their order; what is not there is left out."""
        items: list[Item | None] = yield StoreOps([GetOp(self.where, key) for key in keys])
        found = {key: item.value["messages"] for key, item in zip(keys, items, strict=True) if item is not None}
        return {key: tuple(messages_from_dict(messages)) for key, messages in found.items()}

    def ensure(self, turns: Sequence[Messages]) -> Steps[None]:
        """Archives these turns unless they are there.

        They are consecutive, and turns are archived in order, so all are there when the first and the last are, as long as
        they are now.
        """
        if not turns:
            return
        ends = [turns[0], turns[-1]]
        items: list[Item | None] = yield StoreOps([GetOp(self.where, turn_key(t), refresh_ttl=False) for t in ends])
        if not all(item is not None and _holds(item, turn) for item, turn in zip(items, ends, strict=True)):
            yield StoreOps(self.puts(turns))

    def recent(self) -> Steps[list[str]]:
        """Keys of the newest turns, oldest first."""
        [head] = yield StoreOps([GetOp(self.where, _HEAD)])
        return list(head.value["recent"]) if head is not None else []

    def append(self, turns: Sequence[Messages]) -> Steps[None]:
        """Archives turns at the end of the thread."""
        known = yield from self.recent()
        recent = {key[:_SAME_TURN]: key for key in [*known, *map(turn_key, turns)]}
        head = {"recent": list(recent.values())[-_RECENT_TURNS:]}
        outgrown = {turn_key(turn[:end]) for turn in turns for end in range(1, len(turn))}.intersection(known)
        gone = [PutOp(self.where, key, None) for key in sorted(outgrown)]
        yield StoreOps([*self.puts(turns), *gone, PutOp(self.where, _HEAD, head, index=False, ttl=self.ttl_minutes)])


def _holds(item: Item, turn: Messages) -> bool:
    return [message["data"].get("id") for message in item.value["messages"]] == [message.id for message in turn]
