"""What a stored memo knows of where it stands: its origin, and which message followed it on which line of the thread. Pure.

A message can be followed by different ones in different forks. The memo holds what followed it on the line that wrote last, and
keeps the others beside, so that each line finds its own again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from langgraph.store.base import Item

from graph_memory.context.notes import joined_terms
from graph_memory.memories.records import clip_start
from graph_memory.stores.hits import Hit
from graph_memory.types import Memo

FOLLOWER = "follower"
_FOLLOWED = '"follower":{'
OTHERS = "others"
_KEPT = 8
"""How many other followers a memo keeps; the oldest is dropped, and costs a neighbour in ranking."""

_ROOT, _LINE, _COMMIT = '"origin":{"root":"', '"line":', '"commit":'
_MESSAGE = '"kind":"message"'
_decoded = json.JSONDecoder().raw_decode


def origin_of(item: Item) -> Mapping[str, Any] | None:
    """Where a record was committed; None for what is no record. Read from the item's text where it is not decoded yet."""
    found = _found(item, "origin")
    return found if isinstance(found, Mapping) else None


def place_of(item: Item) -> str | None:
    """What is equal in all records of one commit, from the item's text; None where it cannot be told without decoding it."""
    text = item.json if isinstance(item, Hit) else None
    if text is None or (root := text.find(_ROOT)) < 0 or (line := text.find(_LINE, root)) < 0:
        return None
    end = text.find("}", text.find(_COMMIT, line))
    return text[root : text.find('"', root + len(_ROOT))] + text[line:end]


def follower_of(item: Item) -> Mapping[str, Any] | None:
    """The origin of the message that the memo knows to have followed it."""
    if isinstance(item, Hit) and item.json is not None and _FOLLOWED not in item.json:
        return None
    found = _found(item, FOLLOWER)
    return found if isinstance(found, Mapping) else None


def message_of(item: Item) -> str:
    """Id of the message that the memo is; "" for what was made of messages."""
    text = item.json if isinstance(item, Hit) else None
    is_message = item.value.get("kind") == "message" if text is None else _MESSAGE in text
    source = _found(item, "source") if is_message else ""
    return source if isinstance(source, str) else ""


def kind_of(item: Item) -> str:
    """The kind of the memo that an item is; "" when it has none."""
    found = _found(item, "kind")
    return found if isinstance(found, str) else ""


def without_follower(value: Mapping[str, Any], sees: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
    """The memo as a line knows it that does not see its follower: with its own follower, or none."""
    entries = [_entry(value), *value.get(OTHERS, ())]
    mine = next((entry for entry in entries if sees(entry[FOLLOWER])), None)
    rest = [entry for entry in entries if entry is not mine][:_KEPT]
    return followed({**value, OTHERS: rest}, mine)


def followed(value: Mapping[str, Any], entry: Mapping[str, Any] | None) -> dict[str, Any]:
    """The memo with what followed it: `after` (clipped), `next` (the key), `terms` (of after) and the follower's origin."""
    entry = entry or {"after": "", "next": "", "terms": "", FOLLOWER: None}
    changed = {**value, "after": entry["after"], "next": entry["next"], FOLLOWER: entry[FOLLOWER]}
    if "note" in changed:
        changed["note"] = {**changed["note"], "after": entry["terms"]}
    return changed


def following(memo: Memo) -> dict[str, Any]:
    """What a memo is to the one before it."""
    after = clip_start(memo.text)
    origin = {"root": memo.origin.root, "branch": memo.origin.branch}
    return {"after": after, "next": memo.id, "terms": joined_terms(after), FOLLOWER: origin}


def _entry(value: Mapping[str, Any]) -> dict[str, Any]:
    terms = value.get("note", {}).get("after", "")
    return {"after": value.get("after", ""), "next": value.get("next", ""), "terms": terms, FOLLOWER: value[FOLLOWER]}


def _found(item: Item, name: str) -> Any:
    """The item's value of that name; the first that its text has, because a memo's own stand before its metadata."""
    text = item.json if isinstance(item, Hit) else None
    if text is None:
        return item.value.get(name)
    mark = f'"{name}":'
    at = text.find(mark)
    return _decoded(text, at + len(mark))[0] if at >= 0 else None
