"""Stand-ins of the memories' conformance checks: stores that fail or watch, a useless model, bodies watched and stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from langchain_core.messages import BaseMessage
from langgraph.store.base import ListNamespacesOp, Op, PutOp, SearchOp

from graph_memory.errors import GraphMemoryError
from graph_memory.steps import Steps

T = TypeVar("T")


@dataclass(slots=True)
class FailingStore:
    """A store whose operations fail from the batch number `at` on.

    Attributes:
        batches: how many batches it was asked for.
    """

    store: Any
    at: int
    batches: int = 0

    def batch(self, ops: Iterable[Op]) -> list[Any]:
        """The results, or a failure."""
        self._count()
        return list(self.store.batch(ops))

    async def abatch(self, ops: Iterable[Op]) -> list[Any]:
        """As `batch`."""
        self._count()
        return list(await self.store.abatch(ops))

    def _count(self) -> None:
        self.batches += 1
        if self.batches > self.at:
            raise RuntimeError("the disk is gone")


@dataclass(slots=True)
class WatchedStore:
    """A store that notes every operation.

    Attributes:
        ops: the operations, in order.
    """

    store: Any
    ops: list[Op] = field(default_factory=list)

    def batch(self, ops: Iterable[Op]) -> list[Any]:
        """The results."""
        self.ops += (ops := list(ops))
        return list(self.store.batch(ops))

    async def abatch(self, ops: Iterable[Op]) -> list[Any]:
        """As `batch`."""
        self.ops += (ops := list(ops))
        return list(await self.store.abatch(ops))

    @property
    def writes(self) -> list[PutOp]:
        """The operations that write."""
        return [op for op in self.ops if isinstance(op, PutOp)]


def places_of(op: Op) -> list[tuple[str, ...]]:
    """The namespaces that an operation reads or writes; the empty one for everything."""
    if isinstance(op, SearchOp):
        return [op.namespace_prefix]
    if isinstance(op, ListNamespacesOp):
        given = [tuple(one.path) for one in op.match_conditions or () if one.match_type == "prefix"]
        return given[:1] or [()]
    return [op.namespace]


@dataclass(frozen=True, slots=True)
class UselessModel:
    """A chat model, as far as memories use one, that always answers the same; without an answer it raises."""

    answer: BaseMessage | None = None

    def invoke(self, messages: Sequence[BaseMessage], config: Any = None) -> BaseMessage:
        """The answer."""
        if self.answer is None:
            raise RuntimeError("the model is down")
        return self.answer

    async def ainvoke(self, messages: Sequence[BaseMessage], config: Any = None) -> BaseMessage:
        """The answer."""
        return self.invoke(messages)

    def with_structured_output(self, schema: Any, *, include_raw: bool = False) -> _Unstructured:
        """A model whose answers do not fit the schema."""
        return _Unstructured(self)


@dataclass(frozen=True, slots=True)
class _Unstructured:
    model: UselessModel

    def invoke(self, messages: Sequence[BaseMessage], config: Any = None) -> dict[str, Any]:
        return {"raw": self.model.invoke(messages), "parsed": None, "parsing_error": ValueError("no valid answer")}

    async def ainvoke(self, messages: Sequence[BaseMessage], config: Any = None) -> dict[str, Any]:
        return self.invoke(messages)


def watched(steps: Steps[T], look: Callable[[Any], None]) -> Steps[T]:
    """The body, each of whose requests is looked at before it is answered."""
    try:
        request = next(steps)
        while True:
            look(request)
            try:
                answer = yield request
            except GraphMemoryError as exc:
                request = steps.throw(exc)
            else:
                request = steps.send(answer)
    except StopIteration as stop:
        ended: T = stop.value
        return ended


def stopped(steps: Steps[Any], after: int) -> Steps[bool]:
    """The body, closed at its request number `after`; whether it had not ended by then."""
    try:
        request = next(steps)
        for _ in range(after):
            request = steps.send((yield request))
    except StopIteration:
        return False
    finally:
        steps.close()
    return True
