"""The cache of token counts: a message is counted once, and the cache may not lie."""

from __future__ import annotations

import threading

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from graph_memory.context.counting import CachedCounter
from graph_memory.context.tokens import (
    MESSAGE_TOKENS,
    count_fields,
    message_tokens,
)


def fresh(capacity: int = 50_000) -> tuple[CachedCounter, list[str]]:
    """A counter of words with an empty cache, and the texts that it was asked to count."""
    asked: list[str] = []

    def count(text: str) -> int:
        asked.append(text)
        return len(text.split())

    return CachedCounter("words", True, 3, count, count_fields, capacity=capacity), asked


def test_a_message_is_counted_once():
    """The second time no text is tokenized, not even for an equal copy."""
    counter, asked = fresh()
    message = AIMessage("a b", id="1", tool_calls=[{"name": "f", "args": {}, "id": "c"}])
    first = counter.count_message(message)
    asked.clear()

    assert counter.count_message(message) == counter.count_message(message.model_copy(deep=True)) == first
    assert asked == []


@pytest.mark.parametrize(
    "change",
    [
        {"content": "a b c d"},
        {"name": "Ada"},
        {"tool_calls": [{"name": "f", "args": {"x": "1 2 3"}, "id": "c", "type": "tool_call"}]},
        {"content": [{"type": "text", "text": "a b c d"}]},
    ],
)
def test_an_edited_message_counts_anew(change):
    """The id stays, the cost does not."""
    counter, _ = fresh()
    message = AIMessage("a b", id="1")
    before = counter.count_message(message)
    edited = message.model_copy(update=change)

    assert counter.count_message(edited) == fresh()[0].count_message(edited) != before
    assert counter.count_message(message) == before


def test_a_message_changed_in_place_counts_anew():
    """Lists inside the cache are copies."""
    counter, _ = fresh()
    message = AIMessage(
        [{"type": "text", "text": "a"}], id="1", tool_calls=[{"name": "f", "args": {"x": "1"}, "id": "c"}]
    )
    before = counter.count_message(message)
    message.content[0]["text"] = "a b c"
    assert counter.count_message(message) == before + 2
    message.tool_calls[0]["args"]["x"] = "1 2 3"

    assert counter.count_message(message) == before + 4


def test_messages_without_ids_count_right():
    """No id, no confusion."""
    counter, _ = fresh()
    thread: list[BaseMessage] = [
        HumanMessage("a"),
        AIMessage("a b"),
        HumanMessage("a"),
        SystemMessage([{"type": "text", "text": "a"}]),
    ]

    assert message_tokens(thread, counter) == [5, 6, 5, 5]
    assert message_tokens(thread, counter) == [5, 6, 5, 5]


def test_a_result_with_the_id_of_a_human_message_counts_as_a_result():
    """Type and call id belong to what was counted."""
    counter, _ = fresh()
    counter.count_message(HumanMessage("a", id="1"))

    assert counter.count_message(ToolMessage("a", tool_call_id="x", id="1")) == MESSAGE_TOKENS + 1 + 3 + 1
    assert counter.count_message(AIMessageChunk("a", id="1")) == MESSAGE_TOKENS + 1


def test_the_cache_is_bounded_and_keeps_what_is_used():
    """Old entries go, those that are asked for stay."""
    counter, asked = fresh(capacity=100)
    favourite = HumanMessage("favourite", id="f")
    counter.count_message(favourite)
    for i in range(1000):
        counter.count_message(HumanMessage("x", id=str(i)))
        counter.count_message(favourite)

    assert asked.count("favourite") == 1
    assert len(counter._young) + len(counter._old) <= 100


def test_many_threads_may_count_at_once():
    """Same counts, no error, whatever is evicted meanwhile."""
    counter, _ = fresh(capacity=50)
    thread = [HumanMessage("w " * (i % 7), id=str(i % 90)) for i in range(400)]
    expected = [MESSAGE_TOKENS + i % 7 for i in range(400)]
    found: list[list[int]] = []
    workers = [threading.Thread(target=lambda: found.append(message_tokens(thread, counter))) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert found == [expected] * 8


def test_a_known_message_is_not_counted_again():
    """A thread of 10,000 known messages and a new one costs the new one."""
    counter, asked = fresh()
    thread = [HumanMessage("some words to count", id=str(i)) for i in range(10_000)]
    message_tokens(thread, counter)
    asked.clear()

    message_tokens([*thread, HumanMessage("and more", id="new")], counter)

    assert asked == ["and more"]
