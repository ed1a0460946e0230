"""Filters: what matches, what does not, and what is never an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.base import SearchOp

from graph_memory.errors import ConfigurationError
from graph_memory.stores._filters import matches
from graph_memory.stores._ops import check
from tests.values import JSON, OBJECTS

VALUE = {
    "n": 5,
    "text": "abc",
    "flag": True,
    "none": None,
    "list": [1, {"a": 2}],
    "map": {"a": {"b": 1}},
    "x.y": 1,
    "x": {"y": 2, "z": 3},
}


@pytest.mark.parametrize(
    "condition",
    [
        None,
        {},
        {"n": 5},
        {"n": 5.0},
        {"n": {"$eq": 5, "$ne": 6, "$gt": 4, "$gte": 5, "$lt": 6, "$lte": 5}},
        {"text": {"$gt": "ab", "$lt": "abd"}},
        {"flag": True},
        {"flag": {"$ne": 1}},
        {"none": None, "missing": None},
        {"missing": {"$ne": 1}},
        {"list": [1, {"a": 2}]},
        {"list": (1, {"a": 2.0})},
        {"map": {"a": {"b": 1}}},
        {"map": {"a": {"b": {"$lt": 2}}}},
        {"map": {"$eq": {"a": {"b": 1}}}},
        {"map": {}},
        {"map.a.b": 1},
        {"x.y": 1},
        {"x.z": 3},
    ],
)
def test_filters_that_match(condition):
    """Equality, every operator, several at once, nesting both ways; an exact key wins over a path."""
    check(SearchOp((), filter=condition))
    assert matches(VALUE, condition)


@pytest.mark.parametrize(
    "condition",
    [
        {"n": "5"},
        {"n": True},
        {"n": {"$gt": 5}},
        {"n": {"$gt": 4, "$lt": 5}},
        {"n": {"$gt": "4"}},
        {"n": {"$lt": None}},
        {"text": {"$gt": 1}},
        {"flag": 1},
        {"flag": {"$gt": 0}},
        {"flag": {"$gt": False}},
        {"none": {"$lte": 0}},
        {"none": 0},
        {"none": False},
        {"list": [1]},
        {"list": {"$gt": 0}},
        {"map": {"a": {"b": 2}}},
        {"map": {"$eq": {"a": {}}}},
        {"n": {"a": 1}},
        {"n": {}},
        {"map.a.c": 1},
        {"text.a": "a"},
        {"missing": {"$gt": 0}},
    ],
)
def test_filters_that_do_not_match(condition):
    """Types that differ never match and never fail."""
    check(SearchOp((), filter=condition))
    assert not matches(VALUE, condition)


@given(
    OBJECTS,
    st.dictionaries(st.text(max_size=2), JSON | st.dictionaries(st.sampled_from(["$gt", "$lte", "$ne", "$eq"]), JSON)),
)
def test_a_filter_never_fails_on_any_value(value, condition):
    """Whatever JSON was stored, and whatever is asked for; a mapping whose keys only look like operators aside."""
    try:
        check(SearchOp((), filter=condition))
    except ConfigurationError:
        return
    assert matches(value, condition) in (True, False)


@given(OBJECTS)
def test_a_value_matches_itself(value):
    """By equality, key by key."""
    assert matches(value, {key: {"$eq": inner} for key, inner in value.items()})
