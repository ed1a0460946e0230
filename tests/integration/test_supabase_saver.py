"""SupabaseSaver by itself: what the database sees of what is encrypted, what is left in it, and what is refused."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from graph_memory.checkpoints import open_checkpointer
from graph_memory.errors import ConfigurationError, GraphMemoryError, StoreError, StoreUnavailableError
from graph_memory.opening import open_memory
from graph_memory.stores.migrations import migrate
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import echo, plain, said
from tests.postgres_databases import run_sql
from tests.savers import Delta, Rot
from tests.supabase_projects import THREADS, Project, ada, served


def test_encrypted_values_are_not_seen_by_the_database(supabase: Project) -> None:
    """Neither values nor writes nor metadata."""
    with supabase.saver("ada", serde=EncryptedSerializer(Rot())) as saver:
        config = {**in_thread(), "metadata": {"note": "sesame-in-metadata"}}
        echo(saver).invoke({"said": ["sesame"]}, config)
    assert b"sesame".hex() not in str(supabase.threads())
    with supabase.saver("ada") as saver:
        echo(saver).invoke({"said": ["sesame"]}, in_thread("clear"))
    assert b"sesame".hex() in str(supabase.threads())


def test_deletions_leave_nothing(supabase: Project) -> None:
    """Of a thread, of all runs, of everything old."""
    for delete in (
        lambda saver: saver.delete_thread("t"),
        lambda saver: saver.delete_for_runs(["a", "b"]),
        lambda saver: saver.prune(["t"], strategy="delete"),
    ):
        with supabase.saver("ada") as saver:
            for run in ("a", "b"):
                echo(saver).invoke({"said": [run]}, {**in_thread(), "metadata": {"run_id": run}})
            assert list(saver.list(in_thread()))
            delete(saver)
        assert supabase.threads() == {table: [] for table in THREADS}


def test_a_project_that_cuts_results_off_keeps_everything(supabase_server: str) -> None:
    """Long histories and listings come as one value; only rows are cut off."""
    with served(supabase_server, most_rows=1) as (server, database):
        migrate(database)
        with open_checkpointer(server.url, **ada(server)) as saver:
            for n in range(6):
                result = echo(saver, Delta).invoke({"said": [str(n)]}, in_thread())
            assert result["said"] == [text for n in range(6) for text in (str(n), f"re {n}")]
            assert len(list(saver.list(in_thread()))) == 18


def test_pruning_leaves_what_the_latest_needs(supabase: Project) -> None:
    """One checkpoint, and one value of each of its channels."""
    with supabase.saver("ada") as saver:
        for n in range(5):
            echo(saver).invoke({"said": [str(n)]}, in_thread())
        saver.prune(["t"])
        [left] = saver.list(in_thread())
        values = supabase.threads()["channel_values"]
    assert len(values) <= len(left.checkpoint["channel_versions"])
    assert len(left.checkpoint["channel_values"]["said"]) == 10


def test_threads_whose_time_is_over_are_deleted(supabase: Project) -> None:
    """Along with later writes of their owner, or all at once."""
    for user in ("ada", "bob"):
        with supabase.saver(user, ttl_seconds=60) as saver:
            for n in range(3):
                echo(saver).invoke({"said": ["x"]}, in_thread(str(n)))
    run_sql(supabase.database, "UPDATE graph_memory.threads SET expires_at = now() - interval '1 s'")
    with supabase.saver("ada", ttl_seconds=60) as saver:
        assert list(saver.list(None)) == []
        echo(saver).invoke({"said": ["x"]}, in_thread("new"))
    assert len(supabase.threads()["threads"]) == 4
    run_sql(supabase.database, "SELECT graph_memory.sweep_threads(1000)")
    assert len(supabase.threads()["threads"]) == 1


def test_a_thread_is_pruned_while_it_goes_on(supabase: Project) -> None:
    """What the latest checkpoint needs is always there."""
    done = threading.Event()

    def prune() -> int:
        count = 0
        with supabase.saver("ada") as saver:
            while not done.is_set():
                saver.prune(["t"])
                count += 1
        return count

    with supabase.saver("ada") as saver, ThreadPoolExecutor(2) as pool:
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
    with supabase.saver("ada") as saver:
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
    saver = supabase.saver("ada")
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
