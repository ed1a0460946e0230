"""Namespaces keep tenants apart whatever their ids look like (law 6)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.errors import ConfigurationError
from graph_memory.namespaces import escape, namespace, user_prefix
from graph_memory.types import Scope

ids = st.text() | st.sampled_from(
    ["", "a.b", "a", "A", "*", "%", "_", "a:", "ada@x.org", "é", "e\u0301", "=2e", ".", "\ud800"]
)


@given(ids, ids)
def test_different_ids_never_meet(one: str, other: str) -> None:
    """Not even when a store ignores case."""
    assert (escape(one).lower() == escape(other).lower()) == (one == other)


@given(ids, ids)
def test_no_owner_is_a_prefix_of_another(one: str, other: str) -> None:
    """A store that matches prefixes as text cannot reach the neighbour."""
    first, second = (".".join(namespace(Scope(user, "1"), "vector")[:2]) for user in (one, other))
    assert one == other or not first.startswith(second)


@given(ids)
def test_labels_hold_nothing_that_a_store_interprets(value: str) -> None:
    """No dots, no wildcards, no quotes, never empty."""
    for label in namespace(Scope(user_id=value, thread_id="1", agent=value), value):
        assert re.fullmatch(r"[a-z0-9:=@+_-]+", label)
        assert "_" not in label.removeprefix("graph_memory")


def test_a_user_owns_what_is_said_in_every_thread() -> None:
    """With a user the thread is not part of the namespace."""
    assert namespace(Scope("ada", "1"), "vector") == namespace(Scope("ada", "2"), "vector")


def test_without_a_user_memory_is_private_to_the_thread() -> None:
    """There is no shared default, and a thread called like a user is not that user."""
    assert namespace(Scope(None, "ada"), "vector") != namespace(Scope("ada", "1"), "vector")
    assert namespace(Scope(None, "1"), "vector") != namespace(Scope(None, "2"), "vector")


def test_an_empty_id_names_nobody() -> None:
    """As in a graph's config: else all who are not signed in would be one user, and read each other."""
    assert Scope("", "1", "") == Scope(None, "1", None)
    assert namespace(Scope("", "1"), "vector") != namespace(Scope("", "2"), "vector")
    for nobody in (Scope(""), Scope("", "")):
        with pytest.raises(ConfigurationError, match="give a user_id or a thread_id"):
            namespace(nobody, "vector")
    with pytest.raises(ConfigurationError, match="the user_id is empty"):
        user_prefix("")


def test_nobody_has_no_namespace() -> None:
    """Neither user nor thread: an error that says what to give."""
    with pytest.raises(ConfigurationError, match="give a user_id or a thread_id"):
        namespace(Scope(), "vector")
