"""Migrations: from nothing and one by one, over data, twice at once, changed, newer, and the size of vectors."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from graph_memory.cli import main
from graph_memory.errors import ConfigurationError, SchemaOutdatedError, StoreError, StoreUnavailableError
from graph_memory.lifecycle.importing import import_user
from graph_memory.namespaces import namespace
from graph_memory.sql_files import migrations
from graph_memory.stores import open_store
from graph_memory.stores.migrations import _LOCK, migrate
from graph_memory.testing.stores import embed_concepts
from graph_memory.types import Memo, Origin, Scope
from tests.postgres_databases import run_sql
from tests.store_helpers import ADA

SQL = Path(__file__).parents[2] / "sql"
COUNT = len(migrations())
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMA = """
SELECT 'column', table_name, column_name, data_type || coalesce(column_default, '') FROM information_schema.columns
    WHERE table_schema = 'graph_memory'
UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'graph_memory'
UNION ALL SELECT 'policy', tablename, policyname, coalesce(qual, '') || coalesce(with_check, '') FROM pg_policies
UNION ALL SELECT 'function', proname, pg_get_function_identity_arguments(oid),
    pg_get_functiondef(oid) || coalesce(proacl::text, '') FROM pg_proc WHERE pronamespace = 'graph_memory'::regnamespace
UNION ALL SELECT 'table', relname, relrowsecurity::text, coalesce(relacl::text, '') FROM pg_class
    WHERE relnamespace = 'graph_memory'::regnamespace
ORDER BY 1, 2, 3, 4
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations."""
    return shutil.copytree(SQL, tmp_path / "sql")


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    """What a query gives."""
    with closing(psycopg.connect(url)) as connection:
        return connection.execute(query.encode()).fetchall()


def up_to(folder: Path, version: int) -> Path:
    """A folder that ends with a version."""
    part = folder.parent / f"up_to_{version}"
    part.mkdir()
    for file in SQL.glob("*.sql"):
        if int(file.name[:4]) <= version:
            shutil.copy(file, part)
    return part


def test_one_by_one_gives_the_same_schema_as_all_at_once(
    new_database: str, migrated_database: str, folder: Path
) -> None:
    """Tables, indexes, policies, functions and rights."""
    for version in range(1, COUNT + 1):
        migrate(new_database, folder=up_to(folder, version))
    migrate(new_database, dims=5)

    assert rows(new_database, SCHEMA) == rows(migrated_database, SCHEMA)


DATA = """
INSERT INTO graph_memory.namespaces (path, documents, length) VALUES (E'users\\x1fada\\x1f', 1, 1);
INSERT INTO graph_memory.items (space, key, value, doc, created_at, updated_at, digest, length, terms)
SELECT id, 'k', '{"text": "cat"}', '{"text": "cat"}', now(), now(), 'd', 1, '{cat}' FROM graph_memory.namespaces;
INSERT INTO graph_memory.postings SELECT space, 'cat', id, 1, 1 FROM graph_memory.items;
INSERT INTO graph_memory.vectors SELECT id, 'd', space, false, '[1,0,0,0,0]' FROM graph_memory.items;
"""


def test_each_applies_over_data(new_database: str, folder: Path) -> None:
    """What was stored before is there after, and found by words and by meaning."""
    migrate(new_database, folder=up_to(folder, 1))
    run_sql(new_database, DATA)
    for version in range(2, COUNT + 1):
        assert len(migrate(new_database, folder=up_to(folder, version)).applied) == 1
    migrate(new_database, dims=5)

    with open_store(new_database, embed=lambda texts: [[1.0, 0, 0, 0, 0] for _ in texts]) as store:
        [hit] = store.search(ADA, query="cat")
    assert (hit.key, hit.value, hit.score) == ("k", {"text": "cat"}, 1.0)


def test_who_migrates_waits_for_the_other_only_so_long(new_database: str) -> None:
    """The lock is the other's; nothing is applied."""
    with closing(psycopg.connect(new_database)) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        with pytest.raises(StoreUnavailableError, match="gave no answer in time"):
            migrate(new_database, timeout_seconds=0.2)
    assert rows(new_database, "SELECT to_regnamespace('graph_memory')") == [(None,)]


