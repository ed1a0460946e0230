"""Importance by rules: what raises it, what lowers it, in any language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.extract.importance import importance
from tests.strategies import texts

PLAIN = importance("it went on for a while and nothing much came of it")


def test_a_plain_sentence_is_in_the_middle():
    """An assistant's counts less than a person's, a system prompt more."""
    text = "it went on for a while"

    assert importance(text, "ai") < importance(text) == importance(text, "human") == PLAIN < importance(text, "system")


@pytest.mark.parametrize("text", ["Hello!", "Thanks so much :)", "ok", "Guten Morgen", "merci", "¡Hola! Buenos días"])
def test_greetings_and_thanks_hardly_matter(text):
    """They are forgotten first."""
    assert importance(text) == pytest.approx(0.1)


@pytest.mark.parametrize(
    "text",
    [
        "remember that I take the early train",
        "we decided to take the early train",
        "I prefer the early train to the late one",
        "my name is Ada and I like trains",
        "the report must be there early",
        "the train leaves at 7:45 in the morning",
        "my sister was born on 2021-03-14, they say",
        "it will cost about 300 €, they say",
        "we met with Ada and talked about trains",
        "the page is at https://example.org and so on",
        "wir haben uns entschieden zu bleiben",
        "je préfère le premier train du matin",
        "no olvides que vivo en otro lugar",
        "会議は2025年3月1日です",
    ],
)
def test_what_one_would_want_to_know_later_matters_more(text):
    """Weight, decisions, preferences, one's own life, duties; numbers, times, names and links in any language."""
    assert importance(text) > PLAIN


def test_signs_add_up():
    """A decision with a date is worth more than either."""
    both = importance("we decided that it begins on 2025-03-01")

    assert both > importance("we decided that it begins soon")
    assert both > importance("they say that it begins on 2025-03-01")


@pytest.mark.parametrize("mark", ["?", "？", "؟", '?"', "?!", "? "])
def test_a_question_matters_less_than_a_statement(mark):
    """What was asked is seldom what is worth knowing."""
    assert importance(f"is there a train in the morning{mark}") < PLAIN


def test_a_fragment_matters_less_than_a_sentence():
    """In scripts without spaces too."""
    assert importance("blue") < PLAIN
    assert importance("蓝色") < PLAIN
    assert importance("我们昨天一起去了公园散步") == PLAIN


def test_a_word_inside_another_is_no_sign():
    """And a name needs a sentence around it."""
    assert importance("that is unimportant to them I think") == PLAIN
    assert importance("Trains are there in the morning") == PLAIN


@given(text=texts, role=st.sampled_from(["human", "ai", "system", "tool", "critic", ""]))
def test_every_text_has_an_importance_between_0_and_1(text, role):
    """Whoever says it; nothing said does not matter."""
    value = importance(text, role)

    assert 0 <= value <= 1
    assert value > 0 or not any(character.isalnum() for character in text)


@given(text=texts)
def test_being_marked_as_important_never_lowers_it(text):
    """Whatever else is said."""
    assert importance(f"important: {text} .") >= min(importance(f"this: {text} ."), 1.0)
