"""Processes that are killed with SIGKILL in the middle of a turn: whoever opens their files goes on with an intact thread."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from langgraph.store.base import BaseStore

from graph_memory import open_memory
from tests import lineage_graphs
from tests.fakes import MODES
from tests.lineage import Life
from tests.lineage_graphs import Shape, plain

WAYS = [("invoke", "sync"), ("ainvoke", "async"), ("invoke", "exit")]
THREADS, KILLS = 1, 1
if os.environ.get("GRAPH_MEMORY_SOAK"):
    WAYS, THREADS, KILLS = list(itertools.product(MODES, ("sync", "async", "exit"))), 5, 4
ROOT = Path(__file__).parents[2]


def killed(url: str, mode: str, durability: str, first: int, chance: random.Random) -> None:
    """Lets a process talk, and kills it after a while or at an operation of the store."""
    die_at = chance.choice([0, chance.randint(1, 30)])
    command = [sys.executable, "-m", "tests.lineage_child", url, mode, durability, str(first), str(die_at)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == b"going\n", child.stderr.read().decode()
        if not die_at:
            time.sleep(chance.uniform(0.0, 0.2))
            child.kill()
        assert child.wait(timeout=60) == -9


@pytest.mark.parametrize("thread", range(THREADS))
@pytest.mark.parametrize(("mode", "durability"), WAYS)
def test_a_killed_process_leaves_a_thread_that_can_be_gone_on_with(
    mode: str, durability: str, thread: int, tmp_path: Path
) -> None:
    """Nothing doubled, stale or missing after a kill, whether the run is resumed or the user says something else."""
    url, chance = f"sqlite:///{tmp_path}/memory.db", random.Random(f"{mode} {durability} {thread}")
    orphans = set[str]()
    for kill in range(KILLS):
        killed(url, mode, durability, 10_000 * (2 * kill + 1), chance)
        with open_memory(url) as memory:
            lineage_graphs.NUMBERS = itertools.count(20_000 * (kill + 1))
            life = opened(memory.store, memory.checkpointer, orphans)
            if chance.random() < 0.5:
                life._finish()
            life.turn()
            life.check()


def opened(store: BaseStore, checkpointer: object, orphans: set[str]) -> Life:
    """The thread of a process that was killed; what it remembered before anything was saved is as another thread's.

    Args:
        store: what memory is kept in.
        checkpointer: what the thread is kept in.
        orphans: the words that earlier processes remembered so; those of this one are added.
    """
    life = Life(store, Shape(plain), 0, checkpointer=checkpointer)
    life.orphans = orphans
    life.note_orphans()
    return life
