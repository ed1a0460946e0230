"""SqliteStore: many keys at once, values that are decoded when asked for, and what a caller does to them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.base import GetOp, PutOp, SearchItem

from graph_memory.stores.hits import Hit
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.testing.stores import embed_concepts
from tests.store_helpers import ADA, BOB, Clock


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    """One cat."""
    with SqliteStore(None) as store:
        store.put(ADA, "cat", {"text": "my kitten", "tags": ["pet"]})
        yield store


KEYS = st.text(st.sampled_from("ab\0'é%_"), min_size=1, max_size=3)


@given(st.sets(st.tuples(st.sampled_from([ADA, BOB]), KEYS)), st.lists(st.tuples(st.sampled_from([ADA, BOB]), KEYS)))
def test_many_gets_answer_as_one_by_one(stored, asked):
    """In order, repeated keys and unknown ones among them."""
    with SqliteStore(None) as store:
        store.batch([PutOp(namespace, key, {"is": [*namespace, key]}) for namespace, key in stored])
        found = store.batch([GetOp(namespace, key) for namespace, key in asked])

    assert [item and item.value["is"] for item in found] == [
        [*namespace, key] if (namespace, key) in stored else None for namespace, key in asked
    ]


def test_more_keys_than_one_statement_takes_are_read():
    """Each its own, expired ones as None, and living ones live longer."""
    clock = Clock()
    with SqliteStore(None, ttl={"refresh_on_read": True}, clock=clock) as store:
        store.batch([PutOp(ADA, str(i), {"n": i}, ttl=1 + i % 2) for i in range(250)])
        clock.advance(seconds=90)
        found = store.batch([GetOp(ADA, str(i)) for i in range(300)])
        clock.advance(seconds=90)

        assert [item and item.value["n"] for item in found] == [i if i % 2 and i < 250 else None for i in range(300)]
        assert len(store.search(ADA, limit=500)) == 125


def test_a_value_is_decoded_once_and_belongs_to_the_caller(store):
    """Changing it changes neither the store nor what another search returns; its text is gone then."""
    [hit] = store.search(ADA, query="kitten")
    assert isinstance(hit, Hit)
    assert hit.json == '{"text":"my kitten","tags":["pet"]}'
    hit.value["tags"].append("mine")

    assert (hit.json, hit.value["tags"]) == (None, ["pet", "mine"])
    assert (
        store.search(ADA, query="kitten")[0].value
        == store.get(ADA, "cat").value
        == {"text": "my kitten", "tags": ["pet"]}
    )
    hit.value = {"text": "another"}
    assert hit.dict()["value"] == {"text": "another"}


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda hit: pickle.loads(pickle.dumps(hit))])
@pytest.mark.parametrize("is_read", [True, False])
def test_a_hit_is_copied_and_compared_as_any_search_item(store, copied, is_read):
    """Whether its value was read or not."""
    [hit] = store.search(ADA, query="kitten")
    plain = SearchItem(ADA, "cat", {"text": "my kitten", "tags": ["pet"]}, hit.created_at, hit.updated_at, hit.score)
    if is_read:
        assert hit.value
    twin = copied(hit)

    assert twin == hit == plain
    assert (twin.parts, twin.score, twin.dict()) == (hit.parts, hit.score, plain.dict())


def test_the_spread_follows_the_vectors():
    """It is kept with them, and counted anew when some come or go."""
    with SqliteStore(None, embed=embed_concepts) as store:
        texts = ["kitten", "truck", "a hot drink", "kitten drink", "truck drink"]
        store.batch([PutOp(ADA, text, {"text": text}) for text in texts[:4]])
        seen = [store.search(ADA, query="kitten").statistics.spread for _ in range(2)]
        store.put(ADA, texts[4], {"text": texts[4]})
        seen.append(store.search(ADA, query="kitten").statistics.spread)
        store.delete(ADA, texts[4])
        seen.append(store.search(ADA, query="kitten").statistics.spread)

    assert seen[0] == seen[1] == seen[3] != seen[2]
