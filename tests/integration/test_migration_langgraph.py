"""LangGraph's own stores and checkpointers: read by their urls, never written to, and gone on with afterwards."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.sqlite import SqliteStore

from graph_memory import (
    BufferMemory,
    Scope,
    VectorMemory,
    attach,
    forget,
    open_checkpointer,
    open_store,
    search,
)
from graph_memory.migration import LangGraphItems, LangGraphThreads, LangMem
from tests.migrating import chatted, everything, fingerprint, imported
from tests.postgres_databases import run_sql
from tests.redis_servers import Running

RUNS = (
    ("ada", "1", "My dog is called Rex."),
    ("bob", "2", "I play chess."),
    ("ada", "1", "Rex is a beagle."),
    (None, "3", "Who am I?"),
)
ADA, BOB = Scope("ada", "1"), Scope("bob", "2")


@contextmanager
def sqlite_saver(path: Path) -> Iterator[SqliteSaver]:
    """LangGraph's own, as it is opened without us."""
    with closing(sqlite3.connect(path, check_same_thread=False)) as connection:
        yield SqliteSaver(connection)


@contextmanager
def filled(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The place of a checkpointer that has the threads of RUNS."""
    if kind == "object":
        saver = InMemorySaver()
        chatted(saver, RUNS)
        yield saver
    elif kind == "sqlite":
        with sqlite_saver(tmp_path / "threads.db") as saver:
            chatted(saver, RUNS)
        yield f"sqlite:///{tmp_path / 'threads.db'}"
    elif kind == "postgres":
        from langgraph.checkpoint.postgres import PostgresSaver

        url = request.getfixturevalue("new_database")
        with PostgresSaver.from_conn_string(url) as saver:
            saver.setup()
            chatted(saver, RUNS)
        yield url
    else:
        server: Running = request.getfixturevalue("redis_server")
        url = f"{server.url}/7"
        with closing(redis.Redis.from_url(url)) as client:
            client.flushdb()
        with open_checkpointer(url) as saver:
            chatted(saver, RUNS)
        yield url


def texts(store: Any, scope: Scope) -> list[str]:
    """What a user's search finds."""
    return sorted(found.memo.text for found in search(Scope(scope.user_id), "", store=store, limit=100))


def window(store: Any, scope: Scope) -> list[str]:
    """A thread as a graph without a checkpointer would see it."""
    return [m.text for m in BufferMemory().get_context(scope, "And?", store=store).messages[:-1]]


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("kind", ["object", "sqlite", "postgres", "redis"])
def test_threads_become_archived_turns_of_their_users(
    kind: str, way: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
):
    """The user is the run's, the time the checkpoint's; who named nobody is skipped, or given to whom one says."""
    monkeypatch.setattr("graph_memory.migration.langgraph_threads._PAGE", 2)
    began = datetime.now(UTC)
    with filled(kind, tmp_path, request) as place, open_store("sqlite://") as store:
        dry = imported(LangGraphThreads(place), store, way, dry_run=True)
        assert everything(store) == {}
        report = imported(LangGraphThreads(place), store, way)
        again = imported(LangGraphThreads(place), store, way)
        memos = sorted((f.memo for f in search(ADA, "", store=store)), key=lambda memo: memo.origin.seq)

        said = [
            "My dog is called Rex.",
            "I heard: My dog is called Rex.",
            "Rex is a beagle.",
            "I heard: Rex is a beagle.",
        ]
        assert [memo.text for memo in memos] == window(store, ADA) == said
        assert window(store, BOB) == ["I play chess.", "I heard: I play chess."]
        assert began <= memos[0].said_at < memos[1].said_at < memos[2].said_at < memos[3].said_at <= datetime.now(UTC)
        assert dry.new == report.new == again.known == {"message": 6}
        assert report.reasons() == [
            "skipped 2: its run named no user, and none is given for such runs (first: thread 3, message 1)"
        ]
        assert imported(LangGraphThreads(place, user="eve"), store, way).new == {"message": 2}
        assert window(store, Scope("eve", "3")) == ["Who am I?", "I heard: Who am I?"]


def test_a_thread_of_two_users_is_shared_out():
    """Each has what their own runs said, and before those what was said in runs that named nobody yet."""
    saver = InMemorySaver()
    chatted(
        saver,
        [(None, "1", "Hello?"), ("ada", "1", "My secret is A."), ("bob", "1", "My secret is B."), (None, "1", "Bye.")],
    )
    with open_store("sqlite://") as store:
        imported(LangGraphThreads(saver, user="eve"), store)

        assert texts(store, ADA) == ["Hello?", "I heard: Hello?", "I heard: My secret is A.", "My secret is A."]
        assert texts(store, BOB) == ["I heard: My secret is B.", "My secret is B."]
        assert texts(store, Scope("eve")) == ["Bye.", "I heard: Bye."]


@pytest.mark.parametrize("extra", [{}, {"metadata": {"note": "written by Bob"}}], ids=["text", "metadata"])
def test_a_crafted_message_id_writes_into_nobody_elses_memory(extra: Any):
    """What is sent under the id of another user's message is the sender's, or as it was."""
    saver = InMemorySaver()
    ada, bob = HumanMessage("My secret is A.", id="m"), HumanMessage("My secret is B.", id="m")
    sent = ada.model_copy(update={"additional_kwargs": extra}) if extra else bob
    chatted(saver, [("ada", "1", ada), ("bob", "1", sent)])
    with open_store("sqlite://") as store:
        imported(LangGraphThreads(saver), store)
        theirs = search(ADA, "", store=store, limit=100)

    assert not any("B." in found.memo.text or found.memo.metadata for found in theirs)


def test_other_names_of_the_user_and_the_conversation_can_be_said():
    """A thread without such a conversation is named."""
    saver = InMemorySaver()
    chatted(saver, RUNS, user_key="customer")
    with open_store("sqlite://") as store:
        report = imported(LangGraphThreads(saver, messages_key="talk"), store)
        users = imported(LangGraphThreads(saver, user_key="customer"), store)

    assert report.reasons() == ["skipped 3: its newest checkpoint holds no messages under 'talk' (first: thread 1)"]
    assert users.users == {"ada", "bob"}


def test_a_checkpointers_file_is_not_written_to(tmp_path: Path, request: pytest.FixtureRequest):
    """Not even when it is of an older version."""
    with filled("sqlite", tmp_path, request) as place, open_store("sqlite://") as store:
        path = tmp_path / "threads.db"
        before = fingerprint(path)
        imported(LangGraphThreads(place), store)

        assert fingerprint(path) == before


@pytest.mark.parametrize("memories", [[BufferMemory(), VectorMemory()], [VectorMemory()]], ids=len)
def test_a_thread_that_goes_on_with_memory_keeps_what_was_imported_once(memories: list[Any]):
    """The same checkpointer and thread, now with `attach`: the same messages have the same ids."""
    saver = InMemorySaver()
    chatted(saver, RUNS)
    builder = StateGraph(MessagesState)
    builder.add_node("answer", lambda state: {"messages": [AIMessage("Noted.")]})
    builder.add_edge(START, "answer")
    attach(builder, "answer", memories, budget_tokens=2000)
    with open_store("sqlite://") as store:
        imported(LangGraphThreads(saver), store)
        graph = builder.compile(store=store, checkpointer=saver)
        graph.invoke({"messages": [HumanMessage("He is ill.")]}, {"configurable": {"thread_id": "1", "user_id": "ada"}})

        found = texts(store, ADA)
        assert found == sorted([*dict.fromkeys(found)])
        assert len(found) == 6
        before = _memos(store)
        assert imported(LangGraphThreads(saver), store).new == {}
        assert _memos(store) == before
        forget(store, "ada", checkpointer=saver)
        assert texts(store, ADA) == []
        assert imported(LangGraphThreads(saver), store).users == {"bob"}


def _memos(store: Any) -> dict[Any, Any]:
    """All but archived turns: where no buffer was attached, the import adds them."""
    return {place: value for place, value in everything(store).items() if "memory:buffer:" not in place[0]}


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_tables_of_langgraphs_stores_are_read_by_their_url(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
):
    """Prefixes are labels, an id with a dot is nobody's, what has expired is not there; nothing is written."""
    url = f"sqlite:///{tmp_path / 'items.db'}" if kind == "sqlite" else request.getfixturevalue("new_database")
    if kind == "sqlite":
        opened: Any = SqliteStore.from_conn_string(str(tmp_path / "items.db"))
    else:
        from langgraph.store.postgres import PostgresStore

        opened = PostgresStore.from_conn_string(url)
    with opened as theirs:
        theirs.setup()
        theirs.put(("memories", "ada"), "1", {"kind": "Memory", "content": {"content": "Ada's dog is called Rex."}})
        theirs.put(("memories", "bob"), "1", {"kind": "Memory", "content": {"content": "Bob plays chess."}})
        theirs.put(("memories", "bob"), "2", {"kind": "Memory", "content": {"content": "Gone."}}, ttl=1)
        theirs.put(("memories_of", "eve"), "1", {"kind": "Memory", "content": {"content": "Other."}})
        theirs.put(("memories", "bob"), "3", {"something": "else"})
    change = "UPDATE store SET prefix = 'memories.ada@x.org' WHERE prefix = 'memories.bob' AND key = '1'"
    over = "UPDATE store SET expires_at = '2020-01-01 00:00:00' WHERE key = '2'"
    if kind == "sqlite":
        with closing(sqlite3.connect(tmp_path / "items.db")) as connection, connection:
            connection.execute(over)
            connection.execute(change.replace("SET", "SET created_at = created_at,"))
    else:
        run_sql(url, over, change)
    before = fingerprint(tmp_path / "items.db") if kind == "sqlite" else ""
    with open_store("sqlite://") as store:
        report = imported(LangMem(url), store)
        again = imported(LangMem(url), store, "async")
        [found] = search(Scope("ada"), "dog", store=store)

        assert len(everything(store)) == 2
    assert report.new == again.known == {"fact": 1}
    assert sorted(report.reasons()) == [
        "skipped 1: it holds no content of LangMem (first: item memories/bob/3)",
        "skipped 1: its namespace is not of the form memories,{user_id} (first: item memories/ada@x/org/1)",
    ]
    assert abs(found.memo.said_at - datetime.now(UTC)) < timedelta(minutes=5)
    if kind == "sqlite":
        assert fingerprint(tmp_path / "items.db") == before


@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_items_in_our_own_servers_are_read_by_their_url(kind: str, request: pytest.FixtureRequest):
    """LangMem over one of our stores, into the same."""
    label = uuid4().hex
    if kind == "redis":
        server: Running = request.getfixturevalue("redis_server")
        url = server.url
    else:
        url = request.getfixturevalue("postgres_url")
    with open_store(url) as store:
        for number in range(3):
            store.put((label, "ada"), str(number), {"content": f"Fact number {number}."})
        report = imported(LangGraphItems(url, f"{label},{{user_id}}"), store)
        found = search(Scope("ada"), "number 2", store=store)
        forget(store, "ada")

    assert report.new == {"fact": 3}
    assert found[0].memo.text == "Fact number 2."


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any folder")
def test_a_file_in_a_folder_that_cannot_be_written_to_is_read(tmp_path: Path):
    """A backup, say; though its journal is of the kind that wants files beside it."""
    with sqlite_saver(tmp_path / "threads.db") as saver:
        chatted(saver, RUNS)
    tmp_path.chmod(0o555)
    try:
        with open_store("sqlite://") as store:
            assert imported(LangGraphThreads(f"sqlite:///{tmp_path / 'threads.db'}"), store).new == {"message": 6}
    finally:
        tmp_path.chmod(0o755)
