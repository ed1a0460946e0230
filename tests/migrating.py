"""What tests of imports share: foreign data as its own programs write it, and the memory that came of it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, message_to_dict
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore

from graph_memory import Scope
from graph_memory.migration import Fault, ImportReport, Said, Source, aimport_from, import_from

ADA, BOB = Scope("ada"), Scope("bob")
WAYS = ("sync", "async")

REX = ("My dog is called Rex.", "A fine name.", "Rex is a beagle.", "Good dog.")
CHESS = ("I play chess on Mondays.", "With whom?")
BEGAN = datetime(2025, 2, 4, 21, 34, tzinfo=UTC)


def imported(source: Source, store: Any, way: str = "sync", **options: Any) -> ImportReport:
    """The report of an import."""
    if way == "sync":
        return import_from(source, store, **options)
    return asyncio.run(aimport_from(source, store, **options))


def everything(store: Any) -> dict[tuple[tuple[str, ...], str], Any]:
    """All items of a store."""
    found, offset = {}, 0
    while page := store.search((), limit=1000, offset=offset):
        found |= {(item.namespace, item.key): item.value for item in page}
        offset += len(page)
    return found


def fingerprint(path: Path) -> str:
    """What changes when a file does."""
    return sha256(path.read_bytes()).hexdigest()


def lines(*said: dict[str, Any] | str) -> str:
    """JSON Lines."""
    return "\n".join(one if isinstance(one, str) else json.dumps(one) for one in said)


def talk(user: str, thread: str, *texts: str, began: datetime = BEGAN) -> Iterator[dict[str, Any]]:
    """The lines of a thread: a human and an assistant in turn, a minute apart."""
    for number, text in enumerate(texts):
        at = (began + timedelta(minutes=number)).isoformat()
        role = ("user", "assistant")[number % 2]
        yield {"role": role, "content": text, "timestamp": at, "user_id": user, "thread_id": thread}


def message_store(
    path: Path, rows: Iterable[tuple[str | None, BaseMessage | str]], table: str = "message_store"
) -> None:
    """The table that `SQLChatMessageHistory` makes."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f'CREATE TABLE "{table}" (id INTEGER NOT NULL PRIMARY KEY, session_id TEXT, message TEXT)')
        values = [(one, m if isinstance(m, str) else json.dumps(message_to_dict(m))) for one, m in rows]
        connection.executemany(f'INSERT INTO "{table}" (session_id, message) VALUES (?, ?)', values)


def chatted(saver: Any, runs: Sequence[tuple[str | None, str, str | HumanMessage]], user_key: str = "user_id") -> None:
    """Has a graph answer in its threads: user, thread and what the user says."""
    builder = StateGraph(MessagesState)
    builder.add_node("answer", lambda state: {"messages": [AIMessage(f"I heard: {state['messages'][-1].text}")]})
    builder.add_edge(START, "answer")
    graph = builder.compile(checkpointer=saver)
    for user, thread, text in runs:
        scope = {"thread_id": thread} if user is None else {"thread_id": thread, user_key: user}
        graph.invoke({"messages": [HumanMessage(text) if isinstance(text, str) else text]}, {"configurable": scope})


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    """Two users' threads of one name, mixed line by line."""
    path = tmp_path / "said.jsonl"
    ada, bob = list(talk("ada", "1", *REX)), list(talk("bob", "1", *CHESS))
    path.write_text(lines(ada[0], bob[0], ada[1], ada[2], bob[1], ada[3]), encoding="utf-8")
    return path


def langmem() -> InMemoryStore:
    """What LangMem's manager and its tool write for two users."""
    store = InMemoryStore()
    store.put(("memories", "ada"), "1", {"kind": "Memory", "content": {"content": "Ada's dog is called Rex."}})
    store.put(("memories", "ada"), "2", {"content": "Ada is allergic to nuts."})
    episode = {
        "observation": "The build failed.",
        "thoughts": "A pin was missing.",
        "action": "Pinned it.",
        "result": "Green.",
    }
    store.put(("memories", "ada"), "3", {"kind": "Episode", "content": episode})
    store.put(("memories", "ada"), "4", {"kind": "UserProfile", "content": {"name": "Ada", "age": 36, "city": None}})
    store.put(("memories", "bob"), "1", {"kind": "Memory", "content": {"content": "Bob plays chess."}})
    return store


class Listed:
    """A source of records that are given."""

    def __init__(self, records: Callable[[], Iterable[Said | Fault | Any]]) -> None:
        self._records = records

    def records(self) -> Any:
        """What is given."""
        yield from self._records()
