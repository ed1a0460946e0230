"""Which memos say the same, and which must never be taken for one another."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.lifecycle.duplicates import near_duplicates, says_the_same
from graph_memory.types import Memo, Origin
from tests.said import NOW

LONG = "We went to the market in the morning and bought apples, pears, bread and a large cheese for the feast"


def memo(text: str, number: int = 0, *, by: str = "Ann", origin: Origin | None = None) -> Memo:
    """A memo of Ann's; the higher its number, the later it was said."""
    return Memo(str(number), text, origin or Origin("t", seq=number), NOW + timedelta(minutes=number), speaker=by)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Good morning!", "good morning"),
        ("I like tea.", "Well, I really like the tea"),
        (LONG, LONG.replace("large", "big")),
        ("こんにちは。", "こんにちは"),
    ],
)
def test_case_punctuation_fillers_and_a_word_of_many_make_no_difference(one: str, other: str):
    """These say the same."""
    assert says_the_same(memo(one), memo(other), 0.9)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I moved to Paris.", "I moved to London."),
        ("I like tea.", "I do not like tea."),
        ("My dog is ill.", "Your dog is ill."),
        ("We meet at 5.", "We meet at 6."),
        ("The dog bites the man.", "The man bites the dog."),
        ("Is Rex ill?", "Rex is ill."),
        ("I will go there.", "I would go there."),
        ("I like small cats.", "I like small hats."),
        ("Rex is ill.", "Max is ill."),
        (LONG, LONG.replace("bought", "never bought")),
        (LONG, LONG.replace("apples", "12 apples")),
        (LONG, LONG.replace("We", "They")),
        (LONG, LONG.replace("the feast", "Marie")),
    ],
)
def test_what_changes_the_meaning_keeps_texts_apart(one: str, other: str):
    """Numbers, names, negations, pronouns, tenses, the order of words."""
    assert not says_the_same(memo(one), memo(other), 0.9)


def test_the_same_words_of_somebody_else_are_something_else():
    """Who says it is part of it."""
    assert not says_the_same(memo("I like tea."), memo("I like tea.", by="Bob"), 0.9)


def test_a_forks_memo_does_not_stand_for_another_forks():
    """One of them would be left with nothing; another thread sees both."""
    here, there = Origin("t", line="n", branch=""), Origin("t", line="n", branch="op")

    assert not says_the_same(memo("Hello", origin=here), memo("Hello", origin=there), 0.9)
    assert says_the_same(memo("Hello", origin=here), memo("Hello", origin=Origin("u", line="n", branch="op")), 0.9)


def test_the_oldest_stays():
    """Whatever the order that they are handed over in."""
    memos = [memo("Hello!", 3), memo("hello", 1), memo("Hello.", 2), memo("Bye", 4)]

    assert near_duplicates(memos, 0.9) == [(memos[1], [memos[2], memos[0]])]


def test_ten_thousand_greetings_are_quickly_one():
    """Only texts that differ are compared with each other."""
    [(kept, others)] = near_duplicates([memo("Hello", number) for number in range(10_000)], 0.9)

    assert (kept.id, len(others)) == ("0", 9_999)


texts = st.lists(st.sampled_from(["tea", "not", "Rex", "5", "I", "like", "the", "?"]), max_size=16).map(" ".join)


@given(st.lists(st.one_of(texts, st.text(max_size=40)), max_size=12))
def test_nothing_is_both_kept_and_removed(said: list[str]):
    """Each memo stays or goes once, and what goes says the same as what stays."""
    memos = [memo(text, number) for number, text in enumerate(said)]
    found = near_duplicates(memos, 0.9)
    gone = [one.id for _, others in found for one in others]

    assert len(gone) == len(set(gone))
    assert not set(gone) & {kept.id for kept, _ in found}
    assert all(says_the_same(kept, one, 0.9) for kept, others in found for one in others)
    assert near_duplicates([one for one in memos if one.id not in gone], 0.9) == []
