"""Whose memory a run concerns (law 6): the signed-in user, else the one who is named; nobody where the id is empty."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from langgraph.runtime import Runtime, ServerInfo

from graph_memory import ConfigurationError, Scope
from graph_memory.graph.scope import scope_of


def runtime(*, context: Any = None, signed_in: str | None = None) -> Runtime[Any]:
    """What a node is handed, on a server where somebody is signed in or without one."""
    user: Any = None if signed_in is None else SimpleNamespace(identity=signed_in)
    return Runtime(context=context, server_info=ServerInfo("assistant", "graph", user))


def config(**ids: Any) -> Any:
    """A run's config."""
    return {"configurable": {"thread_id": "t", **ids}}


def test_the_signed_in_user_owns_the_run() -> None:
    """Whether the request names them or nobody."""
    for named in ({}, {"user_id": "ada"}, {"user_id": ""}):
        assert scope_of(config(**named), runtime(signed_in="ada")) == Scope("ada", "t")


@pytest.mark.parametrize("signed_in", ["ada", ""])
def test_a_request_that_names_another_user_is_refused(signed_in: str) -> None:
    """By the context or by the config."""
    with pytest.raises(ConfigurationError, match="names another user_id"):
        scope_of(config(user_id="bob"), runtime(signed_in=signed_in))
    with pytest.raises(ConfigurationError, match="names another user_id"):
        scope_of(config(), runtime(context={"user_id": "bob"}, signed_in=signed_in))


@pytest.mark.parametrize("name", ["user_id", "thread_id", "agent"])
def test_an_id_is_a_text(name: str) -> None:
    """A number is told when the scope is made, not where its namespace is."""
    with pytest.raises(ConfigurationError, match=f"{name} is a int: give a string"):
        Scope(**{name: 3})  # type: ignore[arg-type]


def test_without_a_server_the_context_comes_before_the_config() -> None:
    """A number or a UUID is an id too; anything else is a mistake."""
    assert scope_of(config(user_id="bob"), runtime(context={"user_id": "ada"})) == Scope("ada", "t")
    assert scope_of(config(user_id=7), None) == Scope("7", "t")
    assert scope_of(config(user_id=UUID(int=7)), None).user_id == str(UUID(int=7))
    with pytest.raises(ConfigurationError, match="user_id is a list"):
        scope_of(config(user_id=["ada"]), None)


def test_an_empty_user_is_nobody() -> None:
    """Wherever it comes from, the server's sign-in included: memory is then private to the thread."""
    assert scope_of(config(user_id=""), None) == Scope(None, "t")
    assert scope_of(config(), runtime(context={"user_id": ""})) == Scope(None, "t")
    assert scope_of(config(), runtime(signed_in="")) == Scope(None, "t")
