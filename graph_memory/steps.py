"""A memory is a generator that yields requests and receives answers; this module holds the requests and the drivers.

A body written once is run both ways: `run` answers with `store.batch` and `model.invoke`, `arun` awaits `abatch` and
`ainvoke`. Both translate what stores and models raise into this package's errors, and let LangGraph's interrupts and
cancellation through. Several bodies at once: `graph_memory.lockstep`.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar, cast

from graph_memory.errors import ConfigurationError, GraphMemoryError, ModelError, StoreError, StoreUnavailableError
from graph_memory.expiry import keeps_ttl, living, utc_now
from graph_memory.models import ChatModel, is_named, question, resolved, structured

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langgraph.store.base import Op

T = TypeVar("T")


class StoreOps(NamedTuple):
    """Asks for store operations; the answer is the list of their results, in order.

    `with_expired` asks, on a store without TTL, for what is over as well, which is still there to be deleted.
    """

    ops: Sequence[Op]
    with_expired: bool = False


class Generate(NamedTuple):
    """Asks a chat model; the answer is its message, or a validated object of the schema (a pydantic class) when one is given."""

    model: ChatModel
    messages: Sequence[BaseMessage]
    schema: type[Any] | None = None


class Call(NamedTuple):
    """Asks for a function's result, such as a reranker's; an async graph calls it in a worker thread."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()


Request: TypeAlias = StoreOps | Generate | Call
Steps: TypeAlias = Generator[Request, Any, T]


class Batches(Protocol):
    """The synchronous half of a store: all that `run` needs of one."""

    def batch(self, ops: Iterable[Op]) -> list[Any]:
        """The operations' results, in order."""
        ...


class AsyncBatches(Protocol):
    """The asynchronous half of a store: all that `arun` needs of one."""

    async def abatch(self, ops: Iterable[Op]) -> list[Any]:
        """The operations' results, in order."""
        ...


def run(steps: Steps[T], *, store: Batches | None = None, deadline_seconds: float | None = None) -> T:
    """Drives one body with the store's and the models' synchronous methods.

    Args:
        steps: the body; it is closed in the end, whatever happens.
        store: answers `StoreOps`.
        deadline_seconds: for the whole body. A synchronous call that is late is abandoned to a daemon thread.

    Raises:
        StoreUnavailableError: the deadline passed, or there is no store.
        ConfigurationError: what was given as a store is none, such as a url.
        GraphMemoryError: whatever else the body did not handle; a driver's own exception is its cause.
    """
    late = None if deadline_seconds is None else time.perf_counter() + deadline_seconds
    try:
        request = next(steps)
        while True:
            try:
                answer = _within(late, _answer, request, store)
            except GraphMemoryError as exc:
                request = steps.throw(exc)
            else:
                request = steps.send(answer)
    except StopIteration as stop:
        return cast(T, stop.value)
    finally:
        steps.close()


async def arun(steps: Steps[T], *, store: AsyncBatches | None = None, deadline_seconds: float | None = None) -> T:
    """`run`, awaiting the store's and the models' asynchronous methods.

    Raises:
        StoreUnavailableError: the deadline passed, or there is no store.
        GraphMemoryError: whatever else the body did not handle.
    """
    try:
        async with asyncio.timeout(deadline_seconds) as limit:
            request = next(steps)
            while True:
                try:
                    answer = await _aanswer(request, store)
                except GraphMemoryError as exc:
                    request = steps.throw(exc)
                else:
                    request = steps.send(answer)
    except StopIteration as stop:
        return cast(T, stop.value)
    except TimeoutError as exc:
        if not limit.expired():
            raise
        raise StoreUnavailableError(f"no answer within {deadline_seconds:g} s") from exc
    finally:
        steps.close()


def let_through(exc: Exception) -> Exception:
    """The exception, unless LangGraph raised it to steer the graph (an interrupt, a parent command): that is raised again."""
    from langgraph.errors import GraphBubbleUp

    if isinstance(exc, GraphBubbleUp):
        raise exc
    return exc


