"""A store that can be switched off, and that notes what it is asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langgraph.store.base import BaseStore, Op

from graph_memory.errors import StoreUnavailableError


class Switched(BaseStore):
    """Another store, until it is switched off; then it is out of reach.

    Attributes:
        is_on: whether it answers.
        asked: the batches that came, answered or not.
    """

    def __init__(self, store: Any) -> None:
        self.store, self.is_on, self.asked = store, True, list[list[Op]]()
        self.supports_ttl, self.ttl_config = store.supports_ttl, store.ttl_config
        self.takes_claims = store.takes_claims

    def batch(self, ops: Iterable[Op]) -> list[Any]:
        """The store's results."""
        self._note(ops := list(ops))
        return self.store.batch(ops)

    async def abatch(self, ops: Iterable[Op]) -> list[Any]:
        """The same, awaited."""
        self._note(ops := list(ops))
        return await self.store.abatch(ops)

    def put_if_absent(self, *args: Any, **options: Any) -> bool:
        """The store's."""
        self._note([])
        return self.store.put_if_absent(*args, **options)

    async def aput_if_absent(self, *args: Any, **options: Any) -> bool:
        """The same, awaited."""
        self._note([])
        return await self.store.aput_if_absent(*args, **options)

    def _note(self, ops: list[Op]) -> None:
        self.asked.append(ops)
        if not self.is_on:
            raise StoreUnavailableError("switched off")
