"""SqliteStore: what the conformance suite does not ask of every store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.base import GetOp, PutOp, SearchOp

from graph_memory.context.fusion import FusionWeights
from graph_memory.errors import ConfigurationError
from graph_memory.stores._filters import matches
from graph_memory.stores._ops import check
from graph_memory.stores.hits import Hit
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.testing.stores import embed_concepts
from tests.store_helpers import ADA, BOB, Clock, keys, rows, scores


@pytest.fixture
def clock() -> Clock:
    """A time of its own for every test."""
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A file that does not exist yet."""
    return str(tmp_path / "memory.db")


def test_everything_is_there_after_reopening(path):
    """Items, vectors and words; the ranking is the same to the last digit."""
    with SqliteStore(path, embed=embed_concepts) as store:
        store.put(ADA, "cat", {"text": "my kitten sleeps", "n": 1})
        store.put(ADA, "tea", {"text": "a hot drink"})
        before, item = scores(store, "feline drink"), store.get(ADA, "cat")

    with SqliteStore(path, embed=embed_concepts) as store:
        assert store.get(ADA, "cat") == item
        assert scores(store, "feline drink") == before


def test_hits_explain_their_score():
    """Every signal by name, raw and scaled."""
    with SqliteStore(None, embed=embed_concepts) as store:
        store.put(ADA, "a", {"text": "my kitten"})
        store.put(ADA, "b", {"text": "the truck"})
        best, other = store.search(ADA, query="kitten")

        assert isinstance(best, Hit)
        assert (best.key, best.score) == ("a", 1.0)
        assert best.parts.keys() == {"words", "words_raw", "meaning", "meaning_raw"}
        assert best.parts["meaning_raw"] == pytest.approx(1.0, abs=0.01)
        assert (other.score, other.parts["words"], other.parts["meaning"]) == (0.0, 0.0, 0.0)
        assert [(hit.score, hit.parts) for hit in store.search(ADA)] == [(None, {}), (None, {})]


def test_a_store_says_what_it_ranks_by():
    """Words alone without an embedder."""
    with SqliteStore(None) as words, SqliteStore(None, embed=embed_concepts) as both:
        assert (words.ranking, both.ranking) == ("words", "words+meaning")


def test_weights_decide_between_words_and_meaning():
    """The same items and question, ranked the other way round."""
    order = []
    for weights in (FusionWeights(words=1, meaning=0), FusionWeights(words=0, meaning=1)):
        with SqliteStore(None, embed=embed_concepts, weights=weights) as store:
            store.put(ADA, "said", {"text": "sleeping truck"})
            store.put(ADA, "meant", {"text": "feline"})
            order.append(keys(store, ADA, query="sleeping kitten")[0])
    assert order == ["said", "meant"]


def test_without_query_the_last_updated_comes_first(clock):
    """Then by key; an update moves an item to the front."""
    with SqliteStore(None, clock=clock) as store:
        store.batch([PutOp(ADA, key, {"n": 1}) for key in "cab"])
        clock.advance(seconds=1)
        store.put((*ADA, "x"), "new", {"n": 1})
        assert keys(store, ADA) == ["new", "a", "b", "c"]
        clock.advance(seconds=1)
        store.put(ADA, "b", {"n": 2})
        assert keys(store, ADA) == ["b", "new", "a", "c"]
        assert keys(store, ADA, filter={"n": 1}, limit=1, offset=1) == ["a"]


