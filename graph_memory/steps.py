"""A memory is a generator that yields requests and receives answers; this module holds the requests and the drivers.

A body written once is run both ways: `run` answers with `store.batch` and `model.invoke`, `arun` awaits `abatch` and
`ainvoke`, and `arun_all` runs several bodies in lockstep, so that the store operations which are pending at the same time
travel in one `abatch` while model calls run concurrently. Drivers translate what stores and models raise into this package's
errors, and let LangGraph's interrupts and cancellation through.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar, cast

from graph_memory.errors import GraphMemoryError, ModelError, StoreError, StoreUnavailableError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langgraph.store.base import BaseStore, Op

T = TypeVar("T")


class StoreOps(NamedTuple):
    """Asks for store operations; the answer is the list of their results, in order."""

    ops: Sequence[Op]


class Generate(NamedTuple):
    """Asks a chat model; the answer is its message, or a validated object when a schema is given."""

    model: BaseChatModel
    messages: Sequence[BaseMessage]
    schema: type[Any] | None = None


Request: TypeAlias = StoreOps | Generate
Steps: TypeAlias = Generator[Request, Any, T]
