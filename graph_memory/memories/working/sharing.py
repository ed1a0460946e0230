"""Working memory that agents share, as nodes and application code write and read it: through the store, sync and async."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graph_memory.errors import ConfigurationError
from graph_memory.memories.working.items import Scratchpad, WorkingStep
from graph_memory.memories.working.notes import WorkingNotes, placed_after, renewed, use_of
from graph_memory.memories.working.shared import SharedPlace
from graph_memory.steps import Steps, StoreOps, arun, run
from graph_memory.types import Scope

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore


@dataclass(frozen=True, kw_only=True)
class WorkingSharing(WorkingNotes):
    """Adds what a store keeps when `shared` is set; the attributes are those of `WorkingNotes`."""

    def read(self, scope: Scope, *, store: BaseStore, namespace: str | None = None) -> Scratchpad:
        """What one namespace of the shared memory holds now.

        Raises:
            ConfigurationError: the memory is not shared: read it by `pad`.
            StoreError: the store failed.
        """
        return run(self.reading(scope, namespace), store=store)

    async def aread(self, scope: Scope, *, store: BaseStore, namespace: str | None = None) -> Scratchpad:
        """`read`, awaiting the store."""
        return await arun(self.reading(scope, namespace), store=store)

    def note(
        self,
        scope: Scope,
        key: str,
        value: Any,
        *,
        store: BaseStore,
        importance: float = 0.5,
        ttl_seconds: float | None = None,
        namespace: str | None = None,
    ) -> None:
        """Notes an item for all agents; the arguments are those of `noted`.

        Raises:
            ConfigurationError: the value is not JSON, another argument makes no sense, or the memory is not shared.
            StoreError: the store failed.
        """
        run(self.noting(scope, key, value, importance, ttl_seconds, namespace), store=store)

    async def anote(
        self,
        scope: Scope,
        key: str,
        value: Any,
        *,
        store: BaseStore,
        importance: float = 0.5,
        ttl_seconds: float | None = None,
        namespace: str | None = None,
    ) -> None:
        """`note`, awaiting the store."""
        await arun(self.noting(scope, key, value, importance, ttl_seconds, namespace), store=store)

    def step(
        self,
        scope: Scope,
        thought: str,
        result: str = "",
        *,
        store: BaseStore,
        action: str = "",
        failed: bool = False,
        links: Iterable[str] = (),
        step: str | None = None,
        namespace: str | None = None,
    ) -> None:
        """Adds a step to the shared chain; the arguments are those of `stepped`.

        Raises:
            ConfigurationError: an argument makes no sense, or the memory is not shared.
            StoreError: the store failed.
        """
        made = self._new_step(thought, result, action, failed, links, step, namespace, self.clock())
        run(self._stepping(scope, made), store=store)

    async def astep(
        self,
        scope: Scope,
        thought: str,
        result: str = "",
        *,
        store: BaseStore,
        action: str = "",
        failed: bool = False,
        links: Iterable[str] = (),
        step: str | None = None,
        namespace: str | None = None,
    ) -> None:
        """`step`, awaiting the store."""
        made = self._new_step(thought, result, action, failed, links, step, namespace, self.clock())
        await arun(self._stepping(scope, made), store=store)

    def use(self, scope: Scope, keys: Iterable[str], *, store: BaseStore, namespace: str | None = None) -> None:
        """Counts a use of items.

        Raises:
            ConfigurationError: the memory is not shared.
            StoreError: the store failed.
        """
        run(self._using(scope, keys, namespace), store=store)

    async def ause(self, scope: Scope, keys: Iterable[str], *, store: BaseStore, namespace: str | None = None) -> None:
        """`use`, awaiting the store."""
        await arun(self._using(scope, keys, namespace), store=store)

    def drop(self, scope: Scope, keys: Iterable[str], *, store: BaseStore, namespace: str | None = None) -> None:
        """Removes items.

        Raises:
            ConfigurationError: the memory is not shared.
            StoreError: the store failed.
        """
        run(self.dropping(scope, keys, namespace), store=store)

    async def adrop(self, scope: Scope, keys: Iterable[str], *, store: BaseStore, namespace: str | None = None) -> None:
        """`drop`, awaiting the store."""
        await arun(self.dropping(scope, keys, namespace), store=store)

    def reading(self, scope: Scope, namespace: str | None = None) -> Steps[Scratchpad]:
        """The body of `read` and `aread`."""
        board = yield from self._place(scope, namespace).read(self._bounds, self.clock())
        return board.pad

    def dropping(self, scope: Scope, keys: Iterable[str], namespace: str | None = None) -> Steps[None]:
        """The body of `drop` and `adrop`."""
        yield from self._place(scope, namespace).delete(keys)

    def noting(
        self,
        scope: Scope,
        key: str,
        value: Any,
        importance: float = 0.5,
        ttl_seconds: float | None = None,
        namespace: str | None = None,
    ) -> Steps[None]:
        """The body of `note` and `anote`."""
        item = self._new_item(key, value, importance, ttl_seconds, namespace)
        place = self._place(scope, item.namespace)
        board = yield from place.read(self._bounds, item.noted_at)
        item = renewed(item, board.pad.items)
        counted = [item] if item.uses or item.promoted else []
        yield StoreOps(place.puts(board, self._bounds, item.noted_at, items=[item], used=counted))

    def _stepping(self, scope: Scope, step: WorkingStep) -> Steps[None]:
        place = self._place(scope, step.namespace)
        board = yield from place.read(self._bounds, step.at)
        yield StoreOps(place.puts(board, self._bounds, step.at, steps=[placed_after(board.steps, step)]))

    def _using(self, scope: Scope, keys: Iterable[str], namespace: str | None) -> Steps[None]:
        place, now, wanted = self._place(scope, namespace), self.clock(), set(keys)
        board = yield from place.read(self._bounds, now)
        touched = [use_of(item, now) for item in board.pad.items if item.key in wanted]
        yield StoreOps(place.puts(board, self._bounds, now, used=touched))

    def _place(self, scope: Scope, namespace: str | None) -> SharedPlace:
        if not self.shared:
            raise ConfigurationError(
                f"memory {self.name!r} is the thread's own: it is in the state; use noted, stepped, used, dropped and pad,"
                " or make it with shared=True"
            )
        return SharedPlace.of(scope, self.name, self._space(namespace))
