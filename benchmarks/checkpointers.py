"""What LangGraph's own conformance suite gives for our checkpointers and for the official ones beside them.

    python -m benchmarks.checkpointers        starts the servers that it needs

One row per saver: checks passed of those that the capability has, "-" where the saver lacks the capability.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from langgraph.checkpoint.conformance.capabilities import Capability
from langgraph.checkpoint.conformance.initializer import RegisteredCheckpointer
from langgraph.checkpoint.conformance.validate import validate
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from graph_memory.checkpoints.redis import RedisSaver
from graph_memory.checkpoints.supabase import SupabaseSaver
from graph_memory.stores.migrations import migrate
from graph_memory.testing.postgrest import PostgrestServer, install_roles
from tests.postgres_server import shared_server
from tests.redis_servers import running

Make = Callable[[], AbstractAsyncContextManager[Any]]


async def main(redis_url: str, postgres_url: str, supabase: PostgrestServer) -> None:
    """Prints the table."""
    savers: dict[str, Make] = {
        "RedisSaver": lambda: RedisSaver(redis_url, prefix=uuid4().hex),
        "SupabaseSaver": lambda: SupabaseSaver(supabase.url, key=supabase.anon_key, token=supabase.token(uuid4().hex)),
        "InMemorySaver": InMemorySaver,
        "AsyncSqliteSaver": lambda: AsyncSqliteSaver.from_conn_string(":memory:"),
        "AsyncPostgresSaver": lambda: AsyncPostgresSaver.from_conn_string(postgres_url),
    }
    print(f"{'':<20}{'all':>5}", *(f"{capability.value:>16}" for capability in Capability))
    for name, make in savers.items():
        print(await row(name, make))


async def row(name: str, make: Make) -> str:
    """A saver's counts."""

    async def made() -> AsyncIterator[Any]:
        async with make() as saver:
            if hasattr(saver, "setup"):
                await saver.setup()
            if isinstance(saver, AsyncPostgresSaver):
                await saver.conn.execute("TRUNCATE checkpoints, checkpoint_blobs, checkpoint_writes")
            yield saver

    results = (await validate(RegisteredCheckpointer(name, made))).results
    counts = [results[capability.value] for capability in Capability]
    cells = (f"{one.tests_passed} of {one.tests_passed + one.tests_failed}" if one.detected else "-" for one in counts)
    return " ".join([f"{name:<20}{sum(one.tests_passed for one in counts):>5}", *(f"{cell:>16}" for cell in cells)])


def migrated(place: str) -> str:
    """A database as a Supabase has it, by the role that its data API uses."""
    install_roles(place.format("postgres"))
    migrate(place.format("supabase"))
    return place.format("supabase").replace("postgres@", "authenticator@", 1)


if __name__ == "__main__":
    with running() as server, tempfile.TemporaryDirectory() as folder, shared_server(Path(folder)) as place:
        with psycopg.connect(place.format("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE conformance")
            connection.execute("CREATE DATABASE supabase")
        with PostgrestServer(migrated(place)) as supabase:
            asyncio.run(main(server.url, place.format("conformance"), supabase))
