"""Export and import of one user: the round trip, and one sentence for everything that can be wrong with a file."""

from __future__ import annotations

import asyncio
import io
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, ConfigurationError, Scope, StoreError, Turn, VectorMemory, open_store, search
from graph_memory.lifecycle import aexport_user, aimport_user, export_user, import_user
from graph_memory.namespaces import namespace
from graph_memory.steps import run
from tests.fakes import BrokenStore
from tests.said import ADA, NOW, STORES, items_of, said, store_of, tell, two_sessions

WAYS = ("sync", "async")


def filled(store: Any) -> Any:
    """The store with memos, an episode, participants and archived turns of ada's, by two agents."""
    for scope in (ADA, Scope("ada", "t", "helper")):
        tell(store, two_sessions(), scope=scope)
        messages = tuple(message for turn in two_sessions() for message in turn)
        run(BufferMemory().remember(Turn(scope, messages, "t", NOW)), store=store)
    return store


def written(store: Any, target: Any, way: str = "sync", user: str = "ada") -> int:
    """What an export says."""
    return export_user(store, user, target) if way == "sync" else asyncio.run(aexport_user(store, user, target))


def read(store: Any, source: Any, way: str = "sync", user: str = "ada", **more: Any) -> int:
    """What an import says."""
    if way == "sync":
        return import_user(store, user, source, **more)
    return asyncio.run(aimport_user(store, user, source, **more))


def export_of(store: Any, user: str = "ada") -> list[str]:
    """The lines of an export."""
    file = io.StringIO()
    export_user(store, user, file)
    return file.getvalue().removesuffix("\n").split("\n")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", STORES)
def test_what_is_exported_comes_back_as_it_was(tmp_path: Path, kind: str, way: str):
    """Every namespace, key and value; and it is found again by words."""
    path = tmp_path / "ada.jsonl"
    with store_of(kind) as store, store_of(kind) as other:
        before = items_of(filled(store))
        counts = written(store, path, way), read(other, path, way)
        after = items_of(other)
        [best, *_] = search(ADA, "Who is ill?", store=other, limit=1)

    assert before == after
    assert counts == (len(before), len(before))
    assert "Rex" in best.memo.text
    assert list(tmp_path.iterdir()) == [path]


def test_importing_twice_changes_nothing():
    """That is how an interrupted import is finished."""
    store, lines = InMemoryStore(), export_of(filled(InMemoryStore()))
    half = [*lines[:5], "{oops"]
    with pytest.raises(ConfigurationError, match="line 6"):
        read(store, io.StringIO("\n".join(half)))

    assert len(items_of(store)) == 4
    read(store, io.StringIO("\n".join(lines)))
    before = items_of(store)
    read(store, io.StringIO("\n".join(lines)))
    assert items_of(store) == before == items_of(filled(InMemoryStore()))


@pytest.mark.parametrize("way", WAYS)
def test_another_users_memory_is_taken_over_only_when_told_to(way: str):
    """Then it is theirs as it was the other's, and the other's stays."""
    lines, store = "\n".join(export_of(filled(InMemoryStore()))), InMemoryStore()

    with pytest.raises(ConfigurationError, match="holds the memory of 'ada'"):
        read(store, io.StringIO(lines), way, "bob")
    assert not items_of(store, "bob")
    read(store, io.StringIO(lines), way, "bob", from_user="ada")

    mine, theirs = items_of(store, "bob"), items_of(filled(InMemoryStore()))
    assert {(where[2:], key): value for (where, key), value in mine.items()} == {
        (where[2:], key): value for (where, key), value in theirs.items()
    }
    assert not items_of(store)


HEAD = '{"graph_memory":1,"user":"ada"}'
ITEM = '{"namespace":["agent::","memory:vector:"],"key":"k","value":{"a":1}}'


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([], "the export is empty"),
        (["[]"], "line 1 .* no JSON object"),
        (["{}"], "line 1 .* begins with"),
        (['{"graph_memory":2,"user":"ada"}'], "version 2, this graph_memory reads version 1"),
        (['{"graph_memory":1,"user":7}'], "line 1 .* begins with"),
        ([HEAD], "ends after 0 items without its last line"),
        ([HEAD, ITEM], "ends after 1 items without its last line"),
        ([HEAD, ITEM, '{"items":2}'], "line 3 .* says that 2 items"),
        ([HEAD, '{"items":0}', ITEM], "line 3 .* after the end"),
        ([HEAD, "not json"], "line 2 .* not JSON"),
        ([HEAD, "", ITEM], "line 2 .* not JSON"),
        ([HEAD, '{"namespace":["a"],"key":"k","value":{"a":NaN}}'], "line 2 .* not JSON"),
        ([HEAD, "[" * 100_000], "line 2 .* not JSON"),
        ([HEAD, '{"namespace":["a"],"key":"k"}'], "line 2 .* namespace, a key and a value"),
        ([HEAD, '{"namespace":["a"],"key":"k","value":{},"user":"bob"}'], "line 2 .* nothing else"),
        ([HEAD, '{"namespace":[],"key":"k","value":{}}'], "line 2 .* list of labels"),
        ([HEAD, '{"namespace":["a",""],"key":"k","value":{}}'], "line 2 .* list of labels"),
        ([HEAD, '{"namespace":"a","key":"k","value":{}}'], "line 2 .* list of labels"),
        ([HEAD, '{"namespace":["a"],"key":1,"value":{}}'], "line 2 .* key must be text"),
        ([HEAD, '{"namespace":["a"],"key":"k","value":[]}'], "line 2 .* JSON object"),
    ],
)
def test_a_wrong_file_is_refused_with_the_number_of_its_line(lines: list[str], sentence: str):
    """One sentence, never the content of the line."""
    with pytest.raises(ConfigurationError, match=sentence) as error:
        read(InMemoryStore(), io.StringIO("\n".join(lines)))

    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path):
    """In one sentence."""
    path = tmp_path / "ada.jsonl"
    path.write_bytes(HEAD.encode() + b"\n\xff\xfe\n")

    with pytest.raises(ConfigurationError, match="not UTF-8"):
        read(InMemoryStore(), path)


