"""Complexity: points for length, keywords, turns and retrieval, and what they add up to."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.context.complexity import (
    COMPLEXITIES,
    ComplexityEstimate,
    ComplexityEstimator,
    ComplexityRules,
    count_words,
    estimate_complexity,
)
from graph_memory.errors import ConfigurationError
from tests.strategies import texts

DESIGN = "Design a scalable microservices architecture with event-driven communication"


@pytest.mark.parametrize(
    ("query", "turns", "needs_retrieval", "level"),
    [
        ("Hello", 0, False, "simple"),
        ("What time is it?", 0, False, "simple"),
        ("How do I use FastAPI?", 0, False, "medium"),
        ("Explain async vs sync programming and analyze performance impact", 0, False, "complex"),
        (DESIGN, 0, False, "complex"),
        (DESIGN, 4, True, "expert"),
    ],
)
def test_the_reference_examples_are_classified_as_it_says(query, turns, needs_retrieval, level):
    """Its expert example has five points by its own table, and needs retrieval and a conversation to reach eight."""
    assert estimate_complexity(query, turns=turns, needs_retrieval=needs_retrieval).level == level


@pytest.mark.parametrize(
    ("words", "points"), [(0, 0), (4, 0), (5, 1), (9, 1), (14, 1), (15, 2), (34, 2), (35, 3), (50, 3), (500, 3)]
)
def test_length_gives_points_by_exact_bands(words, points):
    """Each lies within what the reference allows for that length."""
    assert estimate_complexity("word " * words).points == points


@pytest.mark.parametrize(("turns", "points"), [(0, 0), (3, 0), (4, 1), (5, 1), (6, 2), (50, 2)])
def test_more_than_three_turns_are_a_point_and_more_than_five_another(turns, points):
    """Both of the reference's factors count."""
    assert estimate_complexity("hi", turns=turns).points == points


@pytest.mark.parametrize(
    ("points", "level"), [(1, "simple"), (2, "medium"), (4, "medium"), (5, "complex"), (8, "expert")]
)
def test_points_become_a_level_at_the_thresholds(points, level):
    """0–1 simple, 2–4 medium, 5–7 complex, 8 and more expert."""
    assert estimate_complexity("gadget", rules=ComplexityRules(user_keywords={"gadget": points})).level == level


def test_the_reasons_say_where_the_points_come_from():
    """And they add up; the question's own text is not among them."""
    estimate = estimate_complexity("Why did Zebediah optimize it?", turns=6, needs_retrieval=True)

    assert estimate.reasons == (
        "5 words: +1",
        "keyword 'optimize': +2",
        "keyword 'why': +1",
        "6 turns: +2",
        "needs retrieval: +2",
    )
    assert estimate.points == 8


@pytest.mark.parametrize(
    "query", ["design", "DESIGN!", "(design)", "“design”, said", "re-design", "设计design设计", "design\n"]
)
def test_a_keyword_is_found_beside_any_punctuation(query):
    """And beside scripts that put no space before it."""
    assert "design" in ComplexityRules().keywords_in(query)


@pytest.mark.parametrize("query", ["designer", "redesigned", "somehow", "show", "what", "if what", "causes", "how2"])
def test_a_part_of_a_word_is_no_keyword(query):
    """Only whole words count, and a phrase only in its order."""
    assert ComplexityRules().keywords_in(query) == {}


def test_user_keywords_add_replace_and_silence():
    """Any sign may stand in them; scripts without spaces are searched as they are written."""
    rules = ComplexityRules(user_keywords={"C++": 2, "how": 0, "why": 3, "分析": 2, "설명": 2, "Impact  Analysis": 4})

    assert rules.keywords_in("how and WHY in c++? 请分析一下, 설명해, impact\nanalysis") == {
        "c++": 2,
        "why": 3,
        "分析": 2,
        "설명": 2,
        "impact analysis": 4,
    }
    assert rules.keywords_in("c+, impact of analysis") == {"impact": 1}


def test_a_keyword_counts_once():
    """Saying it again makes a question no harder."""
    assert ComplexityRules().keywords_in("why, why, WHY") == {"why": 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("... — !!", 0),
        ("don't stop, event-driven (really)", 4),
        ("Comment ça va ?", 3),
        ("हिन्दी में लिखा हुआ", 4),
        ("한국어로 설명해 주세요", 3),
        ("我们应该怎么做", 4),
        ("ภาษาไทยง่าย", 3),
        ("API设计 v2", 3),
    ],
)
def test_words_are_counted_in_any_script(text, words):
    """Where no spaces are written, by the usual length of a word."""
    assert count_words(text) == words


def test_of_a_very_long_query_both_ends_are_read():
    """The question stands before or after what was pasted."""
    pasted = "filler " * 5000

    assert "why" in str(estimate_complexity(f"{pasted} why?").reasons)
    assert "why" in str(estimate_complexity(f"why? {pasted}").reasons)


def test_any_callable_of_the_shape_is_an_estimator():
    """The rules are one, and so is a function of one's own."""

    def always_hard(query: str, *, turns: int, needs_retrieval: bool) -> ComplexityEstimate:
        return ComplexityEstimate("expert")

    estimators: list[ComplexityEstimator] = [always_hard, estimate_complexity]

    assert [ask("hi", turns=1, needs_retrieval=False).level for ask in estimators] == ["expert", "simple"]


def test_an_unknown_level_is_refused():
    """An estimator of one's own learns its mistake where it makes it."""
    with pytest.raises(ConfigurationError, match="choose from simple, medium, complex, expert"):
        ComplexityEstimate("hard")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"thresholds": (5, 2, 8)}, "each must be above the one before"),
        ({"thresholds": (2, 5)}, "three numbers"),
        ({"length_bands": (5, 5)}, "each must be above the one before"),
        ({"user_keywords": {" ": 1}}, "can never be found"),
        ({"expert_keywords": "design"}, "put it in brackets"),
    ],
)
def test_rules_that_cannot_be_are_refused(options, sentence):
    """In one sentence."""
    with pytest.raises(ConfigurationError, match=sentence):
        ComplexityRules(**options)


def test_rules_survive_a_pickle_and_may_have_no_keywords():
    """They travel with a workspace to another process."""
    rules = ComplexityRules(expert_keywords=(), complex_keywords=())

    assert pickle.loads(pickle.dumps(rules)) == rules
    assert rules.keywords_in("why design") == {}


@given(query=texts, turns=st.integers(-3, 100), needs_retrieval=st.booleans())
def test_any_text_has_a_level_and_more_turns_never_lower_it(query, turns, needs_retrieval):
    """Whatever is asked, in whatever script."""
    first = estimate_complexity(query, turns=turns, needs_retrieval=needs_retrieval)
    later = estimate_complexity(query, turns=turns + 1, needs_retrieval=True)

    assert COMPLEXITIES.index(first.level) <= COMPLEXITIES.index(later.level)
    assert first.points == sum(int(reason.rsplit(":", 1)[1]) for reason in first.reasons) >= 0


@given(keyword=texts.filter(str.strip), before=texts, after=texts)
def test_a_keyword_between_spaces_is_always_found(keyword, before, after):
    """Whatever it is made of."""
    rules = ComplexityRules(expert_keywords=(), complex_keywords=(), user_keywords={keyword: 5})

    assert list(rules.keywords_in(f"{before} {keyword} {after}").values()) == [5]
