"""What reading from `RedisStore` costs over bare redis-py: the same commands and the same bytes, in turn, in one process.

    python -m benchmarks.redis_reads [redis://…]        starts a redis-server of its own without a url

Every read of ours is recorded as the commands that it sends, and a plain redis-py client sends the same in pipelines. `replies`
compares what each returns as it is (ours decodes an item where somebody looks); `values` reads the value of every item, by
`json.loads` on the bare side. First deciles in microseconds of wall time: what else the machine does disturbs them least.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any
from uuid import uuid4

import redis
from langgraph.store.base import GetOp, Item, Op, PutOp, SearchOp

from graph_memory.redis_client import piped
from graph_memory.redis_rounds import Round
from graph_memory.stores.redis import RedisStore
from tests.redis_servers import running

ITEMS, TURNS = 2000, 2000
ADA = ("users", "ada")
CASES: dict[str, list[Op]] = {
    "get": [GetOp(ADA, "7")],
    "batch of 50 gets": [GetOp(ADA, str(n)) for n in range(50)],
    "search, newest 10": [SearchOp(ADA, limit=10)],
    "search by words, top 10": [SearchOp(ADA, query="what about topic 7", limit=10)],
}


def main(url: str | None) -> None:
    """Prints the table."""
    with nullcontext() if url else running() as server:
        url = url or server.url
        with RedisStore(url, prefix=uuid4().hex) as store, redis.Redis.from_url(url, protocol=2) as bare:
            puts = [PutOp(ADA, str(n), {"text": f"fact number {n} about topic {n % 97}", "n": n}) for n in range(ITEMS)]
            store.batch(puts)
            print(f"{'':<25}{'replies':>9}{'bare':>8}{'ratio':>8}{'values':>9}{'bare':>8}{'ratio':>8}")
            for name, ops in CASES.items():
                show(name, *measured(store, bare, ops))
            store.batch([PutOp(ADA, str(n), None) for n in range(ITEMS)])


def measured(store: RedisStore, bare: Any, ops: list[Op]) -> list[float]:
    """Microseconds: ours, bare, ours with values, bare with values."""
    store.batch(ops)
    rounds = recorded(store, ops)
    ways: list[Callable[[], Any]] = [
        lambda: store.batch(ops),
        lambda: sent(bare, rounds),
        lambda: [item.value for item in items(store.batch(ops))],
        lambda: [json.loads(text.partition(b"\n")[2]) for text in stored(sent(bare, rounds))],
    ]
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(TURNS):
        for way, taken in zip(ways, times, strict=True):
            started = time.perf_counter()
            way()
            taken.append((time.perf_counter() - started) * 1e6)
    return [sorted(taken)[TURNS // 10] for taken in times]


def recorded(store: RedisStore, ops: list[Op]) -> list[Round]:
    """The rounds of commands that a batch sends."""
    rounds: list[Round] = []
    server = store._server
    execute = server._execute
    vars(server)["_execute"] = lambda commands: rounds.append(commands) or execute(commands)
    store.batch(ops)
    del vars(server)["_execute"]
    return rounds


def sent(bare: Any, rounds: Iterable[Round]) -> list[Any]:
    """The replies to the last round."""
    replies: list[Any] = []
    for commands in rounds:
        replies = piped(bare, commands).execute()
    return replies


def stored(replies: Iterable[Any]) -> list[bytes]:
    """The items among the replies."""
    return [text for reply in replies for text in reply]


def items(results: Iterable[Any]) -> list[Item]:
    """The items among the results."""
    return [item for result in results for item in (result if isinstance(result, list) else [result])]


def show(name: str, ours: float, bare: float, ours_read: float, bare_read: float) -> None:
    """One row."""
    pairs = (f"{one:>9.0f}{other:>8.0f}{one / other:>7.2f}x" for one, other in ((ours, bare), (ours_read, bare_read)))
    print(f"{name:<25}{''.join(pairs)}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