def test_many_processes_may_change_the_size_at_once(new_database: str) -> None:
    """One of them does."""
    migrate(new_database, dims=4)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: migrate(new_database, dims=5), range(4)))
    assert sorted(run.dims or 0 for run in done) == [0, 0, 0, 5]


def test_many_processes_may_migrate_at_once(new_database: str) -> None:
    """Each migration is applied by one of them."""
    script = "import sys; from graph_memory.stores.migrations import migrate; print(len(migrate(sys.argv[1], dims=5).applied))"
    with ThreadPoolExecutor() as pool:
        runs = [
            pool.submit(subprocess.run, [sys.executable, "-c", script, new_database], capture_output=True, text=True)
            for _ in range(4)
        ]
        done = [run.result() for run in runs]

    assert [run.stderr for run in done] == [""] * 4
    assert sum(int(run.stdout) for run in done) == COUNT
    assert rows(new_database, "SELECT count(*) FROM graph_memory.migrations") == [(COUNT,)]


def test_a_second_run_does_nothing(migrated_database: str) -> None:
    """And says so."""
    assert migrate(migrated_database).applied == ()


def test_a_dry_run_changes_nothing(new_database: str) -> None:
    """It says what would be done."""
    assert len(migrate(new_database, dims=5, dry_run=True).applied) == COUNT
    assert rows(new_database, "SELECT to_regnamespace('graph_memory')") == [(None,)]


def test_a_changed_migration_is_refused(new_database: str, folder: Path) -> None:
    """With its name; nothing is applied."""
    migrate(new_database, folder=up_to(folder, 2))
    file = next(folder.glob("0002_*.sql"))
    file.write_text(file.read_text() + "-- better\n")

    with pytest.raises(SchemaOutdatedError, match="migration 0002 principals was changed after it was applied"):
        migrate(new_database, folder=folder)
    assert rows(new_database, "SELECT count(*) FROM graph_memory.migrations") == [(2,)]


def test_a_migration_that_fails_leaves_nothing_behind(new_database: str, folder: Path) -> None:
    """The ones before it stay; mended, it goes on from there."""
    file = next(folder.glob("0002_*.sql"))
    good = file.read_text()
    file.write_text(good + "SELECT 1 / 0;")
    with pytest.raises(StoreError):
        migrate(new_database, folder=folder)
    assert rows(new_database, "SELECT version FROM graph_memory.migrations") == [(1,)]
    assert rows(new_database, "SELECT to_regproc('graph_memory.principal')") == [(None,)]
    file.write_text(good)

    assert len(migrate(new_database, folder=folder).applied) == COUNT - 1


def test_files_that_are_missing_are_noticed(folder: Path) -> None:
    """The numbers have no gap."""
    next(folder.glob("0002_*.sql")).unlink()
    with pytest.raises(StoreError, match="incomplete"):
        migrations(folder)


def test_a_store_says_which_command_helps(new_database: str, folder: Path) -> None:
    """On a database that was never migrated, or lacks the newest migration."""
    with pytest.raises(SchemaOutdatedError, match="graph-memory migrate URL"), open_store(new_database):
        pass
    migrate(new_database)
    run_sql(new_database, f"DELETE FROM graph_memory.migrations WHERE version = {COUNT}")
    with pytest.raises(SchemaOutdatedError, match="graph-memory migrate URL"), open_store(new_database):
        pass


def test_a_newer_database_is_left_alone(new_database: str) -> None:
    """By the store and by `migrate`."""
    migrate(new_database)
    run_sql(new_database, f"INSERT INTO graph_memory.migrations VALUES ({COUNT + 1}, 'later', '')")
    with pytest.raises(SchemaOutdatedError, match="install a newer graph_memory"), open_store(new_database):
        pass
    with pytest.raises(SchemaOutdatedError, match="install a newer graph_memory"):
        migrate(new_database)


