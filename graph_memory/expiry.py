"""Time to live on stores that have none: the end stands in the item itself, and what is over is not read any more. Pure.

A store that supports TTL is asked to keep it and is left alone. On any other, LangGraph ignores the `ttl` of a `PutOp` without a
word; here whoever drives a memory (`graph_memory.steps`) passes its operations through `living`, so that no memory need think of
it. What is over stays in such a store, unread, until it is written anew or deleted: forgetting a user takes it along.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from langgraph.store.base import Item, Op, PutOp, SearchOp

ENDS_AT = "@ends_at"
"""Key of a stored value that says until when it is read; memories never see it."""

_MOST = 10_000
"""How many results a search is widened to at most, when those that are over crowd it."""

Exchange = Generator[Sequence[Op], list[Any], list[Any]]


def keeps_ttl(store: Any) -> bool:
    """Whether a store takes away by itself what is over."""
    return bool(getattr(store, "supports_ttl", False))


def as_written(value: Mapping[str, Any]) -> dict[str, Any]:
    """A stored value as its memory wrote it."""
    return {key: part for key, part in value.items() if key != ENDS_AT}


def living(ops: Sequence[Op], now: datetime, *, with_expired: bool = False) -> Exchange:
    """Yields what to ask of a store without TTL, is sent its results, and returns those that a store with TTL would give.

    Args:
        ops: what is asked.
        now: the time that TTL counts from, and that decides what is over.
        with_expired: whether what is over is wanted too.
    """
    asked = [_stamped(op, now) for op in ops]
    results = yield asked
    seen = [_seen(result, now, with_expired=with_expired) for result in results]
    while more := [at for at, op in enumerate(asked) if _lacks(op, ops[at], results[at], seen[at])]:
        wider = [_wider(asked[at]) for at in more]
        for at, op, result in zip(more, wider, (yield wider), strict=True):
            asked[at], results[at], seen[at] = op, result, _seen(result, now, with_expired=with_expired)
    return [result[: op.limit] if isinstance(op, SearchOp) else result for op, result in zip(ops, seen, strict=True)]


def _stamped(op: Op, now: datetime) -> Op:
    if not isinstance(op, PutOp) or op.ttl is None or op.value is None:
        return op
    try:
        ends_at = now + timedelta(minutes=op.ttl)
    except OverflowError:  # beyond the year 9999
        return op._replace(ttl=None)
    return op._replace(value={**op.value, ENDS_AT: ends_at.isoformat()}, ttl=None)


def _seen(result: Any, now: datetime, *, with_expired: bool) -> Any:
    if isinstance(result, Item):
        return _item(result, now, with_expired=with_expired)
    if not isinstance(result, list) or not any(isinstance(one, Item) and ENDS_AT in one.value for one in result):
        return result
    found = [_item(one, now, with_expired=with_expired) for one in result]
    return [one for one in found if one is not None]


def _item(item: Item, now: datetime, *, with_expired: bool) -> Item | None:
    """The item as its memory wrote it; None when it is over."""
    if ENDS_AT not in item.value:
        return item
    if not with_expired and datetime.fromisoformat(item.value[ENDS_AT]) <= now:
        return None
    plain = copy(item)  # LangGraph's InMemoryStore hands out its own
    plain.value = as_written(item.value)
    return plain


def _lacks(asked: Op, op: Op, results: Any, seen: Any) -> bool:
    """Whether a search found all that it was asked for, and too little of it is left."""
    if not isinstance(op, SearchOp) or not isinstance(asked, SearchOp):
        return False
    return len(seen) < op.limit and len(results) == asked.limit < _MOST


def _wider(op: Op) -> Op:
    return op._replace(limit=min(_MOST, op.limit * 2)) if isinstance(op, SearchOp) else op


def utc_now() -> datetime:
    """The time on this machine."""
    return datetime.now(UTC)
