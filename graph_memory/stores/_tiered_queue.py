"""What a `TieredStore` with a queue does beside: writes wait in a file while the durable store is out of reach.

While anything waits, everything else stands behind it: an operation first tries to have the queue carried out; if it cannot, gets
are answered from the queue and then as ever, puts join the queue, and what needs the durable store fails.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from langgraph.store.base import GetOp, Item, Op, PutOp

from graph_memory.errors import GraphMemoryError, StoreUnavailableError
from graph_memory.stores._journal import Journal
from graph_memory.stores._tiered_requests import DOWN, Call, Pause, Steps
from graph_memory.stores._tiered_steps import Tier
from graph_memory.stores.claims import ClaimOp

_log = logging.getLogger("graph_memory.stores.tiered")
_AT_ONCE = 50  # queued batches that are carried out as one: the last write of a key is what stays of them
_LOOKS, _BETWEEN = 40, 0.05  # for another process to have carried the queue out; seconds


@dataclass(frozen=True)
class Queued:
    """A tier whose writes may wait."""

    tier: Tier
    journal: Journal

    def batch(self, ops: Sequence[Op | ClaimOp]) -> Steps[list[Any]]:
        """The results of a checked batch."""
        if not (yield from self.drained()):
            return (yield from self._beside(ops))
        try:
            return (yield from self.tier.batch(ops))
        except DOWN:
            self.tier.gate.durable.failed()
            if not any(isinstance(op, PutOp) for op in ops) or not _can_wait(ops):
                raise
            return (yield from self._beside(ops))

    def drained(self) -> Steps[bool]:
        """Carries out what waits, in its order; whether nothing waits any more."""
        if (yield Call(self.journal.is_empty)):
            return True
        turn: sqlite3.Connection | None = None
        for _ in range(_LOOKS):
            if not self.tier.gate.durable.allows():
                return False
            if (turn := (yield Call(self.journal.taken))) is not None:
                break
            yield Pause(_BETWEEN)
            if (yield Call(self.journal.is_empty)):
                return True
        try:
            return turn is not None and (yield from self._carried_out())
        finally:
            if turn is not None:
                turn.close()

    def _carried_out(self) -> Steps[bool]:
        count = alone = 0
        while some := (yield Call(partial(self.journal.oldest, 1 if alone else _AT_ONCE))):
            alone -= alone > 0
            try:
                yield from self.tier.batch([op for waiting in some for op in waiting.ops])
            except DOWN:
                self.tier.gate.durable.failed()
                return False
            except GraphMemoryError as exc:
                if len(some) > 1:
                    alone = len(some)  # each by itself, to find the one
                    continue
                _log.error("a queued write was refused and is set aside in the queue's file: %s", exc)
                yield Call(partial(self.journal.refuse, some[0].number, str(exc)))
            else:
                count += len(some)
                yield Call(partial(self.journal.done, some))
        self.tier.gate.durable.worked()
        _log.warning("the durable store answers again; %d queued batches were written", count)
        return True

    def _beside(self, ops: Sequence[Op | ClaimOp]) -> Steps[list[Any]]:
        if not _can_wait(ops):
            raise StoreUnavailableError(
                "the durable store is out of reach and writes wait in the queue: until it is back, only what is hot can be read, "
                "and nothing be searched or claimed"
            )
        gets = [op for op in ops if isinstance(op, GetOp)]
        found = yield from self._items(gets)
        puts = [op for op in ops if isinstance(op, PutOp)]
        if puts:
            yield Call(partial(self.journal.append, puts))
        items = iter(found)
        return [next(items) if isinstance(op, GetOp) else None for op in ops]

    def _items(self, gets: Sequence[GetOp]) -> Steps[list[Any]]:
        waiting = yield Call(partial(self.journal.newest, [(op.namespace, op.key) for op in gets]))
        others = [op for op, one in zip(gets, waiting, strict=True) if one is None]
        known = iter((yield from self.tier.get(others)) if others else [])
        return [next(known) if one is None else _item(op, *one) for op, one in zip(gets, waiting, strict=True)]


def _can_wait(ops: Sequence[Op | ClaimOp]) -> bool:
    return all(isinstance(op, GetOp | PutOp) for op in ops)


def _item(op: GetOp, value: Any, queued_at: float) -> Item | None:
    """A waiting item; when it was made is not known before it is written."""
    if value is None:
        return None
    then = datetime.fromtimestamp(queued_at, UTC)
    return Item(value=value, key=op.key, namespace=op.namespace, created_at=then, updated_at=then)
