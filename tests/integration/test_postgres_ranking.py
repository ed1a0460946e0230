"""Searching on Postgres against searching in the embedded store: the same hits, the same signals, the same statistics."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.store.base import PutOp, SearchOp

from graph_memory.stores import open_store
from graph_memory.stores._filters import matches
from graph_memory.stores.hits import Hit, Hits
from graph_memory.stores.postgres import PostgresStore
from graph_memory.testing.stores import embed_concepts
from tests.postgres_databases import run_sql

WORDS = ("cat", "kitten", "car", "truck", "tea", "sea", "wave", "invoice", "4711", "日本語", "né")
PLACES = (("users", "ada"), ("users", "ada", "notes"), ("users", "bob"))

texts = st.lists(st.sampled_from(WORDS), min_size=0, max_size=6).map(" ".join)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, -0.0, 1e300, 2**60, 2**70]),
    st.sampled_from(["", "a", "b", "A", "é", "\0", "\ud800", "\ue000", "%", "'", "\\", "1"]),
)
values = st.one_of(
    scalars, st.lists(scalars, max_size=2), st.dictionaries(st.sampled_from(["x", "y", "x.y"]), scalars, max_size=2)
)
operators = st.dictionaries(
    st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), scalars, min_size=1, max_size=2
)
conditions = st.one_of(values, operators, st.dictionaries(st.sampled_from(["x", "y"]), operators, max_size=2))
filters = st.dictionaries(st.sampled_from(["v", "v.x", "w", "it's", '"']), conditions, max_size=2)
items = st.fixed_dictionaries(
    {"text": texts}, optional={"v": values, "v.x": scalars, "w": values, "before": texts, "it's": scalars}
)
puts = st.builds(
    PutOp,
    st.sampled_from(PLACES),
    st.sampled_from("abcdefgh"),
    st.one_of(items, items, items, st.none()),
    index=st.none(),
    ttl=st.none(),
)
searches = st.builds(
    SearchOp,
    st.sampled_from([*PLACES, ("users",), ()]),
    filter=filters,
    limit=st.integers(0, 8),
    offset=st.integers(0, 3),
    query=st.one_of(st.none(), texts),
    refresh_ttl=st.just(True),
)
slow = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def store(postgres_url: str) -> Iterator[PostgresStore]:
    """An open store with an embedder."""
    with open_store(postgres_url, embed=embed_concepts) as opened:
        assert isinstance(opened, PostgresStore)
        yield opened


def explained(hits: Sequence[Any]) -> list[Any]:
    """All that a search says, numbers as far as two ways of adding may agree."""
    return [
        (
            hit.namespace,
            hit.key,
            hit.value,
            rounded(hit.score),
            {name: rounded(value) for name, value in hit.parts.items()},
        )
        for hit in hits
        if isinstance(hit, Hit)
    ]


def rounded(number: float | None) -> float | None:
    """To four decimals."""
    return None if number is None else round(number, 4) + 0.0


def in_order(hits: Sequence[Any]) -> Sequence[Any]:
    """Hits whose scores agree are sorted by where they are; a batch's items are updated at one moment, stores' clocks differ."""
    return sorted(hits, key=lambda hit: (-(rounded(hit.score) or 0.0), hit.key, hit.namespace))


@slow
@given(batches=st.lists(st.lists(puts, max_size=6), max_size=4), search=searches)
def test_a_search_gives_what_the_embedded_store_gives(
    store: PostgresStore, postgres_url: str, batches: list[list[PutOp]], search: SearchOp
) -> None:
    """Whatever was put, replaced and deleted before."""
    run_sql(
        postgres_url,
        "TRUNCATE graph_memory.items, graph_memory.vectors, graph_memory.postings, graph_memory.namespaces",
    )
    whole = search._replace(limit=100, offset=0)
    with open_store("sqlite://", embed=embed_concepts) as embedded:
        for batch in batches:
            assert store.batch(batch) == embedded.batch(batch)
        [ours], [theirs] = store.batch([whole]), embedded.batch([whole])
    [page] = store.batch([search])

    assert explained(in_order(ours)) == explained(in_order(theirs))
    assert explained(page) == explained(ours)[search.offset : search.offset + search.limit]
    if isinstance(theirs, Hits):
        assert ours.statistics.documents == theirs.statistics.documents
        assert ours.statistics.frequencies == theirs.statistics.frequencies


@slow
@given(value=items, condition=filters)
def test_a_filter_means_what_matches_says(
    store: PostgresStore, value: dict[str, Any], condition: dict[str, Any]
) -> None:
    """Numbers as numbers, text as text, by code point; NUL and half characters too."""
    store.put(PLACES[0], "k", value)

    assert bool(store.search(PLACES[0], filter=condition)) == matches(value, condition)
    assert store.get(PLACES[0], "k").value == value


def test_the_spread_of_cosines_is_measured(store: PostgresStore) -> None:
    """As the embedded store does, over random pairs."""
    put = [PutOp(PLACES[0], str(n), {"text": " ".join(WORDS[n % 7 : n % 7 + 1 + n % 3])}) for n in range(200)]
    with open_store("sqlite://", embed=embed_concepts) as embedded:
        embedded.batch(put)
        store.batch(put)
        ours, theirs = (s.batch([SearchOp(PLACES[0], query="cat")])[0].statistics.spread for s in (store, embedded))

    assert ours == pytest.approx(theirs, abs=0.1)
    assert not math.isnan(ours[0])


@pytest.mark.parametrize("dims", [5, 2001])
def test_a_large_namespace_is_searched_by_the_graph_of_vectors(new_database: str, dims: int) -> None:
    """From its 4,000th text on; the nearest are found all the same."""
    from graph_memory.stores.migrations import migrate

    def embed(texts: Sequence[str]) -> list[list[float]]:
        return [[math.sin(float(text)), math.cos(float(text)), *[0.001] * (dims - 2)] for text in texts]

    migrate(new_database, dims=dims)
    with open_store(new_database, embed=embed, timeout_seconds=120) as store:
        store.put(PLACES[0], "0", {"text": "0"})
        run_sql(new_database, "UPDATE graph_memory.namespaces SET documents = 4000")
        store.batch([PutOp(PLACES[0], str(n), {"text": str(n / 100)}) for n in range(1, 200)])
        hits = store.search(PLACES[0], query="1.004", limit=3)

    assert [hit.key for hit in hits] == ["100", "101", "99"]
