"""The search over everything: stored memos of every memory, the thread's own messages, and what links them."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langgraph.store.memory import InMemoryStore

from graph_memory import (
    BufferMemory,
    ConfigurationError,
    Found,
    KeyValueMemory,
    Scope,
    Turn,
    VectorMemory,
    asearch,
    search,
)
from graph_memory.steps import run
from tests.said import ADA, NOW, STORES, ago, said, store_of, tell, two_sessions

WAYS = ("search", "asearch")


def found(store: Any, query: str, way: str = "search", scope: Scope = ADA, **more: Any) -> list[Found]:
    """What a search finds."""
    return (
        search(scope, query, store=store, **more)
        if way == "search"
        else asyncio.run(asearch(scope, query, store=store, **more))
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"scope": "ada"}, "scope must be a Scope, not a str"),
        ({"query": None}, "query must be a text, not a NoneType"),
        ({"limit": "3"}, "limit must be a whole number, not '3'"),
        ({"store": "sqlite:///memory.db"}, "store must be a store, not a str: with open_store"),
    ],
)
def test_arguments_of_another_kind_are_told(way: str, given: dict[str, Any], sentence: str):
    """In one sentence that says what to give."""
    with pytest.raises(ConfigurationError, match=sentence):
        found(**{"store": InMemoryStore(), "query": "Rex", "way": way, **given})


def archived(store: Any, *turns: Any, scope: Scope = ADA, name: str = "buffer") -> None:
    """Has a buffer archive these turns."""
    for messages in turns:
        run(BufferMemory(name=name).remember(Turn(scope, tuple(messages), "t", NOW)), store=store)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", STORES)
def test_the_threads_archive_is_looked_through(kind: str, way: str):
    """Where no vector memory keeps it; only that of the thread which is named, whatever its buffer is called."""
    with store_of(kind) as store:
        archived(store, two_sessions()[2], name="window")
        archived(store, [said("Rex the second.", NOW, "x1")], scope=Scope("ada", "u"))
        archived(store, [said("Bob's Rex.", NOW, "y1")], scope=Scope("bob", "t"))
        best = found(store, "Who is ill?", way)[0]
        elsewhere = found(store, "Who is ill?", way, Scope("ada"))
        listed = [one.memo.text for one in found(store, "", way)]

    assert (best.memo.text, best.memo.id, best.memo.kind) == ("My dog Rex is ill.", "h3", "message")
    assert best.memo.origin.memory == "thread"
    assert elsewhere == []
    assert listed == ["Poor Rex!", "My dog Rex is ill."]


def test_messages_that_are_not_stored_yet_are_found():
    """Those of a state; instructions and tools are not what was said."""
    messages = [SystemMessage("Rex is secret."), HumanMessage("My dog Rex is ill."), AIMessage("Poor Rex!")]
    everything = found(InMemoryStore(), "Is the dog ill?", scope=Scope("ada"), messages=messages)

    assert everything[0].memo.text == "My dog Rex is ill."
    assert not any("secret" in one.memo.text for one in everything)


def test_a_message_that_is_stored_and_archived_is_found_once():
    """As the memo that vector memory keeps."""
    store, turn = InMemoryStore(), two_sessions()[2]
    tell(store, [turn])
    archived(store, turn)

    texts = [one.memo.text for one in found(store, "Is Rex ill?", messages=turn)]
    listed = [one.memo.text for one in found(store, "", messages=turn)]

    assert sorted(texts) == sorted(listed) == ["My dog Rex is ill.", "Poor Rex!"]
    assert all(one.memo.origin.memory == "vector" for one in found(store, "Is Rex ill?"))


def test_kinds_and_filters_hold_for_the_thread_too():
    """A message is of kind "message"."""
    store = InMemoryStore()
    archived(store, [said("Rex is ill.", NOW, "h1", metadata={"project": "x"})], [said("Rex is well.", NOW, "h2")])

    assert found(store, "Rex", kinds=["fact"]) == []
    assert len(found(store, "Rex", kinds=["message"])) == 2
    assert [one.memo.text for one in found(store, "Rex", filter={"project": "x"})] == ["Rex is ill."]


def test_what_shares_a_turn_or_a_name_is_linked():
    """Across memories; each link is among what was found."""
    store = InMemoryStore()
    tell(store, two_sessions())
    archived(store, [said("The vet looked at Rex today.", ago(days=1), "z1")])

    results = {one.memo.text: one for one in found(store, "dog Rex ill vet", limit=20)}
    ids = {one.memo.id for one in results.values()}

    ill, vet = results["My dog Rex is ill."], results["The vet looked at Rex today."]
    assert vet.memo.id in ill.links
    assert results["Poor Rex!"].memo.id in ill.links
    assert all(set(one.links) <= ids - {one.memo.id} for one in results.values())


def test_relative_times_are_read_against_the_present():
    """ "yesterday" is the day before the search."""
    now = datetime.now(UTC)
    store = InMemoryStore()
    tell(
        store,
        [[said("We ate cake.", now - timedelta(days=20), "h1")], [said("We ate soup.", now - timedelta(days=1), "h2")]],
    )

    assert [one.memo.text for one in found(store, "What did we eat yesterday?", kinds=["message"], limit=1)] == [
        "We ate soup."
    ]
    [cake] = VectorMemory().search(ADA, "What did we eat 20 days ago?", store=store, limit=1)
    assert cake.memo.text == "We ate cake."


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("query", ["What colour do I like?", ""])
def test_values_that_hold_no_longer_are_not_found(kind: str, way: str, query: str):
    """Replaced, deleted or expired: of key-value memory only what holds now is found, searched for or listed."""
    ada = Scope("ada")
    clock = iter([NOW, NOW + timedelta(hours=1)])
    with store_of(kind) as store:
        memory = KeyValueMemory(versions=3, clock=lambda: next(clock, datetime.now(UTC)))
        memory.set(ada, "colour I like", "red", store=store)
        memory.set(ada, "colour I like", "green", store=store)
        memory.set(ada, "colour of the house", "white", store=store)
        memory.delete(ada, "colour of the house", store=store)
        memory.set(ada, "colour for today", "blue", store=store, ttl_seconds=0.001)
        time.sleep(0.01)
        texts = [one.memo.text for one in found(store, query, way, ada)]

    assert texts == ["colour I like: green"]


def test_a_listing_is_not_crowded_out_by_what_is_no_memo():
    """Archives, slots of commits and values that hold no longer take nobody's place."""
    store, ada = InMemoryStore(), Scope("ada", "t")
    archived(store, *([said(f"Line {i}.", NOW, f"l{i}")] for i in range(150)))
    for i in range(120):
        KeyValueMemory().set(ada, "language", f"Esperanto {i}", store=store)
    tell(store, [[said("My dog Rex is ill.", NOW, "h1")]])

    texts = [one.memo.text for one in found(store, "", scope=Scope("ada"), limit=2)]

    assert sorted(texts) == ["My dog Rex is ill.", "language: Esperanto 119"]
