"""What goes wrong with a Redis, each said in one clear sentence, and nothing half written or lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from langgraph.store.base import PutOp

from graph_memory.checkpoints import open_checkpointer
from graph_memory.errors import ConfigurationError, StoreError, StoreUnavailableError
from graph_memory.opening import open_memory
from graph_memory.redis_connections import single
from graph_memory.stores import open_store
from graph_memory.stores.redis import RedisStore
from tests.redis_servers import Running, running
from tests.watchdog import ending

ADA = ("users", "ada")
CONFIG = {"configurable": {"thread_id": "1"}}


def enter(opening: Any, mode: str) -> None:
    """Opens and closes, sync or async."""

    async def both() -> None:
        async with opening:
            pass

    if mode == "sync":
        with opening:
            return
    asyncio.run(both())


def test_a_wrong_password_is_said_and_not_shown():
    """Nor is it when none was given."""
    openers: list[Callable[[str], Any]] = [open_store, open_checkpointer, open_memory]
    with running("--requirepass", "right") as server:
        for opener, mode in product(openers, ("sync", "async")):
            enter(opener(f"redis://:right@127.0.0.1:{server.port}"), mode)
            for given in (":sesame@", ""):
                with pytest.raises(
                    ConfigurationError, match=r"127.0.0.1:\d+ refuses the user or the password"
                ) as caught:
                    enter(opener(f"redis://{given}127.0.0.1:{server.port}"), mode)
                assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("opener", [open_store, open_checkpointer])
def test_nobody_there_is_said(opener: Callable[[str], Any], mode: str):
    """Whoever connects."""
    with pytest.raises(StoreUnavailableError, match=r"redis://127\.0\.0\.1:1 cannot be reached"):
        ending(lambda: enter(opener("redis://u:sesame@127.0.0.1:1"), mode))


def test_what_a_broken_connection_did_not_take_is_sent_again_for_less_than_a_second():
    """Not for redis-py's own 2.5."""
    for is_async in (False, True):
        retry: Any = single("redis://127.0.0.1:1", {}, is_async=is_async).get_retry()
        pauses = [max(retry._backoff.compute(attempt) for _ in range(100)) for attempt in range(1, retry._retries + 1)]
        assert 0 < sum(pauses) < 1


def test_the_seconds_given_are_those_that_redis_py_waits():
    """For a connection and for each answer."""
    store = RedisStore("redis://127.0.0.1:1", timeout_seconds=0.5)
    options = store._server._options()
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (0.5, 0.5)
    assert single("redis://127.0.0.1:1", options, is_async=False).get_connection_kwargs()["socket_timeout"] == 0.5


@pytest.mark.parametrize("url", ["redis://host:x", "redis://host:1/db", "redis://host:99999"])
def test_malformed_urls_are_refused(url: str):
    """Before anything is tried."""
    with pytest.raises(ConfigurationError):
        open_store(url)


def test_a_paused_server_is_given_up_and_taken_up_again():
    """By the same store, once it goes on; a write that was not answered may or may not be there."""
    with running() as server, RedisStore(server.url, timeout_seconds=0.5) as store:
        store.put(ADA, "a", {"n": 1})
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(StoreUnavailableError, match=r"no answer within 0\.5 s"):
                ending(lambda: store.get(ADA, "a"))
            with pytest.raises(StoreUnavailableError, match=r"no answer within 0\.5 s"):
                ending(lambda: asyncio.run(store.aget(ADA, "a")))
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert store.get(ADA, "a").value == {"n": 1}


def test_a_server_without_memory_refuses_whole_batches():
    """And says what to do."""
    with running("--maxmemory", "3mb", "--maxmemory-policy", "noeviction") as server, RedisStore(server.url) as store:
        store.put(ADA, "small", {"text": "tea"})
        with pytest.raises(StoreError, match="has no memory left"):
            fill(store)
        kept = sorted(hit.key for hit in store.search(ADA, limit=1000))
        assert [key for key in kept if key.endswith("a")] == [key[:-1] + "a" for key in kept if key.endswith("b")]
        store.batch([PutOp(ADA, key, None) for key in kept])


def fill(store: RedisStore) -> None:
    """Far more than there is room for."""
    for n in range(100):
        store.batch([PutOp(ADA, f"{n} {part}", {"text": "x" * 50_000}, index=False) for part in "ab"])


def test_a_replica_is_no_place_to_write():
    """After a failover, until the url names the new primary."""
    with running() as primary, running() as server, RedisStore(server.url) as store:
        with server.client() as client:
            client.replicaof("127.0.0.1", primary.port)
        with pytest.raises(StoreUnavailableError, match="read-only replica"):
            store.put(ADA, "a", {"n": 1})


def test_what_was_acknowledged_survives_a_crash_of_the_server():
    """With its log written at every write; the open store goes on after the restart."""
    with running("--appendonly", "yes", "--appendfsync", "always") as server, RedisStore(server.url) as store:
        for n in range(50):
            store.put(ADA, str(n), {"text": f"tea {n}"})
        assert len(store.search(ADA, query="tea", limit=100)) == 50
        server.kill()
        with pytest.raises(StoreUnavailableError):
            store.put(ADA, "lost", {"n": 1})
        server.start()
        assert len(store.search(ADA, query="tea", limit=100)) == 50
        store.put(ADA, "more", {"text": "tea"})
        assert len(store.search(ADA, query="tea", limit=100)) == 51


WRITER = """
import sys
from langgraph.store.base import PutOp
from graph_memory.stores.redis import RedisStore
with RedisStore(sys.argv[1], prefix=sys.argv[2]) as store:
    print("ready", flush=True)
    for n in range(100_000):
        store.batch([PutOp(("users", "ada"), str(key), {"text": f"tea {n}", "n": n}) for key in range(20)])
"""


def test_a_writer_that_is_killed_leaves_no_half_batch(redis_server: Running):
    """At whatever moment; items and index agree."""
    for wait in (0.05, 0.11, 0.19):
        prefix = uuid4().hex
        command = [sys.executable, "-c", WRITER, redis_server.url, prefix]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(wait)
            writer.kill()
        with RedisStore(redis_server.url, prefix=prefix) as store:
            items = store.search(ADA, limit=100)
            last = {item.value["n"] for item in items}
            assert (len(items), len(last)) == (20, 1)
            assert len(store.search(ADA, query=str(last.pop()), limit=100)) == 20
