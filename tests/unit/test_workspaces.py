"""Workspaces: budgets, tiers, presets, and what is refused."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.context.complexity import COMPLEXITIES
from graph_memory.context.tiers import TIERS
from graph_memory.context.workspaces import WORKSPACES, Multipliers, TierShares, Workspace, workspace_named
from graph_memory.errors import ConfigurationError

DEFAULT = WORKSPACES["default"]
workspaces = st.sampled_from(list(WORKSPACES.values()))


def test_the_reference_example_is_computed_as_it_says():
    """The default workspace and a complex question."""
    assert DEFAULT.budget("complex", 100_000) == 12288
    assert DEFAULT.tier_budgets(12288) == {"rag": 3072, "long_term": 2458, "project": 3072, "working": 3686}


@pytest.mark.parametrize(
    ("complexity", "tokens"), [("simple", 4000), ("medium", 8000), ("complex", 9000), ("expert", 9000)]
)
def test_complexity_scales_the_maximum_up_to_the_hard_budget(complexity, tokens):
    """The smaller of the two is what there is."""
    assert Workspace(name="mine", max_tokens=8000).budget(complexity, 9000) == tokens


def test_the_six_presets_are_the_references():
    """With the numbers that it gives."""
    assert list(WORKSPACES) == ["default", "development", "research", "production", "conversation", "code_analysis"]
    assert all(name == workspace.name for name, workspace in WORKSPACES.items())
    assert (DEFAULT.max_tokens, DEFAULT.tokens_per_char, DEFAULT.scoring.half_life_hours) == (8192, 0.25, 168)
    development = WORKSPACES["development"]
    assert development.max_tokens == 4096
    assert development.tier_shares == TierShares(working=0.5, project=0.3, long_term=0.1, rag=0.1)


def test_presets_lean_the_way_the_reference_describes():
    """Which one forgets faster, which one grows less, which one reads documents."""
    half_lives = {name: workspace.scoring.half_life_hours for name, workspace in WORKSPACES.items()}
    assert half_lives["conversation"] < half_lives["development"] < half_lives["default"]
    assert half_lives["default"] < half_lives["research"] == half_lives["code_analysis"]
    assert WORKSPACES["research"].tier_shares.rag == max(one.tier_shares.rag for one in WORKSPACES.values())
    assert WORKSPACES["production"].budget("expert", 10**6) < DEFAULT.budget("expert", 10**6)
    weights = WORKSPACES["conversation"].scoring
    assert weights.freshness > max(weights.relevance, weights.importance)


def test_an_unknown_workspace_is_refused_with_those_there_are():
    """A name from outside is often misspelt."""
    with pytest.raises(ConfigurationError, match="no workspace 'defualt': choose from default, development"):
        workspace_named("defualt")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Workspace(name=" "), "empty name"),
        (lambda: Workspace(name="x", max_tokens=0), "may have 0 tokens"),
        (lambda: Workspace(name="x", tokens_per_char=-1), "tokens_per_char is -1"),
        (lambda: TierShares(working=0.5), "tier shares add up to 1.2"),
        (lambda: TierShares(working=-0.1, project=0.65), "working is -0.1"),
        (lambda: TierShares(working=math.nan), "working is nan"),
        (lambda: Multipliers(expert=0), "multiplier for expert questions is 0"),
        (lambda: Multipliers(simple=math.inf), "multiplier for simple questions is inf"),
    ],
)
def test_a_workspace_that_cannot_be_is_refused(make, sentence):
    """In a sentence that names the number."""
    with pytest.raises(ConfigurationError, match=sentence):
        make()


def test_the_largest_multiplier_still_obeys_the_hard_budget():
    """Even where the product is no longer a number."""
    workspace = Workspace(name="x", max_tokens=10, multipliers=Multipliers(expert=sys.float_info.max))

    assert workspace.budget("expert", 4000) == 4000


@given(workspace=workspaces, complexity=st.sampled_from(COMPLEXITIES), hard=st.integers(0, 10**6))
def test_no_budget_exceeds_the_hard_one(workspace, complexity, hard):
    """Law 1, as far as a workspace has a say."""
    assert 0 <= workspace.budget(complexity, hard) <= hard


@given(workspace=workspaces, hard=st.integers(0, 10**6))
def test_a_harder_question_never_gets_less(workspace, hard):
    """In any preset."""
    budgets = [workspace.budget(complexity, hard) for complexity in COMPLEXITIES]

    assert budgets == sorted(budgets)


@given(weights=st.lists(st.integers(0, 50), min_size=4, max_size=4).filter(any), budget=st.integers(0, 10**6))
def test_tier_budgets_add_up_to_the_budget(weights, budget):
    """To the token, and each within one token of its share."""
    shares = {tier: weight / sum(weights) for tier, weight in zip(TIERS, weights, strict=True)}
    budgets = Workspace(name="x", tier_shares=TierShares(**shares)).tier_budgets(budget)

    assert sum(budgets.values()) == budget
    assert all(abs(budgets[tier] - budget * shares[tier]) < 1.001 for tier in TIERS)


def test_workspaces_survive_a_pickle():
    """They travel to workers."""
    assert pickle.loads(pickle.dumps(dict(WORKSPACES))) == WORKSPACES


def test_policies_need_neither_yaml_nor_pydantic():
    """They are plain values; files and the environment are read elsewhere."""
    code = "import sys, graph_memory.context.tiers, graph_memory.context.workspaces as w; w.WORKSPACES"
    code += "; sys.exit(bool({'yaml', 'pydantic'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
