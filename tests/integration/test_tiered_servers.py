"""A tier over servers as teams run them: a Redis Cluster in front, Postgres behind, and either of them killed under load."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
from langgraph.store.base import GetOp, PutOp

from graph_memory.stores.migrations import migrate
from graph_memory.stores.postgres import PostgresStore
from graph_memory.stores.redis import RedisStore
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.stores.tiered import TieredStore
from tests import postgres_faults
from tests.ledger import under_load
from tests.redis_servers import Running, running, running_cluster, wait_until

QUICK: dict[str, Any] = {"retry_seconds": 0.1, "trust_seconds": 0.1}


@pytest.fixture
def postgres() -> Iterator[postgres_faults.Server]:
    """A server of the test's own, migrated."""
    with postgres_faults.running() as server:
        migrate(server.url)
        yield server


def test_a_postgres_that_is_killed_behind_a_tier_loses_nothing(postgres: postgres_faults.Server) -> None:
    """Writes fail until it is back; what was acknowledged is there, behind the tier and through it."""
    with running() as server, PostgresStore(postgres.url, timeout_seconds=1) as durable:
        with TieredStore(RedisStore(server.url), durable, **QUICK) as store:
            with under_load(store) as ledger:
                for _ in range(2):
                    ledger.goes_on()
                    postgres.kill()
                    ledger.notices()
                    postgres.start()
                    ledger.goes_on()
            ledger.check(store)
        with PostgresStore(postgres.url) as behind:
            ledger.check(behind)


def test_what_was_queued_while_postgres_was_killed_is_in_it_afterwards(
    postgres: postgres_faults.Server, tmp_path: Path
) -> None:
    """Writes are acknowledged while it is away."""
    with running() as server, PostgresStore(postgres.url, timeout_seconds=1) as durable:
        with TieredStore(RedisStore(server.url), durable, queue=str(tmp_path / "queue.db"), **QUICK) as store:
            with under_load(store) as ledger:
                ledger.goes_on()
                postgres.kill()
                wait_until(lambda: store.queued > 20)
            postgres.start()
            wait_until(store.drain)
            ledger.check(store)
        with PostgresStore(postgres.url) as behind:
            ledger.check(behind)


def test_a_cluster_in_front_may_lose_a_master_and_have_it_back(tmp_path: Path) -> None:
    """Each of the three in turn: nobody is refused anything, and nothing old is read."""
    with running_cluster("--appendonly", "no") as nodes, SqliteStore(str(tmp_path / "memory.db")) as durable:
        hot = RedisStore(nodes[0].url, timeout_seconds=0.3)
        with TieredStore(hot, durable, **QUICK) as store:
            with under_load(store) as ledger:
                for node in nodes:
                    ledger.goes_on()
                    node.kill()
                    ledger.goes_on()
                    node.start()
                    ledger.goes_on()
            ledger.check(store)
            assert not ledger.refused


def test_batches_over_many_servers_of_a_cluster_are_not_read_old(redis_cluster: list[Running], tmp_path: Path) -> None:
    """A cluster changes the slots of one owner at once, not those of several: many write and read those of many."""
    places = [(("users", f"user {n}"), "k") for n in range(8)]
    hot = RedisStore(redis_cluster[0].url, prefix=tmp_path.name)
    with SqliteStore(str(tmp_path / "memory.db")) as durable, TieredStore(hot, durable, **QUICK) as store:
        acknowledged = dict.fromkeys(places, 0)

        def write(number: int) -> None:
            mine = places[number::2]
            for n in range(1, 60):
                store.batch([PutOp(*place, {"n": n}) for place in mine])
                acknowledged.update(dict.fromkeys(mine, n))

        def read(number: int) -> list[str]:
            chance, wrong = Random(number), []
            while min(acknowledged.values()) < 59:
                some = chance.sample(places, 5)
                least = [acknowledged[place] for place in some]
                found = [item.value["n"] if item else 0 for item in store.batch([GetOp(*place) for place in some])]
                wrong += [f"{a} after {b}" for a, b in zip(found, least, strict=True) if a < b]
            return wrong

        with ThreadPoolExecutor(4) as pool:
            writers = [pool.submit(write, number) for number in range(2)]
            readers = [pool.submit(read, number) for number in range(2)]
            assert [one.result() for one in (*writers, *readers)] == [None, None, [], []]
