"""How redis-py is made to connect: its clients, what they send again, and how many connections are in use at once.

A pool of redis-py's refuses when it is full, and that of a cluster cannot be made to wait. So whoever wants to send something
takes one of its `Turns` first, and the driver's own limit is only there for what it asks on its own account.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

from graph_memory.errors import ConfigurationError, StoreError, StoreUnavailableError

_RETRIES, _FIRST_PAUSE, _LONGEST_PAUSE = 3, 0.02, 0.2  # seconds; redis-py's own default gives up after 2.5 s
_OLDEST = (6, 2)


class Turns:
    """So many rounds at once; who comes later waits for a while. `with` is a thread's turn, `async with` a task's.

    Args:
        most: how many, of threads and of the tasks of one event loop.
        timeout_seconds: how long to wait.
        where: the server, for messages.

    Raises:
        StoreUnavailableError: none was free in time.
    """

    def __init__(self, most: int, timeout_seconds: float, where: str) -> None:
        self._most, self._timeout, self._where = most, timeout_seconds, where
        self._threads, self._tasks = _Queue(most), asyncio.Semaphore(most)

    def __enter__(self) -> None:
        if not self._threads.acquire(self._timeout):
            raise self._full()

    def __exit__(self, *_: object) -> None:
        self._threads.release()

    async def __aenter__(self) -> None:
        try:
            async with asyncio.timeout(self._timeout if self._tasks.locked() else None):
                await self._tasks.acquire()
        except TimeoutError as exc:
            raise self._full() from exc

    async def __aexit__(self, *_: object) -> None:
        self._tasks.release()

    def _full(self) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"all {self._most} connections to {self._where} were in use for {self._timeout:g} s: raise max_connections, or send "
            f"less at once"
        )


class _Queue:
    """A semaphore that is first come, first served, as asyncio's is.

    A thread that has just released `threading.Semaphore` takes it again before those that wait have woken up: of six threads in a
    loop some never had a turn within a minute.
    """

    def __init__(self, free: int) -> None:
        self._free, self._lock = free, threading.Lock()
        self._waiting: deque[threading.Event] = deque()

    def acquire(self, timeout: float) -> bool:
        """Whether it was this thread's turn in time."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(timeout):
            return True
        with self._lock:
            if is_late := turn in self._waiting:
                self._waiting.remove(turn)
            return not is_late  # or it came just now

    def release(self) -> None:
        """The next one's turn."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1


def single(url: str, options: Mapping[str, Any], *, is_async: bool) -> Any:
    """A client of one server. `options` are those of redis-py's connections and pools."""
    import redis
    import redis.asyncio

    module: Any = redis.asyncio if is_async else redis
    return module.Redis.from_pool(module.ConnectionPool.from_url(url, retry=_retry(is_async), **options))


def cluster(url: str, options: Mapping[str, Any], *, is_async: bool) -> Any:
    """A client of the cluster that a server is part of."""
    import redis
    import redis.asyncio

    module: Any = redis.asyncio if is_async else redis
    return module.RedisCluster.from_url(url, retry=_retry(is_async), **options)


def _retry(is_async: bool) -> Any:
    """What is sent again when a connection breaks, every script here being safe to run twice; a timeout is final."""
    import redis.asyncio.retry
    import redis.retry
    from redis.backoff import ExponentialWithJitterBackoff
    from redis.exceptions import ConnectionError

    module: Any = redis.asyncio.retry if is_async else redis.retry
    backoff = ExponentialWithJitterBackoff(base=_FIRST_PAUSE, cap=_LONGEST_PAUSE)
    return module.Retry(backoff, _RETRIES, supported_errors=(ConnectionError,))


def checked(info: Mapping[str, Any], where: str) -> bool:
    """Whether a server is part of a cluster.

    Raises:
        StoreError: it is too old, or a sentinel.
    """
    version = str(info.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < _OLDEST:
        raise StoreError(f"{where} is Redis {version}: Redis 6.2 or Valkey is needed, update it")
    if info.get("redis_mode") == "sentinel":
        raise ConfigurationError(f"{where} is a sentinel, not a Redis: name the server that it watches")
    return bool(info.get("redis_mode") == "cluster")
