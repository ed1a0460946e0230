"""Workers that are killed at random moments while turns flow: every turn is taken in once, none is lost."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

from langgraph.checkpoint.memory import InMemorySaver

from graph_memory.graph.queues import dead_letters, pending
from graph_memory.stores.sqlite import SqliteStore
from tests.fakes import MODES, call, in_thread
from tests.forking import workers
from tests.outbox import noted_graph, notes, waiting

SOAK = bool(os.environ.get("GRAPH_MEMORY_SOAK"))
TURNS, KILLS = (2000, 200) if SOAK else (100, 10)
USERS = TURNS // 12


def test_killed_workers_take_in_every_turn_once(tmp_path: Path):
    """Two at a time; one dies by SIGKILL every few turns. Notes have random keys: taking in a turn twice would show.

    Turns come by `invoke` and by `ainvoke` in turn.
    """
    path, chance = str(tmp_path / "memory.db"), random.Random(1)
    with SqliteStore(path, timeout_seconds=30) as store, workers(path, 2) as running:
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


def _wait_for_rest(store: SqliteStore) -> None:
    late = time.monotonic() + (300 if SOAK else 30)
    while pending(store):
        assert time.monotonic() < late, "workers do not come to an end"
        time.sleep(0.02)
