"""The measures, the comparison of settings, and the search for weights."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory import ConfigurationError, VectorMemory, open_store
from graph_memory.context.ranking import RankingWeights
from graph_memory.context.tokens import token_counter
from graph_memory.evaluation.data import Dataset, load
from graph_memory.evaluation.features import NAMES, Features, Row, row_of
from graph_memory.evaluation.fit import cross_validated, fitted, folds
from graph_memory.evaluation.measures import (
    all_found,
    is_shown,
    ndcg,
    paired_bootstrap,
    recall,
    reciprocal_rank,
)
from graph_memory.evaluation.options import described, memory_of, read_memory, weights_text
from graph_memory.evaluation.running import ask, headline, means, remember

FOUND = ("a", "b", "c", "d")


def test_measures_have_the_values_that_one_gets_by_hand():
    """Two wanted turns at places 2 and 4, one that was not found."""
    wanted = {"b", "d", "x"}

    assert recall(FOUND, wanted, 3) == pytest.approx(1 / 3)
    assert recall(FOUND, wanted, 10) == pytest.approx(2 / 3)
    assert all_found(FOUND, wanted, 10) == 0.0
    assert all_found(FOUND, {"b", "d"}, 4) == 1.0
    assert all_found(FOUND, {"b", "d"}, 3) == 0.0
    assert reciprocal_rank(FOUND, wanted) == 0.5
    assert reciprocal_rank(FOUND, {"x"}) == 0.0
    best = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg(FOUND, wanted, 10) == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / best)
    assert ndcg(FOUND, wanted, 3) == pytest.approx((1 / math.log2(3)) / best)


@given(st.permutations("abcdefghijkl"), st.sets(st.sampled_from("abcdefghijklxyz"), min_size=1))
def test_measures_lie_between_none_and_all(order: list[str], wanted: set[str]):
    """Whatever was found in whatever order; a better place is never worse."""
    for measure in (recall, all_found, ndcg):
        assert 0.0 <= measure(order, wanted, 10) <= 1.0 + 1e-12
    first_wanted = sorted(order, key=lambda one: one not in wanted)
    assert ndcg(first_wanted, wanted, 10) >= ndcg(order, wanted, 10) - 1e-12


def test_a_cut_turn_counts_while_nearly_all_of_it_is_shown():
    """Four of five words are enough, three are not."""
    assert is_shown("My dog Rex barks loudly", "[2025-02-04] Ada: my dog Rex barks …")
    assert not is_shown("My dog Rex barks loudly", "Ada: My dog Rex …")


def test_bootstrap_finds_a_real_difference():
    """A tenth of the questions got better, none worse."""
    before = [0.0] * 200
    after = [1.0] * 20 + [0.0] * 180

    found = paired_bootstrap(before, after)

    assert found.mean == pytest.approx(0.1)
    assert 0.05 < found.low < 0.1 < found.high < 0.16
    assert found.p < 0.001
    assert found.is_clear
    assert paired_bootstrap(before, after) == found


def test_bootstrap_finds_no_difference_where_there_is_none():
    """As many better as worse; and two settings that are the same."""
    before = [1.0, 0.0] * 100
    after = [0.0, 1.0] * 100

    assert paired_bootstrap(before, after).p > 0.5
    assert not paired_bootstrap(before, after).is_clear
    assert paired_bootstrap(before, before).p == 1.0


def test_bootstrap_refuses_values_that_are_no_pairs():
    """Questions must be the same on both sides."""
    with pytest.raises(ValueError, match="paired"):
        paired_bootstrap([1.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="paired"):
        paired_bootstrap([], [])


def made_up(questions: int, *, misleading: str, telling: str, seed: int = 0) -> Features:
    """Twelve candidates a question, one of which answers; one signal points to it, another one away from it."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(questions):
        signals = np.zeros((12, len(NAMES)), np.float32)
        wanted = int(random.integers(12))
        signals[:, NAMES.index(telling)] = random.normal(0, 0.5, 12)
        signals[wanted, NAMES.index(telling)] += 1.0
        signals[:, NAMES.index(misleading)] = random.normal(0, 2, 12)
        rows.append(Row(signals, np.full((12, 8), -1), (wanted,), 1))
    return Features(rows)


