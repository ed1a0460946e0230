"""Vector memory, stepped by hand: take the request, look at it, send an answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.store.base import SearchItem
from langgraph.store.memory import InMemoryStore

from graph_memory import (
    BufferMemory,
    Memo,
    Query,
    Scope,
    Turn,
    VectorMemory,
)
from graph_memory.memories.records import memo_id
from graph_memory.namespaces import namespace
from graph_memory.steps import run
from graph_memory.types import Origin
from tests.stepping import ADA, NOW, asked, finished, hit, memo, turn


def stepped(memory: VectorMemory, query: Query, items: list[SearchItem]) -> Any:
    """The memory's section, when nobody is known to take part and the store finds `items`."""
    steps = memory.recall(query)
    next(steps)
    steps.send([None])
    steps.send([items])
    return finished(steps, [])


def test_vector_memory_asks_its_own_namespace_for_the_question() -> None:
    """Who takes part, then one search in the user's namespace, with the question as it was asked."""
    steps = VectorMemory(candidates=7, limit=5).recall(asked("where does my sister live?"))
    [first] = next(steps).ops

    [search] = steps.send([None]).ops

    assert first.namespace[:2] == search.namespace_prefix[:2] == ("graph_memory", "user:ada:")
    assert search.namespace_prefix == namespace(ADA, "vector")
    assert (search.query, search.limit) == ("where does my sister live?", 7)


def test_vector_memory_offers_the_best_first_and_the_fresher_of_equals() -> None:
    """Score first, then freshness; each snippet can be traced to its memo, and shows its speaker under its date."""
    old, new = memo("old", "a cat", said_at=NOW - timedelta(days=9)), memo("new", "a cat")
    best = memo("best", "a cat on the mat", speaker="Ada")

    section = stepped(VectorMemory(), asked("which cat on which mat?"), [hit(old, 0.5), hit(new, 0.5), hit(best, 0.9)])

    assert [s.memo_id for s in section.snippets] == ["best", "new", "old"]
    assert (section.snippets[0].text, section.snippets[0].label) == ("Ada: a cat on the mat", "2026-01-02")
    assert section.snippets[0].parts["coverage"] > section.snippets[1].parts["coverage"] > 0


def test_vector_memory_leaves_out_what_does_not_hold() -> None:
    """Below the threshold, no longer valid, of another namespace, or without the metadata asked for."""
    fine = memo("fine", "the cat", metadata={"topic": "x"})
    items = [
        hit(fine, 0.9),
        hit(replace(fine, id="weak", text="a dog"), -0.9),
        hit(replace(fine, id="over", valid_to=NOW), 0.9),
        hit(replace(fine, id="later", valid_from=NOW + timedelta(hours=1)), 0.9),
        hit(replace(fine, id="else", metadata={"topic": "y"}), 0.9),
        hit(replace(fine, id="alien"), 0.9, where=namespace(Scope("eve"), "vector")),
        SearchItem(namespace(ADA, "vector"), "junk", {"no": "memo"}, NOW, NOW, 0.9),
    ]

    section = stepped(VectorMemory(threshold=0.3, filter={"topic": "x"}), asked("the cat"), items)

    assert [s.memo_id for s in section.snippets] == ["fine"]


def test_a_question_without_words_is_not_searched_for() -> None:
    """A picture alone finds nothing."""
    with pytest.raises(StopIteration) as stopped:
        VectorMemory().recall(asked("  ")).send(None)
    assert stopped.value.value.snippets == ()


def test_vector_memory_stores_one_memo_a_message_with_its_neighbours() -> None:
    """Tools are left out; keys are those of the messages; neighbours stand beside the text."""
    store = InMemoryStore()
    messages = (
        HumanMessage("where?", id="1", name="Ada"),
        AIMessage("", id="2", tool_calls=[{"name": "f", "args": {}, "id": "c"}]),
        ToolMessage("secret error", id="3", tool_call_id="c", status="error"),
        AIMessage("In Ghent.", id="4"),
    )

    run(VectorMemory().remember(Turn(ADA, messages, "root", NOW)), store=store)

    memos = {item.key: Memo.from_value(item.value) for item in store.search(namespace(ADA, "vector"))}
    assert set(memos) == {memo_id("root", "1", "vector"), memo_id("root", "4", "vector")}
    answer = memos[memo_id("root", "4", "vector")]
    assert (answer.text, answer.before, answer.role, answer.speaker) == ("In Ghent.", "where?", "ai", "Assistant")
    assert answer.origin == Origin("root", seq=1, turn_id="1", memory="vector", ordinal=1)


def test_the_memo_before_learns_what_followed_it() -> None:
    """When the next turn is remembered, the last message of the turn before is told."""
    store, memory = InMemoryStore(), VectorMemory()
    run(memory.remember(turn("where?", "which one?")), store=store)

    run(memory.remember(turn("the one in Ghent", first=2, previous=AIMessage("which one?", id="m1"))), store=store)

    item = store.get(namespace(ADA, "vector"), memo_id("root", "m1", "vector"))
    assert item is not None
    assert item.value["after"] == "the one in Ghent"


@given(st.lists(st.text(max_size=20), min_size=1, max_size=6), st.integers(1, 3))
def test_remembering_again_leaves_the_same_records(texts: list[str], times: int) -> None:
    """Law 4: a turn that is remembered several times leaves what one time leaves."""
    once, often = InMemoryStore(), InMemoryStore()
    memories = (VectorMemory(), BufferMemory())
    for memory in memories:
        run(memory.remember(turn(*texts)), store=once)
        for _ in range(times):
            run(memory.remember(turn(*texts)), store=often)

    def contents(store: InMemoryStore) -> list[Any]:
        return sorted((i.namespace, i.key, repr(i.value)) for i in store.search((), limit=1000))

    assert contents(once) == contents(often)


def test_two_equal_texts_in_one_turn_are_remembered() -> None:
    """Also by a store that cannot embed the same text twice in one batch."""
    store = InMemoryStore(index={"dims": 2, "embed": lambda texts: [[1.0, 0.0] for _ in texts], "fields": ["text"]})

    run(VectorMemory().remember(turn("hi", "hi")), store=store)

    assert len(store.search(namespace(ADA, "vector"))) == 2


def test_a_message_that_repeats_the_one_before_is_remembered() -> None:
    """Also when the memo before is written again in the same batch, and the store cannot embed a text twice."""
    store = InMemoryStore(index={"dims": 2, "embed": lambda texts: [[1.0, 0.0] for _ in texts], "fields": ["text"]})
    long = "one two three four five six seven eight nine ten eleven twelve"
    run(VectorMemory().remember(turn("hello", long)), store=store)

    run(VectorMemory().remember(turn(long, first=2, previous=AIMessage(long, id="m1"))), store=store)

    assert len(store.search(namespace(ADA, "vector"))) == 3


@pytest.mark.parametrize("answer", [[1.0], None, ["x", "y"], [float("nan"), 1.0]])
def test_a_reranker_that_answers_nonsense_changes_nothing(answer: Any) -> None:
    """Too few scores, none, words, no numbers: the order stays as it was."""
    store = InMemoryStore()
    run(VectorMemory().remember(turn("a cat", "a cat on a mat")), store=store)

    plain = VectorMemory().search(ADA, "which cat on which mat?", store=store)
    again = VectorMemory(reranker=lambda query, texts: answer).search(ADA, "which cat on which mat?", store=store)

    assert [one.memo.id for one in again] == [one.memo.id for one in plain]
    assert len(again) == 2
