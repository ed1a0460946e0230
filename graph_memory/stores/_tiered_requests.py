"""What the bodies of a `TieredStore` ask for, and what may come back instead of an answer. Values only."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from graph_memory.errors import StoreUnavailableError

T = TypeVar("T")

DOWN = (StoreUnavailableError, OSError)
"""What a durable store raises that is out of reach."""


class HotError(Exception):
    """The hot store failed, in whatever way."""


class Hot(NamedTuple):
    """Asks for the results of the hot store."""

    ops: Sequence[Any]


class Durable(NamedTuple):
    """Asks for the results of the durable store."""

    ops: Sequence[Any]


class PutIfAbsent(NamedTuple):
    """Asks for `put_if_absent` of the durable store, with these arguments."""

    arguments: Mapping[str, Any]


class Call(NamedTuple):
    """Asks for the result of a function that blocks."""

    function: Callable[[], Any]


class Pause(NamedTuple):
    """Asks for some seconds to go by."""

    seconds: float


Request = Hot | Durable | PutIfAbsent | Call | Pause
Steps = Generator[Request, Any, T]
