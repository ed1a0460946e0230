"""The stores on a server, each against what one would use instead, interleaved in one run.

    python -m benchmarks.stores [KIND ...] [--memories N ...] [--each N]

    postgres          LangGraph's PostgresStore as it comes, with an HNSW index, in another database of the same server
    postgres-exact    the same without an index: in large namespaces the HNSW index finds only a part of the ten

A kind is a function in `KINDS` that gives ours and the other, open and empty; it starts the server that it needs, as the tests
do. What is measured is the same for all. Memories are written in turn by all users, `--each` of them a user. Vectors have 384
dimensions and come from a table of random unit vectors, so an embedder's own cost is in no figure. Ours ranks by words and
meaning, LangGraph's by meaning alone. A ratio above 1 says how many times faster ours is. Between filling and the rest both
databases are vacuumed and written to disk, as Postgres does by itself within minutes.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal, cast
from uuid import uuid4

import psycopg
from langgraph.store.base import BaseStore, GetOp, Op, PutOp, SearchOp
from langgraph.store.postgres import PostgresStore as TheirPostgresStore

from benchmarks.search import DIMS, TABLE
from graph_memory.stores.migrations import migrate
from graph_memory.stores.postgres import PostgresStore
from tests.postgres_server import shared_server

CHUNK, PUTS, GETS, BATCHES, SEARCHES = 500, 300, 600, 150, 300


@dataclass(frozen=True)
class Contenders:
    """The stores to compare.

    Attributes:
        stores: ours and the other, by name.
        rest: what their servers do by themselves some time after many writes.
    """

    stores: dict[str, BaseStore]
    rest: Callable[[], None] = lambda: None


def embed(texts: Sequence[str]) -> list[list[float]]:
    """A vector per text, always the same for the same text."""
    return [TABLE[random.Random(text).randrange(len(TABLE))].tolist() for text in texts]


@dataclass
class Timed:
    """What one store took.

    Attributes:
        seconds: what was done to how long each took.
        found: hits of each search.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    found: list[int] = field(default_factory=list)

    def add(self, what: str, seconds: float) -> None:
        """One more."""
        self.seconds.setdefault(what, []).append(seconds)


def user(number: int) -> tuple[str, str]:
    """The namespace of a user."""
    return (f"user{number}", "facts")


def text(number: int) -> str:
    """A memory, with words that all memories have and others that few have."""
    return f"fact number {number} about topic {number % 997} and place {number % 31}"


def postgres(stack: ExitStack, ann: Literal["hnsw", "flat"] = "hnsw") -> Contenders:
    """Ours and LangGraph's in two databases of one server."""
    server = stack.enter_context(shared_server(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
    ours, theirs = (f"{name}_{uuid4().hex}" for name in ("ours", "theirs"))
    with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
        for name in (ours, theirs):
            connection.execute(f"CREATE DATABASE {name}".encode())
    migrate(server.format(ours), dims=DIMS)
    index: Any = {"dims": DIMS, "embed": embed, "fields": ["text"], "ann_index_config": {"kind": ann}}
    other = stack.enter_context(TheirPostgresStore.from_conn_string(server.format(theirs), index=index))
    other.setup()
    mine = stack.enter_context(PostgresStore(server.format(ours), embed=embed, timeout_seconds=60))

    def rest() -> None:
        for name in (ours, theirs):
            with psycopg.connect(server.format(name), autocommit=True) as connection:
                for statement in ("CHECKPOINT", "VACUUM ANALYZE", "CHECKPOINT"):  # of commits that are written down
                    connection.execute(statement)

    return Contenders({"graph_memory": mine, "langgraph": other}, rest)


KINDS: dict[str, Callable[[ExitStack], Contenders]] = {
    "postgres": postgres,
    "postgres-exact": lambda stack: postgres(stack, "flat"),
}


def steps(memories: int, users: int) -> Iterator[tuple[str, list[Op]]]:
    """The batches that every store carries out, and the name that their time goes by."""
    chance = random.Random(1)
    for start in range(0, memories, CHUNK):
        yield "fill", [_put(n, users) for n in range(start, min(start + CHUNK, memories))]
    for n in range(memories, memories + PUTS):
        yield "put", [_put(n, users)]
    for _ in range(GETS):
        yield "get", [_get(chance.randrange(memories), users)]
    for _ in range(BATCHES):
        yield "batch of 50", [_get(n, users) for n in chance.sample(range(memories), 50)]
    for _ in range(SEARCHES):
        query = f"what about topic {chance.randrange(997)}"
        yield "search", [SearchOp(user(chance.randrange(users)), query=query, limit=10)]


def measured(contenders: Contenders, memories: int, users: int) -> dict[str, Timed]:
    """Each step by each store, first by the one, then by the other."""
    stores, timed, is_full = contenders.stores, {name: Timed() for name in contenders.stores}, False
    for number, (what, ops) in enumerate(steps(memories, users)):
        if what != "fill" and not is_full:
            is_full = True
            contenders.rest()
        for name in list(stores)[:: 1 if number % 2 else -1]:
            started = time.perf_counter()
            results = stores[name].batch(ops)
            timed[name].add(what, time.perf_counter() - started)
            if what == "search":
                timed[name].found.append(len(cast("list[Any]", results[0])))
    return timed


def _put(number: int, users: int) -> PutOp:
    return PutOp(user(number % users), f"k{number}", {"text": text(number)})


def _get(number: int, users: int) -> GetOp:
    return GetOp(user(number % users), f"k{number}")


def show(kind: str, memories: int, users: int, timed: dict[str, Timed]) -> None:
    """One table: milliseconds, operations per second, and the ratios of the three."""
    print(f"\n{kind}: {memories:,} memories of {users} users")
    print(f"{'':<14}" + "".join(f"{name + ' p50':>18}{'p95':>8}{'per s':>9}" for name in timed) + "   p50, p95, per s")
    for what in next(iter(timed.values())).seconds:
        size = {"fill": CHUNK, "batch of 50": 50}.get(what, 1)
        mine, theirs = (_figures(one.seconds[what], size) for one in timed.values())
        ratios = theirs[0] / mine[0], theirs[1] / mine[1], mine[2] / theirs[2]
        cells = "".join(f"{p50:>18.2f}{p95:>8.2f}{rate:>9,.0f}" for p50, p95, rate in (mine, theirs))
        print(f"{what:<14}{cells}   " + ", ".join(f"{ratio:.1f}x" for ratio in ratios), flush=True)
    print(", ".join(f"{name} finds {sum(one.found) / len(one.found):.1f} of 10" for name, one in timed.items()))


def _figures(seconds: list[float], size: int) -> tuple[float, float, float]:
    """Median, 95th percentile and rate."""
    return (
        median(seconds) * 1e3,
        sorted(seconds)[int(len(seconds) * 0.95)] * 1e3,
        size * len(seconds) / sum(seconds),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Every kind that is asked for at every size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stores")
    parser.add_argument("kinds", nargs="*", default=[], choices=[[], *KINDS])
    parser.add_argument("--memories", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--each", type=int, default=200)
    asked = parser.parse_args(arguments)
    for kind in asked.kinds or KINDS:
        for memories in asked.memories:
            users = max(1, memories // asked.each)
            with ExitStack() as stack:
                show(kind, memories, users, measured(KINDS[kind](stack), memories, users))


if __name__ == "__main__":
    main()
