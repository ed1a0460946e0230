"""Whose memory a run concerns, from what LangGraph knows of it.

The server's authenticated user where there is one, else `runtime.context`, else `config["configurable"]`. A request that
names another user than the authenticated one is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from langchain_core.runnables import RunnableConfig

from graph_memory.errors import ConfigurationError
from graph_memory.types import Scope


class Running(Protocol):
    """What LangGraph's `Runtime` and its `ToolRuntime` both know of a run."""

    @property
    def context(self) -> Any:
        """What the caller passed as context."""

    @property
    def server_info(self) -> Any:
        """Who is signed in, on a server."""


def scope_of(config: RunnableConfig, runtime: Running | None, agent: str | None = None) -> Scope:
    """The scope of a run.

    Raises:
        ConfigurationError: the request names another user than the authenticated one, or an id is not a string.
    """
    configurable = config.get("configurable") or {}
    context = runtime.context if runtime is not None else None
    named = _id("user_id", _first(_field(context, "user_id"), configurable.get("user_id")))
    authenticated = _authenticated(runtime)
    if authenticated is not None and named is not None and named != authenticated:
        raise ConfigurationError("the request names another user_id than the one who is signed in: leave user_id out")
    return Scope(
        user_id=named if authenticated is None else authenticated,
        thread_id=_id("thread_id", _first(configurable.get("thread_id"), _field(context, "thread_id"))),
        agent=_first(agent, _id("agent", _field(context, "agent"))),
    )


def _authenticated(runtime: Running | None) -> str | None:
    server = runtime.server_info if runtime is not None else None
    return server.user.identity if server is not None and server.user is not None else None


def _field(context: Any, name: str) -> Any:
    return context.get(name) if isinstance(context, Mapping) else getattr(context, name, None)


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _id(name: str, value: Any) -> str | None:
    """The id as a string; an empty one is none, as in `Scope`."""
    if value is None or isinstance(value, str):
        return value or None
    if (isinstance(value, int) and not isinstance(value, bool)) or type(value).__name__ == "UUID":
        return str(value)
    raise ConfigurationError(f"{name} is a {type(value).__name__}: give a string")
