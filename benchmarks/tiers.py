"""What a tier costs and gains: a Redis in front of a Postgres, against each of them alone, in turn in one run.

    python -m benchmarks.tiers

It starts both servers, here. 5,000 memories of 25 users, no embedder. "read again" gets what is hot, "read first" what is
not: items that are nowhere yet. Medians of wall time in microseconds, and first deciles, which a busy machine disturbs least.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from uuid import uuid4

import psycopg
from langgraph.store.base import BaseStore, GetOp, Op, PutOp

from graph_memory.stores.migrations import migrate
from graph_memory.stores.postgres import PostgresStore
from graph_memory.stores.redis import RedisStore
from graph_memory.stores.tiered import TieredStore
from tests.postgres_server import shared_server
from tests.redis_servers import running

MEMORIES, USERS, TURNS = 5000, 25, 600


def main() -> None:
    """Prints the table."""
    with ExitStack() as stack:
        stores = opened(stack)
        times: dict[str, dict[str, list[float]]] = {}
        for number, (what, ops) in enumerate(steps()):
            for name in list(stores)[:: 1 if number % 2 else -1]:
                started = time.perf_counter()
                stores[name].batch(ops)
                times.setdefault(what, {}).setdefault(name, []).append((time.perf_counter() - started) * 1e6)
    print(f"{'':<24}" + "".join(f"{name:>20}" for name in stores))
    for what, taken in times.items():
        figures = (f"{median(some):,.0f} ({sorted(some)[len(some) // 10]:,.0f})" for some in taken.values())
        by_name = dict(zip(taken, figures, strict=True))
        print(f"{what:<24}" + "".join(f"{by_name[name]:>20}" for name in stores))


def opened(stack: ExitStack) -> dict[str, BaseStore]:
    """The tier and its parts, each over a place of its own."""
    server = stack.enter_context(shared_server(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
    redis = stack.enter_context(running("--appendonly", "no"))
    names = [f"tier_{uuid4().hex}", f"alone_{uuid4().hex}"]
    with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
        for name in names:
            connection.execute(f"CREATE DATABASE {name}".encode())
    for name in names:
        migrate(server.format(name))
    behind, alone = (PostgresStore(server.format(name), timeout_seconds=60) for name in names)
    made: dict[str, Callable[[], TieredStore | PostgresStore | RedisStore]] = {
        "tier": lambda: TieredStore(RedisStore(redis.url, prefix="hot"), behind),
        "Postgres": lambda: alone,
        "Redis": lambda: RedisStore(redis.url),
    }
    return {name: stack.enter_context(make()) for name, make in made.items()}


def steps() -> Iterator[tuple[str, list[Op]]]:
    """The batches that each carries out, and the name that their time goes by."""
    chance = random.Random(1)
    for start in range(0, MEMORIES, 500):
        yield "fill, batches of 500", [_put(n) for n in range(start, start + 500)]
    for n in range(MEMORIES, MEMORIES + TURNS):
        yield "put", [_put(n)]
    for n in range(MEMORIES + TURNS, MEMORIES + 2 * TURNS):
        yield "read first", [_get(n)]
    for _ in range(TURNS):
        yield "read again", [_get(chance.randrange(MEMORIES))]
    for _ in range(TURNS):
        yield "batch of 50, read again", [_get(n) for n in chance.sample(range(MEMORIES), 50)]


def _put(number: int) -> PutOp:
    return PutOp(_user(number), f"k{number}", {"text": f"fact number {number} about topic {number % 97}"})


def _get(number: int) -> GetOp:
    return GetOp(_user(number), f"k{number}")


def _user(number: int) -> tuple[str, str]:
    return (f"user{number % USERS}", "facts")


if __name__ == "__main__":
    main()
