"""Threads on Supabase belong to whose token wrote them, whatever the application passes, or whoever calls without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings

from graph_memory.checkpoints.supabase import SupabaseSaver
from tests.fakes import in_thread
from tests.graphs import echo
from tests.integration.test_supabase_tenants import ATTEMPTS, bad_tokens, ids, raw
from tests.supabase_projects import THREADS, Project

slow = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=ATTEMPTS // 4
)


@pytest.fixture
def adas(supabase: Project) -> Iterator[Any]:
    """The config of a checkpoint in Ada's thread."""
    with supabase.saver("ada") as saver:
        graph = echo(saver)
        graph.invoke({"said": ["sesame"]}, {**in_thread(), "metadata": {"run_id": "run"}})
        yield graph.get_state(in_thread()).config


def touch_all(saver: SupabaseSaver, config: Any) -> list[Any]:
    """Reads and changes whatever it can of a thread; what it has read."""
    thread = config["configurable"]["thread_id"]
    read = [saver.get_tuple(config), saver.get_tuple(in_thread(thread)), list(saver.list(in_thread(thread)))]
    read += [
        list(saver.list(None)),
        saver.get_delta_channel_history(config=config, channels=["said"])["said"]["writes"],
    ]
    saver.delete_for_runs(["run"])
    saver.prune([thread])
    saver.prune([thread], strategy="delete")
    saver.copy_thread(thread, "stolen")
    saver.delete_thread(thread)
    return read


@slow
@given(user=ids)
def test_nobody_reads_or_changes_anothers_thread(adas: Any, supabase: Project, user: str) -> None:
    """Also when the application names the other: a token speaks for itself."""
    before = supabase.threads()
    with supabase.saver(user, user="ada") as saver:
        named = {"configurable": {**adas["configurable"], "user_id": "ada"}}
        assert not any(touch_all(saver, named))
        assert not any(saver.list(None))
    assert supabase.threads() == before


def test_users_may_have_threads_of_the_same_name(adas: Any, supabase: Project) -> None:
    """Each sees its own."""
    with supabase.saver("bob") as saver:
        graph = echo(saver)
        assert graph.invoke({"said": ["mine"]}, in_thread())["said"] == ["mine", "re mine"]
        saver.delete_thread("t")
    with supabase.saver("ada") as saver:
        assert echo(saver).get_state(in_thread()).values["said"] == ["sesame", "re sesame"]


def raw_ops(config: Any) -> dict[str, Any]:
    """Calls that read and change Ada's thread, if they may."""
    named = config["configurable"]
    op = {"user": "ada", "thread": "t", "space": "", "id": named["checkpoint_id"], "limit": 10, "after": None}
    many = {**op, "threads": ["t"], "runs": ["run"], "channels": ["said"], "source": "t"}
    put = {**op, "versions": {}, "deltas": [], "body": "", "values": []}
    new = {**op, "writes": [{"task": "x", "at": -1, "value": ""}]}
    return {
        "get_checkpoint": op, "list_checkpoints": op, "channel_history": many, "put_checkpoint": put, "put_writes": new,
        "prune_threads": many, "delete_runs": many, "copy_thread": {**many, "thread": "stolen"}, "delete_threads": many,
    }  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    [
        "forged",
        "forged service",
        "tampered",
        "unsigned",
        "expired",
        "without user",
        "empty user",
        "anonymous",
        "missing",
    ],
)
def test_a_token_that_proves_nothing_opens_no_thread(adas: Any, supabase: Project, kind: str) -> None:
    """With the application bypassed."""
    before, token = supabase.threads(), bad_tokens(supabase)[kind]
    for function, op in raw_ops(adas).items():
        answer = raw(supabase, token, function, {"op": op})
        assert answer.status_code >= 400 or not answer.content or answer.json() == [], (function, answer.text)
    assert supabase.threads() == before


def test_a_signed_in_user_who_calls_the_functions_by_hand_reaches_its_own_threads(adas: Any, supabase: Project) -> None:
    """Whomever it names."""
    before = supabase.threads()["threads"]
    for function, op in raw_ops(adas).items():
        answer = raw(supabase, supabase.token("bob"), function, {"op": op})
        assert answer.status_code in (200, 204), (function, answer.text)
        assert not answer.content or answer.json() == [], (function, answer.text)
        assert before[0] in supabase.threads()["threads"]
    with supabase.saver("ada") as saver:
        assert echo(saver).get_state(in_thread()).values["said"] == ["sesame", "re sesame"]


@pytest.mark.parametrize("claims", [None, "", {"sub": "bob"}, {"role": "authenticated"}, {"sub": ""}, {"sub": None}])
@pytest.mark.parametrize("table", THREADS)
def test_sql_by_hand_sees_no_thread_of_another(adas: Any, supabase: Project, table: str, claims: Any) -> None:
    """Without a claim nothing rather than everything; and nothing can be put among what is another's."""
    value = claims if isinstance(claims, str | None) else json.dumps(claims)
    with closing(psycopg.connect(supabase.database, autocommit=True)) as connection, connection.transaction():
        [[thread]] = connection.execute("SELECT id FROM graph_memory.threads").fetchall()
        connection.execute("SET LOCAL ROLE authenticated")
        if value is not None:
            connection.execute("SELECT set_config('request.jwt.claims', %s, true)", [value])
        assert connection.execute(f"SELECT count(*) FROM graph_memory.{table}").fetchone() == (0,)
        assert connection.execute(f"DELETE FROM graph_memory.{table}").rowcount == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute(
                "INSERT INTO graph_memory.channel_values VALUES (%s, '', 'said', '1', 'forged')", [thread]
            )
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("INSERT INTO graph_memory.threads (owner, name) VALUES ('user:ada:', 'forged')")


def test_a_service_key_acts_for_whom_it_names(adas: Any, supabase: Project) -> None:
    """And for nobody else: without a name it has threads of its own."""
    with supabase.opened(SupabaseSaver, user="ada") as named, supabase.opened(SupabaseSaver) as unnamed:
        assert echo(named).get_state(in_thread()).values["said"] == ["sesame", "re sesame"]
        assert list(unnamed.list(None)) == []
        echo(unnamed).invoke({"said": ["own"]}, in_thread())
        named.delete_thread("t")
        assert echo(unnamed).get_state(in_thread()).values["said"] == ["own", "re own"]
    with supabase.saver("ada") as saver:
        assert saver.get_tuple(in_thread()) is None
