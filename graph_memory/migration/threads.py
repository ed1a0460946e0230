"""Messages of many threads, mixed as they come, gathered into chunks of whole turns. It holds no more than it must.

What is put into which chunk depends on the messages before alone, so that reading the same source again makes the same turns.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graph_memory.messages import is_spoken

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from graph_memory.migration.records import Said

CHUNK = 64
"""Messages after which a thread's next turn begins a new chunk."""

LONGEST = 1000
"""Messages of one turn; a longer one is cut, because a turn is kept as a whole."""

MOST = 20_000
"""Messages that wait for the rest of their turn, in all threads together."""

THREADS = 10_000
"""Threads that are kept in mind; one that comes again later is numbered anew, under the same ids."""


_Key = tuple[str, str | None, str]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Turns of one thread.

    Attributes:
        user, thread, root: as in `Said`.
        messages: whole turns.
        seq: how many spoken messages stand before them.
        previous: the message before them.
    """

    user: str
    thread: str | None
    root: str
    messages: tuple[BaseMessage, ...]
    seq: int = 0
    previous: BaseMessage | None = None


@dataclass
class Threads:
    """The threads that are being read: those with messages that wait, and how far the others have got."""

    _open: OrderedDict[_Key, Chunk] = field(default_factory=OrderedDict)
    _rested: OrderedDict[_Key, Chunk] = field(default_factory=OrderedDict)
    _waiting: int = 0

    def add(self, said: Said) -> Iterator[Chunk]:
        """Takes a message in; yields what is complete."""
        key = (said.user, said.thread, said.root)
        begun = self._open.pop(key, None) or self._rested.pop(key, None) or Chunk(*key, ())
        if len(begun.messages) >= (CHUNK if said.message.type == "human" else LONGEST):
            yield self._ended(begun)
            begun = _after(begun)
        self._open[key] = Chunk(*key, (*begun.messages, said.message), begun.seq, begun.previous)
        self._waiting += 1
        while self._waiting > MOST:
            yield self._rest()

    def rest(self) -> Iterator[Chunk]:
        """What is left when nothing more comes."""
        while self._open:
            yield self._rest()

    def _rest(self) -> Chunk:
        """The messages of the thread that has waited longest."""
        key, chunk = self._open.popitem(last=False)
        self._rested[key] = _after(chunk)
        while len(self._rested) > THREADS:
            self._rested.popitem(last=False)
        return self._ended(chunk)

    def _ended(self, chunk: Chunk) -> Chunk:
        self._waiting -= len(chunk.messages)
        return chunk


def _after(chunk: Chunk) -> Chunk:
    seq = chunk.seq + sum(map(is_spoken, chunk.messages))
    return Chunk(chunk.user, chunk.thread, chunk.root, (), seq, chunk.messages[-1])
