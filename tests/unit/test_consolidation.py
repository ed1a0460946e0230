"""Consolidation: what a dry run says, and that the run after it does just that."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore

from graph_memory import ConfigurationError, Scope, StoreError, VectorMemory, get_context, search
from graph_memory.context.tiers import TierRules
from graph_memory.context.workspaces import Workspace
from graph_memory.lifecycle import (
    ConsolidationRules,
    acount_accesses,
    amove_tiers,
    aprune,
    count_accesses,
    move_tiers,
    prune,
)
from tests.fakes import BrokenStore
from tests.said import ADA, NOW, STORES, ago, consolidated, items_of, said, store_of, tell, two_sessions


def texts(store: Any, user: str = "ada", kind: str = "message") -> list[str]:
    """What is remembered, oldest first."""
    found = search(Scope(user_id=user), "", store=store, kinds=[kind], limit=1000)
    return [one.memo.text for one in sorted(found, key=lambda one: (one.memo.said_at, one.memo.origin.seq))]


@pytest.mark.parametrize("way", ["consolidate", "aconsolidate"])
@pytest.mark.parametrize("kind", STORES)
def test_near_duplicates_become_one_with_a_count_and_its_sources(kind: str, way: str):
    """The oldest stays; what was said again is counted, and names the messages that said it."""
    with store_of(kind) as store:
        days = [[said("My dog is called Rex!", ago(days=9 - i), f"h{i}")] for i in range(3)]
        tell(store, [*days, [said("My cat is called Tom.", ago(days=1), "h9")]])
        report = consolidated(store, way)
        found = search(ADA, "", store=store, kinds=["message"])

    [dog] = [one.memo for one in found if "Rex" in one.memo.text]
    assert report.counts["merged"] == 2
    assert (len(found), dog.said_at) == (2, ago(days=9))
    assert dog.metadata["repeats"] == {"count": 3, "last_said_at": ago(days=7).isoformat(), "sources": ["h1", "h2"]}


def test_merging_again_goes_on_counting():
    """A greeting that comes back later is added to the count."""
    store, hello = InMemoryStore(), [[said("Hello!", ago(days=9 - i), f"h{i}")] for i in range(3)]
    tell(store, hello[:2])
    consolidated(store)
    tell(store, [hello[2]])
    consolidated(store)

    [one] = search(ADA, "", store=store, kinds=["message"])
    assert one.memo.metadata["repeats"] == {
        "count": 3,
        "last_said_at": ago(days=7).isoformat(),
        "sources": ["h1", "h2"],
    }


@pytest.mark.parametrize("kind", STORES)
def test_old_sessions_become_episodes(kind: str):
    """Those that are over and have none; the one that was remembered with its pause has one already."""
    with store_of(kind) as store:
        tell(store, two_sessions())
        report = consolidated(store)
        again = consolidated(store)
        lines = texts(store, kind="episode")

    [plan] = [plan for plan in report.plans if plan.condensed]
    assert [one.messages for one in plan.condensed] == [2]
    assert len(lines) == 2
    assert again.is_empty


def test_a_session_that_still_runs_is_left_alone():
    """It is not over before it has been idle."""
    store = InMemoryStore()
    tell(store, [[said("Hello there, Ann.", ago(minutes=29), "h1")]])

    assert consolidated(store).is_empty
    assert consolidated(store, now=NOW + timedelta(minutes=1)).counts["condensed"] == 1


def test_a_session_that_still_runs_keeps_what_was_said_before():
    """A greeting that was said a month ago too stays until the session has its episode; then the two are one."""
    store = InMemoryStore()
    days = (said("Hello!", ago(days=30), "h1"), said("hello", ago(minutes=20), "h2"), said("Bye.", NOW, "h3"))
    tell(store, [[one] for one in days])

    assert consolidated(store).counts["merged"] == 0
    later = consolidated(store, now=NOW + timedelta(hours=1))
    [episode] = [one for plan in later.plans for one in plan.condensed]
    assert (later.counts["merged"], episode.messages) == (1, 2)
    assert consolidated(store, now=NOW + timedelta(hours=1)).is_empty


def test_what_is_said_again_is_as_fresh_as_its_newest_repeat():
    """An old greeting that came back yesterday is not pruned for its age, nor in a later run; reports name no memo twice."""
    store, bare = InMemoryStore(), VectorMemory(episodes=None)
    tell(store, [[said("Hello!", ago(days=90), "h1")], [said("hello", ago(days=1), "h2")]], memory=bare)
    rules = ConsolidationRules(prune_below=0.3, prune_after_days=30)

    first = consolidated(store, memory=bare, rules=rules)
    assert first.counts == {"condensed": 0, "merged": 1, "pruned": 0, "moved": 0}
    assert consolidated(store, memory=bare, rules=rules, now=NOW + timedelta(days=20)).is_empty
    assert texts(store) == ["Hello!"]
    assert consolidated(store, memory=bare, rules=rules, now=NOW + timedelta(days=40)).counts["pruned"] == 1
    assert texts(store) == []


def test_duplicates_that_score_low_go_all_at_once():
    """None of them is reported as kept."""
    store, bare = InMemoryStore(), VectorMemory(episodes=None)
    tell(store, [[said("Hello!", ago(days=90), "h1")], [said("hello", ago(days=80), "h2")]], memory=bare)

    report = consolidated(store, memory=bare, rules=ConsolidationRules(prune_below=0.3))

    assert report.counts == {"condensed": 0, "merged": 0, "pruned": 2, "moved": 0}
    assert texts(store) == []


def test_low_scores_go_when_an_episode_tells_of_them():
    """Old, unimportant and never accessed; without an episode they stay, unless none are kept."""
    store, bare = InMemoryStore(), VectorMemory(episodes=None)
    tell(
        store,
        [[said("Nice weather.", ago(days=400), "h1")], [said("My dog Rex is ill.", ago(days=2), "h2")]],
        memory=bare,
    )

    assert prune(store, "ada", below=0.1, now=NOW).is_empty
    assert asyncio.run(aprune(store, "ada", below=0.1, now=NOW)).is_empty
    assert prune(store, "ada", below=0.1, now=NOW, memory=bare).counts["pruned"] == 1
    consolidated(store, rules=ConsolidationRules(prune_below=None))
    report = prune(store, "ada", below=0.1, dry_run=False, now=NOW)

    assert report.counts == {"condensed": 0, "merged": 0, "pruned": 1, "moved": 0}
    assert texts(store) == ["My dog Rex is ill."]
    assert any("weather" in text for text in texts(store, kind="episode"))


def test_what_was_accessed_is_not_pruned():
    """Being shown counts for a memo, however old it is."""
    store = InMemoryStore()
    tell(store, [[said("Nice weather in Ghent.", ago(days=400), "h1")], [said("Hello.", ago(days=2), "h2")]])
    shown = get_context([VectorMemory()], ADA, "What about Ghent?", store=store)
    count_accesses(ADA, shown, store=store, now=ago(days=1))

    assert prune(store, "ada", below=0.1, now=NOW).is_empty


@pytest.mark.parametrize("way", ["count_accesses", "acount_accesses"])
def test_accesses_are_counted_once_a_turn_and_leave_memos_as_they_are(way: str):
    """The same context counted twice counts once; nothing that is searched changes."""
    store = InMemoryStore()
    tell(store, two_sessions())
    before = items_of(store)
    shown = get_context([VectorMemory()], ADA, "Who is ill?", store=store)

    def count(context: Any) -> int:
        if way == "count_accesses":
            return count_accesses(ADA, context, store=store, now=NOW)
        return asyncio.run(acount_accesses(ADA, context, store=store, now=NOW))

    first, second = count(shown), count(shown)

    kept = [line for line in shown.kept if line.memory == "vector"]
    assert (first, second) == (len(kept), 0)
    assert {key: items_of(store)[key] for key in before} == before


@pytest.mark.parametrize("way", ["move_tiers", "amove_tiers"])
def test_memos_move_between_tiers_by_a_workspaces_rules(way: str):
    """Used often and lately they move up, forgotten they move down; what has just moved rests."""
    store = InMemoryStore()
    tell(store, [[said("My dog Rex is ill.", ago(hours=2), "h1")], [said("Old news.", ago(days=400), "h2")]])
    for minute in range(12):
        shown = get_context([VectorMemory(limit=1)], ADA, f"Is my dog Rex ill {minute}?", store=store)
        count_accesses(ADA, shown, store=store, now=ago(minutes=minute))
    workspace = Workspace(name="w", tier_rules=TierRules(promotion_threshold=0.6))
    if way == "move_tiers":
        report = move_tiers(store, "ada", workspace, dry_run=False, now=NOW)
    else:
        report = asyncio.run(amove_tiers(store, "ada", workspace, dry_run=False, now=NOW))
    again = move_tiers(store, "ada", workspace, now=NOW)

    tiers = {one.memo.text: one.memo.tier for one in search(ADA, "", store=store, kinds=["message"])}
    assert tiers == {"My dog Rex is ill.": "project", "Old news.": "rag"}
    assert report.counts["moved"] == 2
    assert again.is_empty


def test_each_agents_memory_is_consolidated_by_itself():
    """What two agents were told is theirs; other users keep theirs."""
    store = InMemoryStore()
    for scope in (ADA, Scope("ada", "t", "helper"), Scope("bob", "t")):
        tell(store, [[said("Hello!", ago(days=2), "h1")], [said("hello", ago(days=1), "h2")]], scope=scope)
    report = consolidated(store)

    assert report.counts["merged"] == 2
    assert len(report.plans) == 2
    assert texts(store, "bob") == ["Hello!", "hello"]


def test_what_other_memories_keep_is_theirs():
    """Only the vector memory that is named is consolidated."""
    store = InMemoryStore()
    tell(
        store, [[said("Hello!", ago(days=2), "h1")], [said("hello", ago(days=1), "h2")]], memory=VectorMemory(name="v2")
    )

    assert consolidated(store).is_empty
    assert consolidated(store, memory=VectorMemory(name="v2")).counts["merged"] == 1


def test_a_store_that_fails_says_so():
    """What was done until then is whole."""
    store = BrokenStore(lambda op: False)
    tell(store, two_sessions())
    store.breaks = lambda op: True

    with pytest.raises(StoreError):
        consolidated(store)


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (lambda: ConsolidationRules(similarity=0.3), "similarity is 0.3"),
        (lambda: ConsolidationRules(prune_below=2), "prune_below is 2"),
        (lambda: ConsolidationRules(prune_after_days=-1), "prune_after_days is -1"),
    ],
)
def test_mistakes_are_refused_early(mistake: Any, sentence: str):
    """In one sentence."""
    with pytest.raises(ConfigurationError, match=sentence):
        mistake()
