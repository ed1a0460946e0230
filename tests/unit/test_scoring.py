"""Scores: their formulas, their bounds, and clocks that go backwards."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.context.scoring import (
    ScoringWeights,
    access_frequency,
    combined_score,
    freshness,
    promotion_score,
    score_memo,
    score_promotion,
)
from graph_memory.errors import ConfigurationError
from graph_memory.types import Memo, Origin

NOW = datetime(2025, 6, 1, tzinfo=UTC)
WEIGHTS = ScoringWeights()
parts = st.floats(0, 1)
wild = st.floats(allow_nan=True, allow_infinity=True)
hours = st.floats(-1e5, 1e5)


def memo(
    *, age_hours: float = 0.0, importance: float = 0.5, accesses: int = 0, used_hours: float | None = None
) -> Memo:
    """A memo of some age and use."""
    return Memo(
        "m",
        "text",
        Origin("root"),
        NOW - timedelta(hours=age_hours),
        importance=importance,
        access_count=accesses,
        last_accessed_at=None if used_hours is None else NOW - timedelta(hours=used_hours),
    )


def test_the_combined_score_is_the_weighted_sum():
    """relevance x 0.5 + importance x 0.3 + freshness x 0.2."""
    assert combined_score(0.9, 0.8, 0.5, WEIGHTS) == pytest.approx(0.45 + 0.24 + 0.1)


def test_a_memo_is_scored_by_when_it_was_said():
    """A week is the half-life of the default weights."""
    score = score_memo(memo(age_hours=168, importance=0.8), 0.9, NOW, WEIGHTS)

    assert score == pytest.approx((0.79, 0.9, 0.8, 0.5))


def test_the_promotion_score_is_the_references():
    """combined x 0.5 + access frequency x 0.3 + recency x 0.2."""
    assert promotion_score(0.8, 0.5, 1.0) == pytest.approx(0.4 + 0.15 + 0.2)


def test_access_frequency_is_a_half_at_the_access_threshold():
    """And approaches 1 from there."""
    assert [access_frequency(count, 3) for count in (0, 3, 6)] == [0, 0.5, 0.75]
    assert access_frequency(10_000, 3) == 1.0


def test_recency_counts_from_the_last_access_or_from_when_it_was_said():
    """What was never accessed is as recent as it is new."""
    used, unused = memo(age_hours=336, used_hours=0), memo(age_hours=336)

    gained = score_promotion(used, 0.5, NOW, WEIGHTS) - score_promotion(unused, 0.5, NOW, WEIGHTS)

    assert gained == pytest.approx(0.2 * (1 - 0.25))


def test_freshness_halves_with_each_half_life():
    """And is whole for what is new or said in the future."""
    assert [freshness(age, 24) for age in (-5, 0, 24, 48)] == pytest.approx([1, 1, 0.5, 0.25])
    assert freshness(math.inf, 24) == 0


@pytest.mark.parametrize("half", [0, -1, math.nan])
def test_a_half_life_that_is_not_positive_is_refused(half):
    """By the functions and by the weights."""
    with pytest.raises(ValueError, match="above 0"):
        freshness(1, half)
    with pytest.raises(ValueError, match="above 0"):
        access_frequency(1, half)
    with pytest.raises(ConfigurationError, match="half_life_hours"):
        ScoringWeights(half_life_hours=half)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ({"relevance": 0.9}, "add up to 1.4"),
        ({"relevance": -0.5, "importance": 1.3}, "relevance is -0.5"),
        ({"freshness": math.nan}, "freshness is nan"),
    ],
)
def test_weights_that_are_no_parts_of_a_whole_are_refused(weights, sentence):
    """With the sum, or the one that cannot be."""
    with pytest.raises(ConfigurationError, match=sentence):
        ScoringWeights(**weights)


def test_three_rounded_thirds_are_a_whole():
    """People write 0.333."""
    assert ScoringWeights(relevance=0.333, importance=0.333, freshness=0.333).relevance == 0.333


@given(relevance=wild, importance=wild, fresh=wild, frequency=wild, recency=wild)
def test_scores_stay_within_their_bounds(relevance, importance, fresh, frequency, recency):
    """Even for cosines below zero, infinities and NaN."""
    combined = combined_score(relevance, importance, fresh, WEIGHTS)

    assert 0 <= combined <= 1
    assert 0 <= promotion_score(combined, frequency, recency) <= 1


@given(low=parts, high=parts, importance=parts, age=hours, accesses=st.integers(0, 1000))
def test_more_relevance_never_scores_lower(low, high, importance, age, accesses):
    """The same memo at the same time."""
    one, (low, high) = memo(age_hours=age, importance=importance, accesses=accesses), sorted((low, high))

    assert score_memo(one, low, NOW, WEIGHTS).combined <= score_memo(one, high, NOW, WEIGHTS).combined
    assert score_promotion(one, low, NOW, WEIGHTS) <= score_promotion(one, high, NOW, WEIGHTS)


@given(age=hours, later=st.floats(0, 1e5), relevance=parts, accesses=st.integers(0, 1000))
def test_time_alone_never_raises_a_score(age, later, relevance, accesses):
    """Whatever the clock said before."""
    one, then = memo(age_hours=age, accesses=accesses), NOW + timedelta(hours=later)

    assert score_memo(one, relevance, then, WEIGHTS).combined <= score_memo(one, relevance, NOW, WEIGHTS).combined
    assert score_promotion(one, relevance, then, WEIGHTS) <= score_promotion(one, relevance, NOW, WEIGHTS)


@given(ahead=st.floats(0, 1e5), relevance=parts)
def test_a_clock_that_went_backwards_makes_nothing_fresher_than_new(ahead, relevance):
    """What seems to lie in the future counts as now."""
    future = memo(age_hours=-ahead, used_hours=-ahead)

    assert score_memo(future, relevance, NOW, WEIGHTS) == score_memo(memo(), relevance, NOW, WEIGHTS)
    assert score_promotion(future, relevance, NOW, WEIGHTS) == score_promotion(memo(), relevance, NOW, WEIGHTS)


@given(fewer=st.integers(0, 200), more=st.integers(0, 200), half=st.integers(1, 50))
def test_more_accesses_never_count_less(fewer, more, half):
    """And stay within 0–1."""
    fewer, more = sorted((fewer, more))

    assert 0 <= access_frequency(fewer, half) <= access_frequency(more, half) <= 1
