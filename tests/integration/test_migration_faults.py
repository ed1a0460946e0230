"""Imports that meet with bad lines, failing stores and kill signals: nothing lost, nothing doubled, one sentence."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.store.memory import InMemoryStore

from graph_memory import (
    ConfigurationError,
    KeyValueMemory,
    StoreError,
    open_store,
    search,
)
from graph_memory.migration import (
    BadRecordError,
    ChatHistory,
    Conversations,
    Export,
    Kept,
    LangGraphItems,
    LangMem,
    Noted,
    Said,
    aimport_from,
)
from graph_memory.stores.sqlite import SqliteStore
from tests.fakes import BrokenStore
from tests.migrating import (
    ADA,
    BEGAN,
    CHESS,
    REX,
    WAYS,
    Listed,
    everything,
    imported,
    lines,
    message_store,
    talk,
    transcript,
)

__all__ = ["transcript"]


def test_what_cannot_be_used_is_named_counted_and_passed_over(tmp_path: Path):
    """By its line and without its content; what stands around it is imported."""
    path, good = tmp_path / "said.jsonl", list(talk("ada", "1", "One.", "Two."))
    bad = [
        "{oops",
        {"role": "user"},
        {**good[0], "user_id": {"a": 1}},
        {**good[0], "user_id": ""},
        {**good[0], "timestamp": "soon"},
    ]
    path.write_text(lines(good[0], *bad, good[1]), encoding="utf-8")
    with open_store("sqlite://") as store:
        report = imported(Conversations(path), store)

    assert report.new == {"message": 2}
    assert report.skipped.total() == 5
    assert [line.split(" (first: ")[1].rstrip(")") for line in report.reasons()] == [f"line {n}" for n in range(2, 7)]
    assert "names no user_id" in report.reasons()[3]


@pytest.mark.parametrize("way", WAYS)
def test_a_strict_import_ends_there_and_keeps_what_stands_before(tmp_path: Path, way: str):
    """One sentence with the number of the line."""
    path = tmp_path / "said.jsonl"
    path.write_text(lines(*talk("ada", "1", "One."), "{oops", *talk("ada", "2", "Two.")), encoding="utf-8")
    with open_store("sqlite://") as store:
        with pytest.raises(BadRecordError, match="line 2: this is not JSON") as error:
            imported(Conversations(path), store, way, strict=True)

        assert [f.memo.text for f in search(ADA, "", store=store)] == ["One."]
    assert error.value.fault.where == "line 2"


def test_a_value_that_cannot_be_kept_is_skipped_alone():
    """With the reason."""
    records = [Kept("item a", "ada", "1", " ", 1, BEGAN), Kept("item b", "ada", "1", "age", 36, BEGAN)]
    with open_store("sqlite://") as store:
        report = imported(Listed(lambda: records), store)

        assert KeyValueMemory().items(ADA, store=store) == {"age": 36}
    assert report.first == {"a key has 1 to 512 characters, not all blank; this one has 1": "item a"}


def test_a_source_that_breaks_off_loses_nothing_that_it_gave():
    """What was read is written before the error comes out."""

    def records() -> Any:
        yield Said("1", "ada", "t", "t", HumanMessage("One.", id="1"))
        raise StoreError("the server is gone")

    with open_store("sqlite://") as store:
        with pytest.raises(StoreError, match="the server is gone"):
            imported(Listed(records), store)

        assert [f.memo.text for f in search(ADA, "", store=store)] == ["One."]


@pytest.mark.parametrize(
    "failure", [RuntimeError("postgres://ada:secret@host"), OSError("disk")], ids=["own", "system"]
)
@pytest.mark.parametrize("way", WAYS)
def test_a_source_that_fails_by_itself_is_one_error(way: str, failure: Exception):
    """With what it raised as the cause, and nothing that it gave before is lost."""

    def records() -> Any:
        yield Noted("1", "ada", "1", "One.", BEGAN, {})
        raise failure

    with open_store("sqlite://") as store:
        with pytest.raises(StoreError, match=rf"^the source failed: {type(failure).__name__}$") as error:
            imported(Listed(records), store, way)

        assert [f.memo.text for f in search(ADA, "", store=store)] == ["One."]
    assert error.value.__cause__ is failure


async def test_an_import_that_is_cancelled_ends_so_and_closes_its_source():
    """Also while the source is being read: its thread closes it as soon as it has read on."""
    begun, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def records() -> Any:
        try:
            begun.set()
            go_on.wait()
            yield from (Noted(str(n), "ada", str(n), f"Fact {n}.", BEGAN, {}) for n in range(1000))
        finally:
            closed.set()

    async with open_store("sqlite://") as store:
        task = asyncio.create_task(aimport_from(Listed(records), store))
        assert await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not closed.is_set()
        go_on.set()

        assert await asyncio.to_thread(closed.wait, 30)


DEEP = json.loads("[" * 400 + "1" + "]" * 400)


@pytest.mark.parametrize(
    "crafted",
    [
        Noted("bad", "eve", "1", "One.", BEGAN, {"deep": DEEP}),
        Kept("bad", "eve", "1", "deep", DEEP, BEGAN),
        Said("bad", "eve", "t", "t", HumanMessage("One.", id="1", additional_kwargs={"deep": DEEP})),
    ],
    ids=["fact", "value", "message"],
)
def test_a_value_that_is_nested_too_deeply_is_skipped_alone(crafted: Any):
    """Nobody can end everybody's import by it."""
    with open_store("sqlite://") as store:
        report = imported(Listed(lambda: [crafted, Noted("2", "ada", "1", "One.", BEGAN, {})]), store)

    assert (report.first, report.new) == ({"it is nested more than 100 levels deep": "bad"}, {"fact": 1})


