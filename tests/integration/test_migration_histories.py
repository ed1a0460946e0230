"""LangChain's message histories: tables, lists, documents and files, as the classes themselves write them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage, message_to_dict

from graph_memory import BufferMemory, ConfigurationError, Scope, open_store, search
from graph_memory.migration import ChatHistory
from graph_memory.migration.redis_history import documents
from tests.migrating import everything, fingerprint, imported, message_store
from tests.redis_servers import Running

SESSIONS = "{user_id}:{thread_id}"
CALL = {"name": "clock", "args": {}, "id": "c1", "type": "tool_call"}
TALK: list[BaseMessage] = [
    SystemMessage("You are kind."),
    HumanMessage("My dog is called Rex.", id="same"),
    AIMessage("", tool_calls=[CALL]),
    ToolMessage("12:00", tool_call_id="c1"),
    AIMessage("A fine name.", id="same"),
    HumanMessage("My dog is called Rex."),
]


def texts(store: Any, user: str) -> list[str]:
    """What a user's search finds."""
    return sorted(found.memo.text for found in search(Scope(user), "", store=store, limit=100))


def thread(store: Any, user: str, name: str) -> list[str]:
    """A thread as its window shows it."""
    context = BufferMemory().get_context(Scope(user, name), "And?", store=store)
    return [message.text for message in context.messages[:-1]]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_table_becomes_threads_of_the_users_in_its_sessions(tmp_path: Path, way: str):
    """Tool calls and their results stay in the thread; equal words said twice are two messages; the file stays as it is."""
    path = tmp_path / "chats.db"
    message_store(
        path, [*(("ada:1", m) for m in TALK), ("bob:1", HumanMessage("Chess?")), ("ada:2", HumanMessage("Hello."))]
    )
    before = fingerprint(path)
    source = ChatHistory(f"sqlite:///{path}", SESSIONS)
    with open_store("sqlite://") as store:
        dry = imported(source, store, way, dry_run=True)
        assert everything(store) == {}
        report = imported(source, store, way)
        again = imported(source, store, way)

        assert texts(store, "ada") == ["A fine name.", "Hello.", "My dog is called Rex.", "My dog is called Rex."]
        assert thread(store, "ada", "1") == [TALK[1].text, "", "12:00", "A fine name.", TALK[5].text]
        assert texts(store, "bob") == ["Chess?"]
    assert dry.new == report.new == again.known == {"message": 7}
    assert again.sentence() == "imported: nothing new; 7 messages known already"
    assert fingerprint(path) == before
    assert [one.name for one in tmp_path.iterdir()] == ["chats.db"]


def test_sessions_of_one_user_need_no_template(tmp_path: Path):
    """And a session without a user and without a template is refused before anything is read."""
    path = tmp_path / "chats.db"
    message_store(path, [("one", HumanMessage("Hello."))], table="chats")
    with open_store("sqlite://") as store:
        imported(ChatHistory(f"sqlite:///{path}", user="ada", table="chats"), store)
        assert thread(store, "ada", "one") == ["Hello."]
        with pytest.raises(ConfigurationError, match="whose memory are these sessions"):
            imported(ChatHistory(f"sqlite:///{path}"), store)
        with pytest.raises(ConfigurationError, match=r"no table 'message_store' .* its tables are chats"):
            imported(ChatHistory(f"sqlite:///{path}", user="ada"), store)


def test_what_is_no_message_or_no_session_is_skipped_with_its_row(tmp_path: Path):
    """A session that could be two users' too."""
    path = tmp_path / "chats.db"
    rows: list[tuple[str | None, Any]] = [
        ("ada:1", HumanMessage("Hello.")),
        ("ada:1", "{oops"),
        ("ada:1", '{"role": "user"}'),
        ("ada:1", '{"type": "unheard", "data": {"content": "x"}}'),
        ("ada:1", '{"type": "human", "data": {"content": null}}'),
        (None, HumanMessage("x")),
        ("ada", HumanMessage("x")),
        ("ada:1:2", HumanMessage("x")),
    ]
    message_store(path, rows)
    with open_store("sqlite://") as store:
        report = imported(ChatHistory(f"sqlite:///{path}", SESSIONS), store)

    assert report.new == {"message": 1}
    assert report.skipped.total() == 7
    assert report.first["it is not JSON"] == "session ada:1, message 2"
    assert report.first["it has no session"] == "message 6"
    assert "can be read in two ways" in "\n".join(report.reasons())
    assert "Hello" not in "\n".join(report.reasons())


def test_files_are_sessions_by_their_names(tmp_path: Path):
    """A folder of them, or one."""
    for name, said in {"ada-1": TALK, "bob-1": [HumanMessage("Chess?")]}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps([message_to_dict(m) for m in said]), encoding="utf-8")
    (tmp_path / "broken-1.json").write_text("{", encoding="utf-8")
    with open_store("sqlite://") as store:
        report = imported(ChatHistory(tmp_path, "{user_id}-{thread_id}"), store)
        alone = imported(ChatHistory(str(tmp_path / "ada-1.json"), user="eve"), store)

        assert thread(store, "ada", "1")[-1] == "My dog is called Rex."
        assert texts(store, "bob") == ["Chess?"]
        assert thread(store, "eve", "ada-1") == thread(store, "ada", "1")
    assert report.reasons() == ["skipped 1: it is no JSON list of messages (first: file broken-1.json)"]
    assert alone.new == {"message": 5}


