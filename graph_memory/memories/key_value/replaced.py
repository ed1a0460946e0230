"""Takes out of what a search found the values of key-value memory that were replaced, deleted or have expired since.

Such a value stays in the store for forks of the thread that learnt it, so a search still finds its memo.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from langgraph.store.base import Item, SearchOp

from graph_memory.memories.key_value.shelf import KIND, PAGE, key_place, newest_first, shelf_place
from graph_memory.memories.searching import Found
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Memo, Scope


def without_replaced(scope: Scope, found: Sequence[Found], now: datetime) -> Steps[list[Found]]:
    """What was found, without values that no longer hold; asks the store once, and only when values were found.

    Args:
        scope: whose memory was searched.
        found: what was found, of any kind.
        now: values that expired before are left out.
    """
    places = {one.memo.id: _place(scope, one.memo) for one in found if one.memo.kind == KIND}
    asked = list(dict.fromkeys(places.values()))
    results = yield StoreOps([SearchOp(where, limit=PAGE, refresh_ttl=False) for where in asked])
    holding = set()
    for where, items in zip(asked, results, strict=True):
        versions = newest_first(item for item in items if item.namespace == where)
        if versions and versions[0].memo is not None and versions[0].holds_at(now):
            holding.add(versions[0].memo.id)
    return [one for one in found if one.memo.id not in places or one.memo.id in holding]


def is_on_a_shelf(item: Item) -> bool:
    """Whether an item lies where key-value memory keeps values; its own value need not be decoded for that."""
    return item.namespace[-1].startswith("key:")


def _place(scope: Scope, memo: Memo) -> tuple[str, ...]:
    space, key = str(memo.metadata.get("namespace", "")), str(memo.metadata.get("key", ""))
    return key_place(shelf_place(scope, memo.origin.memory, space), key)
