"""What the ranked search keeps of memos between searches: never something that has changed, never shared with a caller."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from graph_memory import Scope, Turn, VectorMemory
from graph_memory.memories import ranked
from graph_memory.memories.searching import Found
from graph_memory.namespaces import namespace
from graph_memory.steps import run
from graph_memory.stores.sqlite import SqliteStore

ADA = Scope(user_id="ada", thread_id="t")
WHERE = namespace(ADA, "vector")
STORES = [pytest.param(lambda: SqliteStore(None), id="sqlite"), pytest.param(InMemoryStore, id="memory")]


def remember(store: BaseStore, *texts: str, **extra: Any) -> None:
    """One turn, the speakers in alternation."""
    kinds: Sequence[Any] = (HumanMessage, AIMessage)
    messages: list[BaseMessage] = [
        kinds[i % 2](text, id=f"m{i}", additional_kwargs=extra) for i, text in enumerate(texts)
    ]
    run(VectorMemory().remember(Turn(ADA, tuple(messages), "root", datetime(2023, 5, 1, tzinfo=UTC))), store=store)


def found(store: BaseStore, question: str = "tea") -> list[Found]:
    """A search by all signals."""
    return VectorMemory().search(ADA, question, store=store)


@pytest.mark.parametrize("made", STORES)
def test_a_memo_that_has_changed_is_ranked_as_it_is_now(made: Any) -> None:
    """The same key with another text and other neighbours, twice in one moment and without a new time."""
    store = made()
    remember(store, "I like tea.", "So do I.")
    [first, *_] = found(store)
    item = store.get(WHERE, first.memo.id)
    remember(store, "I like tea, tea and tea.", "So do I.")
    [second, *_] = found(store)
    store.put(WHERE, item.key, item.value, index=["search"])
    [third, *_] = found(store)

    assert (first.memo.text, second.memo.text) == ("I like tea.", "I like tea, tea and tea.")
    assert first.parts["words"] != second.parts["words"]
    assert third == first


@pytest.mark.parametrize("made", STORES)
def test_what_a_caller_does_to_a_memo_stays_with_the_caller(made: Any) -> None:
    """A memo's metadata is a mapping of its own in every search."""
    store = made()
    remember(store, "I like tea.", metadata={"topics": ["tea"]})
    [one] = found(store)
    one.memo.metadata["topics"].append("mine")

    if not isinstance(store, InMemoryStore):  # which hands out what it keeps
        assert found(store)[0].memo.metadata == {"topics": ["tea"]}
        assert VectorMemory().search(ADA, "tea", store=store, filter={"topics": ["tea"]})[0].parts == one.parts


def test_a_note_is_decoded_once_and_forgotten_with_its_user() -> None:
    """While the text that it comes from is the same; on a foreign store, while the memo is equal."""
    ranked.forget_notes()
    for store in (SqliteStore(None), InMemoryStore()):
        remember(store, "I like tea.", "So do I.")
        for _ in range(3):
            found(store)

    assert ranked._kept_note.cache_info().misses == len(ranked._foreign_notes) == 2
    ranked.forget_notes()
    assert ranked._kept_note.cache_info().currsize == len(ranked._foreign_notes) == 0


def test_a_transcript_inside_a_memo_says_who_speaks() -> None:
    """By the participants' names at the beginning of a line, not inside one."""
    store = SqliteStore(None)
    remember(store, "Ann: I drink tea.\n Bob: Me too.", "They say to Bob: drink tea.", name="x")
    values = [item.value for item in store.search(WHERE)]
    voices = {value["text"][:4]: ranked._voices(ranked.note_of(value), ["Ann", "Bob", "Eve"]) for value in values}

    assert voices == {"Ann:": {"User", "Ann", "Bob"}, "They": {"Assistant"}}


def test_a_very_long_memo_is_found_but_not_kept() -> None:
    """Ten thousand of them would fill the memory."""
    ranked.forget_notes()
    with SqliteStore(None) as store:
        remember(store, "I like tea. " * 2000, "So do I.")

        assert found(store)[0].memo.text.startswith("I like tea.")
        assert ranked._kept_note.cache_info().currsize == 1
