"""Consolidation: what a dry run says, and that the run after it does just that."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.memory import InMemoryStore

from graph_memory import ConfigurationError, Scope, StoreError, VectorMemory, get_context, search
from graph_memory.context.tiers import TierRules
from graph_memory.context.workspaces import Workspace
from graph_memory.lifecycle import (
    ConsolidationReport,
    ConsolidationRules,
    aconsolidate,
    acount_accesses,
    amove_tiers,
    aprune,
    consolidate,
    count_accesses,
    move_tiers,
    prune,
)
from graph_memory.memories.episodes.keeping import Episodes
from tests.fakes import BrokenStore
from tests.said import ADA, NOW, STORES, ago, items_of, said, store_of, tell, two_sessions

EVERYTHING = ConsolidationRules(workspace=Workspace(name="w"), prune_below=0.3, prune_after_days=5)


def consolidated(store: Any, way: str = "consolidate", **more: Any) -> ConsolidationReport:
    """The report of a run at NOW."""
    options = {"dry_run": False, "now": NOW, **more}
    if way == "consolidate":
        return consolidate(store, "ada", **options)
    return asyncio.run(aconsolidate(store, "ada", **options))


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
    assert dog.metadata["repeats"] == {"count": 3, "sources": ["h1", "h2"]}


def test_merging_again_goes_on_counting():
    """A greeting that comes back later is added to the count."""
    store, hello = InMemoryStore(), [[said("Hello!", ago(days=9 - i), f"h{i}")] for i in range(3)]
    tell(store, hello[:2])
    consolidated(store)
    tell(store, [hello[2]])
    consolidated(store)

    [one] = search(ADA, "", store=store, kinds=["message"])
    assert one.memo.metadata["repeats"] == {"count": 3, "sources": ["h1", "h2"]}


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


def at(minutes: int) -> datetime:
    """A time in the last hundred days, the later the smaller the number."""
    return NOW - timedelta(minutes=minutes)


conversations = st.lists(
    st.tuples(
        st.integers(0, 144_000),
        st.sampled_from(["Hello!", "hello", "My dog Rex is ill.", "my dog Rex is ill", "I moved to Ghent.", "Is he?"]),
        st.sampled_from(["human", "ai"]),
        st.sampled_from(["", "s1"]),
    ),
    max_size=12,
)


@given(conversations)
def test_a_dry_run_says_what_the_run_does(lines: list[tuple[int, str, str, str]]):
    """It changes nothing, the run does what it said, and after that there is nothing left to do."""
    store, memory = InMemoryStore(), VectorMemory(episodes=Episodes())
    tell(
        store,
        [
            [said(text, at(m), f"m{i}", by=by, session=s)]
            for i, (m, text, by, s) in enumerate(sorted(lines, reverse=True))
        ],
    )
    before = items_of(store)
    dry = consolidated(store, dry_run=True, memory=memory, rules=EVERYTHING)
    unchanged = items_of(store) == before
    real = consolidated(store, memory=memory, rules=EVERYTHING)

    gone = {memo for plan in real.plans for one in plan.merged for memo in one.removed}
    gone |= {one.memo for plan in real.plans for one in plan.pruned}
    made = {one.episode for plan in real.plans for one in plan.condensed}
    keys = {key for _, key in items_of(store)}
    assert unchanged
    assert dry.plans == real.plans
    assert not gone & keys
    assert made <= keys
    assert {key for _, key in before} - gone <= keys
    assert consolidated(store, memory=memory, rules=EVERYTHING).is_empty
