"""The gate of a `TieredStore`: an item in the durable store that says whether hot copies count, and since when.

Its epoch is part of every copy. While it is closed nobody reads copies, and each time that it opens it has a new epoch, under
which no older copy counts. What a process knows of it may be relied on for `trust_seconds` after it was asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from langgraph.store.base import GetOp, Item, PutOp

from graph_memory.errors import ConflictError
from graph_memory.stores._breaker import Breaker
from graph_memory.stores._tiered_requests import DOWN, Durable, Hot, HotError, Steps
from graph_memory.stores._tiered_slots import Place
from graph_memory.stores.claims import HOLDER, ClaimOp

GATE = "gate"
"""Key of the item."""

_CLOSED, _PROBE = "closed", "probe"
_log = logging.getLogger("graph_memory.stores.tiered")


@dataclass(frozen=True, slots=True)
class View:
    """What a process knows of the gate.

    Attributes:
        epoch: "" for one that was never closed, and is no item.
        is_closed: whether copies do not count.
        until: clock time until which it may be relied on.
        since: clock time at which this process had first seen it so.
    """

    epoch: str = ""
    is_closed: bool = False
    until: float = 0.0
    since: float = 0.0


def is_gate(item: Item) -> bool:
    """Whether an item of the durable store is a gate, which is no memory and stands in the clear."""
    return item.key == GATE and item.value.keys() == {HOLDER, _CLOSED}


@dataclass
class Gate:
    """The gate as one process sees it, and whether the stores on both sides of it answer.

    Attributes:
        place: where its item is.
        hot, durable: whether to ask these stores.
        trust_seconds: how long a view may be relied on.
        clock: seconds that only grow.
        takes_claims: whether the durable store does; without, two processes that move the gate at once do not see each other.
    """

    place: Place
    hot: Breaker
    durable: Breaker
    trust_seconds: float
    clock: Callable[[], float]
    takes_claims: bool
    known: View | None = None

    def view(self) -> Steps[View]:
        """What may be relied on; while the durable store is out of reach, what was known last."""
        view = self.known
        if view is not None and (self.clock() < view.until or not self.durable.allows()):
            return view
        try:
            return (yield from self.asked())
        except DOWN:
            self.durable.failed()
            if view is None:
                raise
            return view

    def moved_since(self, view: View) -> bool:
        """Whether this process has learnt of a move since; a view may be of when the durable store was out of reach."""
        return self.known is not None and self.known.epoch != view.epoch

    def asked(self) -> Steps[View]:
        """What the durable store says now."""
        asked_at = self.clock()
        [item] = yield Durable([GetOp(*self.place, refresh_ttl=False)])
        self.durable.worked()
        self.known = self._read(item, asked_at)
        return self.known

    def closed(self, view: View) -> Steps[View]:
        """What it is after an attempt to close it, by this process or another."""
        return (yield from self._moved(view, is_closed=True))

    def reopened(self, view: View) -> Steps[View]:
        """What it is after an attempt to open it, which is made at times, and succeeds when the hot store takes something in."""
        if self.clock() < view.since + self.hot.retry_seconds or not self.hot.allows():
            return view
        try:
            yield from self.ask_hot([PutOp(self.place.namespace, _PROBE, {}, index=False)])
            return (yield from self._moved(view, is_closed=False))
        except (HotError, *DOWN):
            return view

    def ask_hot(self, ops: Sequence[Any]) -> Steps[list[Any]]:
        """The results of the hot store, of whose health note is taken."""
        try:
            results: list[Any] = yield Hot(ops)
        except HotError as exc:
            if self.hot.failed():
                reason, pause = type(exc.__cause__).__name__, self.hot.retry_seconds
                _log.warning(
                    "the hot store failed (%s); it is tried again every %g s, until then without", reason, pause
                )
            raise
        if self.hot.worked():
            _log.warning("the hot store answers again")
        return results

    def _moved(self, view: View, *, is_closed: bool) -> Steps[View]:
        epoch = token_hex(8)
        put = PutOp(*self.place, {HOLDER: epoch, _CLOSED: is_closed}, index=False)
        claim = ClaimOp(*self.place, {HOLDER: view.epoch or epoch}, must_exist=bool(view.epoch))
        try:
            yield Durable([claim, put] if self.takes_claims else [put])
        except ConflictError:
            pass  # another process has moved it
        else:
            _log.warning(
                "hot copies %s", "do not count until the hot store works again" if is_closed else "count again"
            )
        return (yield from self.asked())

    def _read(self, item: Item | None, asked_at: float) -> View:
        value, before = item.value if item else {}, self.known
        epoch = str(value.get(HOLDER, ""))
        since = before.since if before and before.epoch == epoch else self.clock()
        return View(epoch, bool(value.get(_CLOSED)), asked_at + self.trust_seconds, since)
