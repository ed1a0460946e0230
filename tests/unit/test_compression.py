"""When a thread is compressed, what is kept word for word, and the figures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from graph_memory.errors import ConfigurationError
from graph_memory.memories.summary.compression import (
    Compression,
    Compressions,
    adaptive_threshold,
    compressed_until,
    compressible_until,
)
from graph_memory.memories.summary.preserving import PreserveRules, sorted_out

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def words(text: str) -> int:
    """One token a word."""
    return len(text.split())


def looked_up(result: str = "Rain, 7 degrees.", status: str = "success", call_id: str = "1") -> list[BaseMessage]:
    """A call of a tool with its result."""
    return [
        AIMessage("", id=f"call{call_id}", tool_calls=[{"name": "weather", "args": {"city": "Oslo"}, "id": call_id}]),
        ToolMessage(result, id=f"result{call_id}", name="weather", tool_call_id=call_id, status=status),
    ]


def until(turn_tokens: list[int], threshold: int, keep: int, least: int = 0, find: Any = compressed_until) -> int:
    """`compressed_until` for turns of two messages each."""
    sums = [0]
    for tokens in turn_tokens:
        sums += [sums[-1] + tokens // 2, sums[-1] + tokens]
    starts = list(range(0, 2 * len(turn_tokens), 2))
    return find(starts, sums, threshold_tokens=threshold, keep_recent=keep, least_tokens=least)


def test_nothing_is_compressed_below_the_threshold():
    """Exactly the threshold is not above it."""
    assert until([10, 10, 10], 30, 2) == 0
    assert until([10, 10, 12], 30, 2) == 4


def test_whole_turns_stay():
    """What is kept is rounded up to turns."""
    assert until([10] * 6, 50, 3) == 8
    assert until([10] * 6, 50, 4) == 8
    assert until([10] * 6, 50, 5) == 6


def test_now_is_not_replayed():
    """A long thread that was there before is compressed up to its newest messages at once."""
    assert until([10] * 8, 40, 2) == 8
    assert until([10] * 8, 40, 2, find=compressible_until) == 14
    assert until([10] * 4, 40, 2, find=compressible_until) == 0
    assert until([10] * 9, 40, 2, least=200, find=compressible_until) == 0


def test_long_turns_do_not_compress_at_each_one():
    """When what is kept is above the threshold by itself, a compression waits for enough to be worth it."""
    kept = [until([100] * n, 150, 4, least=150) for n in range(1, 9)]

    assert kept == [0, 0, 0, 4, 4, 8, 8, 12]


@given(st.lists(st.integers(0, 40).map(lambda n: 2 * n), max_size=30), st.integers(1, 200), st.integers(0, 8))
def test_a_thread_is_compressed_where_it_was(turns: list[int], threshold: int, keep: int):
    """Replaying a thread that has grown never takes anything back, and starts at a turn."""
    places = [until(turns[:n], threshold, keep, threshold // 8) for n in range(len(turns) + 1)]

    assert places == sorted(places)
    assert all(place % 2 == 0 and place <= max(0, 2 * n - keep) for n, place in enumerate(places))


@pytest.mark.parametrize(
    ("complexity", "tokens"), [("simple", 20_000), ("medium", 40_000), ("complex", 60_000), ("expert", 80_000)]
)
def test_harder_questions_keep_more(complexity, tokens: int):
    """The reference's 40,000 of 100,000 tokens, times its multipliers."""
    assert adaptive_threshold(100_000, complexity) == tokens


def test_figures_survive_the_state_and_add_up():
    """What a compression did is plain JSON, and totals count each message once."""
    first = Compression(NOW, "h1", "selective", 4, 1, 100, 40, 60, 20)
    second = Compression(NOW, "h2", "selective", 2, 0, 90, 45)

    both = Compressions().plus(first, 100).plus(second, 50)

    assert Compression.from_value(first.to_value()) == first
    assert (both.count, both.messages, both.tokens_before, both.tokens_after) == (2, 6, 150, 45)
    assert (both.input_tokens, both.ratio, both.last) == (60, 0.3, second)
    assert both.after("h2")
    assert not both.after("h1")
    assert (first.ratio, first.saved_tokens) == (0.4, 60)


def test_a_tool_call_is_kept_with_its_result():
    """Both as one, and what is said around them is not."""
    chat = [HumanMessage("Weather?", id="h"), *looked_up(), AIMessage("It rains.", id="a")]

    told = sorted_out((), chat, PreserveRules(), max_tokens=50, count=words)

    assert [one.ids for one in told.preserved] == [("call1", "result1")]
    assert told.preserved[0].text == 'Assistant: calls weather({"city": "Oslo"})\nweather: Rain, 7 degrees.'
    assert [message.id for message in told.rest] == ["h", "a"]


@pytest.mark.parametrize(
    "message",
    [
        HumanMessage("This is IMPORTANT: no nuts."),
        HumanMessage("No nuts.", additional_kwargs={"important": True}),
        HumanMessage("No nuts.", additional_kwargs={"metadata": {"importance": 0.9}}),
        AIMessage("ValueError: no such table"),
        HumanMessage("keep: no nuts"),
    ],
)
def test_what_is_marked_is_kept(message: BaseMessage):
    """By word, by metadata, as an error, by a predicate of the user's."""
    rules = PreserveRules(predicate=lambda message: str(message.content).startswith("keep:"))

    assert sorted_out((), [message], rules, max_tokens=50, count=words).preserved


def test_rules_can_be_turned_off():
    """Then everything is summarised."""
    rules = PreserveRules(tool_calls=False, errors=False, important=False, words=())
    chat = [*looked_up(status="error"), HumanMessage("important", additional_kwargs={"important": True})]

    assert sorted_out((), chat, rules, max_tokens=50, count=words).preserved == ()


def test_unimportant_is_part_of_another_word():
    """A word is looked for whole."""
    assert not sorted_out((), [HumanMessage("all unimportant")], PreserveRules(), max_tokens=9, count=words).preserved


def test_what_is_marked_stays_when_room_is_short():
    """The room goes by rank, then to the newest; what had room before is given back for the summary."""
    old = sorted_out((), looked_up(), PreserveRules(), max_tokens=50, count=words).preserved
    chat = [HumanMessage("important: no nuts", id="h"), *looked_up(call_id="2")]

    told = sorted_out(old, chat, PreserveRules(), max_tokens=12, count=words)

    assert [one.ids for one in told.preserved] == [("h",), ("call2", "result2")]
    assert [one.ids for one in told.evicted] == [("call1", "result1")]


def test_wrong_rules_are_refused():
    """A share that is none, and a text instead of words."""
    with pytest.raises(ConfigurationError, match="max_share"):
        PreserveRules(max_share=1.5)
    with pytest.raises(ConfigurationError, match="words"):
        PreserveRules(words="important")  # type: ignore[arg-type]
