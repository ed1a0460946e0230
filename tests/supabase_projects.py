"""Fixtures: a Supabase, migrated and empty. The stand-in, or the real one that the environment names; see CONTRIBUTING.md."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import psycopg
import pytest

from graph_memory.checkpoints.supabase import SupabaseSaver
from graph_memory.stores import open_store
from graph_memory.testing.postgrest import PostgrestServer, install_roles, user_token
from tests.postgres_databases import DIMS, TABLES, run_sql, server_for

T = TypeVar("T")
THREADS = ("threads", "checkpoints", "channel_values", "channel_writes")
"""The tables that they are kept in."""

_VARIABLE = "GRAPH_MEMORY_SUPABASE_"


@dataclass(frozen=True, slots=True)
class Project:
    """A Supabase.

    Attributes:
        url, anon_key, service_key: as a client is given them.
        secret: what its tokens are signed with.
        database: url of its Postgres, as the owner.
    """

    url: str
    anon_key: str
    service_key: str
    secret: str
    database: str

    def token(self, user: str | None, **options: Any) -> str:
        """A user's token."""
        return user_token(self.secret, user, **options)

    def signed_in(self, user: str) -> dict[str, Any]:
        """What `open_store` and its like take so that they act as a user."""
        return {"key": self.anon_key, "token": self.token(user)}

    def saver(self, whose: str, **options: Any) -> SupabaseSaver:
        """A checkpointer of a user who has signed in."""
        return SupabaseSaver(self.url, **self.signed_in(whose), **options)

    def threads(self) -> dict[str, list[Any]]:
        """All that is kept of threads, by table."""
        with closing(psycopg.connect(self.database)) as connection:
            rows = {table: f"SELECT t::text FROM graph_memory.{table} AS t ORDER BY 1" for table in THREADS}
            return {table: connection.execute(query.encode()).fetchall() for table, query in rows.items()}

    def opened(self, opener: Callable[..., T], **options: Any) -> T:
        """A store or a checkpointer that sees all; the package warns of such a key."""
        with pytest.warns(UserWarning, match="above row-level security"):
            return opener(self.url, key=self.service_key, **options)


@pytest.fixture(scope="session")
def supabase_server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """The url of a Postgres with Supabase's roles, with places for a role and the database's name."""
    with server_for(tmp_path_factory, worker_id, "supabase") as url:
        install_roles(url.format("postgres"))
        yield url.replace("postgres@", "{}@", 1)


@pytest.fixture(scope="session")
def supabase_project(request: pytest.FixtureRequest) -> Iterator[Project]:
    """This worker's project, migrated."""
    from graph_memory.stores.migrations import migrate

    if f"{_VARIABLE}URL" in os.environ:
        names = ("URL", "KEY", "SERVICE_KEY", "JWT_SECRET", "DATABASE")
        project = Project(*(os.environ[_VARIABLE + name] for name in names))
        migrate(project.database, dims=DIMS, drop_vectors=True)
        yield project
        return
    server, name = request.getfixturevalue("supabase_server"), f"supabase_{uuid4().hex}"
    run_sql(server.format("postgres", "postgres"), f"CREATE DATABASE {name}")
    owner = server.format("postgres", name)
    migrate(owner, dims=DIMS)
    with PostgrestServer(server.format("authenticator", name)) as served:
        yield Project(served.url, served.anon_key, served.service_key, served.secret, owner)
    run_sql(server.format("postgres", "postgres"), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def supabase(supabase_project: Project) -> Project:
    """A project without any item or checkpoint."""
    run_sql(supabase_project.database, f"TRUNCATE {TABLES}")
    return supabase_project


@contextmanager
def served(server_url: str, **options: Any) -> Iterator[tuple[PostgrestServer, str]]:
    """A stand-in with other settings over an empty database, and the url of that as its owner."""
    name = f"other_{uuid4().hex}"
    run_sql(server_url.format("postgres", "postgres"), f"CREATE DATABASE {name}")
    with PostgrestServer(server_url.format("authenticator", name), **options) as server:
        yield server, server_url.format("postgres", name)
    run_sql(server_url.format("postgres", "postgres"), f"DROP DATABASE {name} WITH (FORCE)")


def ada(server: PostgrestServer) -> dict[str, Any]:
    """What Ada's application gives."""
    return {"key": server.anon_key, "token": server.token("ada")}


def entered(url: str, mode: str, **options: Any) -> None:
    """Opens and closes a store."""

    async def enter() -> None:
        async with open_store(url, **options):
            pass

    if mode == "ainvoke":
        asyncio.run(enter())
    else:
        with open_store(url, **options):
            pass
