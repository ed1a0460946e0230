"""Key-value memory as application code uses it."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from graph_memory import ConfigurationError, Query, Scope, StoreError, Turn, open_store
from graph_memory.extract.preferences import said_preferences
from graph_memory.memories.key_value.memory import KeyValueMemory
from graph_memory.memories.key_value.shelf import LONGEST_NAME
from graph_memory.namespaces import ROOT
from graph_memory.steps import run
from tests.fakes import words_counter
from tests.store_helpers import Clock

ADA = Scope(user_id="ada", thread_id="t")


def asked(text: str = "", now: datetime | None = None, **more: Any) -> Query:
    """A query for ada's memory."""
    message = HumanMessage(text, id="q")
    query = Query(ADA, text, (message,), "q", 1000, words_counter(), now or datetime.now(UTC))
    return replace(query, **more)


def lines(memory: KeyValueMemory, store: BaseStore, query: Query) -> list[str]:
    """What the context is offered."""
    return [snippet.text for snippet in run(memory.recall(query), store=store).snippets]


def told(*texts: str, root: str = "t", now: datetime | None = None, first: int = 0) -> Turn:
    """A turn in which a human says these."""
    messages = tuple(HumanMessage(text, id=f"h{first + i}") for i, text in enumerate(texts))
    return Turn(ADA, (*messages, AIMessage("ok", id=f"a{first}")), root, now or datetime.now(UTC))


def test_values_are_set_got_listed_and_deleted(store: BaseStore) -> None:
    """The whole of what application code does."""
    memory = KeyValueMemory()

    memory.set(ADA, "theme", "dark", store=store)
    memory.set(ADA, "theme", "light", store=store)
    memory.set(ADA, "thème/ß", {"n": [1, 10**40, None]}, store=store)

    assert memory.get(ADA, "theme", store=store) == "light"
    assert memory.list(ADA, store=store) == ["theme", "thème/ß"]
    assert memory.list(ADA, "thè", store=store) == ["thème/ß"]
    assert memory.items(ADA, store=store) == {"theme": "light", "thème/ß": {"n": [1, 10**40, None]}}
    assert memory.delete(ADA, "theme", store=store)
    assert not memory.delete(ADA, "theme", store=store)
    assert memory.get(ADA, "theme", 7, store=store) == 7
    assert memory.items(ADA, store=store) == {"thème/ß": {"n": [1, 10**40, None]}}


def test_the_async_twins_do_the_same(store: BaseStore) -> None:
    """Over `abatch`."""
    memory = KeyValueMemory(versions=2)

    async def use() -> None:
        await memory.aset(ADA, "n", 1, store=store)
        await memory.aset(ADA, "n", 2, store=store)
        assert await memory.aget(ADA, "n", store=store, type=int) == 2
        assert await memory.alist(ADA, store=store) == ["n"]
        assert await memory.aitems(ADA, store=store) == {"n": 2}
        assert [value for _, value in await memory.ahistory(ADA, "n", store=store)] == [2, 1]
        assert await memory.adelete(ADA, "n", store=store)
        assert await memory.aget(ADA, "n", store=store) is None

    asyncio.run(use())


def test_a_value_is_checked_by_its_type(store: BaseStore) -> None:
    """What fits is converted, what does not is refused; a default is not checked."""
    memory = KeyValueMemory()
    memory.set(ADA, "since", "2026-01-02T00:00:00Z", store=store)

    assert memory.get(ADA, "since", store=store, type=datetime) == datetime(2026, 1, 2, tzinfo=UTC)
    assert memory.get(ADA, "other", "none", store=store, type=int) == "none"
    with pytest.raises(StoreError, match="no int"):
        memory.get(ADA, "since", store=store, type=int)


def test_namespaces_are_apart(store: BaseStore) -> None:
    """The same key in two of them is two values; the context shows the memory's own unless told otherwise."""
    memory = KeyValueMemory()
    memory.set(ADA, "k", "profile", store=store)
    memory.set(ADA, "k", "settings", store=store, namespace="settings")

    assert memory.get(ADA, "k", store=store) == "profile"
    assert memory.get(ADA, "k", store=store, namespace="settings") == "settings"
    assert lines(memory, store, asked()) == ["k: profile"]
    assert lines(KeyValueMemory(shows=("settings", "profile")), store, asked()) == ["k: settings", "k: profile"]


def test_a_value_expires_also_where_the_store_has_no_ttl() -> None:
    """After its seconds it is gone from get, list and the context, and the value before does not come back."""
    clock = Clock()
    with open_store("sqlite://", clock=clock) as ours:
        for store in (InMemoryStore(), ours):
            memory = KeyValueMemory(clock=clock)
            run(KeyValueMemory(extract=lambda text: [("code", "old")]).remember(told("x", now=clock())), store=store)
            memory.set(ADA, "code", "new", store=store, ttl_seconds=60)
            assert memory.get(ADA, "code", store=store) == "new"

            clock.advance(seconds=61)

            assert memory.get(ADA, "code", store=store) is None
            assert memory.list(ADA, store=store) == []
            assert lines(memory, store, asked(now=clock())) == []
            assert not memory.delete(ADA, "code", store=store)


def test_the_newest_value_counts_though_the_clock_goes_back(store: BaseStore) -> None:
    """What was set last is what is got."""
    clock = Clock()
    memory = KeyValueMemory(clock=clock, versions=3)

    memory.set(ADA, "k", 1, store=store)
    clock.advance(days=-5)
    memory.set(ADA, "k", 2, store=store)

    assert memory.get(ADA, "k", store=store) == 2
    assert memory.delete(ADA, "k", store=store)
    assert memory.get(ADA, "k", store=store) is None


