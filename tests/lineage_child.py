"""A process that talks in one thread until it is killed: python -m tests.lineage_child URL MODE DURABILITY FIRST DIE_AT

`FIRST` is the number of the first word that it says; at its `DIE_AT`-th operation of the store it kills itself, with 0 never.
After `LONGEST` turns it is silent and waits: a thread must stay so short that a search still finds all of it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from typing import Any

from graph_memory import open_memory
from tests import lineage_graphs
from tests.lineage_checks import USER
from tests.lineage_faults import CrashError, Fuse, FusedStore
from tests.lineage_graphs import plain
from tests.lineage_scripts import Script, word

LONGEST = 20
CONFIG: Any = {"configurable": {"thread_id": "t", "user_id": USER}}


class Deadly(Fuse):
    """Kills the process instead of raising."""

    def _burn(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def _graph(memory: Any, die_at: int) -> Any:
    deadly = Deadly(die_at or None, after=die_at % 2 == 0, error=CrashError)
    return plain(Script()).compile(checkpointer=memory.checkpointer, store=FusedStore(memory.store, deadly, Fuse()))


def _said() -> dict[str, Any]:
    print("going", flush=True)
    return {"messages": [("user", f"question {word()} about everything")]}


def _talk(url: str, durability: Any, die_at: int) -> None:
    with open_memory(url) as memory:
        graph = _graph(memory, die_at)
        for _ in range(LONGEST):
            graph.invoke(_said(), CONFIG, durability=durability)
        signal.pause()


async def _atalk(url: str, durability: Any, die_at: int) -> None:
    async with open_memory(url) as memory:
        graph = _graph(memory, die_at)
        for _ in range(LONGEST):
            await graph.ainvoke(_said(), CONFIG, durability=durability)
        signal.pause()


if __name__ == "__main__":
    url, mode, durability, first, die_at = sys.argv[1:]
    lineage_graphs.NUMBERS = itertools.count(int(first))
    if mode == "invoke":
        _talk(url, durability, int(die_at))
    else:
        asyncio.run(_atalk(url, durability, int(die_at)))
