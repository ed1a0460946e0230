"""Splitting threads: turns, exchanges, and what is left of a turn that is too long."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, SystemMessage, ToolMessage

from graph_memory.context import exchanges
from graph_memory.context.exchanges import shorten_turn, split_exchanges
from graph_memory.context.tokens import message_tokens
from graph_memory.context.turns import (
    split_thread,
)
from graph_memory.errors import BudgetError
from tests.merging import WORDS, chat
from tests.strategies import threads

NOW = datetime(2025, 6, 1, tzinfo=UTC)


MALFORMED = AIMessage("", invalid_tool_calls=[{"name": "f", "args": "{", "id": "1", "error": "no json"}])


def calling(*ids: str, text: str = "") -> AIMessage:
    return AIMessage(text, tool_calls=[{"name": "f", "args": {}, "id": i} for i in ids], id="+".join(ids))


def result(call_id: str, text: str = "ok") -> ToolMessage:
    return ToolMessage(text, tool_call_id=call_id, id=f"r-{call_id}")


def test_a_thread_is_its_system_messages_and_its_running_turn():
    """System messages are taken from anywhere; earlier turns are left to memories."""
    thread = [SystemMessage("a"), *chat(2), SystemMessage("b"), HumanMessage("now"), calling("1"), result("1")]
    parts = split_thread([*thread, RemoveMessage(id="gone")])

    assert [m.content for m in parts.system] == ["a", "b"]
    assert parts.human is thread[6]
    assert list(parts.running) == thread[6:]


def test_a_thread_without_a_human_message_is_all_running():
    """There is no turn to be earlier than."""
    parts = split_thread([SystemMessage("a"), AIMessage("hello"), AIMessage("anyone?")])

    assert parts.human is None
    assert [m.content for m in parts.running] == ["hello", "anyone?"]


def test_a_call_and_its_results_are_one_exchange():
    """Whatever the order of the results."""
    messages = [HumanMessage("q"), calling("1", "2"), result("2"), result("1"), AIMessage("done")]

    assert [(e.indices, e.rule) for e in split_exchanges(messages)] == [((0,), ""), ((1, 2, 3), ""), ((4,), "")]


@pytest.mark.parametrize(
    ("messages", "rules"),
    [
        ([result("1")], {0: exchanges.ORPHAN}),
        ([calling("1", "2"), result("1")], {0: exchanges.UNANSWERED, 1: exchanges.UNANSWERED}),
        ([calling("1"), AIMessage("hm"), result("1")], {0: exchanges.UNANSWERED, 1: "", 2: exchanges.ORPHAN}),
        ([calling("1"), result("1"), result("1")], {0: "", 1: "", 2: exchanges.ORPHAN}),
        (
            [calling("1", "1"), result("1"), result("1")],
            dict.fromkeys(range(2), exchanges.UNANSWERED) | {2: exchanges.ORPHAN},
        ),
        ([MALFORMED, AIMessage("sorry")], {0: exchanges.UNANSWERED, 1: ""}),
        ([AIMessage("")], {0: exchanges.EMPTY}),
        ([AIMessage("", additional_kwargs={"refusal": "no"})], {0: ""}),
        ([AIMessage("", additional_kwargs={"refusal": None})], {0: exchanges.EMPTY}),
        ([AIMessage("", additional_kwargs={"refusal": " "})], {0: exchanges.EMPTY}),
        ([AIMessage([{"type": "refusal", "refusal": ""}])], {0: exchanges.EMPTY}),
        ([AIMessage("", additional_kwargs={"reasoning_content": "hm"})], {0: exchanges.EMPTY}),
        ([AIMessage("", additional_kwargs={"session": "monday", "role": "bot", "timestamp": 1})], {0: exchanges.EMPTY}),
        ([AIMessage("", additional_kwargs={"audio": {"id": "audio-1"}})], {0: ""}),
        ([AIMessage("", additional_kwargs={"function_call": {"name": "f", "arguments": "{}"}})], {0: ""}),
        ([AIMessage(" \n", additional_kwargs={"said_at": "2026-01-01"})], {0: exchanges.EMPTY}),
        ([AIMessage([{"type": "text", "text": ""}, {"type": "thinking", "thinking": "hm"}])], {0: exchanges.EMPTY}),
        ([AIMessage([{"type": "image", "url": "https://example.org/cat.png"}])], {0: ""}),
    ],
)
def test_what_no_provider_accepts_has_a_rule(messages, rules):
    """Orphans, open calls, doubled results and empty messages."""
    found = {index: e.rule for e in split_exchanges(messages) for index in e.indices}

    assert found == rules


@given(threads())
def test_every_message_is_in_one_exchange(thread):
    """Nothing is counted twice and nothing is forgotten."""
    messages = [m for m in thread if m.type != "system"]
    found = [index for e in split_exchanges(messages) for index in e.indices]

    assert sorted(found) == list(range(len(messages)))


def test_a_turn_that_fits_is_left_alone():
    """The very same messages."""
    turn = [HumanMessage("q"), calling("1"), result("1"), AIMessage("done")]

    assert [fate.message for fate in shorten_turn(turn, 1000, WORDS)] == turn


def test_earlier_exchanges_of_a_long_turn_go_whole_and_oldest_first():
    """The human message and the newest exchange stay."""
    turn = [
        HumanMessage("q"),
        calling("1"),
        result("1", "w " * 50),
        calling("2"),
        result("2", "w " * 50),
        calling("3"),
        result("3"),
    ]
    fates = shorten_turn(turn, sum(message_tokens(turn, WORDS)) - 1, WORDS)

    assert [fate.kept for fate in fates] == [True, False, False, True, True, True, True]
    assert fates[1].rule == fates[2].rule == exchanges.TOO_OLD


def test_the_newest_exchange_has_its_results_shortened():
    """Long results are cut behind a marker that says by how much; short ones stay whole."""
    turn = [HumanMessage("q"), calling("1", "2"), result("1", "word " * 900), result("2", "short")]
    fates = shorten_turn(turn, 100, WORDS)

    assert sum(fate.tokens for fate in fates) <= 100
    assert fates[2].message.content.startswith("word word")
    assert "… [shortened: 8" in fates[2].message.content
    assert "tokens left out]" in fates[2].message.content
    assert fates[2].rule == exchanges.SHORTENED
    assert fates[3].message is turn[3]
    assert fates[2].message.tool_call_id == "1"
    assert len(turn[2].content) == 4500


def test_a_lone_newest_answer_is_shortened_too():
    """When another node speaks after it, it is all there is to shorten."""
    fates = shorten_turn([HumanMessage("q"), AIMessage("word " * 900)], 60, WORDS)

    assert sum(fate.tokens for fate in fates) <= 60
    assert "tokens left out]" in fates[1].message.content


def test_a_turn_that_cannot_be_short_enough_is_refused():
    """The error says what was needed and allowed, and nothing of what was said."""
    turn = [HumanMessage("secret " * 50), calling("1"), result("1")]

    with pytest.raises(BudgetError, match="raise budget_tokens") as caught:
        shorten_turn(turn, 20, WORDS)
    assert caught.value.needed_tokens > caught.value.budget_tokens == 20
    assert "secret" not in str(caught.value)


def test_open_calls_at_the_very_end_stay():
    """The node that runs next may be the one that answers them; half an answer is dropped with its call."""
    turn = [HumanMessage("q"), calling("1", "2")]

    assert all(fate.kept for fate in shorten_turn(turn, 100, WORDS))
    assert [fate.kept for fate in shorten_turn([*turn, result("1")], 100, WORDS)] == [True, False, False]