@pytest.mark.parametrize("kind", ["langmem", "items", "table", "file", "history"])
@pytest.mark.parametrize("levels", [400, 100_000])
def test_sources_pass_over_what_is_nested_too_deeply(tmp_path: Path, kind: str, levels: int):
    """In a store, in its table, in a history, or a whole file."""
    deep, path = "[" * levels + "1" + "]" * levels, tmp_path / "theirs.db"
    source: Any
    if kind in ("langmem", "items", "table"):
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE store (prefix, key, value, created_at, updated_at)")
            row = ("memories.eve", "1", f'{{"content": {deep}}}')
            connection.execute("INSERT INTO store VALUES (?, ?, ?, NULL, NULL)", row)
            connection.execute("INSERT INTO store VALUES ('memories.zoe', '1', '{\"content\": \"Tea.\"}', NULL, NULL)")
        url = f"sqlite:///{path}"
        source = LangMem(url) if kind == "langmem" else LangGraphItems(url, "{any},{user_id}", kept_as="values")
        source = LangGraphItems(url, "memories,{user_id}") if kind == "table" else source
    else:
        message = f'{{"type": "human", "data": {{"content": "One.", "additional_kwargs": {{"deep": {deep}}}}}}}'
        if kind == "file":
            (tmp_path / "eve.json").write_text(f"[{message}]", encoding="utf-8")
            (tmp_path / "zoe.json").write_text('[{"type": "human", "data": {"content": "Tea."}}]', encoding="utf-8")
            source = ChatHistory(tmp_path, sessions="{user_id}")
        else:
            message_store(path, [("eve", message), ("zoe", HumanMessage("Tea."))])
            source = ChatHistory(f"sqlite:///{path}", sessions="{user_id}")
    with open_store("sqlite://") as store:
        report = imported(source, store)

    assert (report.skipped.total(), report.new.total(), report.users) == (1, 1, {"zoe"})


def test_a_store_that_fails_is_one_error(transcript: Path):
    """Of the store's, not of the file's."""
    with pytest.raises(StoreError):
        imported(Conversations(transcript), BrokenStore(lambda op: True))


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (LangMem("sqlite:///missing.db"), "no file missing.db"),
        (LangMem("sqlite:///missing.db", namespace="memories"), r"write \{user_id\} into the namespace"),
        (LangMem("nonsense"), "not a url"),
        (Conversations(Path("missing.jsonl")), "missing.jsonl cannot be read: No such file"),
        (Conversations("missing.jsonl"), "missing.jsonl cannot be read: No such file"),
        (Export("missing.jsonl", "ada"), "missing.jsonl cannot be read: No such file"),
        (Export(Path("missing.jsonl"), "ada"), "missing.jsonl cannot be read: No such file"),
    ],
)
def test_a_source_that_is_wrong_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Any, sentence: str
):
    """Before anything is written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=sentence), open_store("sqlite://") as store:
        imported(source, store)
    assert list(tmp_path.iterdir()) == []


def test_an_import_that_fails_at_any_operation_is_completed_by_the_next(tmp_path: Path):
    """Episodes of sessions that are over, archived turns, facts, values and who takes part included."""
    path = tmp_path / "said.jsonl"
    later = talk("ada", "1", "Max is a cat.", "Nice.", began=BEGAN + timedelta(days=3))
    path.write_text(lines(*talk("ada", "1", *REX), *talk("bob", "1", *CHESS), *later), encoding="utf-8")
    facts: list[Any] = [
        Noted(str(n), "ada", str(n), f"Fact {n}.", BEGAN - timedelta(days=400 * n), {}) for n in range(3)
    ]
    values = [Kept(str(n), "bob", str(n), f"key {n}", n, BEGAN) for n in range(3)]
    source = Listed(lambda: [*Conversations(path).records(), *facts, *values])
    whole = InMemoryStore()
    imported(source, whole)
    assert any("episodes" in where[3] for where, _ in everything(whole))

    for count in range(1, 1000):
        left = iter(range(count))
        store = BrokenStore(lambda op, left=left: next(left, None) is None)
        try:
            imported(source, store)
        except StoreError:
            store.breaks = lambda op: False
            imported(source, store)
            assert everything(store) == everything(whole)
        else:
            break
    assert 20 < count < 999


def test_an_import_that_was_killed_goes_on_where_it_was(tmp_path: Path):
    """Killed in the middle, run again: the memory equals one that was never interrupted."""
    path, url = tmp_path / "said.jsonl", f"sqlite:///{tmp_path / 'memory.db'}"
    threads = [
        talk(f"user{n % 7}", f"t{n}", *(f"Line {i} of {n} about topic {i * n % 97}." for i in range(40)))
        for n in range(60)
    ]
    mixed = [line for row in zip(*threads, strict=True) for line in row]
    path.write_text(lines(*mixed), encoding="utf-8")
    command = [sys.executable, "-m", "graph_memory.cli", "import", str(path), "--memory", url]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    late = time.monotonic() + 60
    while not ((tmp_path / "memory.db").exists() and _count(url)):
        assert time.monotonic() < late, "nothing happened"
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = _count(url)

    with open_store(url) as store, open_store("sqlite://") as other:
        report = imported(Conversations(path), store)
        imported(Conversations(path), other)

        assert before > 0
        assert report.known["message"] + report.new["message"] == len(mixed)
        assert everything(store) == everything(other)


def _count(url: str) -> int:
    place = url.removeprefix("sqlite:///")
    with SqliteStore(place) as store:
        return len(store.search(("graph_memory",), limit=5))