def _answer(request: Request, store: Batches | None) -> Any:
    if isinstance(request, StoreOps):
        if not request.ops:
            return []
        asked = _needed(store)
        return _translated(StoreError, "the store", lambda: _stored(request, asked))
    if isinstance(request, Call):
        return _translated(ModelError, "the function", lambda: request.function(*request.args))
    return _checked(request, _translated(ModelError, "the model", lambda: _invoked(request)))


async def _aanswer(request: Request, store: AsyncBatches | None) -> Any:
    if isinstance(request, StoreOps):
        if not request.ops:
            return []
        asked = _needed(store)
        return await _atranslated(StoreError, "the store", lambda: _astored(request, asked))
    if isinstance(request, Call):
        return await _atranslated(
            ModelError, "the function", lambda: asyncio.to_thread(request.function, *request.args)
        )
    return _checked(request, await _atranslated(ModelError, "the model", lambda: _ainvoked(request)))


def _stored(request: StoreOps, store: Batches) -> list[Any]:
    if keeps_ttl(store):
        return store.batch(request.ops)
    exchange = living(request.ops, utc_now(), with_expired=request.with_expired)
    try:
        asked = next(exchange)
        while True:
            asked = exchange.send(store.batch(asked))
    except StopIteration as stop:
        return cast("list[Any]", stop.value)


async def _astored(request: StoreOps, store: AsyncBatches) -> list[Any]:
    if keeps_ttl(store):
        return await store.abatch(request.ops)
    exchange = living(request.ops, utc_now(), with_expired=request.with_expired)
    try:
        asked = next(exchange)
        while True:
            asked = exchange.send(await store.abatch(asked))
    except StopIteration as stop:
        return cast("list[Any]", stop.value)


# LangGraph's tag that keeps a memory's own model calls out of `stream_mode="messages"`.
_QUIET: Any = {"tags": ["nostream"]}


def _invoked(request: Generate) -> Any:
    model, messages = question(request.model, request.messages, request.schema)
    return model.invoke(messages, _QUIET)


async def _ainvoked(request: Generate) -> Any:
    if is_named(request.model):
        await asyncio.to_thread(resolved, request.model)  # making it reads files
    model, messages = question(request.model, request.messages, request.schema)
    return await model.ainvoke(messages, _QUIET)


def _checked(request: Generate, answer: Any) -> Any:
    return answer if request.schema is None else structured(answer, request.schema)


def _needed(store: Any) -> Any:
    if store is None:
        raise StoreUnavailableError("this graph has no store: compile it with store=..., for example open_store(url)")
    if not hasattr(store, "batch") and not hasattr(store, "abatch"):
        raise ConfigurationError(
            f"store must be a store, not a {type(store).__name__}: with open_store(url) as store: ..."
        )
    return store


def _translated(error: type[GraphMemoryError], what: str, call: Callable[[], T]) -> T:
    try:
        return call()
    except GraphMemoryError:
        raise
    except Exception as exc:
        raise error(f"{what} failed: {type(let_through(exc)).__name__}") from exc


async def _atranslated(error: type[GraphMemoryError], what: str, call: Callable[[], Awaitable[T]]) -> T:
    try:
        return await call()
    except GraphMemoryError:
        raise
    except Exception as exc:
        raise error(f"{what} failed: {type(let_through(exc)).__name__}") from exc


def _within(late: float | None, call: Callable[..., T], *args: Any) -> T:
    """`call(*args)`, given up at the moment `late` (of `perf_counter`)."""
    if late is None:
        return call(*args)
    answer: Future[T] = Future()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            answer.set_result(context.run(call, *args))
        except BaseException as exc:  # noqa: BLE001 - carried to the thread that waits
            answer.set_exception(exc)

    threading.Thread(target=work, name="graph_memory", daemon=True).start()
    try:
        return answer.result(timeout=max(0.0, late - time.perf_counter()))
    except TimeoutError as exc:
        if answer.done():
            raise
        raise StoreUnavailableError("no answer within the deadline") from exc
