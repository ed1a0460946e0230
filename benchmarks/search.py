"""Top-10 search of one user among fifty, ours against LangGraph's stores, interleaved in one run.

    python -m benchmarks.search [N ...]        N memories in the store, 10,000 and 100,000 unless told otherwise

Every memory has a vector of 384 dimensions from a table of random unit vectors, so an embedder's own cost is out of every
figure. Ours ranks by words and meaning, theirs by meaning alone. Times are milliseconds per search through the async interface.
"""

from __future__ import annotations

import asyncio
import importlib
import sqlite3
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from langgraph.store.base import BaseStore, IndexConfig, PutOp
from langgraph.store.memory import InMemoryStore

from graph_memory.stores.sqlite import SqliteStore

DIMS, USERS, ROUNDS, CHUNK = 384, 50, 60, 500


def _unit_vectors(count: int) -> np.ndarray:
    vectors = np.random.default_rng(0).standard_normal((count, DIMS)).astype(np.float32)
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


TABLE = _unit_vectors(1 << 14)


async def embed(texts: Sequence[str]) -> list[list[float]]:
    """A vector per text, always the same for the same text."""
    return [TABLE[zlib.crc32(text.encode()) % len(TABLE)].tolist() for text in texts]


def user(number: int) -> tuple[str, str]:
    """The namespace of one of the fifty users."""
    return (f"user{number % USERS}", "facts")


async def fill(store: BaseStore, count: int) -> float:
    """Puts `count` memories in; returns the seconds that it took."""
    started = time.perf_counter()
    for start in range(0, count, CHUNK):
        texts = (
            (i, f"fact number {i} about topic {i % 997} and place {i % 31}")
            for i in range(start, min(start + CHUNK, count))
        )
        await store.abatch([PutOp(user(i), f"k{i}", {"text": text}) for i, text in texts])
    return time.perf_counter() - started


async def search(store: BaseStore, number: int) -> float:
    """One top-10 search; returns the milliseconds that it took."""
    started = time.perf_counter()
    hits = await store.asearch(user(number), query=f"what about topic {number * 7}", limit=10)
    elapsed = (time.perf_counter() - started) * 1e3
    if len(hits) != 10:
        raise RuntimeError(f"{type(store).__name__} found {len(hits)} of 10")
    return elapsed


async def run(count: int) -> None:
    """Fills every store with `count` memories, searches them in turn and prints the table."""
    index: IndexConfig = {"dims": DIMS, "embed": embed, "fields": ["text"]}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = await stack.enter_async_context(SqliteStore(str(folder / "ours.db"), embed=embed))
        stores: dict[str, BaseStore] = {
            "graph_memory SqliteStore": ours,
            "langgraph InMemoryStore": InMemoryStore(index=index),
        }
        if (peer := _sqlite_vec()) is not None:
            opening = peer.from_conn_string(str(folder / "theirs.db"), index=index)
            stores["langgraph AsyncSqliteStore"] = await stack.enter_async_context(opening)
        filled = {name: await fill(store, count) for name, store in stores.items()}
        first: dict[str, list[float]] = {name: [] for name in stores}
        later: dict[str, list[float]] = {name: [] for name in stores}
        for number in range(USERS + ROUNDS):
            for name, store in stores.items():
                (first if number < USERS else later)[name].append(await search(store, number))
        show(count, filled, first, later)


def show(count: int, filled: dict[str, float], first: dict[str, list[float]], later: dict[str, list[float]]) -> None:
    """One table: the first search of every user (nothing cached), and the later ones."""
    best = median(later["graph_memory SqliteStore"])
    print(f"\n{count:,} memories of {USERS} users, {DIMS} dims, top 10, milliseconds")
    print(f"{'store':<28}{'first':>9}{'median':>9}{'p95':>9}{'ratio':>8}{'fill s':>9}")
    for name, times in later.items():
        p95 = sorted(times)[int(len(times) * 0.95) - 1]
        print(
            f"{name:<28}{median(first[name]):>9.2f}{median(times):>9.2f}{p95:>9.2f}{median(times) / best:>7.1f}x"
            f"{filled[name]:>9.1f}"
        )


def _sqlite_vec() -> Any:
    """LangGraph's AsyncSqliteStore, over `pysqlite3-binary` where the standard sqlite3 loads no extensions; None without it."""
    if not hasattr(sqlite3.Connection, "enable_load_extension"):
        try:
            sys.modules["sqlite3"] = importlib.import_module("pysqlite3")
        except ImportError:
            print("without AsyncSqliteStore: this Python's sqlite3 loads no extensions; pip install pysqlite3-binary")
            return None
    return importlib.import_module("langgraph.store.sqlite.aio").AsyncSqliteStore


async def main(sizes: Sequence[int]) -> None:
    """The table of every size."""
    for size in sizes:
        await run(size)


if __name__ == "__main__":
    asyncio.run(main([int(arg) for arg in sys.argv[1:]] or [10_000, 100_000]))
