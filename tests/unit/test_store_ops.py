"""What back ends share: validation, namespaces, what an item adds to the indexes, plans, urls."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.base import GetOp, ListNamespacesOp, MatchCondition, PutOp, SearchOp

from graph_memory.errors import ConfigurationError, StoreError
from graph_memory.stores._index import NEIGHBOUR_WEIGHT, indexed
from graph_memory.stores._ops import check, decode_path, encode_path, path_matches, path_range, to_json
from graph_memory.stores._plan import plan
from graph_memory.urls import parse
from tests.values import OBJECTS

NS = ("users", "ada")
LABELS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4) | st.sampled_from(
    ["\x1f", "\x1b", "\x1b0", "a\x1f"]
)
NAMESPACES = st.lists(LABELS, min_size=1, max_size=4).map(tuple)


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (PutOp((), "k", {}), "at least one label"),
        (PutOp(("a", ""), "k", {}), "must not be empty"),
        (PutOp(("a", 1), "k", {}), "label must be text"),
        (PutOp("users", "k", {}), "tuple of labels"),
        (PutOp(["users"], "k", {}), "tuple of labels"),
        (PutOp(("\ud800",), "k", {}), "surrogate"),
        (PutOp(NS, 5, {}), "key must be text"),
        (PutOp(NS, "\udfff", {}), "surrogate"),
        (PutOp(NS, "k", {}, index="text"), "index must be"),
        (PutOp(NS, "k", {}, index=True), "index must be"),
        (PutOp(NS, "k", {}, index=[1]), "index must be"),
        (PutOp(NS, "k", {}, ttl=0), "positive number of minutes"),
        (PutOp(NS, "k", {}, ttl=-1), "positive number of minutes"),
        (PutOp(NS, "k", {}, ttl=math.nan), "positive number of minutes"),
        (PutOp(NS, "k", {}, ttl=math.inf), "positive number of minutes"),
        (PutOp(NS, "k", {}, ttl="5"), "positive number of minutes"),
        (GetOp(NS, None), "key must be text"),
        (SearchOp(NS, limit=-1), "limit must be"),
        (SearchOp(NS, limit=None), "limit must be"),
        (SearchOp(NS, limit=1.5), "limit must be"),
        (SearchOp(NS, limit=10**30), "limit must be"),
        (SearchOp(NS, offset=-1), "offset must be"),
        (SearchOp(NS, query=5), "query must be text"),
        (SearchOp(NS, filter=["a"]), "filter must be"),
        (SearchOp(NS, filter={1: 2}), "filter must be"),
        (SearchOp(NS, filter={"a": {"$in": [1]}}), "unknown filter operator"),
        (SearchOp(NS, filter={"a": {"b": {"$like": "x"}}}), "unknown filter operator"),
        (SearchOp(NS, filter={"a": {"$gt": 1, "b": 2}}), "unknown filter operator"),
        (ListNamespacesOp(max_depth=0), "max_depth"),
        (ListNamespacesOp(limit=-1), "limit must be"),
        (ListNamespacesOp(match_conditions=(MatchCondition("infix", ("a",)),)), "prefix or by suffix"),
        (ListNamespacesOp(match_conditions=(MatchCondition("prefix", ("",)),)), "must not be empty"),
        ("get", "a batch takes"),
    ],
)
def test_a_malformed_operation_is_refused_in_one_sentence(op, message):
    """Before anything is read or written, as an error that is a ValueError too."""
    with pytest.raises(ConfigurationError, match=message):
        check(op)


LOOP: dict = {}
LOOP["me"] = LOOP
DEEP: dict = {}
for _ in range(100_000):
    DEEP = {"d": DEEP}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1], "must be a mapping"),
        ("text", "must be a mapping"),
        ({"a": {1, 2}}, "not JSON"),
        ({"a": b"x"}, "not JSON"),
        ({"a": math.nan}, "not JSON"),
        ({"a": [math.inf]}, "not JSON"),
        ({1: 2}, "keys must be text"),
        ({"a": [{"b": {None: 2}}]}, "keys must be text"),
        (LOOP, "contains itself"),
        (DEEP, "nested too deeply"),
    ],
)
def test_a_value_that_is_no_json_is_refused(value, message):
    """With the reason, and without the content."""
    with pytest.raises(StoreError, match=message):
        to_json(value)


def test_half_a_surrogate_pair_in_a_value_survives():
    """JSON can hold it although UTF-8 cannot."""
    value = {"é\ud800": "日本\udfff"}

    text = to_json(value)

    assert json.loads(text.encode()) == value


@given(OBJECTS)
def test_any_json_object_survives(value):
    """What was put is what comes back, types included."""
    assert repr(json.loads(to_json(value).encode())) == repr(value)


@given(NAMESPACES, NAMESPACES)
def test_encoded_namespaces_never_collide(one, other):
    """They come back, differ when the namespaces differ, and one begins with another exactly if its labels do."""
    assert decode_path(encode_path(one)) == one
    assert (encode_path(one) == encode_path(other)) == (one == other)
    low, high = path_range(other)
    inside = low.encode() <= encode_path(one).encode() and (high is None or encode_path(one).encode() < high.encode())
    assert inside == (one[: len(other)] == other)


def test_every_namespace_is_under_the_empty_prefix():
    """The range has no upper end."""
    assert path_range(()) == ("", None)


@pytest.mark.parametrize(
    ("namespace", "kind", "path", "expected"),
    [
        (("a", "b"), "prefix", ("a",), True),
        (("a", "b"), "prefix", ("*", "b"), True),
        (("a", "b"), "prefix", ("a", "b", "*"), False),
        (("ab",), "prefix", ("a",), False),
        (("a", "b"), "suffix", ("b",), True),
        (("a", "b"), "suffix", ("a", "*"), True),
        (("a", "b"), "suffix", ("a",), False),
        (("a", "b"), "suffix", (), True),
        (("a",), "suffix", ("*", "a"), False),
    ],
)
def test_a_wildcard_stands_for_exactly_one_label(namespace, kind, path, expected):
    """From the start and from the end."""
    assert path_matches(namespace, MatchCondition(kind, path)) is expected


def test_the_text_is_what_is_found_unless_told_otherwise():
    """The top-level text alone when there is one, else the whole value; None of it when index is False."""
    memo = {"text": "green tea", "kind": "note"}

    assert indexed(memo, None, None).texts == ("green tea",)
    assert set(indexed(memo, None, None).words) == {"green", "tea"}
    assert indexed({"theme": "dark"}, None, None).texts == ('{"theme": "dark"}',)
    assert set(indexed({"theme": {"name": "a\nb dark", "n": 5}}, None, None).words) == {
        "theme",
        "name",
        "b",
        "dark",
        "n",
        "5",
    }
    assert indexed(memo, None, ["kind"]).texts == ("note",)
    assert indexed(memo, ["kind", "text", "kind"], ["x"]).texts == ("note", "green tea")
    for nothing in (
        indexed(memo, False, None),
        indexed(memo, [], None),
        indexed(memo, None, ["absent"]),
        indexed({"text": 5}, ["no"], None),
    ):
        assert (nothing.texts, nothing.words, nothing.digest) == ((), {}, b"")


def test_blank_text_is_not_embedded():
    """Some embedders refuse it, and it means nothing."""
    assert indexed({"text": "  \n"}, ["text"], None).texts == ()


def test_neighbours_count_half_and_are_not_embedded():
    """The lines around a line help to find it, but less than its own words."""
    memo = indexed({"text": "yes, tea", "before": "tea or coffee?", "after": "fine"}, None, None)

    assert memo.texts == ("yes, tea",)
    assert memo.words == {
        "yes": 1.0,
        "tea": 1.0 + NEIGHBOUR_WEIGHT,
        "coffe": NEIGHBOUR_WEIGHT,
        "fine": NEIGHBOUR_WEIGHT,
    }
    assert memo.length == 3.5
    assert indexed({"text": "tea", "before": 5}, None, None).words == {"tea": 1.0}


def test_a_plan_keeps_the_last_write_and_the_order_of_reads():
    """Later puts to one key replace earlier ones; reads remember where their results go."""
    todo = plan(
        [
            PutOp(NS, "a", {"text": "x"}),
            GetOp(NS, "a"),
            PutOp(NS, "a", None),
            SearchOp(NS, query=" tea "),
            SearchOp(NS, query=" "),
        ],
        None,
    )

    assert [(write.key, write.json) for write in todo.writes] == [("a", None)]
    assert [at for at, _ in todo.reads] == [1, 3, 4]
    assert (todo.size, todo.queries, todo.texts) == (5, [" tea "], [])


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("sqlite:///memory.db", "memory.db"),
        ("sqlite:///folder/me mory.db", "folder/me mory.db"),
        ("sqlite:////abs/memory.db", "/abs/memory.db"),
        ("SQLite:///C:/memory.db", "C:/memory.db"),
    ],
)
def test_sqlite_urls(url, path):
    """Three slashes and a relative path, four and an absolute one, none for memory."""
    assert parse(url).path == path


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory.db", "not a url"),
        ("", "not a url"),
        (None, "not a url"),
        ("sqlite://memory.db", "three slashes"),
        ("sqlite:///m.db?mode=ro", "keyword arguments"),
        ("mysql://ada:secret@host/db", "unknown scheme 'mysql': known are sqlite"),
    ],
)
def test_a_url_that_names_no_memory_is_refused(url, message):
    """With what to write instead, and never with a password."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        parse(url)
    assert "secret" not in str(caught.value)
