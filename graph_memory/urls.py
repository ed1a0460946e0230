"""Urls that name where memory is kept, taken apart; and the shape of what opening one gives."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, TypeVar

from graph_memory.errors import ConfigurationError, MissingExtraError

T_co = TypeVar("T_co", covariant=True)

_FORMS = (
    "sqlite:///file.db (relative), sqlite:////folder/file.db (absolute), sqlite:// (in memory), "
    "postgresql://user:password@host/database, redis://host:port or https://project.supabase.co"
)
_REDIS = frozenset({"redis", "rediss"})
_SUPABASE = frozenset({"https", "http"})
_KNOWN = "sqlite, postgresql, redis, https (Supabase)"


class Opening(Protocol[T_co]):
    """What an `open_…` function returns: a context manager, sync and async alike."""

    def __enter__(self) -> T_co: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    async def __aenter__(self) -> T_co: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where memory is kept.

    Attributes:
        scheme: "sqlite", "postgresql", "redis" (also for TLS and for a cluster) or "supabase".
        path: of sqlite, the file; None is in memory.
        url: of a server, the url as it was given; it may hold a password.
    """

    scheme: str
    path: str | None = None
    url: str = field(default="", repr=False)


def parse(url: str) -> Place:
    """The place that a url names.

    Raises:
        ConfigurationError: it is no url, or its scheme is unknown. The message shows the scheme at most: the rest of a url may
            hold a password.
    """
    match = re.match(r"([a-z][a-z0-9+.-]*)://", url, re.IGNORECASE) if isinstance(url, str) else None
    if match is None:
        raise ConfigurationError(f"not a url of a memory: write {_FORMS}")
    scheme, rest = match[1].lower(), url[match.end() :]
    if scheme == "sqlite":
        return Place(scheme, _sqlite_path(rest))
    if scheme in _REDIS:
        return Place("redis", url=f"{scheme}://{rest}")
    if scheme in ("postgresql", "postgres"):
        return Place("postgresql", url=url)
    if scheme in _SUPABASE:
        return Place("supabase", url=url)
    raise ConfigurationError(f"unknown scheme {scheme!r}: known are {_KNOWN}")


def check_options(given: Mapping[str, Any], known: Collection[str], what: str) -> None:
    """Refuses options that nobody reads.

    Raises:
        ConfigurationError: names the unknown options and the known ones.
    """
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ConfigurationError(
            f"unknown option {', '.join(unknown)} for {what}: known are {', '.join(sorted(known))}"
        )


@contextmanager
def extra(purpose: str, name: str) -> Iterator[None]:
    """Turns a failed import of an optional package inside the block into the pip command that helps.

    Raises:
        MissingExtraError: a package of the extra is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as exc:
        if (exc.name or "").startswith("graph_memory"):
            raise
        raise MissingExtraError(purpose, name) from exc


def _sqlite_path(rest: str) -> str | None:
    """What follows "sqlite://": nothing, or a slash and the path. "#" and "?" are refused rather than taken for a name."""
    if rest in ("", "/", "/:memory:", ":memory:"):
        return None
    if not rest.startswith("/"):
        raise ConfigurationError(
            f"a sqlite url has three slashes before a relative path and four before an absolute one: {_FORMS}"
        )
    if "?" in rest or "#" in rest:
        raise ConfigurationError("a sqlite url takes no '?' or '#': give options as keyword arguments of the call")
    return rest[1:]
