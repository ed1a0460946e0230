"""SqliteStore between processes and across crashes, and files that are not what they should be."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.store.base import SearchOp

from graph_memory.errors import (
    ConfigurationError,
    GraphMemoryError,
    SchemaOutdatedError,
    StoreError,
    StoreUnavailableError,
)
from graph_memory.sqlite_files import translate
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.testing.stores import embed_concepts
from tests.store_helpers import ADA, keys, scores

WRITER = """
import sys
from langgraph.store.base import PutOp
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.testing.stores import embed_concepts
path, name = sys.argv[1:]
with SqliteStore(path, embed=embed_concepts, timeout_seconds=30) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    won = 0
    for n in range(30):
        won += store.put_if_absent(("slots",), str(n), {"text": f"cat {n}", "by": name})
        store.batch([PutOp(("users", name), f"{n}", {"text": f"cat {n}"}), PutOp(("shared",), f"{name} {n}", {"text": "a cat"})])
        store.search(("shared",), query="cat")
    print(won)
"""

ENDLESS = """
import sys
from langgraph.store.base import PutOp
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.testing.stores import embed_concepts
with SqliteStore(sys.argv[1], embed=embed_concepts) as store:
    for batch in range(10**9):
        store.batch([PutOp(("users", "ada"), str(n), {"text": f"cat {batch} {n}", "batch": batch}) for n in range(40)])
        if batch == 3:
            print("going", flush=True)
"""


def start(script: str, *args: str) -> subprocess.Popen[str]:
    """Another Python process."""
    command = [sys.executable, "-W", "error", "-c", script, *args]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A file that does not exist yet."""
    return str(tmp_path / "memory.db")


def test_several_processes_write_one_file(path):
    """All open it at once, nothing is lost, every slot has one winner, and a reader sees all of it."""
    with SqliteStore(path, embed=embed_concepts) as reader:
        writers = {name: start(WRITER, path, name) for name in ("one", "two", "three")}
        for process in writers.values():
            assert process.stdout.readline() == "ready\n"
        outputs = {name: process.communicate("go\n", timeout=50)[0] for name, process in writers.items()}

        assert [process.returncode for process in writers.values()] == [0, 0, 0]
        slots = reader.search(("slots",), limit=100)
        assert Counter(hit.value["by"] for hit in slots) == Counter(
            {n: int(won) for n, won in outputs.items() if int(won)}
        )
        assert len(slots) == 30
        assert len(reader.search(("shared",), query="cat", limit=500)) == 90
        with SqliteStore(path, embed=embed_concepts) as fresh:
            assert scores(reader, "cat 7", ("users",)) == scores(fresh, "cat 7", ("users",))


@pytest.mark.parametrize("attempt", range(3))
def test_a_killed_writer_leaves_whole_batches(path, attempt):
    """Every item is of the same batch, and the indexes agree with the items."""
    process = start(ENDLESS, path)
    assert process.stdout.readline() == "going\n"
    threading.Event().wait(0.01 * attempt)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    with SqliteStore(path, embed=embed_concepts) as store:
        found = store.search(ADA, limit=100)
        assert len(found) == 40
        assert len({hit.value["batch"] for hit in found}) == 1
        assert sorted(keys(store, ADA, query=f"feline {found[0].value['batch']}", limit=100)) == sorted(
            hit.key for hit in found
        )
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM gm_vectors").fetchone() == (40,)
        assert (
            connection.execute(
                "SELECT count(DISTINCT item), sum(documents) FROM gm_postings, gm_namespaces"
            ).fetchone()[0]
            == 40
        )


def test_a_locked_file_is_waited_for_and_then_reported(path):
    """Readers go on, a writer gives up after the timeout, and works again when the lock is gone."""
    with (
        SqliteStore(path, timeout_seconds=0.15) as store,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        store.put(ADA, "a", {"n": 1})
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match=r"locked by another process"):
            store.put(ADA, "a", {"n": 2})
        assert store.get(ADA, "a").value == {"n": 1}
        other.execute("ROLLBACK")
        store.put(ADA, "a", {"n": 3})
        assert store.get(ADA, "a").value == {"n": 3}


