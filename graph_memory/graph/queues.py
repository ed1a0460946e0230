"""What waits in a store's outbox and what lies dead there, for those who look after it; and putting dead letters back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langgraph.store.base import GetOp

from graph_memory.errors import ConflictError, StoreError
from graph_memory.graph.outbox import Entry
from graph_memory.graph.pointers import DEAD, WAITING, Pointer, pointers_of
from graph_memory.memories.listing import listed
from graph_memory.steps import Steps, StoreOps, arun, run
from graph_memory.stores.claims import ClaimOp, takes_claims

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore


def pending(store: BaseStore) -> list[Pointer]:
    """What is still to be taken in, the oldest first; nothing of what was said.

    Raises:
        StoreError: the store failed.
    """
    return run(pointers(WAITING), store=store)


async def apending(store: BaseStore) -> list[Pointer]:
    """`pending`, awaiting the store."""
    return await arun(pointers(WAITING), store=store)


def dead_letters(store: BaseStore) -> list[Pointer]:
    """What failed too often, the oldest first, each with the reason.

    Raises:
        StoreError: the store failed.
    """
    return run(pointers(DEAD), store=store)


async def adead_letters(store: BaseStore) -> list[Pointer]:
    """`dead_letters`, awaiting the store."""
    return await arun(pointers(DEAD), store=store)


def requeue(store: BaseStore, ids: Collection[str] | None = None) -> int:
    """Lets dead letters be tried again, as if for the first time; returns how many.

    Args:
        store: where they are.
        ids: which; None for all.

    Raises:
        StoreError: the store failed.
    """
    return run(_requeued(ids, is_atomic=takes_claims(store)), store=store)


async def arequeue(store: BaseStore, ids: Collection[str] | None = None) -> int:
    """`requeue`, awaiting the store."""
    return await arun(_requeued(ids, is_atomic=takes_claims(store)), store=store)


def pointers(queue: tuple[str, ...]) -> Steps[list[Pointer]]:
    """What a queue holds, the oldest first."""
    return pointers_of((yield from listed(queue)))


def _requeued(ids: Collection[str] | None, *, is_atomic: bool) -> Steps[int]:
    lying = yield from pointers(DEAD)
    chosen = [pointer for pointer in lying if ids is None or pointer.id in ids]
    items = yield StoreOps([GetOp(pointer.where, pointer.id, refresh_ttl=False) for pointer in chosen])
    count = 0
    for pointer, item in zip(chosen, items, strict=True):
        if item is None:  # forgotten
            yield StoreOps([pointer.delete(DEAD)])
        else:
            count += yield from _put_back(pointer, item.value, is_atomic)
    return count


def _put_back(pointer: Pointer, value: Mapping[str, Any], is_atomic: bool) -> Steps[int]:
    try:
        entry = Entry.of(value)
    except StoreError:  # it stays where it is, with that as the reason
        return 0
    if entry.key != pointer.key:
        return 0
    fresh = replace(entry, attempts=0, not_before=None, reason="")
    ops: Sequence[Any] = [*fresh.puts(), pointer.delete(DEAD)]
    if is_atomic:  # nothing comes back that was forgotten since it was read
        ops = [ClaimOp(entry.where, entry.id, fresh.to_value(), must_exist=True), *ops]
    try:
        yield StoreOps(ops)
    except ConflictError:
        return 0
    return 1
