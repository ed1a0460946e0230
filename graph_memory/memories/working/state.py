"""Working memory in the thread's `memory` channel: how items and steps stand there, and the updates that change them. Pure.

The channel's reducer merges nested mappings key by key, so parallel nodes lose nothing, and a key can be replaced but not
removed: a removed item leaves a marker. Markers go with the page that they stand on. There are two pages, and `current` is
written. When the turn's end finds markers, the other page becomes the current one; a turn later, when nobody can be writing to
the old one any more, what stays is copied from it and it is cleared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from graph_memory.memories.working.items import Bounds, Scratchpad, WorkingItem, WorkingStep, is_alive, kept

CHANNEL = "memory"
"""The state key that LangGraph keeps for the thread."""

_CURRENT, _FIRST, _SECOND = "current", "a", "b"
_ITEMS, _STEPS = "items", "steps"

Page = Mapping[str, Mapping[str, Any]]


def state_of(state: Any, node: str, agent: str | None, memory: str) -> Mapping[str, Any]:
    """The memory's own part of a graph's state; empty when there is none yet, or the node does not read the channel."""
    found = state.get(CHANNEL) if isinstance(state, Mapping) else getattr(state, CHANNEL, None)
    mine = ((found or {}).get(state_key(node, agent)) or {}).get(memory) or {}
    return mine if isinstance(mine, Mapping) else {}


def state_key(node: str, agent: str | None) -> str:
    """Where the memories of an LLM node keep their part of the channel."""
    return node if agent is None else f"{node}@{agent}"


def scratchpad_of(state: Mapping[str, Any], bounds: Bounds, now: datetime) -> Scratchpad:
    """What the channel holds, after expiry and capacity."""
    entries = _entries(state)
    items = [_item(value) for _, value in entries[_ITEMS].values() if value is not None]
    steps = [_step(key, value) for key, (_, value) in entries[_STEPS].items() if value is not None]
    return kept(items, steps, bounds, now)


def written(
    state: Mapping[str, Any],
    now: datetime,
    *,
    items: Iterable[WorkingItem] = (),
    steps: Iterable[WorkingStep] = (),
    gone: Iterable[tuple[str, str]] = (),
) -> dict[str, Any]:
    """The update that sets items and steps, and removes the items of these namespaces and keys, on the current page."""
    entries = _entries(state)
    page: dict[str, dict[str, Any]] = {_ITEMS: {}, _STEPS: {}}
    for key in (_joined(*named) for named in gone):
        page[_ITEMS][key] = _entry(entries[_ITEMS].get(key), now, None)
    for item in items:
        page[_ITEMS][_key(item)] = _entry(entries[_ITEMS].get(_key(item)), now, _item_value(item))
    for step in steps:
        page[_STEPS][step.id] = _entry(entries[_STEPS].get(step.id), now, _step_value(step))
    return {_current(state): {kind: found for kind, found in page.items() if found}}


def tidied(state: Mapping[str, Any], pad: Scratchpad, now: datetime) -> dict[str, Any]:
    """The update after which the channel holds the scratchpad, for the end of a turn."""
    entries, current = _entries(state), _current(state)
    other = _SECOND if current == _FIRST else _FIRST
    wanted = {_ITEMS: {_key(i): _item_value(i) for i in pad.items}, _STEPS: {s.id: _step_value(s) for s in pad.steps}}
    is_settled = not isinstance(state.get(other), Mapping)
    has_markers = any(key not in wanted[kind] for kind, found in entries.items() for key in found)
    base = _page(state, current)
    page: dict[str, dict[str, Any]] = {_ITEMS: {}, _STEPS: {}}
    for kind, values in wanted.items():
        for key, value in values.items():
            if list(base.get(kind, {}).get(key) or (0, None))[1] != value:
                page[kind][key] = _entry(entries[kind].get(key), now, value)
        for key, (_, value) in entries[kind].items():
            if key not in values and value is not None and is_alive(_time(value["expires_at"]), now):
                page[kind][key] = _entry(entries[kind].get(key), now, None)
    page = {kind: found for kind, found in page.items() if found}
    if is_settled and has_markers:
        return {_CURRENT: other, other: page}
    return {**({current: page} if page else {}), **({} if is_settled else {other: None})}


def together(*updates: Mapping[str, Any]) -> dict[str, Any]:
    """Several updates of working memory as one, for a node that returns them: later ones win."""
    merged: dict[str, Any] = {}
    for update in updates:
        for key, value in update.items():
            there = merged.get(key)
            if isinstance(there, Mapping) and isinstance(value, Mapping):
                value = together(there, value)
            merged[key] = value
    return merged


def _current(state: Mapping[str, Any]) -> str:
    return _SECOND if state.get(_CURRENT) == _SECOND else _FIRST


def _page(state: Mapping[str, Any], name: str) -> Page:
    page = state.get(name)
    return page if isinstance(page, Mapping) else {}


def _entries(state: Mapping[str, Any]) -> dict[str, dict[str, tuple[float, Any]]]:
    """Key to time of writing and value (None for a marker), of both pages; the later counts, on a draw the current page."""
    current = _current(state)
    found: dict[str, dict[str, tuple[float, Any]]] = {_ITEMS: {}, _STEPS: {}}
    for name in (_SECOND if current == _FIRST else _FIRST, current):
        for kind, entries in found.items():
            for key, (written_at, value) in _page(state, name).get(kind, {}).items():
                if key not in entries or written_at >= entries[key][0]:
                    entries[key] = (written_at, value)
    return found


def _entry(known: tuple[float, Any] | None, now: datetime, value: Any) -> list[Any]:
    """A list, because mappings would be merged; never older than what it replaces, whatever the clock says."""
    moment = now.timestamp()
    return [moment if known is None else max(moment, known[0] + 1e-6), value]


def _key(item: WorkingItem) -> str:
    return _joined(item.namespace, item.key)


def _joined(namespace: str, key: str) -> str:
    """Both as one key, so that no two pairs meet."""
    return f"{len(namespace)}:{namespace}:{key}"


def _item_value(item: WorkingItem) -> dict[str, Any]:
    return {
        "key": item.key,
        "value": item.value,
        "namespace": item.namespace,
        "importance": item.importance,
        "noted_at": item.noted_at.timestamp(),
        "expires_at": None if item.expires_at is None else item.expires_at.timestamp(),
        "used_at": item.used_at.timestamp(),
        "uses": item.uses,
        "used_in": item.used_in,
        "promoted": item.promoted,
    }


def _item(value: Mapping[str, Any]) -> WorkingItem:
    times = {name: _time(value[name]) for name in ("noted_at", "expires_at", "used_at")}
    return WorkingItem(**{**value, **times})


def _step_value(step: WorkingStep) -> dict[str, Any]:
    return {
        "thought": step.thought,
        "action": step.action,
        "result": step.result,
        "failed": step.failed,
        "links": list(step.links),
        "namespace": step.namespace,
        "at": step.at.timestamp(),
        "expires_at": None if step.expires_at is None else step.expires_at.timestamp(),
        "sources": list(step.sources),
    }


def _step(step_id: str, value: Mapping[str, Any]) -> WorkingStep:
    lists = {name: tuple(value[name]) for name in ("links", "sources")}
    times = {name: _time(value[name]) for name in ("at", "expires_at")}
    return WorkingStep(id=step_id, **{**value, **lists, **times})


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
