"""`graph-memory doctor` at real places: what is right, what is not, and what it exits with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from graph_memory import open_store
from graph_memory.cli.app import app
from graph_memory.doctor import examine
from graph_memory.stores.migrations import migrate
from tests.doctors import told
from tests.postgres_databases import run_sql
from tests.redis_servers import Running, running

ADA = ("users", "ada")


def failures(url: str) -> dict[str, str]:
    """What fails there: subject to what mends it."""
    return {one.subject: one.mend for one in examine(url) if one.grade == "fail"}


def test_a_file_is_examined_and_not_made(tmp_path: Path):
    """Before and after there is something in it."""
    url = f"sqlite:///{tmp_path / 'memory.db'}"
    code, lines = told(url)
    assert (code, lines["file"]) == (0, ("warn", f"{tmp_path / 'memory.db'} is not there yet; the first use makes it"))
    assert list(tmp_path.iterdir()) == []
    with open_store(url) as store:
        store.put(ADA, "k", {"text": "tea"})
    code, lines = told(url)
    assert (code, {grade for grade, _ in lines.values()}) == (0, {"ok"})
    assert lines["store"][1] == "items: 1, namespaces: 1, no vectors"


def test_a_file_that_is_none_of_ours_fails(tmp_path: Path):
    """Nor is a folder made that is not there."""
    (tmp_path / "other").write_text("no database " * 100)
    assert told(f"sqlite:///{tmp_path / 'other'}")[0] == 1
    code, lines = told(f"sqlite:///{tmp_path / 'no' / 'memory.db'}")
    assert (code, lines["file"][0]) == (1, "fail")
    assert not (tmp_path / "no").exists()


def test_a_redis_that_may_lose_memory_is_warned_of():
    """It evicts, and writes nothing to disk."""
    with running("--appendonly", "no", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as server:
        with open_store(server.url) as store:
            store.put(ADA, "k", {"text": "tea"})
        code, lines = told(server.url)
    warned = {subject for subject, (grade, _) in lines.items() if grade == "warn"}
    assert (code, warned) == (0, {"eviction", "persistence"})
    assert lines["store"][1] == "items: 1, namespaces: 1"
    assert {"packages", "server", "role", "memory", "pool", "latency", "scripts", "checkpoints", "expired"} <= set(
        lines
    )


def test_a_redis_that_writes_everything_down_is_all_right():
    """As the README asks for."""
    with running("--appendonly", "yes", "--appendfsync", "always") as server:
        assert {one.grade for one in examine(server.url)} == {"ok"}


def test_a_provider_that_allows_no_questions_about_settings_is_examined():
    """As managed Redis does."""
    with running("--appendonly", "yes", "--rename-command", "CONFIG", "") as server:
        found = {one.subject: one for one in examine(server.url)}
    assert found["persistence"].grade == "ok"
    assert "appendfsync unknown" in found["persistence"].says


def test_every_master_of_a_cluster_is_examined(redis_cluster: list[Running]):
    """By name."""
    found = examine(redis_cluster[0].url)
    assert [one.grade for one in found if one.subject == "cluster"] == ["ok"]
    servers = {one.says.split(": ")[0] for one in found if one.subject == "server"}
    assert servers == {f"127.0.0.1:{node.port}" for node in redis_cluster}


def test_a_database_is_told_what_it_lacks_step_by_step(new_database: str):
    """Until nothing fails; then one user is seen not to reach another's memory."""
    assert failures(new_database) == {"pgvector": "graph-memory migrate URL", "migrations": "graph-memory migrate URL"}
    migrate(new_database, dims=5)
    code, lines = told(new_database)
    assert code == 0
    assert lines["tried"] == ("ok", "one user can neither read nor change what another has just written")
    assert lines["role"][0] == "warn"
    with open_store(new_database) as store:
        assert store.search(()) == []


@pytest.mark.parametrize("table", ["items", "namespaces", "postings", "vectors"])
def test_row_level_security_that_was_switched_off_is_noticed(new_database: str, table: str):
    """For every table."""
    migrate(new_database, dims=5)
    run_sql(new_database, f"ALTER TABLE graph_memory.{table} DISABLE ROW LEVEL SECURITY")
    assert "security" in failures(new_database)


def test_policies_that_let_everybody_in_are_noticed_by_trying(new_database: str):
    """The catalogue says that all is well."""
    migrate(new_database, dims=5)
    for table in ("items", "namespaces", "postings", "vectors"):
        run_sql(new_database, f"CREATE POLICY everybody ON graph_memory.{table} USING (true) WITH CHECK (true)")
    assert set(failures(new_database)) == {"tried"}


@pytest.mark.parametrize(
    "url",
    ["redis://u:sesame@127.0.0.1:1", "postgresql://u:sesame@127.0.0.1:1/memory", "sqlite:////proc/none/memory.db"],
)
def test_nobody_there_is_one_sentence_and_no_password(url: str):
    """And exits with 1."""
    result = CliRunner().invoke(app, ["doctor", url])
    failed = [line for line in result.output.splitlines() if line.startswith("fail")]
    assert (result.exit_code, len(failed)) == (1, 1)
    assert "sesame" not in result.output


def test_a_server_that_does_not_answer_is_given_up_in_time():
    """After the seconds that were given: the sentence names them."""
    with running() as server:
        os.kill(server.pid, signal.SIGSTOP)
        try:
            code, lines = told(server.url, "--timeout", "2")
        finally:
            os.kill(server.pid, signal.SIGCONT)
    assert (code, set(lines)) == (1, {"connection"})
    assert "no answer within 2 s" in lines["connection"][1]


def test_a_wrong_password_is_said_and_not_shown():
    """Before anything else is asked."""
    with running("--requirepass", "right") as server:
        [one] = examine(f"redis://:sesame@127.0.0.1:{server.port}")
    assert (one.grade, one.subject) == ("fail", "connection")
    assert "refuses the user or the password" in one.says
    assert "sesame" not in one.says


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [("postgresql://a@localhost:1/x", "psycopg", "postgres"), ("redis://localhost:1", "redis", "redis")],
)
def test_a_package_that_is_missing_is_named_with_what_brings_it(url: str, package: str, extra: str) -> None:
    """In a process of its own, where it cannot be imported."""
    code = f"import sys; sys.modules[{package!r}] = None; from graph_memory.cli import main; sys.exit(main(['doctor', {url!r}]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert f"pip install 'graph-memory[{extra}]'" in done.stdout.replace("\n", " ")
    assert "Traceback" not in done.stderr
