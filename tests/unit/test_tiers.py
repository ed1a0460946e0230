"""Tiers: who moves up or down, that nothing bounces, and how full a tier is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.context.tiers import TIERS, TierCandidate, TierChange, TierRules, TierUse, evaluate_tiers, tier_use
from graph_memory.context.workspaces import WORKSPACES, Workspace
from graph_memory.errors import ConfigurationError
from graph_memory.types import Memo, Origin

NOW = datetime(2025, 6, 1, tzinfo=UTC)
DEFAULT = WORKSPACES["default"]
BEST = Memo("best", "text", Origin("root"), NOW, importance=1.0, access_count=9, last_accessed_at=NOW)
WORST = Memo("worst", "text", Origin("root"), NOW - timedelta(days=400), importance=0.0)

workspaces = st.sampled_from(list(WORKSPACES.values()))
parts = st.floats(0, 1)
memos = st.builds(
    lambda importance, accesses, age, tier: Memo(
        "m", "text", Origin("root"), NOW - timedelta(hours=age), importance=importance, access_count=accesses, tier=tier
    ),
    parts,
    st.integers(0, 50),
    st.floats(-1e4, 1e4),
    st.sampled_from(TIERS),
)


def moves(memo: Memo, relevances: Sequence[float], gaps: Sequence[float], workspace: Workspace) -> list[TierChange]:
    """What happens to a memo that is evaluated again and again, some hours apart, each change being applied."""
    now, moved_at, changes = NOW, None, []
    for relevance, gap in zip(relevances, gaps, strict=True):
        now += timedelta(hours=gap)
        for change in evaluate_tiers([TierCandidate(memo, relevance, moved_at)], workspace, now):
            memo, moved_at = replace(memo, tier=change.after), now
            changes.append(change)
    return changes


@pytest.mark.parametrize(("tier", "after"), [("rag", "long_term"), ("long_term", "project"), ("project", "working")])
def test_what_is_used_and_scores_high_moves_up_one_tier(tier, after):
    """From documents over the long term and the project to what is worked with."""
    (change,) = evaluate_tiers([TierCandidate(replace(BEST, tier=tier), 1.0)], DEFAULT, NOW)

    assert (change.memo_id, change.before, change.after, change.is_promotion) == ("best", tier, after, True)
    assert change.score >= 0.8


def test_what_scores_low_moves_down_one_tier():
    """Towards the documents."""
    (change,) = evaluate_tiers([TierCandidate(replace(WORST, tier="project"), 0.0)], DEFAULT, NOW)

    assert (change.after, change.is_promotion) == ("long_term", False)
    assert change.score < 0.3


def test_the_highest_cannot_rise_and_the_lowest_cannot_fall():
    """There is nowhere to go."""
    ends = [TierCandidate(replace(BEST, tier="working"), 1.0), TierCandidate(replace(WORST, tier="rag"), 0.0)]

    assert evaluate_tiers(ends, DEFAULT, NOW) == []


def test_a_high_score_without_enough_accesses_stays():
    """One brilliant match is not use."""
    workspace = replace(DEFAULT, tier_rules=TierRules(promotion_threshold=0.7, promotion_accesses=3))
    twice = replace(BEST, access_count=2)

    assert evaluate_tiers([TierCandidate(twice, 1.0)], workspace, NOW) == []
    assert len(evaluate_tiers([TierCandidate(replace(twice, access_count=3), 1.0)], workspace, NOW)) == 1


def test_what_has_just_moved_rests():
    """Even when its score would move it on."""
    just, before = NOW - timedelta(minutes=59), NOW - timedelta(minutes=60)

    assert evaluate_tiers([TierCandidate(BEST, 1.0, just)], DEFAULT, NOW) == []
    assert len(evaluate_tiers([TierCandidate(BEST, 1.0, before)], DEFAULT, NOW)) == 1


def test_a_move_in_the_future_counts_as_just_made():
    """The clock went backwards; nothing moves until it has caught up."""
    assert evaluate_tiers([TierCandidate(BEST, 1.0, NOW + timedelta(days=2))], DEFAULT, NOW) == []


def test_an_unknown_tier_is_refused():
    """With the tiers that there are."""
    with pytest.raises(ConfigurationError, match="'archive': choose from rag, long_term, project, working"):
        evaluate_tiers([TierCandidate(replace(BEST, tier="archive"), 1.0)], DEFAULT, NOW)
    with pytest.raises(ConfigurationError, match="'archive'"):
        tier_use([("archive", 10, True)], {})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"demotion_threshold": 0.8}, "demotion below promotion"),
        ({"promotion_threshold": 1.5}, "both lie in 0–1"),
        ({"demotion_threshold": -0.1}, "both lie in 0–1"),
        ({"promotion_threshold": float("nan")}, "both lie in 0–1"),
        ({"promotion_accesses": 0}, "1 or more"),
        ({"rest_hours": -1}, "0 or more"),
    ],
)
def test_rules_that_leave_no_gap_or_cannot_be_are_refused(options, sentence):
    """Without a gap memos would go up and down for ever."""
    with pytest.raises(ConfigurationError, match=sentence):
        TierRules(**options)


@given(memo=memos, relevance=parts, gaps=st.lists(st.floats(0, 500), min_size=1, max_size=12), workspace=workspaces)
def test_nothing_bounces_under_constant_input(memo, relevance, gaps, workspace):
    """As time passes a memo may rise and later fall; it never falls and rises."""
    ups = [change.is_promotion for change in moves(memo, [relevance] * len(gaps), gaps, workspace)]

    assert ups == sorted(ups, reverse=True)


@given(memo=memos, relevance=parts, workspace=workspaces)
def test_at_one_moment_a_memo_moves_one_way_only(memo, relevance, workspace):
    """Even without a rest: the thresholds lie apart."""
    restless = replace(workspace, tier_rules=replace(workspace.tier_rules, rest_hours=0))
    ups = {change.is_promotion for change in moves(memo, [relevance] * 8, [0.0] * 8, restless)}

    assert len(ups) <= 1


@given(memo=memos, relevances=st.lists(parts, min_size=8, max_size=8), workspace=workspaces)
def test_questions_alone_do_not_move_a_memo_up_and_down(memo, relevances, workspace):
    """In no preset: the gap is wider than what relevance can change."""
    restless = replace(workspace, tier_rules=replace(workspace.tier_rules, rest_hours=0))
    ups = {change.is_promotion for change in moves(memo, relevances, [0.0] * 8, restless)}

    assert len(ups) <= 1


@given(
    memo=memos,
    relevances=st.lists(parts, min_size=20, max_size=20),
    gaps=st.lists(st.floats(0, 0.2), min_size=20, max_size=20),
    accesses=st.integers(0, 20),
)
def test_within_the_rest_a_memo_moves_once_at_most(memo, relevances, gaps, accesses):
    """Whatever the questions, with thresholds as close as they may be."""
    rules = TierRules(promotion_threshold=0.5, demotion_threshold=0.49999, promotion_accesses=1, rest_hours=4.1)

    assert len(moves(replace(memo, access_count=accesses), relevances, gaps, replace(DEFAULT, tier_rules=rules))) <= 1


@given(memo=memos, relevance=parts, back=st.floats(0, 1e5), workspace=workspaces)
def test_a_clock_that_goes_backwards_never_raises(memo, relevance, back, workspace):
    """Scores stay in 0–1, whatever the times."""
    changes = evaluate_tiers([TierCandidate(memo, relevance)], workspace, NOW - timedelta(hours=back))

    assert all(0 <= change.score <= 1 for change in changes)


def test_use_is_counted_for_every_tier():
    """Tokens and memos that were selected, beside what was allowed and offered."""
    offered = [("working", 60, True), ("working", 40, False), ("rag", 300, True)]

    use = tier_use(offered, {"working": 80, "rag": 200, "project": 50})

    assert list(use) == list(TIERS)
    assert use["working"] == TierUse(tokens=60, budget_tokens=80, selected=1, offered=2)
    assert [round(use[tier].utilisation, 2) for tier in TIERS] == [1.5, 0.0, 0.0, 0.75]
