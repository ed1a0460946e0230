"""Talking to Redis by redis-py's sync or async client, to one server or to a cluster: `Server` drives what `redis_rounds`
describes.

Errors of the driver become errors of this package here and nowhere else.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any, NamedTuple, TypeVar

from graph_memory.errors import ConfigurationError, MissingExtraError, StoreError
from graph_memory.redis_connections import Turns, checked, cluster, single
from graph_memory.redis_errors import place, translate
from graph_memory.redis_rounds import Call, Command, Round, Steps

T = TypeVar("T")

MOST_CONNECTIONS = 16
_CLOSED = "the connection to Redis is closed: use it inside its `with` or `async with` block"


class _Living(NamedTuple):
    """What an event loop has: what closes the client with the loop, the client, and its turns."""

    ending: AsyncGenerator[Any, None]
    client: Any
    turns: Turns


class Server:
    """One Redis, or one Redis Cluster, as its url names it. Connects on first use.

    An async client belongs to one event loop, so there is one for each that asks; it is closed with its loop.

    Args:
        url: `redis://[user:password@]host[:port][/db]`, or `rediss://…` for TLS; redis-py's query parameters are understood.
        timeout_seconds: how long to wait for a connection and for each reply.
        max_connections: how many at once, per event loop and, on a cluster, per node.

    Raises:
        ConfigurationError: the url is malformed.
        MissingExtraError: redis-py is not installed.
    """

    def __init__(self, url: str, *, timeout_seconds: float, max_connections: int = MOST_CONNECTIONS) -> None:
        try:
            import redis
        except ImportError as exc:
            raise MissingExtraError("Redis", "redis") from exc
        self.where = place(url)
        try:
            redis.connection.parse_url(url)  # type: ignore[no-untyped-call]
        except (ValueError, TypeError) as exc:
            raise ConfigurationError(
                f"the url of {self.where} cannot be read: correct its port, db or options"
            ) from exc
        self._url, self._timeout, self._most = url, timeout_seconds, max_connections
        self._client: Any = None
        self._turns = self._new_turns()
        self._loops: dict[asyncio.AbstractEventLoop, _Living] = {}
        self._is_cluster: bool | None = None
        self._is_closed = False
        self._opening = threading.Lock()

    @property
    def is_cluster(self) -> bool:
        """Whether it is a cluster; known once it is connected."""
        return bool(self._is_cluster)

    def open(self) -> None:
        """Connects now.

        Raises:
            StoreUnavailableError: nobody answers in time.
            StoreError: it is too old, or this is closed.
            ConfigurationError: it refuses the password or the user, or its certificate is not trusted.
        """
        with self._opening:
            self._check_open()
            if self._client is not None:
                return
            try:
                client = single(self._url, self._options(), is_async=False)
                if self._is_cluster is None:
                    self._is_cluster = checked(client.info("server"), self.where)
                if self._is_cluster:
                    client.close()
                    client = cluster(self._url, self._options(), is_async=False)
            except _errors() as exc:
                raise translate(exc, self.where, self._timeout) from exc
            self._client = client

    def nodes(self) -> dict[str, Any]:
        """A redis-py client of every server that takes writes, by name; for whoever asks the servers about themselves."""
        self.open()
        if not self.is_cluster:
            return {self.where: self._client}
        return {node.name: node.redis_connection for node in self._client.get_primaries()}

    async def aopen(self) -> None:
        """`open`, for the running event loop."""
        await self._async_client()

    def run(self, steps: Steps[T]) -> T:
        """Drives a body with the sync client.

        Raises:
            StoreUnavailableError: no answer in time.
            StoreError: Redis refused a command, or this is closed.
        """
        try:
            todo = next(steps)
            while True:
                todo = steps.send(self._execute(todo))
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            steps.close()

    async def arun(self, steps: Steps[T], *, in_thread: bool = False) -> T:
        """Drives a body with the async client; `in_thread` keeps what it reckons away from the event loop."""
        try:
            done, todo = await _step(steps, None, in_thread)
            while not done:
                done, todo = await _step(steps, await self._aexecute(todo), in_thread)
            result: T = todo
            return result
        finally:
            steps.close()

    def close(self) -> None:
        """Closes the sync connections; later use raises `StoreError`. May be called twice."""
        with self._opening:
            self._is_closed = True
            client, self._client = self._client, None
        if client is not None:
            client.close()

    async def aclose(self) -> None:
        """Closes the sync connections and those of the running event loop."""
        self.close()
        living = self._loops.pop(asyncio.get_running_loop(), None)
        if living is not None:
            await living.ending.aclose()

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreError(_CLOSED)

    def _execute(self, commands: Round) -> list[Any]:
        if self._client is None or self._is_closed:
            self.open()
        if not commands:
            return []
        try:
            with self._turns:
                replies = piped(self._client, commands).execute(raise_on_error=False)
                for at, again in _unknown(commands, replies):
                    [replies[at]] = piped(self._client, [again], "EVAL").execute(raise_on_error=False)
        except _errors() as exc:
            raise translate(exc, self.where, self._timeout) from exc
        return self._accepted(replies)

    async def _aexecute(self, commands: Round) -> list[Any]:
        _, client, turns = await self._async_client()
        if not commands:
            return []
        try:
            async with turns:
                replies = await piped(client, commands).execute(raise_on_error=False)
                for at, again in _unknown(commands, replies):
                    [replies[at]] = await piped(client, [again], "EVAL").execute(raise_on_error=False)
        except _errors() as exc:
            raise translate(exc, self.where, self._timeout) from exc
        return self._accepted(replies)

    def _accepted(self, replies: list[Any]) -> list[Any]:
        for reply in replies:
            if isinstance(reply, Exception):
                raise translate(reply, self.where, self._timeout) from reply
        return replies

    async def _async_client(self) -> _Living:
        loop = asyncio.get_running_loop()
        self._check_open()
        if (known := self._loops.get(loop)) is not None:
            return known
        try:
            if self._is_cluster is None:
                async with single(self._url, self._options(), is_async=True) as asked:
                    self._is_cluster = checked(await asked.info("server"), self.where)
            if (known := self._loops.get(loop)) is not None:  # another task was first
                return known
            make = cluster if self._is_cluster else single
            client = make(self._url, self._options(), is_async=True)
        except _errors() as exc:
            raise translate(exc, self.where, self._timeout) from exc
        living = _Living(self._ending(client, loop), client, self._new_turns())
        self._loops[loop] = living
        await anext(living.ending)
        return living

    async def _ending(self, client: Any, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[Any, None]:
        """An event loop that ends closes its async generators, and so this client, while it still can."""
        try:
            yield client
        finally:
            self._loops.pop(loop, None)
            await client.aclose()

    def _new_turns(self) -> Turns:
        return Turns(self._most, self._timeout, self.where)

    def _options(self) -> dict[str, Any]:
        return {
            "max_connections": 2 * self._most,  # a cluster's client asks for its nodes beside what it sends
            "socket_timeout": self._timeout,
            "socket_connect_timeout": self._timeout,
            "health_check_interval": 30,
            "protocol": 2,
        }


async def _step(steps: Steps[Any], replies: Any, in_thread: bool) -> tuple[bool, Any]:
    """Whether the body is at its end, and its result or its next round."""
    advance = partial(_advance, steps, replies)
    return await asyncio.to_thread(advance) if in_thread else advance()


def _advance(steps: Steps[Any], replies: Any) -> tuple[bool, Any]:
    try:
        return False, steps.send(replies)
    except StopIteration as stop:
        return True, stop.value


def _errors() -> tuple[type[Exception], ...]:
    from redis.exceptions import RedisError

    return (RedisError, OSError, asyncio.TimeoutError)


def piped(client: Any, commands: Round, evaluate: str = "EVALSHA") -> Any:
    """A redis-py pipeline that holds a round and was not sent yet."""
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*_flat(command, evaluate))
    return pipeline


def _flat(command: Command, evaluate: str) -> tuple[Any, ...]:
    if not isinstance(command, Call):
        return command
    source = command.script.sha if evaluate == "EVALSHA" else command.script.text
    return (evaluate, source, len(command.keys), *command.keys, *command.args)


def _unknown(commands: Round, replies: list[Any]) -> list[tuple[int, Command]]:
    """The runs of scripts that this server has not seen yet: they did nothing, and are sent with their text."""
    failed = [at for at, reply in enumerate(replies) if isinstance(reply, Exception)]
    if not failed:
        return []
    from redis.exceptions import NoScriptError

    return [(at, commands[at]) for at in failed if isinstance(replies[at], NoScriptError)]