def test_equal_scores_are_ordered_by_age_then_key_on_every_page(clock):
    """Newer first; paging through ties shows everything once."""
    with SqliteStore(None, clock=clock) as store:
        for n in range(60):
            clock.advance(seconds=1 if n % 3 == 0 else 0)
            store.put(ADA, f"k{n:02}", {"text": "green tea"})
        expected = sorted((f"k{n:02}" for n in range(60)), key=lambda key: (-(int(key[1:]) // 3), key))
        assert keys(store, ADA, query="tea", limit=60) == expected
        pages = [keys(store, ADA, query="tea", limit=7, offset=offset) for offset in range(0, 60, 7)]
        assert [key for page in pages for key in page] == expected


def test_neighbouring_lines_help_to_find_a_line():
    """At half weight: the line itself comes first."""
    with SqliteStore(None) as store:
        store.put(ADA, "answer", {"text": "yes please", "before": "would you like some tea"})
        store.put(ADA, "question", {"text": "would you like some tea"})
        store.put(ADA, "other", {"text": "nothing"})
        assert keys(store, ADA, query="tea") == ["question", "answer"]


def test_a_neighbour_that_arrives_later_is_not_embedded_again():
    """Only what is embedded counts; the words are indexed anew."""
    embedded: list[str] = []

    def embed(texts: Sequence[str]) -> list[list[float]]:
        embedded.extend(texts)
        return embed_concepts(texts)

    with SqliteStore(None, embed=embed) as store:
        store.put(ADA, "a", {"text": "a cat"})
        store.put(ADA, "a", {"text": "a cat", "after": "how sweet"})
        assert embedded == ["a cat"]
        assert "words" in store.search(ADA, query="sweet")[0].parts
        assert store.search(ADA, query="sweet")[0].parts["words"] == 1.0


def test_a_whole_document_can_be_a_query():
    """Only its first words are looked up, so that it takes no time."""
    with SqliteStore(None) as store:
        store.put(ADA, "a", {"text": "green tea"})
        assert keys(store, ADA, query="tea " + " ".join(f"word{n}" for n in range(20_000))) == ["a"]


def test_fields_say_what_is_indexed():
    """The store's paths hold for puts that name none."""
    with SqliteStore(None, fields=["title", "tags[*]"]) as store:
        store.put(ADA, "a", {"title": "green tea", "text": "ocean", "tags": ["hot", "drink"]})
        assert keys(store, ADA, query="drink") == ["a"]
        assert keys(store, ADA, query="ocean") == []


def test_items_expire_to_the_minute_and_are_swept(clock):
    """Invisible at once, deleted with a later write or by a sweep, index rows and namespaces included."""
    with SqliteStore(None, clock=clock) as store:
        store.batch([PutOp((*ADA, str(n)), "k", {"text": "tea"}, ttl=n) for n in (1, 2, 3)])
        clock.advance(minutes=1, microseconds=-1)
        assert len(store.search(ADA, query="tea", refresh_ttl=False)) == 3
        clock.advance(minutes=1, seconds=1)
        store.get((*ADA, "2"), "k", refresh_ttl=False)
        assert [hit.namespace[-1] for hit in store.search(ADA, query="tea", refresh_ttl=False)] == ["3"]
        assert [hit.namespace[-1] for hit in store.search(ADA, refresh_ttl=False)] == ["3"]
        assert store.list_namespaces() == [(*ADA, "3")]
        assert store.get((*ADA, "1"), "k") is None
        assert (store.sweep_ttl(), store.sweep_ttl()) == (2, 0)


def test_expired_items_go_with_the_next_write(path, clock):
    """No background thread is needed to forget."""
    with SqliteStore(path, clock=clock, embed=embed_concepts) as store:
        store.put(ADA, "a", {"text": "tea"}, ttl=1)
        clock.advance(minutes=2)
        store.put(BOB, "b", {"n": 1}, index=False)
        assert rows(path) == {"gm_namespaces": 1, "gm_items": 1, "gm_vectors": 0, "gm_postings": 0}


def test_reading_refreshes_unless_told_otherwise(clock):
    """By get, by search with and without query; `refresh_on_read` sets the default."""
    with SqliteStore(None, clock=clock, ttl={"default_ttl": 10, "refresh_on_read": False}) as store:
        for key in ("never", "get", "list", "rank"):
            store.put((key,), key, {"text": "tea"})
        for _ in range(3):
            clock.advance(minutes=6)
            store.get(("never",), "never")
            store.get(("get",), "get", refresh_ttl=True)
            store.search(("list",), refresh_ttl=True)
            store.search(("rank",), query="tea", refresh_ttl=True)
        assert sorted(ns[0] for ns in store.list_namespaces()) == ["get", "list", "rank"]


def test_only_returned_items_are_refreshed(clock):
    """What a page or a filter leaves out ages on."""
    with SqliteStore(None, clock=clock) as store:
        store.batch([PutOp(ADA, key, {"text": "tea", "n": n}, ttl=10) for n, key in enumerate("abc")])
        clock.advance(minutes=6)
        assert keys(store, ADA, query="tea", filter={"n": {"$gt": 0}}, limit=1) == ["b"]
        clock.advance(minutes=6)
        assert keys(store, ADA) == ["b"]


def test_an_expired_item_that_is_put_again_is_new(clock):
    """It was gone, so its creation time starts anew."""
    with SqliteStore(None, clock=clock) as store:
        store.put(ADA, "a", {"text": "tea"}, ttl=1)
        clock.advance(minutes=2)
        store.put(ADA, "a", {"text": "tea"})
        assert store.get(ADA, "a").created_at == clock.now


_LABELS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3) | st.sampled_from(
    ["a", "ab", "%", "*", "A", "\x1f"]
)
_SPACES = st.lists(_LABELS, min_size=1, max_size=3).map(tuple)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
_VALUES = st.none() | st.dictionaries(st.text(max_size=3) | st.just("text"), _JSON, max_size=3)
_KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
_WRITES = st.lists(st.lists(st.tuples(_SPACES, _KEYS, _VALUES), max_size=5), max_size=5)


@given(_WRITES, _SPACES)
def test_a_store_holds_what_a_dict_would(batches, prefix):
    """Any JSON under any key in any namespace; search sees what lies under the prefix, label by label, and nothing else."""
    model: dict[tuple[tuple[str, ...], str], dict] = {}
    with SqliteStore(None, embed=embed_concepts) as store:
        for batch in batches:
            store.batch([PutOp(space, key, value) for space, key, value in batch])
            for space, key, value in batch:
                model.pop((space, key), None)
                if value is not None:
                    model[space, key] = value
        found = store.batch([GetOp(space, key) for space, key in model])
        assert [repr(item.value) for item in found] == [repr(value) for value in model.values()]
        for start in ((), prefix, prefix[:1], *(space for space, _ in list(model)[:3])):
            hits = store.batch([SearchOp(start, limit=1000)])[0]
            inside = {place for place in model if place[0][: len(start)] == start}
            assert sorted((hit.namespace, hit.key) for hit in hits) == sorted(inside)
            ranked = store.batch([SearchOp(start, query="cat", limit=1000)])[0]
            assert {(hit.namespace, hit.key) for hit in ranked} <= inside


_NAMES = st.sampled_from(["a", "b", "a.b", "$", "ä", 'a"b'])
_LEAVES = st.sampled_from(
    [None, True, False, 0, 1, -1, 1.0, 0.1, 1e300, 2**53, 2**63, 2**70, "", "0", "1", "true", "null", "ä", "x\0y"]
)
_NESTED = st.recursive(
    _LEAVES | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAMES, inner, max_size=2),
    max_leaves=4,
)
_FILTERED = st.dictionaries(_NAMES, _NESTED, max_size=3)
_COMPARED = st.dictionaries(
    st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), _NESTED, min_size=1, max_size=2
)
_CONDITIONS = st.dictionaries(
    _NAMES,
    _NESTED | _COMPARED | st.dictionaries(_NAMES.filter(lambda name: name != "$"), _COMPARED, max_size=2),
    max_size=2,
)


@given(st.lists(_FILTERED, max_size=8), _CONDITIONS)
def test_a_filter_finds_exactly_what_it_says(values, conditions):
    """However much of it SQL decides; in a ranked search as in a listing."""
    search = SearchOp(ADA, filter=conditions, limit=100)
    with SqliteStore(None) as store:
        store.batch([PutOp(ADA, str(n), {"text": "tea", **value}) for n, value in enumerate(values)])
        try:
            check(search)
        except ConfigurationError:
            return
        expected = {str(n) for n, value in enumerate(values) if matches(value, conditions)}
        assert {hit.key for hit in store.batch([search])[0]} == expected
        assert {hit.key for hit in store.batch([search._replace(query="tea")])[0]} == expected


def test_a_filter_of_a_thousand_conditions_is_no_problem():
    """Nor is one with text that SQL cannot take."""
    with SqliteStore(None) as store:
        store.put(ADA, "a", {f"k{n}": "x" for n in range(1000)})
        assert keys(store, ADA, filter={f"k{n}": "x" for n in range(1000)}) == ["a"]
        assert keys(store, ADA, filter={"k1": "\ud800"}) == []
