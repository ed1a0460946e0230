"""`graph-memory doctor` at a Supabase: as a signed-in user, with a service key, and with everything that can be wrong."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import Any

import pytest

from graph_memory import open_store
from graph_memory.doctor import Finding, examine
from graph_memory.stores.migrations import migrate
from tests.doctors import told
from tests.postgres_databases import run_sql
from tests.supabase_projects import Project, ada, served


def by_subject(found: list[Finding]) -> dict[str, Finding]:
    """The last finding of each subject."""
    return {one.subject: one for one in found}


def test_a_project_is_examined_as_its_user(supabase: Project, monkeypatch: pytest.MonkeyPatch):
    """Key and token come from the environment, as for every command; that others are out of reach is tried."""
    monkeypatch.setenv("GRAPH_MEMORY_SUPABASE_KEY", supabase.anon_key)
    monkeypatch.setenv("GRAPH_MEMORY_SUPABASE_TOKEN", supabase.token("ada"))
    code, lines = told(supabase.url)
    assert (code, {grade for grade, _ in lines.values()}) == (0, {"ok"})
    assert lines["token"][1].startswith("of the user ada, valid until ")
    assert lines["tried"][1].startswith("the token's user sees their own memory alone")
    assert {"packages", "key", "migrations", "store", "latency"} <= set(lines)


def test_a_service_key_where_a_users_token_belongs_is_warned_of(supabase: Project):
    """As the key, and as the token; once each, and not as a warning of Python's beside."""
    alone = by_subject(examine(supabase.url, key=supabase.service_key))
    assert (alone["key"].grade, alone["tried"].grade) == ("warn", "warn")
    assert "every user's memory is seen" in alone["key"].says
    as_token = by_subject(examine(supabase.url, key=supabase.anon_key, token=supabase.service_key))
    assert (as_token["key"].grade, as_token["token"].grade) == ("ok", "warn")
    beside = by_subject(examine(supabase.url, key=supabase.service_key, token=supabase.token("ada")))
    assert (beside["key"].grade, beside["tried"].grade) == ("warn", "ok")


def test_row_level_security_that_is_off_is_noticed_by_trying(supabase_server: str):
    """Whichever way it lets others in."""
    with served(supabase_server) as (server, database):
        migrate(database, dims=5)
        assert by_subject(examine(server.url, **ada(server)))["tried"].grade == "ok"
        for table in ("items", "namespaces", "postings", "vectors"):
            run_sql(database, f"CREATE POLICY everybody ON graph_memory.{table} USING (true) WITH CHECK (true)")
        found = by_subject(examine(server.url, **ada(server)))
        assert (found["tried"].grade, found["tried"].says) == (
            "fail",
            "the token's user could write another user's memory",
        )
        bob = {**ada(server), "token": server.token("bob")}
        with open_store(server.url, **bob) as store:
            store.put(("graph_memory", "user:bob:", "agent::", "memory:notes:"), "k", {"text": "his"}, index=False)
        found = by_subject(examine(server.url, **ada(server)))
        assert found["tried"].says == "the token's user sees memory of 1 others"


def test_a_project_that_lacks_migrations_is_told_the_command(supabase_server: str):
    """Before its first one, and before its last."""
    with served(supabase_server) as (server, database):
        found = by_subject(examine(server.url, **ada(server)))
        assert found["connection"].grade == "fail"
        migrate(database, dims=5)
        run_sql(database, "DELETE FROM graph_memory.migrations WHERE version > 8")
        found = by_subject(examine(server.url, **ada(server)))
        assert found["migrations"].grade == "fail"
        assert found["migrations"].mend.startswith("graph-memory migrate URL")
        run_sql(database, "UPDATE graph_memory.migrations SET version = 999 WHERE version = 8")
        assert by_subject(examine(server.url, **ada(server)))["migrations"].mend == "pip install -U graph-memory"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda project: {"key": "nonsense"}, "refuses the key"),
        (lambda project: {"key": ""}, "set GRAPH_MEMORY_SUPABASE_KEY"),
        (lambda project: {"token": project.token("ada", seconds=-60)}, "expired"),
        (lambda project: {"token": "a.b.c"}, "not made for this project"),
        (lambda project: {"token": None}, "no right to that"),
    ],
)
def test_wrong_keys_and_tokens_are_one_failure_each(supabase: Project, change: Any, words: str):
    """That shows neither."""
    options = {**supabase.signed_in("ada"), **change(supabase)}
    found = examine(supabase.url, **options)
    failed = [one for one in found if one.subject == "connection"]
    assert [one.grade for one in failed] == ["fail"]
    assert words in failed[0].says
    assert not [text for text in options.values() if text and any(text in one.says for one in found)]


def test_a_token_without_a_user_fails(supabase: Project):
    """Nothing would be seen with it."""
    found = by_subject(examine(supabase.url, key=supabase.anon_key, token=supabase.token(None)))
    assert (found["token"].grade, found["tried"].grade) == ("fail", "warn")


def test_nobody_there_is_said_within_the_seconds_given():
    """A project that refuses connections, and one that never answers: the sentence names the seconds."""
    options = {"key": "anything", "timeout_seconds": 2.0}
    assert "cannot be reached" in by_subject(examine("http://127.0.0.1:1", **options))["connection"].says
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        found = examine(f"http://127.0.0.1:{silent.getsockname()[1]}", **options)
    assert "gave no answer within 2 s" in by_subject(found)["connection"].says
