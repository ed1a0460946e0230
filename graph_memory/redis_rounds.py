"""What is sent to Redis, as values: commands, scripts, and bodies that yield rounds of them and receive their replies. Pure."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any, NamedTuple, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script, which Redis runs as a whole or not at all."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", sha1(self.text.encode(), usedforsecurity=False).hexdigest())


class Call(NamedTuple):
    """A script with the keys and arguments of one run."""

    script: Script
    keys: Sequence[bytes]
    args: Sequence[Any]


Command: TypeAlias = tuple[Any, ...]
"""A command's name and arguments, or a `Call`."""

Round: TypeAlias = list[Command]
"""What is sent together. On a cluster every command has the keys of one slot."""

Steps: TypeAlias = Generator[Round, list[Any], T]
"""A body that yields rounds, receives their replies and returns a result."""


def together(bodies: Iterable[Steps[T]]) -> Steps[list[T]]:
    """Several bodies in lockstep: rounds that are pending at the same time travel as one."""
    running = dict(enumerate(bodies))
    results: dict[int, T] = {}
    replies: dict[int, Any] = dict.fromkeys(running)
    while running:
        asked: dict[int, Round] = {}
        for at, body in list(running.items()):
            try:
                asked[at] = body.send(replies[at])
            except StopIteration as stop:
                results[at] = stop.value
                del running[at]
        answers = iter((yield [command for some in asked.values() for command in some]) if asked else ())
        replies = {at: [next(answers) for _ in some] for at, some in asked.items()}
    return [results[at] for at in sorted(results)]
