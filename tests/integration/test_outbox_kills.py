"""Workers that are killed at random moments while turns flow: every turn is taken in once, none is lost."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import redis
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.base import BaseStore

from graph_memory import new_key
from graph_memory.graph.queues import dead_letters, pending
from graph_memory.stores import open_store
from tests.fakes import MODES, call, in_thread
from tests.forking import workers
from tests.outbox import noted_graph, notes, waiting

SOAK = bool(os.environ.get("GRAPH_MEMORY_SOAK"))
TURNS, KILLS = (2000, 200) if SOAK else (100, 10)
USERS = TURNS // 12
_HOT = 7  # a database of the tests' Redis that nothing else uses
Place = Callable[[pytest.FixtureRequest], tuple[str, dict[str, Any]]]


def sqlite_place(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """A file."""
    return f"sqlite:///{request.getfixturevalue('tmp_path') / 'memory.db'}", {}


def postgres_place(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """An empty database."""
    return request.getfixturevalue("postgres_url"), {"pool_size": 2}


def redis_place(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Keys of their own."""
    return request.getfixturevalue("redis_server").url, {"prefix": uuid4().hex}


def tiered_place(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """An empty database, behind a Redis that holds no copies of another."""
    server = request.getfixturevalue("redis_server")
    with redis.Redis(port=server.port, db=_HOT) as client:
        client.flushdb()
    url, options = postgres_place(request)
    return url, {**options, "hot": f"{server.url}/{_HOT}"}


def encrypted_place(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """A file that the key opens."""
    return sqlite_place(request)[0], {"encrypt": new_key()}


def supabase_place(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """A project, for all of its users."""
    project = request.getfixturevalue("supabase")
    return project.url, {"key": project.service_key}


@pytest.mark.filterwarnings("ignore:a service key stands above row-level security")
@pytest.mark.parametrize(
    "place", [sqlite_place, postgres_place, redis_place, tiered_place, encrypted_place, supabase_place]
)
def test_killed_workers_take_in_every_turn_once(place: Place, request: pytest.FixtureRequest):
    """Two at a time; one dies by SIGKILL every few turns. Notes have random keys: taking in a turn twice would show.

    Turns come by `invoke` and by `ainvoke` in turn.
    """
    url, options = place(request)
    options, chance = {**options, "timeout_seconds": 30}, random.Random(1)
    with open_store(url, **options) as store, workers(url, 2, **options) as running:
        graph = noted_graph(store, InMemorySaver())
        for turn in range(TURNS):
            who = f"user {turn % USERS}"
            call(graph, MODES[turn % 2], {"messages": [("user", f"turn {turn}")]}, in_thread(who, user_id=who))
            if turn % (TURNS // KILLS) == 0:
                time.sleep(chance.random() * 0.02)
                running.kill()
        _wait_for_rest(store)

        assert notes(store) == sorted(f"turn {turn}" for turn in range(TURNS))
        assert waiting(store) == 0
        assert dead_letters(store) == []


def _wait_for_rest(store: BaseStore) -> None:
    late = time.monotonic() + (600 if SOAK else 60)
    while pending(store):
        assert time.monotonic() < late, "workers do not come to an end"
        time.sleep(0.02)
