"""What working memory holds: items under keys and the steps of a reasoning chain, and which of them stay. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from graph_memory.context.words import terms
from graph_memory.memories.key_value.values import shown

Eviction = Literal["importance", "lru", "fifo"]
"""Who goes first when a namespace is full: the least important, the longest unused, or the oldest."""

_MENTION_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class WorkingItem:
    """One note.

    Attributes:
        key, value: what was noted; the value is JSON.
        namespace: which part of the memory it belongs to.
        importance: 0–1, higher stays longer.
        noted_at: when it was set.
        expires_at: from when on it is gone; None never.
        used_at: when it was last of use; at first when it was set.
        uses: how often it was of use.
        used_in: id of the turn that counted a use last, so that a re-run does not count it again.
        promoted: whether long-term memory has it.
    """

    key: str
    value: Any
    namespace: str
    importance: float
    noted_at: datetime
    expires_at: datetime | None
    used_at: datetime
    uses: int = 0
    used_in: str = ""
    promoted: bool = False


@dataclass(frozen=True, slots=True)
class WorkingStep:
    """One step of the reasoning chain.

    Attributes:
        id: what links refer to.
        thought: why it was taken.
        action: what was done, such as a tool call.
        result: what came of it; "" when it failed.
        failed: whether it failed.
        links: ids of the earlier steps that it builds on.
        namespace: which chain it belongs to.
        at: when it was taken; no two steps of a chain share a moment.
        expires_at: from when on it is gone; None never.
        sources: ids of the messages that it was read from.
    """

    id: str
    thought: str
    action: str
    result: str
    failed: bool
    links: tuple[str, ...]
    namespace: str
    at: datetime
    expires_at: datetime | None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NamespaceStats:
    """Figures of one namespace's items.

    Attributes:
        count: how many items it holds.
        oldest, newest: when the first and the last of them were noted.
        mean_importance: 0–1.
        steps: how many steps its chain has.
    """

    count: int
    oldest: datetime | None
    newest: datetime | None
    mean_importance: float
    steps: int


@dataclass(frozen=True, slots=True)
class Scratchpad:
    """What working memory holds at a moment: items and steps that stay, each oldest first."""

    items: tuple[WorkingItem, ...] = ()
    steps: tuple[WorkingStep, ...] = ()

    def get(self, key: str, namespace: str, default: Any = None) -> Any:
        """The value of an item, or `default`."""
        return next((i.value for i in self.items if (i.namespace, i.key) == (namespace, key)), default)

    def of(self, namespaces: Iterable[str]) -> Scratchpad:
        """The part that belongs to these namespaces."""
        wanted = set(namespaces)
        return Scratchpad(
            tuple(item for item in self.items if item.namespace in wanted),
            tuple(step for step in self.steps if step.namespace in wanted),
        )

    def stats(self) -> dict[str, NamespaceStats]:
        """Namespace to figures."""
        names = dict.fromkeys([*(item.namespace for item in self.items), *(step.namespace for step in self.steps)])
        return {name: self.of([name])._figures() for name in names}

    def _figures(self) -> NamespaceStats:
        noted = [item.noted_at for item in self.items]
        mean = math.fsum(item.importance for item in self.items) / len(self.items) if self.items else 0.0
        return NamespaceStats(
            len(self.items), min(noted, default=None), max(noted, default=None), mean, len(self.steps)
        )


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much stays.

    Attributes:
        capacity: items of each namespace.
        steps: steps of each namespace's chain; the newest stay.
        eviction: who goes first.
    """

    capacity: int
    steps: int
    eviction: Eviction


def kept(items: Iterable[WorkingItem], steps: Iterable[WorkingStep], bounds: Bounds, now: datetime) -> Scratchpad:
    """What has not expired and is not too much."""
    alive = [item for item in items if is_alive(item.expires_at, now)]
    recent = sorted((step for step in steps if is_alive(step.expires_at, now)), key=lambda step: (step.at, step.id))
    stay = [item for group in _by_namespace(alive) for item in sorted(group, key=_rank(bounds))[-bounds.capacity :]]
    chain = [step for group in _by_namespace(recent) for step in group[-bounds.steps :]]
    return Scratchpad(
        tuple(sorted(stay, key=lambda item: (item.noted_at, item.namespace, item.key))),
        tuple(sorted(chain, key=lambda step: (step.at, step.id))),
    )


def is_alive(expires_at: datetime | None, now: datetime) -> bool:
    """Whether the time of an item or a step has not come."""
    return expires_at is None or now < expires_at


def end_of(now: datetime, ttl_seconds: float | None) -> datetime | None:
    """When what is noted now expires."""
    return None if ttl_seconds is None else now + timedelta(seconds=ttl_seconds)


def mentioned(items: Iterable[WorkingItem], texts: Iterable[str]) -> list[WorkingItem]:
    """The items that texts speak of: at least half of an item's terms, and two where it has as many, occur in them."""
    said = {term for text in texts for term in terms(text)}
    found = []
    for item in items:
        own = set(terms(f"{item.key.replace('_', ' ')} {shown(item.value, _MENTION_CHARACTERS)}"))
        if own and len(own & said) >= max(min(2, len(own)), math.ceil(len(own) / 2)):
            found.append(item)
    return found


def item_line(item: WorkingItem, own: str, characters: int) -> str:
    """How an item is shown; its namespace too, unless it is the memory's own."""
    where = "" if item.namespace == own else f"{item.namespace}/"
    return f"{where}{item.key}: {shown(item.value, characters)}"


def step_lines(steps: Sequence[WorkingStep]) -> list[str]:
    """How the steps of a chain are shown, numbered from 1, with the numbers of the steps that each builds on."""
    numbers = {step.id: number for number, step in enumerate(steps, start=1)}
    return [_step_line(step, numbers) for step in steps]


def _step_line(step: WorkingStep, numbers: Mapping[str, int]) -> str:
    done = f"{step.thought} [{step.action}]" if step.thought and step.action else step.thought or step.action
    outcome = " → failed" if step.failed else f" → {step.result}" if step.result else ""
    earlier = [str(numbers[link]) for link in step.links if link in numbers and numbers[link] < numbers[step.id]]
    after = f" (after {', '.join(earlier)})" if earlier else ""
    return f"step {numbers[step.id]}: {done}{outcome}{after}"


def _by_namespace(found: Iterable[Any]) -> Iterable[list[Any]]:
    groups: dict[str, list[Any]] = {}
    for one in found:
        groups.setdefault(one.namespace, []).append(one)
    return groups.values()


def _rank(bounds: Bounds) -> Any:
    """Sort key by which those come first that go first."""
    if bounds.eviction == "importance":
        return lambda item: (item.importance, item.used_at, item.noted_at, item.key)
    if bounds.eviction == "lru":
        return lambda item: (item.used_at, item.noted_at, item.key)
    return lambda item: (item.noted_at, item.key)
