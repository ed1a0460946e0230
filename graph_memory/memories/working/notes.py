"""The thread's own working memory as nodes write and read it: pure functions that make updates of the `memory` channel.

A node returns what `noted`, `stepped`, `used` and `dropped` make beside what else it returns (several by `together`), and reads
by `pad`. The channel is checkpointed with the thread, so a fork or a replay finds it as it was.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from graph_memory.errors import ConfigurationError
from graph_memory.memories.base import Memory
from graph_memory.memories.key_value.keyed import check_ttl, utc_now
from graph_memory.memories.key_value.shelf import TICK, checked_name
from graph_memory.memories.key_value.values import clipped, to_fields
from graph_memory.memories.working.items import Bounds, Eviction, Scratchpad, WorkingItem, WorkingStep, end_of, kept
from graph_memory.memories.working.state import CHANNEL, scratchpad_of, state_key, state_of, written


@dataclass(frozen=True, kw_only=True)
class WorkingNotes(Memory):
    """Items under keys and a chain of steps, in namespaces.

    Attributes:
        capacity: how many items each namespace holds.
        max_steps: how many steps each namespace's chain holds; the newest stay.
        ttl_seconds: how long items and steps stay unless a call says otherwise; None keeps them.
        eviction: who goes first when a namespace is full: the least important, the longest unused ("lru"), the oldest ("fifo").
        shared: whether the user's agents and threads share it through the store, instead of it being the thread's own.
        namespace: where items and steps are put unless a call names another.
        shown_characters: how much of a value, a thought or a result is shown.
        clock: the time, for tests.
    """

    capacity: int = 100
    max_steps: int = 50
    ttl_seconds: float | None = 1800
    eviction: Eviction = "importance"
    shared: bool = False
    namespace: str = "main"
    shown_characters: int = 300
    clock: Callable[[], datetime] = field(default=utc_now, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("capacity", "max_steps", "shown_characters"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ConfigurationError(f"memory {self.name!r} needs {name} as a whole number, 1 or more")
        if self.eviction not in ("importance", "lru", "fifo"):
            raise ConfigurationError(
                f"memory {self.name!r} has eviction {self.eviction!r}: choose 'importance', 'lru' or 'fifo'"
            )
        checked_name(self.namespace, "namespace")
        check_ttl(self.ttl_seconds)

    def pad(self, state: Any, *, node: str, agent: str | None = None) -> Scratchpad:
        """What the thread's working memory holds now, in all namespaces.

        Args:
            state: a graph's state that has the key `memory`, as a node gets it or `get_state(...).values` gives it.
            node: the LLM node that the memory is attached to ("graph" for an `orchestrator` without one).
            agent: the agent that `attach` was told, if any.

        Raises:
            ConfigurationError: the memory is shared: `read` it from the store.
        """
        return scratchpad_of(self._mine(state, node, agent), self._bounds, self.clock())

    def noted(
        self,
        key: str,
        value: Any,
        *,
        node: str,
        state: Any = None,
        importance: float = 0.5,
        ttl_seconds: float | None = None,
        namespace: str | None = None,
        agent: str | None = None,
    ) -> dict[str, Any]:
        """The update that notes an item; noting a key again replaces its value.

        Args:
            key: 1 to 512 characters.
            value: JSON.
            node, agent: as in `pad`.
            state: the node's state when it has the key `memory`; then what is too much goes at once, not at the turn's end.
            importance: 0–1, higher stays longer.
            ttl_seconds: how long it stays; None takes the memory's own.
            namespace: where to put it; None takes the memory's own.

        Raises:
            ConfigurationError: the value is not JSON, another argument makes no sense, or the memory is shared.
        """
        item = self._new_item(key, value, importance, ttl_seconds, namespace)
        mine, now = self._mine(state, node, agent), item.noted_at
        there = scratchpad_of(mine, self._bounds, now).items
        item = renewed(item, there)
        others = [one for one in there if (one.namespace, one.key) != (item.namespace, key)]
        stay = kept([*others, item], (), self._bounds, now).items
        gone = [(other.namespace, other.key) for other in others if other not in stay]
        return self._update(node, agent, written(mine, now, items=[item], gone=gone))

    def stepped(
        self,
        thought: str,
        result: str = "",
        *,
        node: str,
        state: Any = None,
        action: str = "",
        failed: bool = False,
        links: Iterable[str] = (),
        step: str | None = None,
        namespace: str | None = None,
        agent: str | None = None,
    ) -> dict[str, Any]:
        """The update that adds a step to the reasoning chain.

        Args:
            thought: why the step was taken.
            result: what came of it.
            node, agent: as in `pad`.
            state: the node's state when it has the key `memory`; then the step comes last even if the clock went back.
            action: what was done.
            failed: whether it failed; then no result is kept, because error texts are none.
            links: the steps that it builds on.
            step: what later steps link to; None derives it from the words, so that equal words are one step.
            namespace: the chain; None takes the memory's own.

        Raises:
            ConfigurationError: an argument makes no sense, or the memory is shared.
        """
        mine, now = self._mine(state, node, agent), self.clock()
        made = self._new_step(thought, result, action, failed, links, step, namespace, now)
        chain = scratchpad_of(mine, self._bounds, now).of([made.namespace]).steps
        return self._update(node, agent, written(mine, now, steps=[placed_after(chain, made)]))

    def used(
        self, keys: Iterable[str], *, node: str, state: Any, namespace: str | None = None, agent: str | None = None
    ) -> dict[str, Any]:
        """The update that counts a use of items, which keeps them longer under "lru" and lets them be promoted.

        Raises:
            ConfigurationError: the memory is shared.
        """
        mine, now, space = self._mine(state, node, agent), self.clock(), self._space(namespace)
        wanted = set(keys)
        items = scratchpad_of(mine, self._bounds, now).of([space]).items
        touched = [use_of(item, now) for item in items if item.key in wanted]
        return self._update(node, agent, written(mine, now, items=touched))

    def dropped(
        self,
        keys: Iterable[str],
        *,
        node: str,
        state: Any = None,
        namespace: str | None = None,
        agent: str | None = None,
    ) -> dict[str, Any]:
        """The update that removes items.

        Raises:
            ConfigurationError: the memory is shared.
        """
        mine, space = self._mine(state, node, agent), self._space(namespace)
        return self._update(node, agent, written(mine, self.clock(), gone=[(space, key) for key in keys]))

    @property
    def _bounds(self) -> Bounds:
        return Bounds(self.capacity, self.max_steps, self.eviction)

    def _space(self, namespace: str | None) -> str:
        return self.namespace if namespace is None else checked_name(namespace, "namespace")

    def _mine(self, state: Any, node: str, agent: str | None) -> Mapping[str, Any] | None:
        if self.shared:
            raise ConfigurationError(
                f"memory {self.name!r} is shared: it is in the store; use note, step, use, drop and read"
            )
        return None if state is None else state_of(state, node, agent, self.name)

    def _update(self, node: str, agent: str | None, mine: Mapping[str, Any]) -> dict[str, Any]:
        return {CHANNEL: {state_key(node, agent): {self.name: dict(mine)}}}

    def _new_item(
        self, key: str, value: Any, importance: float, ttl_seconds: float | None, namespace: str | None
    ) -> WorkingItem:
        if not (isinstance(importance, int | float) and math.isfinite(importance) and 0 <= importance <= 1):
            raise ConfigurationError(f"importance {importance} does not lie in 0–1")
        check_ttl(ttl_seconds)
        now, ttl = self.clock(), self.ttl_seconds if ttl_seconds is None else ttl_seconds
        return WorkingItem(
            key=checked_name(key, "key"),
            value=to_fields(value, None)["value"],
            namespace=self._space(namespace),
            importance=float(importance),
            noted_at=now,
            expires_at=end_of(now, ttl),
            used_at=now,
        )

    def _new_step(
        self,
        thought: str,
        result: str,
        action: str,
        failed: bool,
        links: Iterable[str],
        step: str | None,
        namespace: str | None,
        now: datetime,
    ) -> WorkingStep:
        if isinstance(links, str):
            raise ConfigurationError("links must be a list of steps, got a text: put it in brackets")
        words = "\x1f".join((thought, action, result)).encode("utf-8", "surrogatepass")
        return WorkingStep(
            id=hashlib.blake2b(words, digest_size=16).hexdigest() if step is None else checked_name(step, "step"),
            thought=clipped(thought, self.shown_characters),
            action=clipped(action, self.shown_characters),
            result="" if failed else clipped(result, self.shown_characters),
            failed=failed,
            links=tuple(links),
            namespace=self._space(namespace),
            at=now,
            expires_at=end_of(now, self.ttl_seconds),
        )


def renewed(item: WorkingItem, there: Iterable[WorkingItem]) -> WorkingItem:
    """The item, with the uses that the same value had already."""
    same = (one for one in there if (one.namespace, one.key, one.value) == (item.namespace, item.key, item.value))
    known = next(same, None)
    return item if known is None else replace(item, uses=known.uses, used_in=known.used_in, promoted=known.promoted)


def use_of(item: WorkingItem, now: datetime, turn_id: str = "") -> WorkingItem:
    """The item, used once more; by one turn once."""
    if turn_id and item.used_in == turn_id:
        return item
    return replace(item, uses=item.uses + 1, used_in=turn_id, used_at=max(item.used_at, now))


def placed_after(chain: Iterable[WorkingStep], step: WorkingStep) -> WorkingStep:
    """The step where it stands already, else after the last one, whatever the clock says."""
    known = {one.id: one.at for one in chain}
    latest = max(known.values(), default=None)
    at = known.get(step.id) or (step.at if latest is None else max(step.at, latest + TICK))
    return replace(step, at=at)