def test_vectors_change_their_size(new_database: str) -> None:
    """Refused while there are some of another; then words find, and by meaning again whatever is put anew."""
    migrate(new_database, dims=4)
    with open_store(new_database, embed=lambda texts: [[1.0, 2, 3, 4] for _ in texts]) as store:
        store.put(ADA, "k", {"text": "a cat"})
    with pytest.raises(ConfigurationError, match=r"holds 1 vectors of another size than 5.*--drop-vectors"):
        migrate(new_database, dims=5)
    with (
        pytest.raises(ConfigurationError, match=r"vectors of 4 dimensions.*5"),
        open_store(new_database, embed=embed_concepts) as store,
    ):
        store.put(ADA, "k2", {"text": "a cat"})

    assert migrate(new_database, dims=5, drop_vectors=True).dropped == 1
    with open_store(new_database, embed=embed_concepts, dims=5) as store:
        assert [hit.parts["words_raw"] > 0 for hit in store.search(ADA, query="cat")] == [True]
        assert store.search(ADA, query="feline") == []
        store.put(ADA, "k", store.get(ADA, "k").value)
        assert [hit.key for hit in store.search(ADA, query="feline")] == ["k"]


def test_export_and_import_give_memories_vectors_of_the_new_size(new_database: str, tmp_path: Path) -> None:
    """The way that docs/backends/postgres.md tells."""
    place, file = namespace(Scope(user_id="ada"), "vector"), str(tmp_path / "ada.jsonl")
    migrate(new_database, dims=4)
    with open_store(new_database, embed=lambda texts: [[1.0, 2, 3, 4] for _ in texts]) as store:
        store.put(place, "k", Memo("k", "a cat", Origin("t"), NOW).to_value())
    assert main(["export", "--memory", new_database, "--user", "ada", "--output", file]) == 0
    assert main(["migrate", new_database, "--dims", "5", "--drop-vectors"]) == 0

    with open_store(new_database, embed=embed_concepts) as store:
        assert store.search(place, query="feline") == []
        assert import_user(store, "ada", file) == 1
        assert [hit.key for hit in store.search(place, query="feline")] == ["k"]


def test_without_a_size_the_first_vector_sets_it(new_database: str) -> None:
    """And others are refused."""
    migrate(new_database)
    with open_store(new_database, embed=embed_concepts) as store:
        store.put(ADA, "k", {"text": "a cat"})
    with open_store(new_database, embed=lambda texts: [[1.0, 2, 3] for _ in texts]) as store:
        with pytest.raises(ConfigurationError, match="vectors of 5 dimensions, the embedder gives 3"):
            store.put(ADA, "k", {"text": "another"})
        with pytest.raises(ConfigurationError, match="vectors of 5 dimensions, the embedder gives 3"):
            store.search(ADA, query="another")
        assert store.get(ADA, "k").value == {"text": "a cat"}


@pytest.mark.parametrize("dims", [0, -1, 4001])
def test_sizes_that_cannot_be_indexed_are_refused(new_database: str, dims: int) -> None:
    """Before anything is done."""
    with pytest.raises(ConfigurationError, match="dims must be"):
        migrate(new_database, dims=dims)


def test_the_command_says_what_it_does(new_database: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Line by line; a second run has nothing to do; SQLite needs none."""
    assert main(["migrate", new_database, "--dims", "5", "--dry-run"]) == 0
    assert main(["migrate", new_database, "--dims", "5"]) == 0
    assert main(["migrate", new_database]) == 0
    assert main(["migrate", "sqlite:///memory.db"]) == 1
    out, error = capsys.readouterr()
    lines = out.splitlines()
    assert (lines[0], lines[COUNT + 1], lines[-1]) == ("would apply 0001 tables", "applied 0001 tables", "up to date")
    assert "only Postgres is migrated" in error