def test_fitting_turns_down_a_misleading_signal():
    """And gains on questions that it has not seen."""
    seen = made_up(80, misleading="speaker", telling="words")
    unseen = made_up(80, misleading="speaker", telling="words", seed=1)
    start = RankingWeights()

    weights = fitted(seen, start)

    assert weights.speaker / weights.words < 0.3 * start.speaker / start.words
    assert weights.newest == start.newest
    assert unseen.ndcg(weights).mean() > unseen.ndcg(start).mean() + 0.05


def test_fitting_keeps_weights_that_cannot_be_bettered():
    """Where the only signal that speaks is right there is nothing to do."""
    signals = np.zeros((3, len(NAMES)), np.float32)
    signals[1, 0] = 1.0
    only = Features([Row(signals, np.full((3, 8), -1), (1,), 1)] * 5)

    assert fitted(only, RankingWeights()) == RankingWeights()


@pytest.mark.parametrize(
    ("about", "count"),
    [(["a"] * 3 + ["b"] * 4 + ["c"], 3), (["a"] * 12, 5), (["a"] * 3, 3), ([str(n // 2) for n in range(50)], 10)],
)
def test_folds_never_train_on_what_they_test(about: list[str], count: int):
    """Every question is held out once, and with it its conversation, where there are several."""
    parts = folds(about, seed=7)

    assert len(parts) == count
    assert sorted(one for part in parts for one in part.test) == list(range(len(about)))
    for part in parts:
        assert part.test
        assert sorted((*part.train, *part.test)) == list(range(len(about)))
        if len(set(about)) > 1:
            assert {about[one] for one in part.train}.isdisjoint(about[one] for one in part.test)


def test_what_is_held_out_does_not_change_what_is_fitted():
    """Cross-validation judges by weights that were fitted to the other folds alone."""
    one, other = (
        made_up(30, misleading="speaker", telling="words"),
        made_up(30, misleading="words", telling="speaker", seed=2),
    )
    both = Features([*one.rows, *other.rows])
    start = RankingWeights()

    judged = list(cross_validated(both, folds(["a"] * 30 + ["b"] * 30), start))

    assert judged[0].after.tolist() == one.ndcg(fitted(other, start)).tolist()
    assert judged[1].after.tolist() == other.ndcg(fitted(one, start)).tolist()
    assert judged[0].before.tolist() == one.ndcg(start).tolist()


def test_a_single_question_cannot_be_fitted_to():
    """It says so."""
    with pytest.raises(ConfigurationError, match="single question"):
        folds(["a"])


TOPICS = ("beagle", "violin", "lighthouse", "sourdough", "glacier", "orchid")


def data(path: Path, **changes: Any) -> Dataset:
    """Two people, twelve turns, a question about each topic."""
    turns = [
        {
            "id": f"t{n}",
            "session": n // 4,
            "date": f"2025-0{1 + n // 4}-10T09:00",
            "speaker": "Ada" if n % 2 else "Bo",
            "text": f"My {TOPICS[n // 2]} is fine." if n % 2 else f"How is the {TOPICS[n // 2]} of yours?",
        }
        for n in range(12)
    ]
    asked = [{"question": f"How is Ada's {topic}?", "evidence": [f"t{2 * n + 1}"]} for n, topic in enumerate(TOPICS)]
    path.write_text(json.dumps({"conversations": [{"turns": turns, "questions": asked}], **changes}), encoding="utf-8")
    return load(path)


@pytest.mark.parametrize("weights", [RankingWeights(), RankingWeights(speaker=0.0, nearby=9.0, words=0.3)])
def test_features_rank_as_the_memory_itself_does(tmp_path: Path, weights: RankingWeights):
    """The arrays give each question the nDCG that a search by the same weights gives."""
    [conversation] = data(tmp_path / "data.json").conversations
    memory = VectorMemory(weights=weights)

    with open_store("sqlite://") as store:
        remember(conversation, store)
        found = [ask(conversation, one, memory, store, token_counter()) for one in conversation.questions]
        rows = [row_of(conversation, one, VectorMemory(), store) for one in conversation.questions]

    assert Features(rows).ndcg(weights) == pytest.approx([one.values["nDCG@10"] for one in found])


def test_questions_find_what_answers_them(tmp_path: Path):
    """In a search and in a context; means are means."""
    [conversation] = data(tmp_path / "data.json").conversations
    with open_store("sqlite://") as store:
        remember(conversation, store)
        found = [ask(conversation, one, VectorMemory(), store, token_counter()) for one in conversation.questions]

    assert [one.values["R@5"] for one in found] == [1.0] * 6
    assert [one.values["evidence@1000"] for one in found] == [1.0] * 6
    assert means(found)["R@5"] == 1.0
    assert means(found)["ms"] > 0
    assert all(len(set(one.found)) == len(one.found) for one in found)


def test_a_question_over_budget_finds_nothing_in_its_context(tmp_path: Path):
    """It is measured, not an error."""
    [conversation] = data(tmp_path / "data.json").conversations
    long = replace(conversation.questions[0], text="beagle " * 3000)
    with open_store("sqlite://") as store:
        remember(conversation, store)
        found = ask(conversation, long, VectorMemory(), store, token_counter())

    assert found.values["evidence@1000"] == 0.0
    assert found.values["R@5"] == 1.0


def test_labels_that_were_audited_go_before_raw_ones(tmp_path: Path):
    """And questions that the audit left without evidence are left out and counted."""
    turn = {"id": "t1", "role": "user", "said_at": "2025-01-01T00:00:00Z", "text": "Hello"}
    questions = [
        {"question": "a?", "evidence_raw": ["t9"], "evidence_clean": ["t1"], "category": 0},
        {"question": "b?", "evidence_raw": ["t1"], "evidence_clean": []},
        {"question": "c?", "evidence": "t1"},
    ]
    path = tmp_path / "data.json"
    path.write_text(json.dumps([{"id": "x", "turns": [turn], "questions": questions}]), encoding="utf-8")

    dataset = load(path)

    assert [(one.text, one.category) for one in dataset.conversations[0].questions] == [("a?", "0"), ("c?", "")]
    assert dataset.without_evidence == 1
    assert dataset.first(1).size == 1


def test_overall_figures_are_about_the_headline_categories(tmp_path: Path):
    """About everything where the data names none, or none that was asked about."""
    dataset = data(tmp_path / "data.json", headline_categories=["fact"])
    with open_store("sqlite://") as store:
        remember(dataset.conversations[0], store)
        one = ask(
            dataset.conversations[0], dataset.conversations[0].questions[0], VectorMemory(), store, token_counter()
        )
    fact = replace(one, question=replace(one.question, category="fact"))

    assert dataset.headline == {"fact"}
    assert headline([one, fact], dataset.headline) == [fact]
    assert headline([one], dataset.headline) == [one]


def test_options_are_read_as_they_are_written(tmp_path: Path):
    """What is left out stays as by default; fitted weights are settings."""
    path = tmp_path / "w.yaml"
    path.write_text(weights_text(RankingWeights(words=0.25)), encoding="utf-8")

    assert read_memory(path) == VectorMemory(weights=RankingWeights(words=0.25))
    assert memory_of({"candidates": 50, "threshold": 0.1}, "x") == VectorMemory(candidates=50, threshold=0.1)
    assert memory_of(described(VectorMemory(limit=7)), "x") == VectorMemory(limit=7)
    assert memory_of({}, "x") == VectorMemory()


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ({"candidate": 5}, "x: there is no option 'candidate'; known are limit, candidates"),
        ({"weights": {"wrods": 1}}, "x, weights: there is no signal 'wrods'; known are words, coverage"),
        ({"weights": {"words": "much"}}, "x, weights: words is 'much'; give a number"),
        ({"weights": {"words": -1}}, "x: ranking weight words is -1"),
        ({"weights": {"words": float("nan")}}, "x: ranking weight words is nan"),
        ({"weights": [1]}, "expected a value for each signal"),
        ({"candidates": 0}, "candidates is 0; give a whole number"),
        ({"candidates": True}, "candidates is True; give a whole number"),
        ({"threshold": 2}, "x: memory 'vector' has threshold 2"),
        ({"half_life_hours": None}, "half_life_hours is None; give a number"),
        ("candidates", "expected a value for each option"),
    ],
)
def test_options_that_cannot_be_are_refused_in_a_sentence(raw: object, sentence: str):
    """It names the place, and what is known."""
    with pytest.raises(ConfigurationError) as caught:
        memory_of(raw, "x")

    assert sentence in str(caught.value)
