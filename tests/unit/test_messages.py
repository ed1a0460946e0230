"""Reading LangChain messages."""

from __future__ import annotations

from datetime import UTC, datetime

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from graph_memory.messages import is_final_answer, is_spoken, newest_human, said_at, speaker_of, text_of, with_ids

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_text_is_what_was_written() -> None:
    """Text blocks are joined; pictures and other blocks say nothing."""
    blocks = ["one", {"type": "text", "text": "two"}, {"type": "image_url", "image_url": {"url": "x"}}]
    assert text_of(HumanMessage(blocks)) == "one\ntwo"


def test_the_speaker_is_the_name_or_the_role() -> None:
    """A message without a name is spoken by its role."""
    assert speaker_of(HumanMessage("x", name="Ada")) == "Ada"
    assert speaker_of(AIMessage("x")) == "Assistant"


def test_a_message_may_say_when_it_was_said() -> None:
    """ISO 8601 in any zone; nonsense and nothing count as now."""

    def stamped(stamp: object) -> datetime:
        return said_at(HumanMessage("x", additional_kwargs={"said_at": stamp}), NOW)

    assert stamped("2025-03-02T10:00:00+02:00") == datetime(2025, 3, 2, 8, tzinfo=UTC)
    assert stamped("2025-03-02T10:00:00") == datetime(2025, 3, 2, 10, tzinfo=UTC)
    assert stamped("last week") == stamped(None) == stamped(7) == NOW


def test_a_turn_ends_with_an_answer_that_calls_no_tools() -> None:
    """Neither a tool call nor a human's message ends it."""
    assert is_final_answer(AIMessage("done"))
    assert not is_final_answer(AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "1"}]))
    assert not is_final_answer(HumanMessage("hi"))


def test_tools_and_the_system_say_nothing() -> None:
    """Only people and the assistant do, and only with words."""
    assert is_spoken(HumanMessage("hi"))
    assert not is_spoken(AIMessage("  "))
    assert not is_spoken(SystemMessage("be kind"))
    assert not is_spoken(ToolMessage("42", tool_call_id="1"))


def test_missing_ids_are_derived_and_stay_the_same() -> None:
    """The same thread gives the same ids; equal messages at two places differ; present ids are kept."""
    thread = [HumanMessage("hi"), AIMessage("hi", id="a"), HumanMessage("hi")]

    first, second = with_ids(thread), with_ids([*thread, AIMessage("more")])

    assert [m.id for m in first] == [m.id for m in second[:3]]
    assert len({m.id for m in first}) == 3
    assert first[1].id == "a"
    assert thread[0].id is None


def test_messages_may_come_as_dicts_and_tuples() -> None:
    """Whatever LangChain converts."""
    assert [m.type for m in with_ids([("user", "hi"), {"role": "assistant", "content": "ho"}])] == ["human", "ai"]


def test_the_newest_human_message_is_found() -> None:
    """Or -1."""
    assert newest_human([HumanMessage("a"), AIMessage("b"), HumanMessage("c"), AIMessage("d")]) == 2
    assert newest_human([AIMessage("b")]) == -1
