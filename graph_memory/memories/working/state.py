"""Working memory in the thread's `memory` channel: how items and steps stand there, and the updates that change them. Pure.

The channel's reducer merges nested mappings key by key, so parallel nodes lose nothing, and a key can be replaced but not
removed: a removed item leaves a marker. Markers go with the page that they stand on. There are two pages, and `current` is
written. When the turn's end finds markers, the other page becomes the current one and the state is `moving`; a turn later, when
nobody can be writing to the old one any more, what stays is copied from it and it is cleared.

A key's later entry counts, and an entry is never earlier than what its writer saw. A node that does not see the channel writes to
both pages, and so replaces whatever is there, be its clock behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from graph_memory.memories.working.items import Bounds, Scratchpad, WorkingItem, WorkingStep, is_alive, kept

CHANNEL = "memory"
"""The state key that LangGraph keeps for the thread."""

_CURRENT, _MOVING, _FIRST, _SECOND = "current", "moving", "a", "b"
_PAGES = (_FIRST, _SECOND)
_ITEMS, _STEPS = "items", "steps"

Page = Mapping[str, Mapping[str, Any]]
_Entries = dict[str, dict[str, tuple[float, Any]]]
_Values = Mapping[str, Mapping[str, Any]]


def state_of(state: Any, node: str, agent: str | None, memory: str) -> Mapping[str, Any] | None:
    """The memory's own part of a graph's state; empty when there is none yet, None when the node does not read the channel."""
    found = state.get(CHANNEL) if isinstance(state, Mapping) else getattr(state, CHANNEL, None)
    if found is None:
        return None
    mine = (found.get(state_key(node, agent)) or {}).get(memory) or {}
    return mine if isinstance(mine, Mapping) else {}


def state_key(node: str, agent: str | None) -> str:
    """Where the memories of an LLM node keep their part of the channel."""
    return node if agent is None else f"{node}@{agent}"


def scratchpad_of(state: Mapping[str, Any] | None, bounds: Bounds, now: datetime) -> Scratchpad:
    """What the channel holds, after expiry and capacity."""
    entries = _entries(state or {})
    items = [_item(value) for _, value in entries[_ITEMS].values() if value is not None]
    steps = [_step(value) for _, value in entries[_STEPS].values() if value is not None]
    return kept(items, steps, bounds, now)


def written(
    state: Mapping[str, Any] | None,
    now: datetime,
    *,
    items: Iterable[WorkingItem] = (),
    steps: Iterable[WorkingStep] = (),
    gone: Iterable[tuple[str, str]] = (),
) -> dict[str, Any]:
    """The update that sets items and steps, and removes the items of these namespaces and keys; both pages without a state."""
    entries = _entries(state or {})
    page: dict[str, dict[str, Any]] = {_ITEMS: {}, _STEPS: {}}
    for key in (_joined(*named) for named in gone):
        page[_ITEMS][key] = _entry(entries[_ITEMS].get(key), now, None)
    for item in items:
        page[_ITEMS][_key(item)] = _entry(entries[_ITEMS].get(_key(item)), now, _item_value(item))
    for step in steps:
        page[_STEPS][_step_key(step)] = _entry(entries[_STEPS].get(_step_key(step)), now, _step_value(step))
    return dict.fromkeys(_PAGES if state is None else [_current(state)], _filled(page))


def tidied(state: Mapping[str, Any], pad: Scratchpad, now: datetime) -> dict[str, Any]:
    """The update after which the channel holds the scratchpad, for the end of a turn."""
    entries, current, other = _entries(state), _current(state), _other(state)
    wanted = {
        _ITEMS: {_key(item): _item_value(item) for item in pad.items},
        _STEPS: {_step_key(step): _step_value(step) for step in pad.steps},
    }
    changed = _changes(entries, wanted, now)
    has_markers = any(key not in wanted[kind] for kind, found in entries.items() for key in found)
    if has_markers and not state.get(_MOVING):
        return {**_filled({current: _filled(changed)}), _CURRENT: other, _MOVING: True}
    if not isinstance(state.get(other), Mapping):
        return _filled({current: _filled(changed)})
    moved = _moves(entries, wanted, _page(state, current))
    page = {kind: {**moved[kind], **changed[kind]} for kind in entries}
    return {**_filled({current: _filled(page)}), other: None, _MOVING: False}


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


def _changes(entries: _Entries, wanted: _Values, now: datetime) -> dict[str, dict[str, Any]]:
    """What has to be written so that the wanted values count, and no other that lives."""
    return {
        kind: {
            **{
                key: _entry(known.get(key), now, value)
                for key, value in wanted[kind].items()
                if key not in known or known[key][1] != value
            },
            **{
                key: _entry((at, value), now, None)
                for key, (at, value) in known.items()
                if key not in wanted[kind] and value is not None and is_alive(_time(value["expires_at"]), now)
            },
        }
        for kind, known in entries.items()
    }


def _moves(entries: _Entries, wanted: _Values, page: Page) -> dict[str, dict[str, Any]]:
    """What a page lacks before the other one is cleared: the wanted entries, and markers over older values."""
    found: dict[str, dict[str, Any]] = {}
    for kind, known in entries.items():
        there = page.get(kind, {})
        behind = {key: entry for key, entry in known.items() if list(there.get(key, ())) != list(entry)}
        stale = {key for key in behind if (there.get(key) or (0, None))[1] is not None}
        found[kind] = {
            key: [at, value if key in wanted[kind] else None]
            for key, (at, value) in behind.items()
            if key in wanted[kind] or key in stale
        }
    return found


def _filled(page: Mapping[str, Any]) -> dict[str, Any]:
    return {kind: found for kind, found in page.items() if found}


def _current(state: Mapping[str, Any]) -> str:
    return _SECOND if state.get(_CURRENT) == _SECOND else _FIRST


def _other(state: Mapping[str, Any]) -> str:
    return _FIRST if _current(state) == _SECOND else _SECOND


def _page(state: Mapping[str, Any], name: str) -> Page:
    page = state.get(name)
    return page if isinstance(page, Mapping) else {}


def _entries(state: Mapping[str, Any]) -> _Entries:
    """Key to time of writing and value (None for a marker), of both pages; the later counts."""
    found: _Entries = {_ITEMS: {}, _STEPS: {}}
    for name in _PAGES:
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


def _step_key(step: WorkingStep) -> str:
    return _joined(step.namespace, step.id)


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
        "id": step.id,
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


def _step(value: Mapping[str, Any]) -> WorkingStep:
    lists = {name: tuple(value[name]) for name in ("links", "sources")}
    times = {name: _time(value[name]) for name in ("at", "expires_at")}
    return WorkingStep(**{**value, **lists, **times})


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
