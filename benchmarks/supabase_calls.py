"""What a batch of `SupabaseStore` costs over a bare rpc call: the same request by the same client, in turn, in one process.

    python -m benchmarks.supabase_calls        starts a Postgres and the stand-in for Supabase's data API over it

Ours plans the batch, checks it, takes a client for whoever asks and reads the rows; the bare side sends what ours has sent, by
postgrest-py, and reads nothing. Medians in microseconds of wall time.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psycopg
from langgraph.store.base import GetOp, Op, PutOp, SearchOp
from postgrest import SyncPostgrestClient

from benchmarks.search import DIMS, TABLE
from graph_memory.namespaces import namespace
from graph_memory.stores.migrations import migrate
from graph_memory.stores.supabase import SupabaseStore
from graph_memory.supabase_errors import SCHEMA
from graph_memory.testing.postgrest import PostgrestServer, install_roles
from graph_memory.types import Scope
from tests.postgres_server import shared_server

ITEMS, TURNS = 2000, 200
ADA = namespace(Scope(user_id="ada"), "facts")
CASES: dict[str, list[Op]] = {
    "get": [GetOp(ADA, "7")],
    "batch of 50 gets": [GetOp(ADA, str(n)) for n in range(50)],
    "batch of 50 puts": [PutOp(ADA, f"new {n}", {"text": f"fact {n} about topic {n}"}, index=False) for n in range(50)],
    "search, newest 10": [SearchOp(ADA, limit=10)],
    "search, top 10": [SearchOp(ADA, query="what about topic 7", limit=10)],
    "search, top 200": [SearchOp(ADA, query="what about topic 7", limit=200)],
}


def main(database: str) -> None:
    """Prints the table."""
    with PostgrestServer(database.replace("postgres@", "authenticator@", 1)) as server, httpx.Client() as http:
        token = server.token("ada")
        headers = {"apikey": server.anon_key, "Authorization": f"Bearer {token}"}
        bare = SyncPostgrestClient(f"{server.url}/rest/v1", schema=SCHEMA, headers=headers, http_client=http)
        with SupabaseStore(server.url, key=server.anon_key, token=token, embed=embed) as store:
            for start in range(0, ITEMS, 100):
                store.batch(
                    [
                        PutOp(ADA, str(n), {"text": f"fact number {n} about topic {n % 97}"})
                        for n in range(start, start + 100)
                    ]
                )
            with psycopg.connect(database) as connection:
                connection.execute("ANALYZE")  # as autovacuum does after a minute
            print(f"{'':<20}{'ours':>8}{'bare':>8}{'ratio':>8}")
            for name, ops in CASES.items():
                ours, called = measured(store, bare, ops)
                print(f"{name:<20}{ours:>8.0f}{called:>8.0f}{ours / called:>7.2f}x")


def measured(store: SupabaseStore, bare: SyncPostgrestClient, ops: Sequence[Op]) -> tuple[float, float]:
    """Microseconds: ours, bare."""
    function, arguments = recorded(store, ops)
    ways = (lambda: store.batch(ops), lambda: bare.rpc(function, arguments).execute())
    times: tuple[list[float], ...] = ([], [])
    for turn in range(TURNS):
        for at in (0, 1) if turn % 2 else (1, 0):
            started = time.perf_counter()
            ways[at]()
            times[at].append((time.perf_counter() - started) * 1e6)
    return median(times[0]), median(times[1])


def recorded(store: SupabaseStore, ops: Sequence[Op]) -> tuple[str, dict[str, Any]]:
    """The request that a batch sends."""
    sent: list[tuple[str, dict[str, Any]]] = []
    api = store._api
    call = api.call
    vars(api)["call"] = lambda function, arguments, **options: (
        sent.append((function, arguments)) or call(function, arguments, **options)
    )
    store.batch(ops)
    del vars(api)["call"]
    return sent[-1]


def embed(texts: Sequence[str]) -> list[list[float]]:
    """A vector per text, always the same for the same text."""
    return [TABLE[random.Random(text).randrange(len(TABLE))].tolist() for text in texts]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, shared_server(Path(folder)) as place:
        install_roles(place.format("postgres"))
        migrate(place.format("postgres"), dims=DIMS)
        main(place.format("postgres"))
