"""Merging: who gets how much of the budget, and what must fit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from graph_memory.context.merge import merge
from graph_memory.context.turns import history_section
from graph_memory.errors import BudgetError, ConfigurationError
from graph_memory.types import Section, Snippet
from tests.merging import ASK, WORDS, chat, notes, rules


def test_what_is_pinned_must_fit():
    """The error names every size and no content."""
    thread = [SystemMessage("rule " * 30), HumanMessage("secret " * 40)]
    with pytest.raises(BudgetError) as caught:
        merge(thread, [notes("x " * 20, pinned=True)], budget_tokens=90, counter=WORDS, reserve_tokens=5)

    message = str(caught.value)
    assert "system messages 34" in message
    assert "newest human message 44" in message
    assert "pinned sections 23" in message
    assert "overhead 3" in message
    assert "85 are allowed" in message
    assert "secret" not in message
    assert caught.value.needed_tokens == 104
    assert caught.value.budget_tokens == 85


def test_a_pinned_section_is_never_cut():
    """It is paid for before anything competes."""
    pinned = notes(*[f"rule number {i}" for i in range(8)], memory="rules", pinned=True, weight=0.01)
    context = merge([ASK], [notes(*["w " * 9] * 50), pinned], budget_tokens=90, counter=WORDS)

    assert all(kept and rule == "pinned" for _, kept, rule in rules(context, "rules"))
    assert context.total_tokens <= 90


def test_the_reserve_stays_free():
    """What the node adds by itself has its place."""
    context = merge(
        [ASK], [notes(*[f"w{i} " * 5 for i in range(50)])], budget_tokens=200, counter=WORDS, reserve_tokens=80
    )

    assert 90 < context.total_tokens <= 120
    assert context.budget_tokens == 200


def test_history_is_cut_by_whole_turns_from_the_old_end():
    """The newest turns stay, the explanation says so."""
    thread = [*chat(10), ASK]
    history, _ = history_section(thread, memory="buffer", counter=WORDS)
    context = merge(thread, [history], budget_tokens=110, counter=WORDS)

    assert [m.id for m in context.messages] == ["h7", "a7", "h8", "a8", "h9", "a9", "ask"]
    assert rules(context, "buffer")[0] == ("h0", False, "over budget")
    assert rules(context, "buffer")[-1] == ("a9", True, "newest turns")


def test_shares_are_by_weight_and_unused_ones_flow_on():
    """A memory with little to say leaves room for the other."""
    many = [f"m{i} " * 4 for i in range(100)]
    few = notes("short", memory="few", weight=1)
    context = merge([ASK], [few, notes(*many, weight=1)], budget_tokens=200, counter=WORDS)

    assert context.tokens["few"] == 1
    assert context.tokens["notes"] > 100


def test_a_memory_that_is_cut_has_its_share():
    """Twice the weight, twice the tokens."""
    many = [f"m{i} w w w" for i in range(200)]
    a, b = notes(*many, memory="a", weight=2), notes(*(f"b {t}" for t in many), memory="b", weight=1)
    context = merge([ASK], [a, b], budget_tokens=900, counter=WORDS)

    assert 1.7 < context.tokens["a"] / context.tokens["b"] < 2.3


def test_history_has_its_share_and_no_more_when_others_want_theirs():
    """A long thread does not crowd out what was found by meaning."""
    thread = [*chat(60), ASK]
    history, _ = history_section(thread, memory="buffer", counter=WORDS, weight=0.5)
    found = notes(*(f"f{i} w w w w w" for i in range(200)), weight=0.5)
    context = merge(thread, [history, found], budget_tokens=800, counter=WORDS)

    assert 300 < context.tokens["buffer"] <= 400
    assert context.tokens["notes"] > 270


def test_a_maximum_binds_even_when_tokens_are_left():
    """What others leave is not given beyond max_share."""
    groups = (Snippet("w " * 30, score=0.5), Snippet("v " * 45, score=0.4))
    context = merge([ASK], [Section("notes", groups, max_share=0.5)], budget_tokens=120, counter=WORDS)

    assert [kept for _, kept, _ in rules(context, "notes")] == [True, False]


def test_groups_go_whole_and_best_first():
    """A group that does not fit is passed over, smaller ones may follow."""
    snippets = (
        Snippet("w " * 10, score=0.9, memo_id="1", group="best"),
        Snippet("v " * 10, score=0.1, memo_id="2", group="best"),
        Snippet("u " * 200, score=0.8, memo_id="3", group="huge"),
        Snippet("t " * 10, score=0.7, memo_id="4"),
    )
    context = merge([ASK], [Section("notes", snippets)], budget_tokens=70, counter=WORDS)

    assert [kept for _, kept, _ in rules(context, "notes")] == [True, True, False, True]


def test_what_no_share_can_use_goes_where_it_fits():
    """A summary beyond its share is shown when the others leave the room."""
    summary = notes("s " * 40, memory="summary", weight=0.1)
    search = notes("f " * 60, "g " * 60, memory="search", weight=0.9)
    context = merge([ASK], [summary, search], budget_tokens=135, counter=WORDS)

    assert [line.rule for line in context.kept if line.memory == "summary"] == ["fits in what others left"]


def test_a_memory_may_cut_its_own_section():
    """truncate is asked with the tokens that it may fill; what it left out stays explained."""
    asked = []

    def first_words(section: Section, max_tokens: int) -> Section:
        asked.append(max_tokens)
        return replace(section, snippets=(Snippet("short form", score=1.0, memo_id="cut"),))

    long = notes("w " * 500, memory="summary")
    context = merge([ASK], [long], budget_tokens=100, counter=WORDS, truncate={"summary": first_words})

    assert asked[0] < 90
    assert rules(context, "summary") == [
        ("cut", True, "within its share"),
        ("summary-0", False, "truncated by its memory"),
    ]
    assert (
        merge([ASK], [notes("w")], budget_tokens=100, counter=WORDS, truncate={"notes": first_words}).tokens["notes"]
        == 1
    )


def test_a_truncate_that_does_not_keep_its_word_is_cut_by_groups():
    """The budget holds whatever a memory returns."""
    context = merge(
        [ASK],
        [notes("w " * 500, "v " * 5)],
        budget_tokens=60,
        counter=WORDS,
        truncate={"notes": lambda section, _: section},
    )

    assert context.total_tokens <= 60
    assert [kept for _, kept, _ in rules(context, "notes")] == [False, True]


def test_bad_weights_are_a_configuration_error():
    """One clear sentence instead of a strange split."""
    with pytest.raises(ConfigurationError, match="all weights are zero"):
        merge([ASK], [notes("a", weight=0.0)], budget_tokens=100, counter=WORDS)
