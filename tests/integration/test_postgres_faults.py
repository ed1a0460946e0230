"""A Postgres that crashes, hangs, cuts connections or has none left, under load: nothing acknowledged is lost.

The application goes on with the store that it opened. Acknowledged is what `batch` returned from.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from graph_memory.stores import open_store
from graph_memory.stores.migrations import migrate
from tests.fakes import MODES
from tests.ledgers import Ledger
from tests.postgres_faults import Server, running
from tests.proxies import Proxy, proxied

ROUNDS = 20 if os.environ.get("GRAPH_MEMORY_SOAK") else 2
each_mode = pytest.mark.parametrize("mode", MODES)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the test's own, migrated."""
    with running() as started:
        migrate(started.url)
        yield started


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """Something to cut between it and the store."""
    with proxied(server.port) as between:
        yield between


def opening(url: str, timeout_seconds: float = 5.0, **options: Any) -> Callable[[], Any]:
    """What opens the store of a ledger."""
    return lambda: open_store(url, timeout_seconds=timeout_seconds, **options)


def check(ledger: Ledger, server: Server) -> None:
    """The ledger against what the server holds."""
    with open_store(server.url, timeout_seconds=60) as store:
        ledger.check(store)


@each_mode
def test_a_server_that_is_killed_and_started_again_loses_nothing(server: Server, mode: str) -> None:
    """Whatever it was doing."""
    chance = random.Random(1)
    with Ledger(opening(server.url, timeout_seconds=1), mode) as ledger:
        for _ in range(ROUNDS):
            time.sleep(chance.random() * 0.05)
            server.kill()
            ledger.wait_for_refusals()
            server.start()
            ledger.wait_for_more()
    check(ledger, server)
    assert ledger.refusals <= {
        "the Postgres database postgres on 127.0.0.1 gave no answer in time, or cannot be reached",
        "the Postgres database postgres on 127.0.0.1 gave no connection in time: it is busy, or cannot be reached",
    }


@each_mode
def test_a_quick_restart_is_not_noticed(server: Server, mode: str) -> None:
    """Batches that fall into it are tried again until it is over."""
    with Ledger(opening(server.url, timeout_seconds=60), mode) as ledger:
        server.kill()
        server.start()
        ledger.wait_for_more()
    check(ledger, server)
    assert ledger.refusals == set()


@each_mode
def test_a_server_that_hangs_is_given_up_in_time_and_taken_up_again(server: Server, mode: str) -> None:
    """What it takes in when it goes on may or may not be there, but never by halves."""
    with Ledger(opening(server.url, timeout_seconds=0.5), mode) as ledger:
        for _ in range(ROUNDS):
            server.pause()
            ledger.wait_for_refusals()
            server.resume()
            ledger.wait_for_more()
    check(ledger, server)


@each_mode
def test_connections_that_are_cut_are_replaced(server: Server, proxy: Proxy, mode: str) -> None:
    """Amid a batch, or before its answer; the batch is carried out again, and is there once."""
    chance = random.Random(2)
    with Ledger(opening(server.url_at(proxy.port), timeout_seconds=60), mode) as ledger:
        for _ in range(ROUNDS * 5):
            proxy.cut()
            time.sleep(chance.random() * 0.02)
        proxy.swallow_answers(ROUNDS * 5)
        ledger.wait_for_more(5)
    assert proxy.swallowed_all
    check(ledger, server)
    assert ledger.refusals == set()


@each_mode
def test_a_pool_without_a_free_connection_refuses_and_goes_on(server: Server, mode: str) -> None:
    """As long as the connections wait for a lock that somebody else holds."""
    with Ledger(opening(server.url, timeout_seconds=0.5, pool_size=2), mode) as ledger:
        for _ in range(ROUNDS):
            with closing(psycopg.connect(server.url)) as hog:
                hog.execute("LOCK TABLE graph_memory.items IN ACCESS EXCLUSIVE MODE")
                ledger.wait_for_refusals()
            ledger.wait_for_more()
    check(ledger, server)
    assert any("no connection in time" in text for text in ledger.refusals)
