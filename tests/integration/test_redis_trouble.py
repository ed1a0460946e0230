"""Redis in trouble while writes go on: nothing acknowledged is lost, and the open store goes on when the trouble is over."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from graph_memory.checkpoints.redis import RedisSaver
from graph_memory.errors import StoreUnavailableError
from graph_memory.stores.redis import RedisStore
from tests.cutting import cutting
from tests.fakes import in_thread
from tests.graphs import echo
from tests.ledger import under_load
from tests.redis_servers import Running, running, running_cluster, wait_until

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


def tell(server: Running, *command: str | int) -> None:
    """Sends a command of an operator."""
    with server.client() as client:
        client.execute_command(*command)


def role(server: Running) -> bytes:
    """What it is now: master or slave."""
    with server.client() as client:
        return bytes(client.execute_command("ROLE")[0])


def test_a_server_that_is_killed_and_started_again():
    """With its log written at every write: at once after the restart."""
    with running(*DURABLE) as server, RedisStore(server.url) as store:
        with under_load(store) as ledger:
            for _ in range(3):
                ledger.goes_on()
                server.kill()
                ledger.notices("cannot be reached")
                server.start()
            ledger.goes_on()
        ledger.check(store)


def test_a_server_that_is_paused():
    """What was sent in the pause may be carried out after it."""
    with running() as server, RedisStore(server.url, timeout_seconds=0.5) as store:
        with under_load(store) as ledger:
            ledger.goes_on()
            os.kill(server.pid, signal.SIGSTOP)
            try:
                ledger.notices("gave no answer within 0.5 s")
            finally:
                os.kill(server.pid, signal.SIGCONT)
            ledger.goes_on()
        ledger.check(store)


def test_connections_that_are_cut_in_the_middle():
    """Of a batch on its way, or of the answer to it: sent again, whole."""
    with running() as server, cutting(server.port) as way, RedisStore(f"redis://127.0.0.1:{way.port}") as store:
        with under_load(store) as ledger:
            ledger.goes_on()
            way.share = 0.1
            wait_until(lambda: way.cuts >= 50)
            ledger.goes_on()
            way.share = 1.0
            ledger.notices("cannot be reached")
            way.share = 0.0
            ledger.goes_on()
        ledger.check(store)


@pytest.mark.parametrize("size", [1, 2])
def test_a_pool_that_is_full(size: int):
    """Whoever comes later waits for a turn, and is told when there is none in time."""
    with running() as server, RedisStore(server.url, max_connections=size, timeout_seconds=1) as store:
        with under_load(store, threads=6, tasks=6) as ledger:
            ledger.goes_on()
            os.kill(server.pid, signal.SIGSTOP)
            try:
                ledger.notices()
                wait_until(lambda: any("in use for 1 s" in message for message in ledger.refused))
            finally:
                os.kill(server.pid, signal.SIGCONT)
            ledger.goes_on()
        ledger.check(store)


def test_a_full_pool_of_a_cluster_waits_too(redis_cluster: list[Running]):
    """As that of one server does."""
    with RedisStore(redis_cluster[0].url, prefix=uuid4().hex, max_connections=1, timeout_seconds=30) as store:
        with under_load(store, threads=6, tasks=6) as ledger:
            ledger.goes_on()
        assert ledger.refused == {}
        ledger.check(store)


def test_a_master_of_a_cluster_that_is_lost_and_comes_back():
    """Each of the three in turn; the others cannot serve alone."""
    with running_cluster(*DURABLE) as nodes, RedisStore(nodes[0].url, timeout_seconds=1) as store:
        with under_load(store) as ledger:
            for node in nodes:
                ledger.goes_on()
                node.kill()
                ledger.notices()
                node.start()
            ledger.goes_on()
        ledger.check(store)


def test_a_server_that_becomes_read_only_and_writable_again():
    """It hands over to another one, and is given its place back."""
    with running(*DURABLE) as server, running(*DURABLE) as other, RedisStore(server.url) as store:
        tell(other, "REPLICAOF", "127.0.0.1", server.port)
        wait_until(lambda: role(other) == b"slave" and _follows(other))
        with under_load(store) as ledger:
            ledger.goes_on()
            tell(server, "FAILOVER")
            ledger.notices("read-only replica")
            wait_until(lambda: role(other) == b"master" and _follows(server))
            tell(other, "FAILOVER")
            ledger.goes_on()
        ledger.check(store)


def test_a_server_whose_memory_is_full():
    """Nothing of a batch that it refuses is written; reads go on."""
    with running("--maxmemory-policy", "noeviction") as server, RedisStore(server.url) as store:
        with under_load(store) as ledger:
            ledger.goes_on()
            tell(server, "CONFIG", "SET", "maxmemory", 1)
            ledger.notices("has no memory left")
            tell(server, "CONFIG", "SET", "maxmemory", 0)
            ledger.goes_on()
        ledger.check(store)


def test_threads_of_a_graph_survive_a_kill():
    """Every turn that ended is in the thread when the same saver goes on."""
    with running(*DURABLE) as server, RedisSaver(server.url) as saver:
        graph, ended, refused, over = echo(saver), Counter[str](), Counter[str](), threading.Event()

        def talk(thread: str) -> None:
            while not over.is_set():
                try:
                    graph.invoke({"said": [str(ended[thread])]}, in_thread(thread))
                    ended[thread] += 1
                except StoreUnavailableError:
                    refused[thread] += 1

        with ThreadPoolExecutor(2) as pool:
            running_threads = [pool.submit(talk, thread) for thread in "tu"]
            wait_until(lambda: min(ended["t"], ended["u"]) >= 5)
            server.kill()
            wait_until(lambda: min(refused["t"], refused["u"]) >= 2)
            server.start()
            so_far = dict(ended)
            wait_until(lambda: all(ended[thread] >= so_far[thread] + 5 for thread in "tu"))
            over.set()
        for one in running_threads:
            one.result()
        for thread in "tu":
            said = graph.get_state(in_thread(thread)).values["said"]
            assert {f"re {n}" for n in range(ended[thread])} <= set(said)


def _follows(server: Running) -> bool:
    with server.client() as client:
        return client.info("replication").get("master_link_status") == "up"