@given(st.integers(1, 4), st.lists(st.integers(), min_size=1, max_size=10))
def test_history_is_bounded(versions: int, values: list[int]) -> None:
    """The last values in order, newest first, and no more items than that."""
    store, memory = InMemoryStore(), KeyValueMemory(versions=versions)
    for value in values:
        memory.set(ADA, "k", value, store=store)

    assert [value for _, value in memory.history(ADA, "k", store=store)] == values[::-1][:versions]
    assert len(store.search((ROOT,), limit=100)) == min(versions, len(values))


@pytest.mark.parametrize("key", ["", "  ", "k" * 10_000, "k" * (LONGEST_NAME + 1), 7])
def test_a_key_has_a_limit(key: Any) -> None:
    """And is refused in one sentence."""
    memory, store = KeyValueMemory(), InMemoryStore()

    for use in (memory.get, memory.delete, memory.history):
        with pytest.raises(ConfigurationError, match="key"):
            use(ADA, key, store=store)
    with pytest.raises(ConfigurationError, match="key"):
        memory.set(ADA, key, 1, store=store)


@given(st.text(min_size=1, max_size=LONGEST_NAME).filter(str.strip), st.text(min_size=1).filter(str.strip))
def test_keys_of_any_text_never_meet(one: str, other: str) -> None:
    """Two keys are two values."""
    memory, store = KeyValueMemory(), InMemoryStore()
    memory.set(ADA, one, "one", store=store)
    memory.set(ADA, other[:LONGEST_NAME], "other", store=store)

    assert memory.get(ADA, one, store=store) == ("other" if one == other[:LONGEST_NAME] else "one")


IDS = st.sampled_from(["", "a", "a.b", "A", "*", "%", "ada", "ada:", "user:ada:", "ada\x1f", "адa"])


@given(IDS, IDS, IDS)
def test_no_user_reaches_another(one: str, other: str, space: str) -> None:
    """Law 6: neither by ids, nor by names of memories and namespaces; an empty id is nobody's, and private to the thread."""
    store, name = InMemoryStore(), space or "x"
    KeyValueMemory(name="kv").set(Scope(one, "t"), "secret", "7731", store=store, namespace=name)

    found = KeyValueMemory(name="kv", namespace=name).items(Scope(other, "u"), store=store)

    assert found == ({"secret": "7731"} if one == other != "" else {})


def test_two_writers_lose_nothing(store: BaseStore) -> None:
    """Each key is a record of its own."""
    memory = KeyValueMemory()

    def write(name: str) -> None:
        for i in range(20):
            memory.set(ADA, f"{name}{i}", i, store=store)

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(memory.list(ADA, store=store)) == 40


def test_the_profile_is_lines_that_stay_in_place() -> None:
    """In the order in which they were set, clipped, placed where prompts change rarely, chosen alike whatever is asked."""
    clock, store = Clock(), InMemoryStore()
    memory = KeyValueMemory(clock=clock, shown_characters=20)
    for key, value in {"time zone": "CET", "note": "word " * 50, "pet": {"cat": 2}}.items():
        memory.set(ADA, key, value, store=store)
        clock.advance(seconds=1)

    section = run(memory.recall(asked("in which zone am I?", now=clock())), store=store)

    assert [s.text for s in section.snippets] == ["time zone: CET", "note: word word word word…", 'pet: {"cat": 2}']
    assert (section.placement, section.pinned) == ("system", False)
    assert {snippet.score for snippet in section.snippets} == {0.0}


def test_a_profile_beside_the_question_is_scored_by_its_words() -> None:
    """There it changes with every turn anyway."""
    clock, store = Clock(), InMemoryStore()
    memory = KeyValueMemory(clock=clock, placement="tail")
    for key, value in {"time zone": "CET", "note": "word"}.items():
        memory.set(ADA, key, value, store=store)

    section = run(memory.recall(asked("in which zone am I?", now=clock())), store=store)

    assert sorted(snippet.score for snippet in section.snippets) == [0.0, 1.0]


def test_a_filter_selects_by_metadata(store: BaseStore) -> None:
    """As in every memory of the store."""
    memory = KeyValueMemory()
    memory.set(ADA, "a", 1, store=store, metadata={"project": "x"})
    memory.set(ADA, "b", 2, store=store)

    assert lines(memory, store, asked(filter={"project": "x"})) == ["a: 1"]


@pytest.mark.parametrize(
    "options",
    [
        {"placement": "history"},
        {"namespace": ""},
        {"shows": "profile"},
        {"versions": 0},
        {"shown_characters": 0},
        {"ttl_seconds": 0},
        {"ttl_seconds": float("nan")},
        {"compress_above_bytes": -1},
        {"model": "a:b", "extract": said_preferences},
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    """Before a graph is built with them."""
    with pytest.raises(ConfigurationError):
        KeyValueMemory(**options)


def test_damage_in_the_store_is_passed_over(store: BaseStore) -> None:
    """An item of another make does not keep the rest from being read."""
    memory = KeyValueMemory()
    memory.set(ADA, "k", 1, store=store)
    [item] = store.search((ROOT,))
    store.put(item.namespace, "junk", {"no": "memo"}, index=False)
    store.put(item.namespace, "old", {"metadata": 3, "origin": {}, "said_at": "x"}, index=False)

    assert memory.items(ADA, store=store) == {"k": 1}
    assert memory.get(ADA, "k", store=store) == 1
