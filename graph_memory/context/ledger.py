"""What a thread costs, message by message, kept between calls so that a call pays for new messages only.

A ledger is trusted only as far as the thread still says the same: texts and roles are compared in full each time (60 ns a
message), and the newest messages are counted anew. An older message that changed without changing its text (the arguments
of a tool call) is the one thing that goes unnoticed; it moves the next flush of the window by a little, and no more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter, itemgetter
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

RECOUNTED = 256

_FIELDS = attrgetter("__dict__")
_CONTENT = itemgetter("content")


class _Roles(dict[type, str]):
    """Roles by class, looked up once: `isinstance` on pydantic classes takes 0.5 µs, this takes 0.02."""

    def __missing__(self, kind: type) -> str:
        classes = {HumanMessage: "human", AIMessage: "ai", ToolMessage: "tool", SystemMessage: "system"}
        classes[RemoveMessage] = "remove"
        self[kind] = next((role for known, role in classes.items() if issubclass(kind, known)), "other")
        return self[kind]


_ROLES = _Roles()


def role_of(message: BaseMessage) -> str:
    """One of human, ai, tool, system, remove, other. Chunks have the role of what they are chunks of."""
    return _ROLES[type(message)]


def role_of_class(kind: type[BaseMessage]) -> str:
    """The role of messages of that class."""
    return _ROLES[kind]


def roles_of(messages: Sequence[BaseMessage]) -> list[str]:
    """The role of each message, in order."""
    return list(map(_ROLES.__getitem__, map(type, messages)))


@dataclass(frozen=True, slots=True)
class Ledger:
    """A thread's costs.

    Attributes:
        contents: what the messages said when they were counted.
        roles: the role of each message.
        humans: where the human messages are.
        sums: `sums[i]` is what the first `i` messages cost; system messages count nothing, for they are in no turn.
    """

    contents: list[Any]
    roles: list[str]
    humans: list[int]
    sums: list[int]

    def starts(self) -> list[int]:
        """Index at which each turn begins; the first is 0.

        What precedes the first human message is a turn of its own, unless it is made of system messages only.
        """
        if not self.roles:
            return []
        first = self.humans[0] if self.humans else len(self.roles)
        is_bare = all(role == "system" for role in self.roles[:first])
        return [0, *self.humans[1:]] if is_bare else [0, *self.humans]


EMPTY = Ledger([], [], [], [0])


def extended(
    ledger: Ledger, messages: Sequence[BaseMessage], count: Callable[[Sequence[BaseMessage]], list[int]]
) -> Ledger:
    """The ledger of `messages`, made from that of the same thread at an earlier time.

    Args:
        ledger: what was known; `EMPTY` when nothing was.
        messages: the thread, oldest first.
        count: tokens of each message.
    """
    contents = list(map(_CONTENT, map(_FIELDS, messages)))
    roles = roles_of(messages)
    same = max(0, min(_same(ledger, contents, roles), len(messages) - RECOUNTED))
    costs = [0 if role == "system" else cost for role, cost in zip(roles[same:], count(messages[same:]), strict=True)]
    sums = [*ledger.sums[:same], *accumulate(costs, initial=ledger.sums[same])]
    humans = ledger.humans[: bisect_left(ledger.humans, same)]
    humans += [index for index in range(same, len(roles)) if roles[index] == "human"]
    kept = [content if isinstance(content, str) else deepcopy(content) for content in contents[same:]]
    return Ledger([*ledger.contents[:same], *kept], roles, humans, sums)


def _same(ledger: Ledger, contents: list[Any], roles: list[str]) -> int:
    """How many messages at the beginning are as they were."""
    known = len(ledger.contents)
    if contents[:known] == ledger.contents and roles[:known] == ledger.roles:
        return known
    pairs = zip(zip(contents, roles, strict=True), zip(ledger.contents, ledger.roles, strict=True), strict=False)
    return next((index for index, (now, before) in enumerate(pairs) if now != before), min(known, len(contents)))
