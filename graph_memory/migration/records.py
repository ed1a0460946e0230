"""What a source yields: what was said, facts, values, items of an export, and what cannot be used. Plain values, no I/O."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from graph_memory.extract.transcripts import Fault

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langgraph.store.base import PutOp

__all__ = [
    "DEPTH",
    "TOO_DEEP",
    "Exact",
    "Fault",
    "Kept",
    "Noted",
    "Record",
    "Records",
    "Said",
    "Source",
    "is_deep",
    "on_a_line",
    "usable",
]


DEPTH = 100
"""Levels of a value that is nested as deeply as it may be."""

TOO_DEEP = f"it is nested more than {DEPTH} levels deep"
"""Why a value cannot be used."""


class Said(NamedTuple):
    """A message of a conversation. Those of one thread come in their order; threads may come mixed.

    Attributes:
        where: what it is called in errors and reports, such as "line 12"; never what it says.
        user: whose memory it becomes.
        thread: id of the thread; None when the source names none.
        root: what its thread's ids are made of: the thread's id, as where a graph remembers.
        message: with an id that is its own in the thread, and the same on every reading.
    """

    where: str
    user: str
    thread: str | None
    root: str
    message: BaseMessage


class Noted(NamedTuple):
    """A fact that stands for itself.

    Attributes:
        where, user: as in `Said`.
        key: what it is known by in its source, the same on every reading.
        text: the fact.
        at: when it was last changed; None when the source does not say.
        metadata: what else is known of it.
    """

    where: str
    user: str
    key: str
    text: str
    at: datetime | None
    metadata: Mapping[str, Any]


class Kept(NamedTuple):
    """A value under a name, such as a field of a profile.

    Attributes:
        where, user, at: as in `Noted`.
        key: what its source's item is known by.
        name: the key that it is kept under.
        value: any JSON.
    """

    where: str
    user: str
    key: str
    name: str
    value: Any
    at: datetime | None


class Exact(NamedTuple):
    """An item of an export, to be written as it is."""

    where: str
    user: str
    put: PutOp


Record: TypeAlias = Said | Noted | Kept | Exact
Records: TypeAlias = Generator[Record | Fault, None, None]


def is_deep(value: Any) -> bool:
    """Whether a foreign value is nested more deeply than `DEPTH`: what works on values calls itself for each level."""
    level = [value]
    for _ in range(DEPTH):
        inner = (
            one.values() if isinstance(one, Mapping) else one
            for one in level
            if isinstance(one, Mapping | list | tuple)
        )
        if not (level := [*chain.from_iterable(inner)]):
            return False
    return True


def usable(record: Record | Fault) -> Record | Fault:
    """The record, or that it cannot be used."""
    match record:
        case Said(message=message):
            is_bad = is_deep(vars(message))
        case Noted(metadata=value) | Kept(value=value):
            is_bad = is_deep(value)
        case _:
            is_bad = False
    return Fault(record.where, TOO_DEEP) if is_bad else record


def on_a_line(text: str, most: int = 200) -> str:
    """A foreign text as it is shown: on one line, without control characters, clipped."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


class Source(Protocol):
    """Where memories come from. It reads lazily and changes nothing."""

    def records(self) -> Records:
        """What there is, in the same order on every reading; what cannot be used comes as a `Fault` in its place.

        Raises:
            GraphMemoryError: it cannot be read (any further); all else that is raised comes out of the import as a `StoreError`.
        """
        ...
