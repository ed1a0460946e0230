"""Top-10 search of one user among many, ours against LangGraph's stores, interleaved in one run.

    python -m benchmarks.search [N ...]        N memories in the store, 10,000 and 100,000 unless told otherwise

Every user has 2,000 memories, written in turn with everybody else's: more memories are more users. Every memory has a vector
of 384 dimensions from a table of random unit vectors, so an embedder's own cost is out of every figure. Ours ranks by words and
meaning, theirs by meaning alone. Times are milliseconds per search through the async interface; LangGraph's stores are left out
above 100,000 memories, because one search of theirs looks at all of them.

Three columns, medians over up to sixty users: the `first` search of a user (nothing of theirs is in our cache), the `later` ones
right after it (with the 95th percentile), and the one `back` after all the other users were searched, who may have driven them
out of the cache.
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

DIMS, EACH, CHUNK = 384, 2000, 500
SEARCHED, LATER = 60, 3  # users, and later searches of each
MOST_OF_THEIRS = 100_000
OURS = "graph_memory SqliteStore"
Times = dict[str, dict[str, list[float]]]


def _unit_vectors(count: int) -> np.ndarray:
    vectors = np.random.default_rng(0).standard_normal((count, DIMS)).astype(np.float32)
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


TABLE = _unit_vectors(1 << 14)


async def embed(texts: Sequence[str]) -> list[list[float]]:
    """A vector per text, always the same for the same text."""
    return [TABLE[zlib.crc32(text.encode()) % len(TABLE)].tolist() for text in texts]


def user(number: int) -> tuple[str, str]:
    """The namespace of a user."""
    return (f"user{number}", "facts")


async def fill(store: BaseStore, count: int) -> float:
    """Puts `count` memories in; returns the seconds that it took."""
    started, users = time.perf_counter(), max(1, count // EACH)
    for start in range(0, count, CHUNK):
        texts = (
            (i, f"fact number {i} about topic {i % 997} and place {i % 31}")
            for i in range(start, min(start + CHUNK, count))
        )
        await store.abatch([PutOp(user(i % users), f"k{i}", {"text": text}) for i, text in texts])
    return time.perf_counter() - started


async def search(store: BaseStore, number: int, topic: int) -> float:
    """One top-10 search of a user; returns the milliseconds that it took."""
    started = time.perf_counter()
    hits = await store.asearch(user(number), query=f"what about topic {topic}", limit=10)
    elapsed = (time.perf_counter() - started) * 1e3
    if len(hits) != 10:
        raise RuntimeError(f"{type(store).__name__} found {len(hits)} of 10")
    return elapsed


async def run(count: int) -> None:
    """Fills every store with `count` memories, searches them in turn and prints the table."""
    async with AsyncExitStack() as stack:
        stores = await opened(stack, count <= MOST_OF_THEIRS)
        filled = {name: await fill(store, count) for name, store in stores.items()}
        times = await measured(stores, max(1, count // EACH))
        show(count, filled, times)


async def opened(stack: AsyncExitStack, with_theirs: bool) -> dict[str, BaseStore]:
    """The stores to compare, by name."""
    index: IndexConfig = {"dims": DIMS, "embed": embed, "fields": ["text"]}
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    ours = await stack.enter_async_context(SqliteStore(str(folder / "ours.db"), embed=embed))
    stores: dict[str, BaseStore] = {OURS: ours}
    if with_theirs:
        stores["langgraph InMemoryStore"] = InMemoryStore(index=index)
        if (peer := _sqlite_vec()) is not None:
            opening = peer.from_conn_string(str(folder / "theirs.db"), index=index)
            stores["langgraph AsyncSqliteStore"] = await stack.enter_async_context(opening)
    return stores


async def measured(stores: dict[str, BaseStore], users: int) -> Times:
    """Store to column to milliseconds."""
    times: Times = {name: {"first": [], "later": [], "back": []} for name in stores}
    numbers = range(0, users, max(1, users // SEARCHED))[:SEARCHED]
    for number in numbers:
        for turn in range(1 + LATER):
            for name, store in stores.items():
                took = await search(store, number, number * 7 + turn)
                times[name]["later" if turn else "first"].append(took)
    for number in set(range(users)) - set(numbers):
        await search(stores[OURS], number, number)
    for number in numbers:
        for name, store in stores.items():
            times[name]["back"].append(await search(store, number, number * 7))
    return times


def show(count: int, filled: dict[str, float], times: Times) -> None:
    """One table; the ratio is that of the later searches."""
    best = median(times[OURS]["later"])
    print(f"\n{count:,} memories of {max(1, count // EACH)} users, {DIMS} dims, top 10, milliseconds")
    print(f"{'store':<28}{'first':>9}{'later':>9}{'p95':>9}{'back':>9}{'ratio':>8}{'fill s':>9}")
    for name, columns in times.items():
        first, later, back = (median(columns[column]) for column in ("first", "later", "back"))
        p95 = sorted(columns["later"])[int(len(columns["later"]) * 0.95) - 1]
        print(
            f"{name:<28}{first:>9.2f}{later:>9.2f}{p95:>9.2f}{back:>9.2f}{later / best:>7.1f}x{filled[name]:>9.1f}",
            flush=True,
        )
    if count > MOST_OF_THEIRS:
        print(f"LangGraph's stores are left out above {MOST_OF_THEIRS:,} memories")


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