@pytest.mark.parametrize("way", WAYS)
def test_an_export_that_fails_leaves_the_file_that_was_there(tmp_path: Path, way: str):
    """And nothing beside it."""
    path = tmp_path / "ada.jsonl"
    path.write_text("yesterday's", encoding="utf-8")

    with pytest.raises(StoreError):
        written(BrokenStore(lambda op: True), path, way)
    assert path.read_text(encoding="utf-8") == "yesterday's"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("way", WAYS)
def test_a_link_stays_one_and_what_it_names_is_written(tmp_path: Path, way: str):
    """A backup that is kept elsewhere is not left behind with yesterday's state."""
    path, link = tmp_path / "ada.jsonl", tmp_path / "link.jsonl"
    path.write_text("yesterday's", encoding="utf-8")
    link.symlink_to(path)

    written(filled(InMemoryStore()), link, way)

    assert link.is_symlink()
    assert json.loads(path.read_text(encoding="utf-8").split("\n")[0])["user"] == "ada"
    assert sorted(tmp_path.iterdir()) == [path, link]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path, way: str):
    """A named pipe, or a device: whoever reads it gets the lines."""
    pipe, got = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text(encoding="utf-8")))
    reader.start()

    count = written(filled(InMemoryStore()), pipe, way)
    reader.join()

    assert json.loads(got[0].splitlines()[-1]) == {"items": count}
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_more_than_a_page_is_exported_and_nobody_elses():
    """Twelve hundred items of ada's, among those of users whose names begin like hers."""
    store = InMemoryStore()
    for user in ("ada", "ada2", "ad"):
        for number in range(1200):
            store.put(("graph_memory", f"user:{user}:", "agent::", "memory:v:"), str(number), {"n": number})

    lines = [json.loads(line) for line in export_of(store)]

    assert len(lines) == 1202
    assert lines[-1] == {"items": 1200}
    assert not any("ad" in label for line in lines[1:-1] for label in line["namespace"] if label.startswith("user:"))


def test_half_of_a_surrogate_pair_survives():
    """Text that has no UTF-8 is written as escapes."""
    with open_store("sqlite://") as store:
        store.put(("graph_memory", "user:ada:", "agent::", "memory:v:"), "k", {"text": "\ud83d broken"})
        lines = export_of(store)
        other = InMemoryStore()
        read(other, io.StringIO("\n".join(lines)))

    assert "\n".join(lines).encode()
    assert next(iter(items_of(other).values())) == {"text": "\ud83d broken"}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
labels = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=".\0"), min_size=1, max_size=8)
records = st.dictionaries(
    st.tuples(st.lists(labels, min_size=1, max_size=4).map(tuple), st.text(max_size=8)),
    st.dictionaries(st.text(max_size=8), values, max_size=4),
    max_size=6,
)


@given(records)
def test_any_record_makes_the_round_trip(kept: dict[tuple[tuple[str, ...], str], dict[str, Any]]):
    """Whatever a memory keeps."""
    store, other = InMemoryStore(), InMemoryStore()
    for (where, key), value in kept.items():
        store.put(("graph_memory", "user:ada:", *where), key, value)

    read(other, io.StringIO("\n".join(export_of(store))))

    assert items_of(other) == items_of(store)


def test_a_vector_memory_goes_on_after_an_import():
    """What is said next knows what was said before."""
    store = InMemoryStore()
    read(store, io.StringIO("\n".join(export_of(filled(InMemoryStore())))))
    turns = two_sessions()
    turn = Turn(ADA, (said("Rex is well again.", NOW, "h4"),), "t", NOW, turns[-1][-1], {"seq": 6})
    run(VectorMemory().remember(turn), store=store)

    episodes = search(ADA, "", store=store, kinds=["episode"])
    assert any("Rex" in one.memo.text for one in episodes)


def test_what_waits_in_the_outbox_is_not_exported(tmp_path: Path):
    """Its pointer would stay behind, so no worker would ever take it in."""
    store = InMemoryStore()
    store.put((*namespace(Scope(user_id="ada"), "@outbox"), "lane"), "1", {"memory": "vector"})
    store.put(namespace(Scope(user_id="ada"), "vector"), "m", {"text": "hello"})

    assert export_user(store, "ada", tmp_path / "ada.jsonl") == 1
    assert "@outbox" not in (tmp_path / "ada.jsonl").read_text()
