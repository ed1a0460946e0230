"""Where a user stands in what others wrote: never the wrong one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory import ConfigurationError
from graph_memory.migration.templates import NamespaceTemplate, SessionTemplate, Whose

IDS = st.text(st.sampled_from("ab:/.{}*% ä\n"), min_size=1, max_size=6)


@given(
    user=IDS,
    thread=IDS,
    template=st.sampled_from(["{user_id}:{thread_id}", "{thread_id}/{user_id}", "u.{user_id}:{thread_id}"]),
)
def test_a_session_is_read_as_it_was_written_or_not_at_all(user: str, thread: str, template: str):
    """No user and no thread can be chosen so that the session becomes another user's."""
    session = template.replace("{user_id}", "\0").replace("{thread_id}", thread).replace("\0", user)

    try:
        found = SessionTemplate(template).read(session)
    except ValueError:
        return

    assert found == Whose(user, thread)


@pytest.mark.parametrize(
    ("template", "session", "whose"),
    [
        ("{thread_id}", "ada:1", Whose(None, "ada:1")),
        ("{user_id}", "ada:1", Whose("ada:1", "ada:1")),
        ("chat-{user_id}-{thread_id}", "chat-ada-1", Whose("ada", "1")),
    ],
)
def test_a_session_without_a_thread_is_the_thread(template: str, session: str, whose: Whose):
    """By its whole name."""
    assert SessionTemplate(template).read(session) == whose


@pytest.mark.parametrize("template", ["", "ada", "{user}", "{user_id}{thread_id}", "{user_id}:{user_id}"])
def test_a_template_of_sessions_that_says_nothing_is_refused(template: str):
    """In one sentence."""
    with pytest.raises(ConfigurationError, match=r"template|end"):
        SessionTemplate(template)


@pytest.mark.parametrize(
    ("template", "namespace", "user"),
    [
        ("memories,{user_id}", ("memories", "ada"), "ada"),
        ("memories,{langgraph_user_id}", ("memories", "ada"), "ada"),
        ("{user_id},...", ("ada", "notes", "work"), "ada"),
        ("{user_id},...", ("ada",), "ada"),
        ("team,{team},{user_id}", ("team", "blue", "ada"), "ada"),
    ],
)
def test_the_user_is_the_label_that_the_template_says(template: str, namespace: tuple[str, ...], user: str):
    """Other labels may be anything where it says so."""
    assert NamespaceTemplate.of(template).read(namespace) == Whose(user, None)


@pytest.mark.parametrize(
    ("template", "namespace"),
    [
        ("memories,{user_id}", ("memories",)),
        ("memories,{user_id}", ("memories", "ada@x", "org")),
        ("memories,{user_id}", ("notes", "ada")),
        ("memories,{user_id},...", ("memories",)),
    ],
)
def test_a_namespace_of_another_form_is_nobodys(template: str, namespace: tuple[str, ...]):
    """An id with a dot, which LangGraph's stores take apart, is not cut into a user and a rest."""
    assert NamespaceTemplate.of(template).read(namespace) is None


@pytest.mark.parametrize("template", ["", "memories,,x", "memories,{user_id", "{user_id},{user_id}", "...,{user_id}"])
def test_a_template_of_namespaces_that_is_none_is_refused(template: str):
    """In one sentence that shows one."""
    with pytest.raises(ConfigurationError, match=r"memories,\{user_id\}"):
        NamespaceTemplate.of(template)


def test_what_stands_before_the_first_variable_is_looked_under():
    """So that a store is not read as a whole."""
    assert NamespaceTemplate.of(("app", "memories", "{user_id}", "...")).prefix == ("app", "memories")