def test_a_writer_waits_for_a_lock_that_is_released_in_time(path):
    """Without an error."""
    with SqliteStore(path, timeout_seconds=5) as store:
        store.put(ADA, "a", {"n": 1})
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.2, other.execute, ["ROLLBACK"])
        release.start()
        store.put(ADA, "a", {"n": 2})
        release.join()
        other.close()
        assert store.get(ADA, "a").value == {"n": 2}


def opened(path: str) -> None:
    """Opens and closes a store."""
    with SqliteStore(path):
        pass


@pytest.mark.parametrize(
    "content", [b"this is no database, but long enough to look like one" * 40, b"SQLite format 3\0" + b"x" * 4000]
)
def test_a_file_that_is_no_database_is_refused(tmp_path, content):
    """And left as it was."""
    path = tmp_path / "memory.db"
    path.write_bytes(content)

    with pytest.raises(StoreError, match="not a graph_memory store"):
        opened(str(path))
    assert path.read_bytes() == content


@pytest.mark.parametrize("statement", ["CREATE TABLE invoices (id)", "PRAGMA application_id = 77"])
def test_a_database_of_another_program_is_refused(path, statement):
    """And nothing is added to it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()

    with pytest.raises(StoreError, match="another program, not a graph_memory store"):
        opened(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'gm_%'").fetchone() == (0,)


def test_a_file_of_langgraphs_checkpoints_can_become_a_store_too(path):
    """The checkpoints stay."""
    with SqliteSaver.from_conn_string(path) as saver:
        saver.setup()

    with SqliteStore(path) as store:
        store.put(ADA, "a", {"n": 1})
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM checkpoints").fetchone() == (0,)


def test_a_newer_schema_is_refused(path):
    """Without touching it; the message says both versions."""
    opened(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")

    with pytest.raises(SchemaOutdatedError, match="schema 99, this graph_memory reads schema 1"):
        opened(path)


def test_a_damaged_store_says_so(path):
    """A page of garbage in the middle is an error of ours, not sqlite3's."""
    with SqliteStore(path) as store:
        for n in range(200):
            store.put(ADA, str(n), {"text": f"tea {n} " * 50})
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (os.path.getsize(path) - 8192))

    with pytest.raises(StoreError, match="damaged"), SqliteStore(path) as store:
        store.batch([SearchOp(ADA, query="tea"), SearchOp((), limit=1000)])


def test_places_where_no_file_can_be(tmp_path):
    """A missing folder, a folder instead of a file, a folder that cannot be written."""
    with pytest.raises(ConfigurationError, match="does not exist: create it first"):
        opened(str(tmp_path / "missing" / "memory.db"))
    with pytest.raises(ConfigurationError, match="is a folder"):
        opened(str(tmp_path))
    with pytest.raises(StoreError, match="check the permissions"):
        opened("/proc/memory.db")


def test_a_file_that_cannot_be_written_says_so(path):
    """What SQLite reports of a read-only file becomes one of our errors."""
    opened(path)
    with (
        closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection,
        pytest.raises(sqlite3.Error) as caught,
    ):
        connection.execute("DELETE FROM gm_items")

    error = translate(caught.value, path)
    assert isinstance(error, StoreError)
    assert "check the permissions" in str(error)


@pytest.mark.parametrize(
    "options",
    [
        {"dims": 0},
        {"dims": "5"},
        {"cache_mb": -1},
        {"timeout_seconds": 0},
        {"timeout_seconds": True},
        {"fields": "text"},
        {"embed": 5},
    ],
)
def test_wrong_options_are_refused_at_once(path, options):
    """Before the file is made."""
    with pytest.raises(ConfigurationError):
        SqliteStore(path, **options)
    assert not os.path.exists(path)


def test_an_unknown_driver_error_is_still_ours():
    """Errors that sqlite3 raises by itself, without a code."""
    assert isinstance(translate(sqlite3.ProgrammingError("odd"), None), GraphMemoryError)
