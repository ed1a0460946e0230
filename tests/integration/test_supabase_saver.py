"""SupabaseSaver by itself: threads belong to whose token wrote them, whatever is passed; and what is left in the database."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from graph_memory.checkpoints import open_checkpointer
from graph_memory.checkpoints.supabase import SupabaseSaver
from graph_memory.errors import ConfigurationError, GraphMemoryError, StoreError, StoreUnavailableError
from graph_memory.opening import open_memory
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import echo, plain, said
from tests.integration.test_supabase_tenants import ATTEMPTS, bad_tokens, ids, raw
from tests.postgres_databases import run_sql
from tests.savers import Rot
from tests.supabase_projects import Project

TABLES = ("threads", "checkpoints", "channel_values", "channel_writes")
slow = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=ATTEMPTS
)


def saver_of(project: Project, whose: str, **options: Any) -> SupabaseSaver:
    """A checkpointer of a user who has signed in."""
    return SupabaseSaver(project.url, **project.signed_in(whose), **options)


def state(project: Project) -> Any:
    """All that is kept."""
    with closing(psycopg.connect(project.database)) as connection:
        tables = [connection.execute(f"SELECT t::text FROM graph_memory.{table} AS t ORDER BY 1") for table in TABLES]
        return [table.fetchall() for table in tables]


@pytest.fixture
def adas(supabase: Project) -> Iterator[Any]:
    """The config of a checkpoint in Ada's thread."""
    with saver_of(supabase, "ada") as saver:
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
    before = state(supabase)
    with saver_of(supabase, user, user="ada") as saver:
        named = {"configurable": {**adas["configurable"], "user_id": "ada"}}
        assert not any(touch_all(saver, named))
        assert not any(saver.list(None))
    assert state(supabase) == before


def test_users_may_have_threads_of_the_same_name(adas: Any, supabase: Project) -> None:
    """Each sees its own."""
    with saver_of(supabase, "bob") as saver:
        graph = echo(saver)
        assert graph.invoke({"said": ["mine"]}, in_thread())["said"] == ["mine", "re mine"]
        saver.delete_thread("t")
    with saver_of(supabase, "ada") as saver:
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
    before, token = state(supabase), bad_tokens(supabase)[kind]
    for function, op in raw_ops(adas).items():
        answer = raw(supabase, token, function, {"op": op})
        assert answer.status_code >= 400 or not answer.content or answer.json() == [], (function, answer.text)
    assert state(supabase) == before


def test_a_signed_in_user_who_calls_the_functions_by_hand_reaches_its_own_threads(adas: Any, supabase: Project) -> None:
    """Whomever it names."""
    before = state(supabase)[0]
    for function, op in raw_ops(adas).items():
        answer = raw(supabase, supabase.token("bob"), function, {"op": op})
        assert answer.status_code in (200, 204), (function, answer.text)
        assert not answer.content or answer.json() == [], (function, answer.text)
        assert before[0] in state(supabase)[0]
    with saver_of(supabase, "ada") as saver:
        assert echo(saver).get_state(in_thread()).values["said"] == ["sesame", "re sesame"]


@pytest.mark.parametrize("claims", [None, "", {"sub": "bob"}, {"role": "authenticated"}, {"sub": ""}, {"sub": None}])
@pytest.mark.parametrize("table", TABLES)
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
    with saver_of(supabase, "ada") as saver:
        assert saver.get_tuple(in_thread()) is None


def test_encrypted_values_are_not_seen_by_the_database(supabase: Project) -> None:
    """Neither values nor writes nor metadata."""
    with saver_of(supabase, "ada", serde=EncryptedSerializer(Rot())) as saver:
        config = {**in_thread(), "metadata": {"note": "sesame-in-metadata"}}
        echo(saver).invoke({"said": ["sesame"]}, config)
    assert b"sesame".hex() not in str(state(supabase))
    with saver_of(supabase, "ada") as saver:
        echo(saver).invoke({"said": ["sesame"]}, in_thread("clear"))
    assert b"sesame".hex() in str(state(supabase))


def test_deletions_leave_nothing(supabase: Project) -> None:
    """Of a thread, of all runs, of everything old."""
    for delete in (
        lambda saver: saver.delete_thread("t"),
        lambda saver: saver.delete_for_runs(["a", "b"]),
        lambda saver: saver.prune(["t"], strategy="delete"),
    ):
        with saver_of(supabase, "ada") as saver:
            for run in ("a", "b"):
                echo(saver).invoke({"said": [run]}, {**in_thread(), "metadata": {"run_id": run}})
            assert list(saver.list(in_thread()))
            delete(saver)
        assert state(supabase) == [[], [], [], []]


