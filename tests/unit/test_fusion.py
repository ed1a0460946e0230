"""BM25, and the fusion of words and meaning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.context.fusion import FusionWeights, Ranking, bm25, fuse, rarity
from graph_memory.errors import ConfigurationError

NAN = float("nan")
EQUAL = FusionWeights(words=0.5, meaning=0.5)


def ranked(words, meaning=None, weights=EQUAL) -> Ranking:
    """A fusion of plain lists."""
    return fuse(
        words=np.array(words, float), meaning=None if meaning is None else np.array(meaning, float), weights=weights
    )


def test_a_rare_word_weighs_more():
    """A word that one text holds tells more than one that most hold, and no word counts against a text."""
    assert rarity(1, 1000) > rarity(500, 1000) > rarity(1000, 1000) > 0


def test_bm25_prefers_more_occurrences_and_shorter_texts():
    """Twice is better than once but not twice as good; beside more words the same word counts less."""
    once, twice, long = bm25(
        np.array([1.0, 2.0, 1.0]), np.array([10.0, 10.0, 40.0]), documents=100, average_length=10.0
    )

    assert once < twice < 2 * once
    assert long < once


def test_bm25_matches_the_formula():
    """Okapi BM25 with k1 = 1.2, b = 0.75 and Lucene's idf, worked out by hand."""
    score = bm25(np.array([2.0]), np.array([8.0]), documents=10, average_length=4.0)[0]

    assert score == pytest.approx(np.log(1 + 9.5 / 1.5) * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 2)))


def test_both_signals_are_scaled_to_the_query_and_weighted():
    """The best match of words is 1, the closest meaning 1, the farthest 0."""
    result = ranked([4.0, 2.0, 0.0], [0.7, 0.9, 0.8])

    assert result.relevance.tolist() == [0.5, 0.75, 0.25]
    assert result.parts_of([0]) == [{"words": 1.0, "words_raw": 4.0, "meaning": 0.0, "meaning_raw": 0.7}]


def test_without_meaning_words_rank_alone():
    """No embedder: relevance is the share of the best match."""
    assert ranked([4.0, 1.0]).relevance.tolist() == [1.0, 0.25]
    assert ranked([4.0, 1.0], [NAN, NAN]).relevance.tolist() == [1.0, 0.25]


def test_without_a_matching_word_meaning_ranks_alone():
    """A question in other words than the memos: its closest memo is still wholly relevant."""
    assert ranked([0.0, 0.0], [0.3, 0.1]).relevance.tolist() == [1.0, 0.0]


def test_a_candidate_without_a_vector_keeps_its_words():
    """It has no meaning in its parts, and only its words' share of the relevance."""
    result = ranked([4.0, 0.0, 0.0], [NAN, 0.9, 0.1])

    assert result.relevance.tolist() == [0.5, 0.5, 0.0]
    assert result.parts_of([0]) == [{"words": 1.0, "words_raw": 4.0}]


def test_a_single_cosine_stands_for_itself():
    """One candidate is no range to scale within: an unrelated memo must not look perfect."""
    assert ranked([0.0], [0.2]).relevance.tolist() == [0.2]
    assert ranked([0.0], [-0.2]).relevance.tolist() == [0.0]


def test_a_signal_can_be_switched_off():
    """A weight of zero; when the other one has nothing to say, nothing is relevant."""
    assert ranked([4.0, 1.0], [0.1, 0.9], FusionWeights(words=1, meaning=0)).relevance.tolist() == [1.0, 0.25]
    assert ranked([4.0, 1.0], None, FusionWeights(words=0, meaning=1)).relevance.tolist() == [0.0, 0.0]


def test_nothing_to_rank_is_fine():
    """No candidates, no relevance."""
    assert ranked([]).relevance.tolist() == []
    assert ranked([], []).relevance.tolist() == []


@pytest.mark.parametrize(("words", "meaning"), [(-1, 1), (0, 0), (NAN, 1), (float("inf"), 1)])
def test_weights_that_mean_nothing_are_refused(words, meaning):
    """At once, with the values in the message."""
    with pytest.raises(ConfigurationError, match="ranking weights"):
        FusionWeights(words=words, meaning=meaning)


SCORES = st.lists(st.tuples(st.floats(0, 50), st.floats(-1, 1) | st.just(NAN)), min_size=1, max_size=20)


@given(SCORES, st.floats(0, 1), st.floats(0.01, 1))
def test_relevance_is_always_in_0_to_1(scores, words, meaning):
    """Whatever the signals and weights; and better in both signals is never worse."""
    result = ranked(*zip(*scores, strict=True), FusionWeights(words=words, meaning=meaning))

    assert ((result.relevance >= 0) & (result.relevance <= 1)).all()
    for i, (more_words, closer) in enumerate(scores):
        for j, (fewer_words, farther) in enumerate(scores):
            if more_words >= fewer_words and closer >= farther:
                assert result.relevance[i] >= result.relevance[j]
