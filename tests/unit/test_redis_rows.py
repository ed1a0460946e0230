"""What Redis keeps of an item, read back: decoded where somebody looks, and from then on an item like any other."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langgraph.store.base import Item, SearchItem

from graph_memory.stores._redis_rows import StoredHit, StoredItem, is_mortal

SPACE, KEPT = ("users", "ada"), b'1700000000000001 1700000000000002 0 - -\n{"text":"at 0 o\xc3\xa9"}'
CREATED = datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC)
TIMES: dict[str, Any] = {"created_at": CREATED, "updated_at": CREATED + timedelta(microseconds=1)}
ITEM = Item(value={"text": "at 0 oé"}, key="k", namespace=SPACE, **TIMES)


def item() -> StoredItem:
    """One that nobody has looked at."""
    return StoredItem(SPACE, "k", KEPT)


def hit() -> StoredHit:
    """The same as a search finds it."""
    return StoredHit(SPACE, "k", 0.5, {"words": 0.5}, KEPT)


def test_it_equals_the_item_that_was_stored():
    """In value and times, to the microsecond."""
    assert item() == ITEM
    assert item().dict() == ITEM.dict()
    assert hit() == SearchItem(SPACE, "k", ITEM.value, **TIMES, score=0.5)
    assert (hit().json, hit().parts) == ('{"text":"at 0 oé"}', {"words": 0.5})


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
@pytest.mark.parametrize("make", [item, hit])
def test_a_copy_is_the_same(make: Any, again: Any):
    """Looked at or not."""
    looked_at = make()
    assert looked_at.value
    assert again(make()) == again(looked_at) == make()


def test_what_is_set_stays():
    """Whoever reads a value may change it, and a value that was replaced is not decoded again."""
    for one in (item(), hit()):
        one.value["more"] = 1
        assert one.value == {"text": "at 0 oé", "more": 1}
        one.value = {"n": 2}
        assert (one.value, one.created_at) == ({"n": 2}, CREATED)
        with pytest.raises(AttributeError, match="has no colour"):
            one.colour  # noqa: B018  reading is what is tested


@pytest.mark.parametrize(("ttl", "expected"), [(b"0", False), (b"1", True), (b"60000", True), (b"600000000000", True)])
def test_a_time_to_live_is_seen(ttl: bytes, expected: bool):
    """Whatever the value looks like."""
    assert is_mortal(KEPT.replace(b" 0 - ", b" " + ttl + b" - ")) is expected
