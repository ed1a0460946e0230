"""Key-value memory in the store: found by search, learnt from turns by rules and by a model, forgotten."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from graph_memory import ModelError, Scope, Turn, forget, search
from graph_memory.extract.preferences import said_preferences
from graph_memory.memories.key_value.memory import KeyValueMemory
from graph_memory.memories.key_value.preferences import Preference, Preferences
from graph_memory.memories.key_value.replaced import without_replaced
from graph_memory.namespaces import ROOT
from graph_memory.steps import Generate, run

ADA = Scope(user_id="ada", thread_id="t")
EVE = Scope(user_id="eve", thread_id="t")


def told(*texts: str, root: str = "t", now: datetime | None = None, first: int = 0) -> Turn:
    """A turn in which a human says these."""
    messages = tuple(HumanMessage(text, id=f"h{first + i}") for i, text in enumerate(texts))
    return Turn(ADA, (*messages, AIMessage("ok", id=f"a{first}")), root, now or datetime.now(UTC))


def test_values_are_found_by_search_and_forgotten(store: BaseStore) -> None:
    """Like all memos, and by nobody else."""
    memory = KeyValueMemory()
    memory.set(ADA, "favourite city", "Ghent", store=store)

    assert [found.memo.text for found in search(ADA, "which city?", store=store, kinds=["value"])] == [
        "favourite city: Ghent"
    ]
    assert search(EVE, "which city?", store=store) == []
    assert memory.list(ADA, store=store) == ["favourite city"]
    assert forget(store, "ada") > 0
    assert memory.items(ADA, store=store) == {}


def test_replaced_and_deleted_values_can_be_taken_out_of_a_search(store: BaseStore) -> None:
    """They stay in the store for forks of the thread that learnt them, but are no answer to a search any more."""
    memory = KeyValueMemory(extract=said_preferences)
    memory.set(ADA, "city", "Ghent", store=store)
    for turn in (told("My bar is Moe. My dog is Rex."), told("My dog is Max.", first=3)):
        run(memory.remember(turn), store=store)
    memory.delete(ADA, "bar", store=store)

    found = search(ADA, "", store=store, kinds=["value"], limit=50)
    left = run(without_replaced(ADA, found, datetime.now(UTC)), store=store)

    assert {one.memo.text for one in left} == {"city: Ghent", "dog: Max"}


def test_it_learns_nothing_unless_asked(store: BaseStore) -> None:
    """What a rule misreads would stand in every prompt."""
    run(KeyValueMemory().remember(told("call me Sam")), store=store)

    assert store.search((ROOT,)) == []


def test_rules_learn_from_what_people_say(store: BaseStore) -> None:
    """The newest statement counts, and telling a turn again changes nothing."""
    memory = KeyValueMemory(extract=said_preferences)
    first = told("call me Sam", "no, call me Max")

    for turn in (first, first, told("my time zone is CET", first=5)):
        run(memory.remember(turn), store=store)

    assert memory.items(ADA, store=store) == {"name": "Max", "time zone": "CET"}
    assert [value for _, value in memory.history(ADA, "name", store=store)] == ["Max", "Sam"]
    assert len(store.search((ROOT,))) == 3


def test_a_deletion_hides_what_turns_wrote_but_keeps_it(store: BaseStore) -> None:
    """Behind a tombstone; setting the key again brings it back with the new value."""
    memory = KeyValueMemory(extract=said_preferences)
    run(memory.remember(told("call me Sam")), store=store)

    assert memory.delete(ADA, "name", store=store)
    assert memory.get(ADA, "name", store=store) is None
    assert [value for _, value in memory.history(ADA, "name", store=store)] == ["Sam"]
    memory.set(ADA, "name", "Max", store=store)
    assert memory.get(ADA, "name", store=store) == "Max"


def test_one_text_twice_in_a_turn_can_be_embedded() -> None:
    """LangGraph's InMemoryStore cannot embed it twice in one batch."""
    store = InMemoryStore(index={"dims": 2, "embed": lambda texts: [[1.0, 0.0] for _ in texts], "fields": ["text"]})
    memory = KeyValueMemory(extract=said_preferences)

    run(memory.remember(told("call me Sam", "as I said: please call me Sam")), store=store)

    assert memory.get(ADA, "name", store=store) == "Sam"


def modelled(memory: KeyValueMemory, answer: Any, store: BaseStore, turn: Turn) -> list[Generate]:
    """Remembers, with a model that answers so or fails; what it was asked."""
    steps, requests = memory.remember(turn), []
    try:
        request = next(steps)
        while True:
            if isinstance(request, Generate):
                requests.append(request)
                request = steps.throw(answer) if isinstance(answer, Exception) else steps.send(answer)
            else:
                request = steps.send(store.batch(request.ops))
    except StopIteration:
        return requests


def test_a_model_is_asked_once_a_turn_and_may_take_back() -> None:
    """It sees what is known; null deletes."""
    store, memory = InMemoryStore(), KeyValueMemory(model="fake:model")
    memory.set(ADA, "diet", "vegan", store=store)
    answer = Preferences(preferences=[Preference(key="diet", value=None), Preference(key="Pet", value="cat")])

    [request] = modelled(memory, answer, store, told("I eat meat again", "and I have a cat"))

    assert "diet: vegan" in str(request.messages[1].content)
    assert memory.items(ADA, store=store) == {"pet": "cat"}


def test_a_model_that_fails_leaves_no_trace() -> None:
    """The error is the caller's, who tells the turn again later."""
    store, memory = InMemoryStore(), KeyValueMemory(model="fake:model")

    with pytest.raises(ModelError):
        modelled(memory, ModelError("the model is down"), store, told("call me Sam"))

    assert store.search((ROOT,)) == []
