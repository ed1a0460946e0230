"""Bytes on disk and milliseconds a turn, with `BufferMemory(prune=True)` against plain `MessagesState`, on the same saver.

    python -m benchmarks.growth [TURNS ...]      default: 300 1000

Messages of 200 characters, budget 2,000 tokens, one SQLite file for each graph; both run in this process, turn by turn in
alternation, so that the machine's moods hit both.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph

from graph_memory import BufferMemory, attach, open_store


def chat() -> StateGraph[Any, Any, Any, Any]:
    """START → llm → END, answering with 200 characters."""
    builder = StateGraph(MessagesState)
    builder.add_node("llm", lambda state: {"messages": [AIMessage("x" * 200)]})
    builder.add_edge(START, "llm")
    builder.add_edge("llm", END)
    return builder


async def measure(turns: int) -> None:
    """Prints bytes and milliseconds of both graphs after `turns` turns."""
    remembering = chat()
    attach(remembering, "llm", [BufferMemory(prune=True)], budget_tokens=2000)
    config: Any = {"configurable": {"thread_id": "t", "user_id": "u"}}
    with tempfile.TemporaryDirectory() as folder:
        plain_folder, ours_folder = Path(folder, "plain"), Path(folder, "ours")
        plain_folder.mkdir()
        ours_folder.mkdir()
        async with (
            AsyncSqliteSaver.from_conn_string(str(plain_folder / "c.db")) as plain_saver,
            AsyncSqliteSaver.from_conn_string(str(ours_folder / "c.db")) as ours_saver,
            open_store(f"sqlite:///{ours_folder / 's.db'}") as store,
        ):
            graphs = {
                "plain": (chat().compile(checkpointer=plain_saver), plain_folder),
                "ours": (remembering.compile(checkpointer=ours_saver, store=store), ours_folder),
            }
            took: dict[str, list[float]] = {name: [] for name in graphs}
            size_at_100: dict[str, int] = {}
            for turn in range(turns):
                for name, (graph, place) in graphs.items():
                    question = {"messages": [("user", f"turn {turn} ".ljust(200, "y"))]}
                    started = time.perf_counter()
                    await graph.ainvoke(question, config)
                    took[name].append((time.perf_counter() - started) * 1e3)
                    if turn == 100:
                        size_at_100[name] = size(place)
            for name, (_, place) in graphs.items():
                report(name, turns, size(place), size_at_100.get(name, 0), took[name])
            print(f"{turns} turns: {size(plain_folder) / size(ours_folder):.1f} times smaller", flush=True)


def size(place: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(file.stat().st_size for file in place.iterdir())


def report(name: str, turns: int, total: int, at_100: int, took: list[float]) -> None:
    """Prints a line."""
    early, late = statistics.median(took[100:150] or took), statistics.median(took[-50:])
    per_turn = (total - at_100) / max(1, turns - 101)
    print(
        f"{name:<6} {turns:>5} turns {total / 2**20:>8.2f} MiB, after turn 100 {per_turn / 1024:>7.1f} KiB a turn;"
        f" turn 100-150 {early:>6.2f} ms, last 50 {late:>6.2f} ms"
    )


if __name__ == "__main__":
    for count in [int(argument) for argument in sys.argv[1:]] or [300, 1000]:
        asyncio.run(measure(count))
