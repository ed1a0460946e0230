"""Several bodies of `graph_memory.steps` at once, each ending alone.

`arun_all` runs them in lockstep: the store operations that are pending at the same time travel in one `abatch`, those that an
embedder may hold up in one beside it, while model calls run concurrently. That is what makes six memories one round trip.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from langgraph.store.base import PutOp, SearchOp

from graph_memory.errors import StoreUnavailableError
from graph_memory.expiry import keeps_ttl
from graph_memory.steps import AsyncBatches, Batches, Steps, arun, let_through, run

if TYPE_CHECKING:
    from langgraph.store.base import Op


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one body of several ended: `value`, or the `error` that ended it.

    Attributes:
        elapsed_ms: from the start until this body ended, shared round trips included.
    """

    value: Any = None
    error: Exception | None = None
    elapsed_ms: float = 0.0


def run_all(
    bodies: Mapping[str, Steps[Any]],
    *,
    store: Batches | None = None,
    deadline_seconds: Mapping[str, float | None] | None = None,
) -> dict[str, Outcome]:
    """Runs several bodies one after the other; one that fails or is late ends alone."""
    outcomes = {}
    for name, steps in bodies.items():
        started = time.perf_counter()
        try:
            value = run(steps, store=store, deadline_seconds=(deadline_seconds or {}).get(name))
        except Exception as exc:  # noqa: BLE001 - one memory's bug must not take the others with it (law 7)
            outcomes[name] = Outcome(error=let_through(exc), elapsed_ms=_since(started))
        else:
            outcomes[name] = Outcome(value=value, elapsed_ms=_since(started))
    return outcomes


async def arun_all(
    bodies: Mapping[str, Steps[Any]],
    *,
    store: AsyncBatches | None = None,
    deadline_seconds: Mapping[str, float | None] | None = None,
) -> dict[str, Outcome]:
    """Runs several bodies in lockstep: store operations pending together travel in one `abatch`, models run concurrently.

    Args:
        bodies: name to body.
        store: answers `StoreOps`.
        deadline_seconds: per name, for the whole body.

    Returns:
        Name to outcome, one for every body. A body that fails or is late ends alone; the others go on.
    """
    shared = None if store is None else _SharedBatches(store)

    async def outcome(name: str, steps: Steps[Any]) -> Outcome:
        started = time.perf_counter()
        try:
            value = await arun(steps, store=shared, deadline_seconds=(deadline_seconds or {}).get(name))
        except Exception as exc:  # noqa: BLE001 - one memory's bug must not take the others with it (law 7)
            return Outcome(error=let_through(exc), elapsed_ms=_since(started))
        return Outcome(value=value, elapsed_ms=_since(started))

    try:
        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(outcome(name, steps)) for name, steps in bodies.items()}
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None  # an interrupt, let through by `outcome`: LangGraph must see it bare
    finally:
        if shared is not None:
            shared.close()
    return {name: task.result() for name, task in tasks.items()}


_Waiting: TypeAlias = "tuple[list[Op], asyncio.Future[list[Any]]]"


class _SharedBatches:
    """Joins the `abatch` calls that are made in the same tick of the event loop into one call of the store beneath.

    Those for which the store may ask an embedder are joined apart from the others: it may be slow, or never answer, and
    everything that is in a call with it is as late.
    """

    def __init__(self, store: AsyncBatches) -> None:
        self._store = store
        self._has_embedder = getattr(store, "ranking", "unknown") in ("unknown", "words+meaning")
        self._waiting: list[_Waiting] = []
        self._flushes: set[asyncio.Task[None]] = set()

    async def abatch(self, ops: Iterable[Op]) -> list[Any]:
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((list(ops), answer))
        if len(self._waiting) == 1:
            flush = asyncio.create_task(self._flush())
            self._flushes.add(flush)
            flush.add_done_callback(self._flushes.discard)
        return await answer

    @property
    def supports_ttl(self) -> bool:
        """As the store beneath."""
        return keeps_ttl(self._store)

    def close(self) -> None:
        """Gives up what nobody waits for any more."""
        for flush in self._flushes:
            flush.cancel()

    async def _flush(self) -> None:
        await asyncio.sleep(0)
        waiting, self._waiting = self._waiting, []
        slow = [self._has_embedder and _is_embedded(ops) for ops, _ in waiting]
        groups = [
            [one for one, is_slow in zip(waiting, slow, strict=True) if is_slow is which] for which in (False, True)
        ]
        await asyncio.gather(*(self._together(group) for group in groups if group))

    async def _together(self, waiting: Sequence[_Waiting]) -> None:
        """Several askers' operations in one call; each by itself when that fails."""
        try:
            results = await self._store.abatch([op for ops, _ in waiting for op in ops])
        except asyncio.CancelledError:
            for _, answer in waiting:
                _refuse(answer, StoreUnavailableError("the store cancelled the call"))
            raise
        except Exception as exc:  # noqa: BLE001 - handed to whoever asked, who translates it
            if len(waiting) == 1:
                _refuse(waiting[0][1], exc)
            else:
                await asyncio.gather(*(self._alone(ops, answer) for ops, answer in waiting))
            return
        for ops, answer in waiting:
            mine, results = results[: len(ops)], results[len(ops) :]
            if not answer.done():
                answer.set_result(mine)

    async def _alone(self, ops: list[Op], answer: asyncio.Future[list[Any]]) -> None:
        """One asker's operations by themselves: a bad operation of one memory must not fail the others."""
        try:
            result = await self._store.abatch(ops)
        except asyncio.CancelledError:
            _refuse(answer, StoreUnavailableError("the store cancelled the call"))
            raise
        except Exception as exc:  # noqa: BLE001 - handed to whoever asked, who translates it
            _refuse(answer, exc)
        else:
            if not answer.done():
                answer.set_result(result)


def _is_embedded(ops: Iterable[Op]) -> bool:
    """Whether one of them is searched for by meaning, or is stored to be."""
    return any(
        (isinstance(op, SearchOp) and op.query is not None)
        or (isinstance(op, PutOp) and op.value is not None and op.index is not False)
        for op in ops
    )


def _refuse(answer: asyncio.Future[Any], exc: Exception) -> None:
    if not answer.done():
        answer.set_exception(exc)


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1e3
