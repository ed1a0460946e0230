"""Redis in front of a durable store, with load on both: Redis is killed, paused, or comes back with what it knew long ago."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from graph_memory.stores.redis import RedisStore
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.stores.tiered import TieredStore
from tests.ledger import under_load
from tests.redis_servers import Running, running


def killed(server: Running) -> None:
    """It comes back with what it last saved: old copies, and writers that are long done."""
    with server.client() as client:
        client.save()
    time.sleep(0.3)
    server.kill()
    time.sleep(0.5)
    server.start()


def gone_for_a_moment(server: Running) -> None:
    """So short that nobody need notice."""
    with server.client() as client:
        client.save()
    time.sleep(0.3)
    server.kill()
    server.start()


def paused(server: Running) -> None:
    """It answers nobody, and then goes on."""
    os.kill(server.pid, signal.SIGSTOP)
    time.sleep(1.0)
    os.kill(server.pid, signal.SIGCONT)


def full(server: Running) -> None:
    """It reads, and takes nothing in."""
    with server.client() as client:
        client.config_set("maxmemory", 1)
        time.sleep(0.5)
        client.config_set("maxmemory", 0)


@pytest.mark.parametrize("trouble", [killed, gone_for_a_moment, paused, full])
def test_nothing_is_lost_or_old(trouble: Callable[[Running], None], tmp_path: Path) -> None:
    """Whatever happens to Redis, twice; nobody is refused anything, and afterwards copies are used again."""
    with running("--appendonly", "no") as server, SqliteStore(str(tmp_path / "memory.db")) as durable:
        hot = RedisStore(server.url, timeout_seconds=0.3)
        with TieredStore(hot, durable, retry_seconds=0.1, trust_seconds=0.1) as store:
            with under_load(store) as ledger:
                for _ in range(2):
                    ledger.goes_on()
                    trouble(server)
                    ledger.goes_on()
            ledger.check(store)
            assert not ledger.refused
            place = ("users", "ada")
            store.put(place, "a", {"n": 1})
            until = time.monotonic() + 30
            while hot.get(place, "a") is None:
                assert time.monotonic() < until
                store.put(place, "a", {"n": 1})
                time.sleep(0.05)
            assert store.get(place, "a").value == {"n": 1}
