"""Bytes on disk and milliseconds a turn: `BufferMemory(prune=True)` against plain `MessagesState`, on the same saver.

    python -m benchmarks.growth [TURNS ...]      default: 300 1000

Messages of 200 characters, budget 2,000 tokens. Both graphs run in this process, turn by turn in alternation, so that the
machine's moods hit both. Ours is counted with its store.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph

from graph_memory import BufferMemory, attach, open_store

EARLY = 100


def chat() -> StateGraph[Any, Any, Any, Any]:
    """START → llm → END, answering with 200 characters."""
    builder = StateGraph(MessagesState)
    builder.add_node("llm", lambda state: {"messages": [AIMessage("x" * 200)]})
    builder.add_edge(START, "llm")
    builder.add_edge("llm", END)
    return builder


@dataclass(frozen=True)
class Growth:
    """Bytes on disk when everything is closed, and milliseconds of each turn."""

    size: int
    took: list[float]


async def grow(turns: int) -> dict[str, Growth]:
    """Runs both graphs for `turns` turns."""
    remembering = chat()
    attach(remembering, "llm", [BufferMemory(prune=True)], budget_tokens=2000)
    config: Any = {"configurable": {"thread_id": "t", "user_id": "u"}}
    took: dict[str, list[float]] = {"plain": [], "ours": []}
    with tempfile.TemporaryDirectory() as plain, tempfile.TemporaryDirectory() as ours:
        async with (
            AsyncSqliteSaver.from_conn_string(f"{plain}/c.db") as plain_saver,
            AsyncSqliteSaver.from_conn_string(f"{ours}/c.db") as ours_saver,
            open_store(f"sqlite:///{ours}/s.db") as store,
        ):
            graphs = {
                "plain": chat().compile(checkpointer=plain_saver),
                "ours": remembering.compile(checkpointer=ours_saver, store=store),
            }
            for turn in range(turns):
                for name, graph in graphs.items():
                    started = time.perf_counter()
                    await graph.ainvoke({"messages": [("user", f"turn {turn} ".ljust(200, "y"))]}, config)
                    took[name].append((time.perf_counter() - started) * 1e3)
        sizes = {"plain": size(plain), "ours": size(ours)}
    return {name: Growth(sizes[name], took[name]) for name in took}


def size(folder: str) -> int:
    """Bytes of the files in a folder."""
    return sum(os.path.getsize(os.path.join(folder, file)) for file in os.listdir(folder))


def report(turns: int, early: dict[str, Growth], late: dict[str, Growth]) -> None:
    """Prints both graphs, and how many times smaller ours is."""
    for name, growth in late.items():
        per_turn = (growth.size - early[name].size) / (turns - EARLY) / 1024
        after, last = statistics.median(growth.took[EARLY : EARLY + 50]), statistics.median(growth.took[-50:])
        print(
            f"{name:<6}{turns:>5} turns {growth.size / 2**20:>9.2f} MiB; from turn {EARLY} on {per_turn:>7.1f} KiB a turn;"
            f" {after:>6.2f} ms a turn there, {last:>6.2f} ms at the end"
        )
    print(f"{turns} turns: {late['plain'].size / late['ours'].size:.1f} times smaller", flush=True)


if __name__ == "__main__":
    at_first = asyncio.run(grow(EARLY))
    for count in [int(argument) for argument in sys.argv[1:]] or [300, 1000]:
        report(count, at_first, asyncio.run(grow(count)))
