"""Random lives of threads against the chain of their checkpoints; a new store is one line of `STORES`.

`make check` makes at least a hundred checks per store, `make soak` about 1,400.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from uuid import uuid4

import pytest
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from graph_memory import open_store
from graph_memory.graph.lineage import Lineage
from graph_memory.sealing import new_key
from tests.fakes import MODES
from tests.lineage import Life
from tests.lineage_checks import USER
from tests.lineage_graphs import MAIN, SHAPES, Shape
from tests.redis_servers import Running
from tests.supabase_projects import Project


def emptied(server: Running) -> str:
    """The url of a Redis without copies of what an earlier test had in its database."""
    with server.client() as client:
        client.flushall()
    return f"{server.url}/1"


STORES: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[BaseStore]]] = {
    "InMemoryStore": lambda request: nullcontext(InMemoryStore()),
    "SqliteStore": lambda request: open_store("sqlite://"),
    "PostgresStore": lambda request: open_store(request.getfixturevalue("postgres_url"), user=USER),
    "RedisStore": lambda request: open_store(request.getfixturevalue("redis_server").url, prefix=uuid4().hex),
    "RedisStore on a cluster": lambda request: open_store(
        request.getfixturevalue("redis_cluster")[0].url, prefix=uuid4().hex
    ),
    "EncryptedStore": lambda request: open_store("sqlite://", encrypt=new_key(), clear=["search", "speaker"]),
    "TieredStore": lambda request: open_store(
        request.getfixturevalue("postgres_url"),
        user=USER,
        hot=emptied(request.getfixturevalue("redis_server")),
    ),
    "SupabaseStore": lambda request: _supabase(request.getfixturevalue("supabase")),
}
DURABILITIES = ("sync", "async", "exit")
PAUSES = (((), ()), ((), ()), ((MAIN,), ()), ((), (MAIN, f"{MAIN}_memory")))
LIVES, ACTS = (3, 30) if os.environ.get("GRAPH_MEMORY_SOAK") else (1, 7)


def _supabase(project: Project) -> AbstractContextManager[BaseStore]:
    return open_store(project.url, **project.signed_in(USER))


def live(store: BaseStore, shape: Shape, mode: str, seed: int, acts: int = ACTS) -> Life:
    """A life of some acts, checked after each."""
    life = Life(store, shape, seed, mode, DURABILITIES[seed % 3], PAUSES[seed % 4])
    for _ in range(acts):
        life.act()
        life.check()
    return life


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Hundreds of failures are meant to happen."""
    caplog.set_level(logging.CRITICAL)


@pytest.mark.parametrize("seed", range(LIVES))
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
@pytest.mark.parametrize("store", STORES)
def test_every_line_remembers_what_its_checkpoints_say(
    store: str, shape: Shape, mode: str, seed: int, request: pytest.FixtureRequest
) -> None:
    """Nothing doubled, stale, missing or from an abandoned future, whatever happens."""
    with STORES[store](request) as opened:
        live(opened, shape, mode, 100 * SHAPES.index(shape) + 7 * MODES.index(mode) + seed)


@pytest.mark.parametrize("store", STORES)
def test_with_the_fork_check_switched_off_it_is_noticed(
    store: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The check can fail."""
    monkeypatch.setattr(Lineage, "sees", lambda self, origin: True)

    with STORES[store](request) as opened, pytest.raises(AssertionError, match=r"other lines|doubles|abandoned"):
        live(opened, SHAPES[0], "invoke", seed=0, acts=20)
