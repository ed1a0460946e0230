"""The allocator: shares by weight, bounds, and what flows on."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.context.budget import allocate
from graph_memory.errors import ConfigurationError

names = st.sampled_from(["buffer", "summary", "vector", "entity", "working", "profile"])
wanted = st.dictionaries(names, st.integers(0, 5000), min_size=1)
weighted = st.fixed_dictionaries(
    {name: st.floats(0.001, 1000) for name in ["buffer", "summary", "vector", "entity", "working", "profile"]}
)


def test_unused_share_flows_on():
    """A memory that wants little leaves its tokens to the rest."""
    grants = allocate(wants={"buffer": 900, "entity": 50}, weights={"buffer": 1, "entity": 1}, budget_tokens=600)

    assert grants == {"buffer": 550, "entity": 50}


def test_scarce_tokens_are_shared_by_weight():
    """Twice the weight is twice the share."""
    assert allocate({"a": 900, "b": 900}, {"a": 2, "b": 1}, 600) == {"a": 400, "b": 200}


def test_rounding_loses_no_token():
    """Three equal shares of 100 add up to 100, the same way each time."""
    assert allocate({"a": 90, "b": 90, "c": 90}, {"a": 1, "b": 1, "c": 1}, 100) == {"a": 34, "b": 33, "c": 33}


def test_a_minimum_is_kept_for_a_light_memory():
    """min_share is granted before weights count."""
    grants = allocate({"a": 900, "b": 900}, {"a": 9, "b": 1}, 600, min_shares={"b": 0.5})

    assert grants == {"a": 300, "b": 300}


def test_a_minimum_is_not_granted_beyond_what_is_wanted():
    """What a minimum does not need flows on."""
    assert allocate({"a": 900, "b": 10}, {"a": 1, "b": 1}, 600, min_shares={"b": 0.5}) == {"a": 590, "b": 10}


def test_a_maximum_leaves_the_rest_to_others():
    """max_share binds even when the others have no use for all of it."""
    assert allocate({"a": 900, "b": 100}, {"a": 9, "b": 1}, 600, max_shares={"a": 0.5}) == {"a": 300, "b": 100}


def test_minima_beyond_the_budget_cut_the_lower_priority_first():
    """The more important minimum stays whole."""
    grants = allocate({"a": 900, "b": 900}, {"a": 1, "b": 1}, 600, min_shares={"a": 0.8, "b": 0.8}, priorities={"b": 1})

    assert grants == {"a": 120, "b": 480}


def test_minima_of_one_priority_are_scaled_alike():
    """Equal importance means equal sacrifice."""
    assert allocate({"a": 900, "b": 900}, {"a": 1, "b": 5}, 600, min_shares={"a": 0.9, "b": 0.9}) == {
        "a": 300,
        "b": 300,
    }


def test_weight_zero_gets_what_the_others_leave():
    """No share of its own, but nothing is wasted."""
    assert allocate({"a": 100, "b": 900}, {"a": 1, "b": 0}, 600) == {"a": 100, "b": 500}


@pytest.mark.parametrize("budget", [0, -5])
def test_no_budget_means_no_grants(budget):
    """A budget below zero counts as zero."""
    assert allocate({"a": 100}, {"a": 1}, budget) == {"a": 0}


def test_nobody_asks():
    """Without wants there is nothing to weigh."""
    assert allocate({}, {}, 100) == {}


@pytest.mark.parametrize("weight", [-1, math.nan, math.inf])
def test_a_bad_weight_is_refused(weight):
    """The sentence names the memory and its weight."""
    with pytest.raises(ConfigurationError, match="weight of 'a'"):
        allocate({"a": 1}, {"a": weight}, 10)


def test_a_missing_weight_is_refused():
    """Every name that wants has a weight."""
    with pytest.raises(ConfigurationError, match="weight of 'a' is None"):
        allocate({"a": 1}, {}, 10)


def test_weights_of_zero_only_are_refused():
    """Somebody must be worth something."""
    with pytest.raises(ConfigurationError, match="all weights are zero"):
        allocate({"a": 1, "b": 1}, {"a": 0, "b": 0}, 10)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
@pytest.mark.parametrize("bound", ["min_shares", "max_shares"])
def test_a_share_outside_zero_to_one_is_refused(bound, share):
    """Shares are fractions."""
    with pytest.raises(ConfigurationError, match="share of 'a'"):
        allocate({"a": 1}, {"a": 1}, 10, **{bound: {"a": share}})


@given(
    wanted,
    weighted,
    st.integers(0, 8000),
    st.dictionaries(names, st.floats(0, 1)),
    st.dictionaries(names, st.floats(0, 1)),
)
def test_grants_keep_every_bound(wants, weights, budget, minima, maxima):
    """Never more than wanted, than the maximum, than the budget; never less than the minimum where it is affordable."""
    grants = allocate(wants, weights, budget, min_shares=minima, max_shares=maxima)

    assert sum(grants.values()) <= budget
    caps = {name: min(want, int(budget * maxima.get(name, 1.0))) for name, want in wants.items()}
    floors = {name: min(cap, int(budget * minima.get(name, 0.0))) for name, cap in caps.items()}
    assert all(0 <= grants[name] <= caps[name] for name in wants)
    if sum(floors.values()) <= budget:
        assert all(grants[name] >= floors[name] for name in wants)


@given(wanted, weighted, st.integers(0, 8000))
def test_nothing_is_left_while_something_is_wanted(wants, weights, budget):
    """Either everybody has what they want, or the budget is used to the last token."""
    grants = allocate(wants, weights, budget)

    assert sum(grants.values()) == min(budget, sum(wants.values()))


@given(wanted, weighted, st.integers(0, 8000))
def test_whoever_is_cut_has_its_share_at_least(wants, weights, budget):
    """A memory is never cut below its weight's part of the budget for the sake of another."""
    grants = allocate(wants, weights, budget)

    total = sum(weights[name] for name in wants)
    assert all(grants[n] >= min(wants[n], math.floor(budget * weights[n] / total) - 1) for n in wants)


def test_ten_thousand_names_share_to_the_last_token():
    """However many there are; `python -m benchmarks.merge` has the time."""
    wants = {str(i): i % 97 for i in range(10_000)}
    grants = allocate(wants, {name: 1 + want for name, want in wants.items()}, 100_000)

    assert sum(grants.values()) == 100_000