def test_pruning_leaves_what_the_latest_needs(supabase: Project) -> None:
    """One checkpoint, and one value of each of its channels."""
    with saver_of(supabase, "ada") as saver:
        for n in range(5):
            echo(saver).invoke({"said": [str(n)]}, in_thread())
        saver.prune(["t"])
        [left] = saver.list(in_thread())
        values = state(supabase)[2]
    assert len(values) <= len(left.checkpoint["channel_versions"])
    assert len(left.checkpoint["channel_values"]["said"]) == 10


def test_threads_whose_time_is_over_are_deleted(supabase: Project) -> None:
    """Along with later writes of their owner, or all at once."""
    for user in ("ada", "bob"):
        with saver_of(supabase, user, ttl_seconds=60) as saver:
            for n in range(3):
                echo(saver).invoke({"said": ["x"]}, in_thread(str(n)))
    run_sql(supabase.database, "UPDATE graph_memory.threads SET expires_at = now() - interval '1 s'")
    with saver_of(supabase, "ada", ttl_seconds=60) as saver:
        assert list(saver.list(None)) == []
        echo(saver).invoke({"said": ["x"]}, in_thread("new"))
    assert len(state(supabase)[0]) == 4
    run_sql(supabase.database, "SELECT graph_memory.sweep_threads(1000)")
    assert len(state(supabase)[0]) == 1


def test_a_thread_is_pruned_while_it_goes_on(supabase: Project) -> None:
    """What the latest checkpoint needs is always there."""
    done = threading.Event()

    def prune() -> int:
        count = 0
        with saver_of(supabase, "ada") as saver:
            while not done.is_set():
                saver.prune(["t"])
                count += 1
        return count

    with saver_of(supabase, "ada") as saver, ThreadPoolExecutor(2) as pool:
        pruning = [pool.submit(prune) for _ in range(2)]
        try:
            for n in range(12):
                result = echo(saver).invoke({"said": [str(n)]}, in_thread())
        finally:
            done.set()
        assert all(one.result() for one in pruning)
    assert len(result["said"]) == 24


@pytest.mark.parametrize("thread", ["a\0b", "\0"])
def test_a_nul_in_a_name_is_refused(supabase: Project, thread: str) -> None:
    """Postgres has no such text."""
    with saver_of(supabase, "ada") as saver:
        for use in (
            lambda: saver.get_tuple(in_thread(thread)),
            lambda: saver.delete_thread(thread),
            lambda: saver.copy_thread("t", thread),
            lambda: list(saver.list(in_thread(thread))),
        ):
            with pytest.raises(ConfigurationError, match="NUL"):
                use()


@pytest.mark.parametrize("user", ["", "a\0", 7])
def test_a_user_that_names_nobody_is_refused(user: Any) -> None:
    """Before anything is opened."""
    with pytest.raises(ConfigurationError, match="user must be"):
        open_checkpointer("https://x.supabase.co", key="k", user=user)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_wrong_is_said_on_opening(supabase: Project, mode: str) -> None:
    """Keys, tokens and places, as by the store."""

    async def enter(opening: Any) -> None:
        async with opening:
            pass

    for url, options, error in (
        ("http://127.0.0.1:1", supabase.signed_in("ada"), StoreUnavailableError),
        (supabase.url, {"key": "wrong"}, StoreError),
        (supabase.url, {"key": supabase.anon_key, "token": supabase.token("ada", seconds=-60)}, StoreError),
    ):
        opening = open_checkpointer(url, **options)
        with pytest.raises(error) as caught:
            asyncio.run(enter(opening)) if mode == "ainvoke" else opening.__enter__()
        assert isinstance(caught.value, GraphMemoryError)
    saver = saver_of(supabase, "ada")
    saver.close()
    with pytest.raises(StoreError, match="closed"):
        saver.get_tuple(in_thread())


@pytest.mark.parametrize("mode", MODES)
def test_store_and_checkpoints_share_a_project(mode: str, supabase: Project) -> None:
    """A graph with memory remembers across openings."""
    user, seen = uuid4().hex, Assistant(["noted", "tea"])
    config = {"configurable": {"thread_id": "t", "user_id": user}}

    async def ask(text: str) -> None:
        async with open_memory(supabase.url, **supabase.signed_in(user)) as memory:
            graph = plain(seen).compile(store=memory.store, checkpointer=memory.checkpointer)
            await graph.ainvoke(said(text), config)

    for text in ("I drink green tea", "what do I drink?"):
        if mode == "ainvoke":
            asyncio.run(ask(text))
            continue
        with open_memory(supabase.url, **supabase.signed_in(user)) as memory:
            graph = plain(seen).compile(store=memory.store, checkpointer=memory.checkpointer)
            call(graph, mode, said(text), config)
    assert "I drink green tea" in seen.text
