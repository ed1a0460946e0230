"""Near-repeats are told from facts that differ in a word, a time or a negation."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from langchain_core.messages import HumanMessage

from graph_memory.context.merge import merge
from graph_memory.context.repeats import MOST, Said
from graph_memory.context.tokens import counter_from
from graph_memory.types import Section, Snippet

WORDS = counter_from(lambda text: len(text.split()), name="words")
MONDAY, TUESDAY = datetime(2025, 1, 6, tzinfo=UTC), datetime(2025, 1, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("Ann: Hey Bob, how are you doing?", "Ann: hey Bob! How are you doing"),
        ("I really moved to Paris.", "Well, I moved to Paris!"),
        (
            "Ann: I adopted a puppy called Biscuit last week, yay!",
            "Ann: Yes, I adopted a puppy called Biscuit last week",
        ),
        (
            "Take the second road on the left behind the church, then ask",
            "take the second road on the left behind the church",
        ),
        ("我住在北京。", "我住在北京"),
    ],
)
def test_a_line_that_says_no_more_is_a_repeat(better, worse):
    """Case, punctuation, interjections, and a few words that only the better one has."""
    said = Said()

    assert said.add(better)
    assert not said.add(worse)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I moved to Paris", "I moved to London"),
        ("I like tea", "I like coffee"),
        ("I have 2 dogs at home", "I have 3 dogs at home"),
        ("I do not eat any meat on Fridays", "I do eat any meat on Fridays"),
        ("I don't eat any meat on Fridays", "I eat any meat on Fridays"),
        ("We almost bought the house by the lake", "We bought the house by the lake"),
        ("Ann likes Bob a lot", "Bob likes Ann a lot"),
        ("Ann: see you there", "Bob: see you there"),
        ("I went to the gym", "I went to the gym again"),
        ("yes", "hello"),
        ("I met Tom", "I met Tom, who is a vet in Rome"),
        ("I met Tom, who is a vet in Rome", "I met Tom"),
    ],
)
def test_a_word_of_its_own_makes_another_fact(one, other):
    """Names, numbers, negations, order, who speaks."""
    said = Said()

    assert said.add(one)
    assert said.add(other)


def test_yesterday_is_another_day_on_another_day():
    """The same words tell of two events; without a time word they are one greeting."""
    said = Said()

    assert said.add("I ran yesterday", MONDAY)
    assert said.add("Well, I ran yesterday", TUESDAY)
    assert not said.add("oh I ran yesterday", MONDAY)
    assert said.add("Good to see you, Bob", MONDAY)
    assert not said.add("Hey, good to see you Bob!", TUESDAY)


def test_only_so_many_lines_are_compared():
    """A context of any size is packed in linear time."""
    said = Said()

    assert sum(said.add(f"line number {i} of many") for i in range(MOST)) == MOST
    assert said.add("line number 1 of many")


def test_the_merge_leaves_the_worse_repeat_out():
    """In any section, with room or without, and says why."""
    snippets = (
        Snippet("Hey Ann, nice day!", score=0.2, memo_id="worse"),
        Snippet("nice day, Ann", score=0.9, memo_id="other"),
    )
    best = Section("best", (Snippet("Ann: I moved to Rome", score=0.9, memo_id="best"),), pinned=True)
    more = (
        *snippets,
        Snippet("nice day Ann, hello", score=0.1, memo_id="worst"),
        Snippet("ann: I moved, to Rome!", memo_id="r"),
    )
    for budget in (60, 1000):
        context = merge([HumanMessage("?")], [best, Section("notes", more)], budget_tokens=budget, counter=WORDS)
        left_out = {line.memo_id: line.rule for line in context.dropped}
        assert left_out == dict.fromkeys(("worst", "r"), "says no more than another line")


def test_equal_words_of_two_days_both_compete():
    """Nobody who counts the runs must miss one."""
    runs = tuple(Snippet("I ran 5 km today", score=0.5, memo_id=str(day), said_at=day) for day in (MONDAY, TUESDAY))
    context = merge([HumanMessage("?")], [Section("notes", runs)], budget_tokens=100, counter=WORDS)

    assert sum(line.kept for line in context.lines if line.memory == "notes") == 2
