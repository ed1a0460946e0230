"""Who works on a lane of the outbox: a lease that runs out by itself when its holder is killed.

On stores that take claims, one worker holds a lane at a time, and what it writes is refused once it has lost its lease or the
lane was forgotten, in the very batch that would write it. On others the lease is read right before each write: two workers that
come at the same moment can both hold it, and both write the same records under the same ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from langgraph.store.base import GetOp, Item, PutOp

from graph_memory.errors import ConflictError
from graph_memory.steps import Steps, StoreOps
from graph_memory.stores.claims import HOLDER, ClaimOp

LEASE = "lease"
"""Key of a lane's lease, beside the lane's entries."""

_UNTIL = "until"


@dataclass(frozen=True, slots=True)
class Lease:
    """One worker's hold of one lane.

    Attributes:
        where: namespace of the lane.
        holder: what tells this worker from any other.
        seconds: how long it lasts after each write.
        is_atomic: whether the store takes claims.
        clock: the time.
    """

    where: tuple[str, ...]
    holder: str
    seconds: float
    is_atomic: bool
    clock: Callable[[], datetime]

    def take(self) -> Steps[bool]:
        """Takes the lane; whether it was free."""
        if self.is_atomic:
            try:
                yield StoreOps([self._claim(must_exist=False), self._put()])
            except ConflictError:
                return False
            return True
        [there] = yield StoreOps([self._get()])
        if not self._is_free(there):
            return False
        yield StoreOps([self._put()])
        [there] = yield StoreOps([self._get()])
        return there is not None and there.value.get(HOLDER) == self.holder

    def written(self, ops: Sequence[Any]) -> Steps[list[Any]]:
        """The results of operations that are carried out only while the lane is held, which prolongs the lease.

        Raises:
            ConflictError: it is not; nothing was written.
        """
        held = [self._claim(must_exist=True), self._put()] if self.is_atomic else [self._put()]
        if not self.is_atomic:
            [there] = yield StoreOps([self._get()])
            if there is None or there.value.get(HOLDER) != self.holder:
                raise ConflictError("the lane of the outbox is not held any more; nothing was written")
        results = yield StoreOps([*ops, *held])
        return list(results[: len(ops)])

    def release(self) -> Steps[None]:
        """Gives the lane up, unless it is lost already."""
        if not self.is_atomic:
            [there] = yield StoreOps([self._get()])
            if there is not None and there.value.get(HOLDER) == self.holder:
                yield StoreOps([PutOp(self.where, LEASE, None)])
            return
        try:
            yield StoreOps([self._claim(must_exist=True), PutOp(self.where, LEASE, None)])
        except ConflictError:
            return

    def _claim(self, *, must_exist: bool) -> Any:
        return ClaimOp(self.where, LEASE, self._value(), must_exist)

    def _put(self) -> PutOp:
        ttl = self.seconds / 60 if self.is_atomic else None
        return PutOp(self.where, LEASE, self._value(), index=False, ttl=ttl)

    def _get(self) -> GetOp:
        return GetOp(self.where, LEASE, refresh_ttl=False)

    def _value(self) -> dict[str, Any]:
        return {HOLDER: self.holder, _UNTIL: (self.clock() + timedelta(seconds=self.seconds)).isoformat()}

    def _is_free(self, there: Item | None) -> bool:
        if there is None or there.value.get(HOLDER) == self.holder:
            return True
        return datetime.fromisoformat(there.value[_UNTIL]) <= self.clock()