@pytest.mark.parametrize("stamp", [{"timestamp": 1738704840}, {"created_at": "2025-02-04T21:34:00Z"}])
def test_a_message_that_says_when_it_was_said_keeps_that(tmp_path: Path, stamp: dict[str, Any]):
    """In its own `additional_kwargs`, as applications write it."""
    path = tmp_path / "chats.db"
    message_store(path, [("1", HumanMessage("Hello.", additional_kwargs=stamp))])
    with open_store("sqlite://") as store:
        imported(ChatHistory(f"sqlite:///{path}", user="ada"), store)
        [found] = search(Scope("ada"), "", store=store)

    assert found.memo.said_at == datetime(2025, 2, 4, 21, 34, tzinfo=UTC)


def test_histories_in_postgres_have_times(new_database: str):
    """The table of langchain-postgres names sessions by UUIDs and says when each message came; it cannot be written to."""
    import psycopg

    session, at = uuid4(), datetime(2025, 2, 4, 21, 34, tzinfo=UTC)
    with psycopg.connect(new_database, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE chats (id SERIAL PRIMARY KEY, session_id UUID NOT NULL, message JSONB NOT NULL, "
            "created_at TIMESTAMPTZ NOT NULL DEFAULT NOW())"
        )
        for message in TALK:
            value = [session, json.dumps(message_to_dict(message)), at]
            connection.execute("INSERT INTO chats (session_id, message, created_at) VALUES (%s, %s, %s)", value)
    source = ChatHistory(new_database, user="ada", table="chats")
    with open_store("sqlite://") as store:
        report = imported(source, store)
        again = imported(source, store, "async")
        found = search(Scope("ada"), "Rex", store=store)

        assert thread(store, "ada", str(session))[0] == TALK[1].text
    assert report.new == again.known == {"message": 5}
    assert {one.memo.said_at for one in found} == {at}
    with (
        pytest.raises(ConfigurationError, match=r"no table 'message_store' .* chats"),
        open_store("sqlite://") as store,
    ):
        imported(ChatHistory(new_database, user="ada"), store)


def test_lists_in_redis_are_read_from_the_oldest_on(redis_server: Running):
    """Longer ones than a page; other keys and types are left alone; when a session grows, the rest is known."""
    client, prefix = redis_server.client(), f"store*{uuid4().hex}:"
    said = [
        HumanMessage(f"Line {number}.") if number % 2 == 0 else AIMessage(f"Line {number}.") for number in range(1203)
    ]
    for message in said[:1201]:
        client.lpush(f"{prefix}ada:1", json.dumps(message_to_dict(message)))
    client.lpush(f"{prefix}bob:1", json.dumps(message_to_dict(HumanMessage("Chess?"))))
    client.set(f"{prefix}ada:2", "no list")
    client.lpush(f"{prefix.replace('*', 'x')}eve:1", json.dumps(message_to_dict(HumanMessage("Other."))))
    source = ChatHistory(redis_server.url, SESSIONS, prefix=prefix)
    with open_store("sqlite://") as store:
        report = imported(source, store)
        for message in said[1201:]:
            client.lpush(f"{prefix}ada:1", json.dumps(message_to_dict(message)))
        again = imported(source, store)

        memos = sorted(
            (f.memo for f in search(Scope("ada"), "", store=store, limit=9999)), key=lambda memo: memo.origin.seq
        )
        assert [memo.text for memo in memos] == [message.text for message in said]
        assert texts(store, "bob") == ["Chess?"]
        assert texts(store, "eve") == []
    assert report.new == {"message": 1202}
    assert (again.new, again.known) == ({"message": 2}, {"message": 1202})


class JsonRedis:
    """The commands that a Redis with JSON documents answers, by redis-py's names."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def scan_iter(self, *, match: str, count: int, _type: str) -> Iterator[bytes]:
        """Keys in no order."""
        assert _type == "ReJSON-RL"
        pattern = re.compile(match.replace("*", ".*"))
        return (key.encode() for key in reversed(self._values) if pattern.fullmatch(key))

    def execute_command(self, name: str, key: str) -> str:
        """The document as a text."""
        assert name == "JSON.GET"
        return json.dumps(self._values[key])


def test_documents_in_redis_are_put_in_order_by_their_times():
    """The form of langchain-redis; what is none of it is named."""
    form = {
        "type": "human",
        "data": {"content": "Hello.", "additional_kwargs": {}, "type": "human"},
        "session_id": "ada:1",
    }
    client = JsonRedis(
        {
            "chat:ada:1:02": {**form, "message_id": "02", "timestamp": 1738704840.5},
            "chat:ada:1:01": {**form, "message_id": "01", "timestamp": 1738704841.0},
            "chat:ada:1:03": {"other": 1},
        }
    )

    fault, *found = documents(client, "chat:")

    assert "type and data" in str(fault)
    assert [one.place for one in found] == ["02", "01"]
    assert [one.at for one in found] == [datetime.fromtimestamp(t, UTC) for t in (1738704840.5, 1738704841.0)]
    assert found[0].value == {"type": "human", "data": form["data"]}
