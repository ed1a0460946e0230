"""A token counter that remembers what messages cost, and refuses to trust an id: an edited message counts anew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from langchain_core.messages import BaseMessage

from graph_memory.context.ledger import EMPTY, Ledger, extended

LEDGERS = 32
"""Threads whose ledgers are kept."""

CountText = Callable[[str], int]
CountFields = Callable[[Mapping[str, Any], CountText], int]


class Counted(NamedTuple):
    """What a message was when it was counted. Lists are copies, for messages may be changed in place."""

    content: str | list[Any]
    name: str | None
    kind: str
    links: tuple[Any, ...]
    tokens: int


class CachedCounter:
    """Counts texts by a function, and messages by that function and their framing; each message once.

    The cache holds at most `capacity` messages in two generations: when the young one is full it becomes the old one,
    and what is still used moves back. So a hit takes no lock and what was not used for longest goes first. A message's
    `__dict__` is read directly: attributes of pydantic models cost twice as much, and threads have 10,000 messages.
    """

    __slots__ = (
        "_count_fields",
        "_count_text",
        "_half",
        "_ledgers",
        "_lock",
        "_old",
        "_young",
        "exact",
        "name",
        "overhead",
    )

    def __init__(
        self,
        name: str,
        exact: bool,
        overhead: int,
        count_text: CountText,
        count_fields: CountFields,
        *,
        capacity: int = 50_000,
    ) -> None:
        self.name = name
        self.exact = exact
        self.overhead = overhead
        self._count_text = count_text
        self._count_fields = count_fields
        self._half = max(1, capacity // 2)
        self._young: dict[Any, Counted] = {}
        self._old: dict[Any, Counted] = {}
        self._ledgers: dict[str, Ledger] = {}
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: object) -> CachedCounter:
        """Itself: a cache is shared, and its lock cannot be copied (people deepcopy graph builders)."""
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def count_text(self, text: str) -> int:
        """Tokens of a bare text."""
        return self._count_text(text)

    def count_message(self, message: BaseMessage) -> int:
        """Tokens of one message with its role, name, tool calls and framing."""
        return self.count_messages((message,))[0]

    def count_messages(self, messages: Iterable[BaseMessage]) -> list[int]:
        """Tokens of each message, in order."""
        known = self._young.get
        counts = []
        for message in messages:
            fields = message.__dict__
            seen = known(fields["id"])
            if (
                seen is not None
                and seen[0] == fields["content"]
                and seen[1] == fields["name"]
                and seen[2] == fields["type"]
                and (seen[2] == "human" or seen[3] == _links(fields))
            ):
                counts.append(seen[4])
            else:
                counts.append(self._count(fields))
        return counts

    def ledger(self, messages: Sequence[BaseMessage]) -> Ledger:
        """What a thread costs; see `Ledger`. Ledgers of the newest threads are kept and extended."""
        thread = _keys(messages[0].__dict__)[0] if messages else ""
        ledger = extended(self._ledgers.get(thread, EMPTY), messages, self.count_messages)
        with self._lock:
            self._ledgers.pop(thread, None)
            self._ledgers[thread] = ledger
            if len(self._ledgers) > LEDGERS:
                del self._ledgers[next(iter(self._ledgers))]
        return ledger

    def _count(self, fields: Mapping[str, Any]) -> int:
        keys = _keys(fields)
        for key in keys:
            for generation in (self._young, self._old):
                seen = generation.get(key)
                if seen is not None and seen[:4] == _identity(fields):
                    self._keep(key, seen)
                    return seen.tokens
        tokens = self._count_fields(fields, self._count_text)
        free = next((key for key in keys if key not in self._young), keys[-1])
        self._keep(free, Counted(*deepcopy(_identity(fields)), tokens=tokens))
        return tokens

    def _keep(self, key: str, counted: Counted) -> None:
        with self._lock:
            if len(self._young) >= self._half and key not in self._young:
                self._old, self._young = self._young, {}
            self._young[key] = counted


def _keys(fields: Mapping[str, Any]) -> list[str]:
    """The message's id and its text: a message and its copy with a memory block share an id, and both are counted once."""
    content = fields["content"]
    return [key for key in (fields["id"], content) if key and isinstance(key, str)] or [""]


def _identity(fields: Mapping[str, Any]) -> tuple[str | list[Any], str | None, str, tuple[Any, ...]]:
    return fields["content"], fields["name"], fields["type"], _links(fields)


def _links(fields: Mapping[str, Any]) -> tuple[Any, ...]:
    """What ties an AI message to its tools and a tool's result to its call."""
    if fields["type"] == "ai":
        return fields["tool_calls"], fields["invalid_tool_calls"]
    return fields.get("tool_calls"), fields.get("invalid_tool_calls"), fields.get("tool_call_id")
