"""A Postgres that crashes, hangs, cuts connections or has none left, under load: nothing acknowledged is lost.

The application goes on with the stores that it opened, one for its threads and one in its event loop. Acknowledged is what
`batch` returned from.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest

from graph_memory.stores import open_store
from graph_memory.stores.migrations import migrate
from graph_memory.stores.postgres import PostgresStore
from tests.cutting import cutting
from tests.ledger import Ledger, under_load
from tests.postgres_faults import Server, running

ROUNDS = 20 if os.environ.get("GRAPH_MEMORY_SOAK") else 2


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the test's own, migrated."""
    with running() as started:
        migrate(started.url)
        yield started


@contextmanager
def loaded(server: Server, *, port: int = 0, timeout_seconds: float, pool_size: int = 10) -> Iterator[Ledger]:
    """Load on a server, or on what stands before it; in the end the ledger is compared, and the index with the items."""

    def opening() -> PostgresStore:
        return PostgresStore(server.url_at(port or server.port), timeout_seconds=timeout_seconds, pool_size=pool_size)

    with opening() as store, under_load(store, opening=opening) as ledger:
        ledger.goes_on()
        yield ledger
    with open_store(server.url, timeout_seconds=60) as store:
        ledger.check(store)
        for writer in ledger.writers:
            items = store.search(writer.space, limit=100_000)
            found = store.search(writer.space, query="fact", limit=100_000)
            assert {hit.key for hit in found} == {hit.key for hit in items}


def test_a_server_that_is_killed_and_started_again_loses_nothing(server: Server) -> None:
    """Whatever it was doing."""
    chance = random.Random(1)
    with loaded(server, timeout_seconds=1) as ledger:
        for _ in range(ROUNDS):
            time.sleep(chance.random() * 0.05)
            server.kill()
            ledger.notices()
            server.start()
            ledger.goes_on()
    assert set(ledger.refused) <= {
        "the Postgres database postgres on 127.0.0.1 gave no answer in time, or cannot be reached",
        "the Postgres database postgres on 127.0.0.1 gave no connection in time: it is busy, or cannot be reached",
    }


def test_a_quick_restart_is_not_noticed(server: Server) -> None:
    """Batches that fall into it are tried again until it is over."""
    with loaded(server, timeout_seconds=60) as ledger:
        server.kill()
        server.start()
        ledger.goes_on()
    assert not ledger.refused


def test_a_server_that_hangs_is_given_up_in_time_and_taken_up_again(server: Server) -> None:
    """What it takes in when it goes on may or may not be there, but never by halves."""
    with loaded(server, timeout_seconds=0.5) as ledger:
        for _ in range(ROUNDS):
            server.pause()
            ledger.notices()
            server.resume()
            ledger.goes_on()


def test_connections_that_are_cut_are_replaced(server: Server) -> None:
    """Amid a batch, or amid its answer; the batch is carried out again, and is there once."""
    with cutting(server.port) as line, loaded(server, port=line.port, timeout_seconds=60) as ledger:
        for _ in range(ROUNDS):
            line.share, before = 0.1, line.cuts
            ledger.goes_on(5)
            line.share = 0.0
            assert line.cuts > before
    assert not ledger.refused


def test_a_pool_without_a_free_connection_refuses_and_goes_on(server: Server) -> None:
    """As long as the connections wait for a lock that somebody else holds."""
    with loaded(server, timeout_seconds=0.5, pool_size=1) as ledger:
        for _ in range(ROUNDS):
            with closing(psycopg.connect(server.url)) as hog:
                hog.execute("LOCK TABLE graph_memory.items IN ACCESS EXCLUSIVE MODE")
                ledger.notices("no connection in time")
            ledger.goes_on()
