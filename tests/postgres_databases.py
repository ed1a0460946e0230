"""Fixtures: databases on the test server, migrated and empty. `tests/conftest.py` makes them known to all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.postgres_server import ServerMissingError, shared_server

DIMS = 5
"""Size of the vectors of `embed_concepts`."""


TABLES = ", ".join(
    f"graph_memory.{name}"
    for name in (
        "items",
        "vectors",
        "postings",
        "namespaces",
        "threads",
        "checkpoints",
        "channel_values",
        "channel_writes",
    )
)


@contextmanager
def server_for(tmp_path_factory: pytest.TempPathFactory, worker_id: str, name: str) -> Iterator[str]:
    """The url of the server of this name that all workers of a run share, with a place for the database's name."""
    folder = tmp_path_factory.getbasetemp()
    place: Path = (folder if worker_id == "master" else folder.parent) / name
    place.mkdir(exist_ok=True)
    try:
        with shared_server(place) as url:
            yield url
    except ServerMissingError as exc:
        if os.environ.get("CI"):
            pytest.fail(str(exc))
        pytest.skip(str(exc))


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """The url of a server, with a place for the database's name."""
    with server_for(tmp_path_factory, worker_id, "postgres") as url:
        yield url


def run_sql(url: str, *statements: str) -> None:
    """Carries out statements as the owner, each in a transaction of its own."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture
def new_database(postgres_server: str) -> Iterator[str]:
    """The url of an empty database."""
    name = f"test_{uuid4().hex}"
    run_sql(postgres_server.format("postgres"), f"CREATE DATABASE {name}")
    yield postgres_server.format(name)
    run_sql(postgres_server.format("postgres"), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def migrated_database(postgres_server: str) -> Iterator[str]:
    """The url of this worker's migrated database."""
    from graph_memory.stores.migrations import migrate

    name = f"worker_{uuid4().hex}"
    run_sql(postgres_server.format("postgres"), f"CREATE DATABASE {name}")
    url = postgres_server.format(name)
    migrate(url, dims=DIMS)
    yield url
    run_sql(postgres_server.format("postgres"), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(migrated_database: str) -> str:
    """The url of a migrated database without any item."""
    run_sql(migrated_database, f"TRUNCATE {TABLES}")
    return migrated_database
