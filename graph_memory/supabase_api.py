"""Calling SQL functions of a Supabase project over its data API, each call as whoever it is made for.

A call has a PostgREST client of its own, because its token is part of the client: shared, it would be another's in the midst of a
call. What is shared is the HTTP client beneath, with its connections. Importing this needs the `supabase` extra.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import warnings
import weakref
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import httpx
import stamina
from postgrest import APIError, AsyncPostgrestClient, SyncPostgrestClient

from graph_memory.errors import ConfigurationError, GraphMemoryError, StoreError
from graph_memory.supabase_errors import SCHEMA, may_be_tried_again, translate, was_not_done

MOST_CONNECTIONS = 16

Token: TypeAlias = str | Callable[[], str]
Meaning: TypeAlias = Callable[[str, str], GraphMemoryError | None]
"""From the database's own words and the place, to an error that no SQLSTATE stands for."""

_FORM = "write https://<project>.supabase.co"
_CLOSED = "the connection to Supabase is closed: open it again, or use it inside its block"


class DataApi:
    """One project, and on whose behalf it is called.

    Async calls use the HTTP client of the event loop that `aopen` was awaited in; in any other loop a worker thread makes them.

    Args:
        url: `https://<project>.supabase.co`, or `http://localhost:54321` and the like of a Supabase of one's own.
        key: the publishable (anon) key. With a secret (service) key and no token, row-level security hides nothing.
        token: the signed-in user's, or a function that gives the one of whoever asks; it is called for every call. None: the key.
        timeout_seconds: how long a connection, and then an answer, may take; and how long trying again goes on.
        connections: how many at once, and as many for the event loop.
        meaning: see `Meaning`.

    Raises:
        ConfigurationError: an argument is wrong.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str,
        token: Token | None,
        timeout_seconds: float,
        connections: int = MOST_CONNECTIONS,
        meaning: Meaning | None = None,
    ) -> None:
        self._base = _checked(url)
        self.where = f"the Supabase at {self._base}"
        self._key = _secret("key", key)
        self._token = token if token is None or callable(token) else _secret("token", token)
        self._timeout, self._meaning = timeout_seconds, meaning
        self._options: dict[str, Any] = {
            "timeout": timeout_seconds,
            "limits": httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            "verify": _certificates(),
        }
        self._http = httpx.Client(**self._options)
        self._close = weakref.finalize(self, self._http.close)
        self._ahttp: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        if not callable(token):
            _warn_of_service_key(self._bearer())

    def about(self) -> tuple[int, int | None]:
        """The newest migration and the vectors' size, asked once: says best what is wrong.

        Raises:
            ConfigurationError: it is no Supabase, or does not expose the schema.
            SchemaOutdatedError: it lacks migrations.
            StoreError: it refuses the key or the token.
            StoreUnavailableError: no answer in time.
        """
        with self._translated():
            found = self._client().rpc("about", {}).execute().data
        if not isinstance(found, dict) or "version" not in found:
            raise ConfigurationError(f"{self.where} answers, but not as a Supabase does: {_FORM}")
        return int(found["version"]), found["dimension"]

    async def aopen(self) -> None:
        """Makes an HTTP client for the running event loop."""
        self._ahttp, self._loop = httpx.AsyncClient(**self._options), asyncio.get_running_loop()

    def call(self, function: str, arguments: Mapping[str, Any], *, is_repeatable: bool = True) -> Any:
        """What a function of the schema returns.

        Args:
            arguments: by name, as JSON values.
            is_repeatable: whether it may be carried out twice; if not, it is tried again only where it certainly was not.

        Raises:
            StoreError: it was refused.
            StoreUnavailableError: no answer in time.
        """
        with self._translated():
            for attempt in self._tries(is_repeatable):
                with attempt:
                    return self._client().rpc(function, dict(arguments)).execute().data
        raise AssertionError  # pragma: no cover - the loop returns or raises

    async def acall(self, function: str, arguments: Mapping[str, Any], *, is_repeatable: bool = True) -> Any:
        """`call`, awaited."""
        http = self._ahttp
        if http is None or self._loop is not asyncio.get_running_loop():
            return await asyncio.to_thread(self.call, function, arguments, is_repeatable=is_repeatable)
        with self._translated():
            async for attempt in self._tries(is_repeatable):
                with attempt:
                    client = AsyncPostgrestClient(**self._principal(), http_client=http)
                    return (await client.rpc(function, dict(arguments)).execute()).data
        raise AssertionError  # pragma: no cover

    def close(self) -> None:
        """Closes the connections of threads. Later calls raise `StoreError`. May be called twice."""
        self._close()

    async def aclose(self) -> None:
        """Closes all connections."""
        http, self._ahttp, self._loop = self._ahttp, None, None
        if http is not None:
            await http.aclose()
        self.close()

    def _client(self) -> SyncPostgrestClient:
        if self._http.is_closed:
            raise StoreError(_CLOSED)
        return SyncPostgrestClient(**self._principal(), http_client=self._http)

    def _principal(self) -> dict[str, Any]:
        headers = {"apikey": self._key, "Authorization": f"Bearer {self._bearer()}"}
        return {"base_url": f"{self._base}/rest/v1", "schema": SCHEMA, "headers": headers}

    def _bearer(self) -> str:
        if not callable(self._token):
            return self._token or self._key
        token = _secret("what token() returns", self._token())
        _warn_of_service_key(token)
        return token

    def _tries(self, is_repeatable: bool) -> Any:
        return stamina.retry_context(
            may_be_tried_again if is_repeatable else was_not_done,
            attempts=None,
            timeout=self._timeout,
            wait_initial=0.02,
            wait_max=1.0,
            wait_jitter=0.1,
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (APIError, httpx.HTTPError) as exc:
            words = (exc.message or "") if isinstance(exc, APIError) else ""
            known = self._meaning(words, self.where) if self._meaning and words else None
            raise known or translate(exc, self.where, self._timeout) from exc


@cache
def _certificates() -> ssl.SSLContext:
    """Loading them takes 20 ms; a client per block would load them again each time."""
    return httpx.create_ssl_context()


def _checked(url: str) -> str:
    """The url without a slash at its end; nothing but scheme, host and port is in it."""
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in ("https", "http") and parts.hostname and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right or parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise ConfigurationError(f"not the url of a Supabase: {_FORM}, and give its key as key=")
    return url.rstrip("/")


def _secret(name: str, text: Any) -> str:
    """A key or token, if it can be one: nobody else is asked for when it is empty."""
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or " " in text or not text:
        raise ConfigurationError(f"{name} must be a key or token of the Supabase as text, not empty and without spaces")
    return text


def _warn_of_service_key(bearer: str) -> None:
    if bearer.startswith("sb_secret_") or _role(bearer) == "service_role":
        warnings.warn(
            "a service key stands above row-level security: whoever uses this sees and changes every user's memory; "
            "give token= the token of the signed-in user, or filter this warning where that is meant",
            stacklevel=5,
        )


def _role(token: str) -> Any:
    """The role that a token names, whoever signed it."""
    try:
        body = token.split(".")[1]
        return json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))["role"]
    except (IndexError, ValueError, KeyError, TypeError):
        return None
