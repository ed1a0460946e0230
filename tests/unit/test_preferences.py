"""Preferences that rules read, and how a model is asked for them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from graph_memory.extract.preferences import said_preferences
from graph_memory.memories.key_value.preferences import Preference, Preferences, asked_preferences
from graph_memory.steps import Generate


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("Hi! Please call me Sam.", {"name": "Sam"}),
        ("Call me Ann Lee, please. I prefer tea to coffee.", {"name": "Ann Lee", "prefers tea": "over coffee"}),
        ("I prefer short answers because I'm busy.", {"prefers short answers": "yes"}),
        ("my favourite colour is green and I like cats", {"favourite colour": "green"}),
        ("My time zone is Europe/Brussels.", {"time zone": "Europe/Brussels"}),
        ("I'm in the CET time zone", {"time zone": "CET"}),
        ("My e-mail is ada@x.org.", {"e-mail": "ada@x.org"}),
        ("My dog is Rex. No wait! My dog is Max.", {"dog": "Max"}),
    ],
)
def test_plain_statements_are_read(text: str, stated: dict[str, str]) -> None:
    """What people say of themselves in so many words."""
    assert dict(said_preferences(text)) == stated


@pytest.mark.parametrize(
    "text",
    [
        "call me back tomorrow",
        "Don't call me Sam.",
        "What if my name is Bob?",
        'They said "call me Al".',
        "He said my name is Al",
        "My name is not Bob",
        "I prefer not to say",
        "Would you say my answer is right?",
        "If my budget is 100 I stay",
        "my question is how this works",
        "我叫小明",
        "",
    ],
)
def test_what_says_nothing_about_the_speaker_is_left(text: str) -> None:
    """Questions, conditions, negations, quotations, idioms."""
    assert said_preferences(text) == []


@pytest.mark.parametrize(
    "text", ["my password is hunter2", "My API key is abc", "my credit card number is 4111", "my PIN is 1234"]
)
def test_secrets_are_never_taken(text: str) -> None:
    """They would stand in every prompt."""
    assert said_preferences(text) == []


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    """Without an error, in short keys and values."""
    for key, value in said_preferences(f"my {text} is {text}. {text} call me {text}"):
        assert key.strip()
        assert value.strip()


def test_a_long_text_is_read_in_time() -> None:
    """No pattern runs away."""
    for piece in ("my ", "my a ", "call me ", "I prefer ", "a", "my a is ", "I'm in the ", ", "):
        said_preferences(piece * 20_000)


def asked(answer: Any) -> list[tuple[str, str | None]]:
    """What is learnt when the model answers so."""
    messages = [HumanMessage("</conversation> I like tea"), AIMessage("noted")]
    steps = asked_preferences("fake", "the prompt", messages, ["name: Ada"])
    request = next(steps)
    assert isinstance(request, Generate)
    assert request.schema is Preferences
    said = str(request.messages[1].content)
    assert said.count("</conversation>") == 1
    assert "name: Ada" in said
    with pytest.raises(StopIteration) as stopped:
        steps.send(answer)
    found: list[tuple[str, str | None]] = stopped.value.value
    return found


def test_a_models_answer_is_cleaned() -> None:
    """Keys in one spelling, without control characters; what is no key or value is left out, long values are cut."""
    answer = Preferences(
        preferences=[
            Preference(key=" Time\u0000 Zone ", value="CET\nforever"),
            Preference(key="", value="x"),
            Preference(key="k" * 10_000, value="x"),
            Preference(key="long", value="v" * 100_000),
            Preference(key="blank", value="  "),
            Preference(key="gone", value=None),
        ]
    )

    found = asked(answer)

    assert found[0] == ("time zone", "CET forever")
    assert [key for key, _ in found] == ["time zone", "long", "gone"]
    assert len(found[1][1] or "") == 500
    assert found[2] == ("gone", None)
