"""Time expressions as intervals of days."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.context.times import DAYS, MONTHS, NUMBERS, SEASONS, absolute_times, asked_times, relative_times

MONDAY = date(2023, 5, 8).toordinal()
"""Monday, 8 May 2023."""

_WORDS = (
    *MONTHS, *DAYS, *SEASONS, *NUMBERS, "last", "next", "this", "past", "coming", "ago", "in", "on", "for", "since", "few",
    "year", "years", "month", "week", "weekend", "days", "yesterday", "tomorrow", "recently", "the other day", "of", "of the",
    "999", "0", "31", "31st", "2023", "1900", "2099", "9999", "2023-02-30", "99/99/2023", "٣", "ſept", "auguſt", "frıday",
    "wee\u212a", "9" * 5000,
)  # fmt: skip
phrases = st.lists(st.sampled_from(_WORDS), max_size=6).map(" ".join)
texts = st.one_of(st.text(), phrases, phrases.map(str.title), st.builds("{} {}".format, phrases, st.text()))
any_day = st.one_of(
    st.integers(1, date.max.toordinal()),
    st.sampled_from([1, 2, 365, 366, date.max.toordinal() - 1, date.max.toordinal()]),
)


def days(*iso: str) -> tuple[int, int]:
    """The interval between two dates."""
    first, last = (date.fromisoformat(one).toordinal() for one in (iso[0], iso[-1]))
    return first, last


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on 2023-05-07", days("2023-05-07")),
        ("on 7 May 2023", days("2023-05-07")),
        ("the 7th of May, 2023", days("2023-05-07")),
        ("May 7th, 2023", days("2023-05-07")),
        ("am 7.5.2023", days("2023-05-07")),
        ("in May 2023", days("2023-05-01", "2023-05-31")),
        ("in february of 2024", days("2024-02-01", "2024-02-29")),
        ("in Dec. 2023", days("2023-12-01", "2023-12-31")),
        ("in summer 2023", days("2023-06-01", "2023-08-31")),
        ("back in 2023", days("2023-01-01", "2023-12-31")),
    ],
)
def test_dates_months_and_years_are_intervals(text, expected):
    """Inclusive at both ends, in the notations that people use."""
    assert absolute_times(text)[0] == [expected]


def test_a_month_without_a_year_stands_for_that_of_each_known_year():
    """Nobody says the year of this May; without known years it says nothing."""
    assert absolute_times("What happened in May?", (2022, 2023))[0] == [
        days("2022-05-01", "2022-05-31"),
        days("2023-05-01", "2023-05-31"),
    ]
    assert absolute_times("on 7 May", (2023,))[0] == [days("2023-05-07")]
    assert absolute_times("What happened in May?") == ([], [])


@pytest.mark.parametrize(
    "text",
    ["you may go", "May I ask", "March on!", "a march", "30 February 2023", "0 May 2023", "2023-13-01", "room 1234"],
)
def test_words_and_nonsense_are_no_dates(text):
    """Months that are words, days that no month has, numbers that are no years."""
    assert absolute_times(text, (2023,)) == ([], [])


def test_spans_say_where_the_expressions_stand():
    """So that a question can be read without them; other letters before them shift nothing."""
    text = "İn ſeptember 2023 or on 2023-05-07?"
    _, spans = absolute_times(text)

    assert [text[start:end] for start, end in spans] == ["ſeptember 2023", "2023-05-07"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yesterday", days("2023-05-07")),
        ("Last  Night", days("2023-05-07")),
        ("today", days("2023-05-08")),
        ("tomorrow", days("2023-05-09")),
        ("the other day", days("2023-05-01", "2023-05-08")),
        ("last week", days("2023-05-01", "2023-05-07")),
        ("next week", days("2023-05-15", "2023-05-21")),
        ("last weekend", days("2023-05-05", "2023-05-07")),
        ("this month", days("2023-05-01", "2023-05-31")),
        ("last month", days("2023-04-01", "2023-04-30")),
        ("last year", days("2022-01-01", "2022-12-31")),
        ("next year", days("2024-01-01", "2024-12-31")),
        ("last December", days("2022-12-01", "2022-12-31")),
        ("last May", days("2022-05-01", "2022-05-31")),
        ("next May", days("2024-05-01", "2024-05-31")),
        ("next June", days("2023-06-01", "2023-06-30")),
        ("last Friday", days("2023-05-05")),
        ("on Friday", days("2023-05-05")),
        ("last Monday", days("2023-05-01")),
        ("this Monday", days("2023-05-08")),
        ("next Monday", days("2023-05-15")),
        ("this Friday", days("2023-05-12")),
        ("next Friday", days("2023-05-12")),
        ("two days ago", days("2023-05-06")),
        ("a couple of weeks ago", days("2023-04-22", "2023-04-26")),
        ("about two days ago", days("2023-05-06")),
        ("in 3 days", days("2023-05-11")),
        ("for two weeks", days("2023-04-24", "2023-05-08")),
        ("last wee\u212a", days("2023-05-01", "2023-05-07")),
        ("in the last two weeks", days("2023-04-24", "2023-05-08")),
        ("over the past 3 months", days("2023-02-07", "2023-05-08")),
        ("the last few days", days("2023-05-05", "2023-05-08")),
        ("the last couple of weeks", days("2023-04-24", "2023-05-08")),
        ("the next two weeks", days("2023-05-08", "2023-05-22")),
    ],
)
def test_relative_expressions_count_from_the_day_when_they_were_said(text, expected):
    """Said on a Monday, 8 May 2023."""
    assert relative_times(text, MONDAY) == [expected]


@pytest.mark.parametrize(
    ("said", "text", "expected"),
    [
        ("2023-10-10", "last summer", days("2023-06-01", "2023-08-31")),
        ("2023-07-10", "last summer", days("2022-06-01", "2022-08-31")),
        ("2023-03-10", "last summer", days("2022-06-01", "2022-08-31")),
        ("2023-10-10", "this summer", days("2023-06-01", "2023-08-31")),
        ("2023-03-10", "next summer", days("2023-06-01", "2023-08-31")),
        ("2023-10-10", "next summer", days("2024-06-01", "2024-08-31")),
        ("2024-01-10", "last winter", days("2022-12-01", "2023-03-02")),
        ("2023-10-10", "last winter", days("2022-12-01", "2023-03-02")),
        ("2024-01-10", "this winter", days("2023-12-01", "2024-03-01")),
        ("2023-10-10", "this winter", days("2023-12-01", "2024-03-01")),
    ],
)
def test_last_this_and_next_season_depend_on_the_day(said, text, expected):
    """The last one is over, the next one is still to begin; a winter spans two years."""
    assert relative_times(text, date.fromisoformat(said).toordinal()) == [expected]


def test_a_question_is_read_for_the_times_to_look_at_only():
    """How long something went on, and "recently", say nothing about when it was said."""
    asked = "What did I say last Tuesday about two weeks ago, and recently for three years?"

    assert asked_times("What did we talk about last Tuesday?", MONDAY) == [days("2023-05-02")]
    assert asked_times("What did we talk about two days ago?", MONDAY) == [days("2023-05-06")]
    assert asked_times("Who was married for five years?", MONDAY) == []
    assert asked_times("What did I read recently?", MONDAY) == []
    assert asked_times("What have I eaten in the last two weeks?", MONDAY) == [days("2023-04-24", "2023-05-08")]
    assert days("2023-05-02") in asked_times(asked, MONDAY)


@pytest.mark.parametrize("text", ["", "last", "ago", "gestern", "letzte Woche", "the last of them", "昨日"])
def test_a_text_without_expressions_has_no_times(text):
    """Other languages have none; that costs them nothing."""
    assert relative_times(text, MONDAY) == []


@pytest.mark.parametrize("text", ["last year", "last month", "last week", "last January", "last winter", "yesterday"])
def test_before_the_first_day_there_is_nothing(text):
    """Said on 1 January of the year 1, the expression means no day that a calendar has."""
    assert relative_times(text, 1) == []


@pytest.mark.parametrize(
    "text", ["next year", "next month", "next December", "next winter", "tomorrow", "in 999 years"]
)
def test_after_the_last_day_there_is_nothing(text):
    """Said on 31 December 9999."""
    assert relative_times(text, date.max.toordinal()) == []


def test_the_last_month_of_the_calendar_is_whole():
    """December 9999 has no month after it to be measured against."""
    december = days("9999-12-01", "9999-12-31")

    assert relative_times("this December", date.max.toordinal()) == [december]
    assert absolute_times("in December", (9999,))[0] == [december]


@given(texts, st.lists(st.integers(1, 9999), max_size=3))
def test_any_text_has_absolute_times_within_the_calendar(text, years):
    """Nothing raises; intervals begin before they end, spans lie in the text, in order."""
    intervals, spans = absolute_times(text, years)

    assert all(0 < first <= last <= date.max.toordinal() for first, last in intervals)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert spans == sorted(spans)


@given(texts, any_day)
def test_any_text_has_relative_times_within_the_calendar(text, said):
    """Nothing raises, whatever is said on whichever day."""
    found = relative_times(text, said)

    assert all(0 < first <= last <= date.max.toordinal() for first, last in found)
    assert set(asked_times(text, said)) <= set(found)
