"""Consolidation keeps its word: a dry run says what the run does, and a run leaves nothing to do."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.memory import InMemoryStore

from graph_memory import Scope, VectorMemory
from graph_memory.context.workspaces import Workspace
from graph_memory.lifecycle import ConsolidationRules
from graph_memory.memories.accesses import Access, accesses_beside
from graph_memory.memories.episodes.keeping import Episodes
from graph_memory.namespaces import label
from tests.said import NOW, ago, consolidated, items_of, said, tell

VECTOR = label("memory", "vector")
EVERYTHING = ConsolidationRules(workspace=Workspace(name="w"), prune_below=0.3, prune_after_days=5)


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


LONG = "We went to the market in the morning and bought apples, pears, bread and a large cheese for the"
lives = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 70), st.integers(43_000, 43_400), st.integers(0, 144_000)),
        st.sampled_from(["Hello!", "hello", "Is he?", f"{LONG} feast", f"{LONG} big feast", f"{LONG} next big feast"]),
        st.sampled_from(["t", "u"]),
        st.one_of(st.just(Access()), st.builds(Access, st.integers(1, 9), st.just(ago(hours=2)), st.floats(0, 1))),
    ),
    max_size=9,
)


@given(lives)
def test_a_run_leaves_nothing_that_another_would_do(lines: list[tuple[int, str, str, Access]]):
    """What its report names has come about, memo by memo, and no message of a running session is gone."""
    store, memory = InMemoryStore(), VectorMemory(episodes=Episodes())
    ordered = sorted(lines, key=lambda line: -line[0])
    for thread in ("t", "u"):
        turns = [[said(text, at(m), f"{thread}{i}")] for i, (m, text, t, _) in enumerate(ordered) if t == thread]
        tell(store, turns, scope=Scope("ada", thread), memory=memory)
    memos = [item for item in store.search(("graph_memory", "user:ada:"), limit=999) if item.namespace[3] == VECTOR]
    for item, (*_, access) in zip(sorted(memos, key=lambda item: item.key), lines, strict=False):
        store.put(accesses_beside(item.namespace, "vector"), item.key, access.to_value())
    dry = consolidated(store, dry_run=True, memory=memory, rules=EVERYTHING)
    real = consolidated(store, memory=memory, rules=EVERYTHING)

    left = {key: value for (where, key), value in items_of(store).items() if where[3] == VECTOR}
    gone = {memo for plan in real.plans for one in plan.merged for memo in one.removed}
    gone |= {one.memo for plan in real.plans for one in plan.pruned}
    running = {item.key for item in memos if item.value["said_at"] > ago(minutes=30).isoformat()}
    assert dry.plans == real.plans
    assert left.keys() == {item.key for item in memos} - gone
    assert running <= left.keys()
    for plan in real.plans:
        assert {key: left[key]["metadata"]["repeats"]["count"] for key in (one.kept for one in plan.merged)} == {
            one.kept: one.count for one in plan.merged
        }
        assert all(left[one.memo_id]["tier"] == one.after for one in plan.moved)
    assert consolidated(store, memory=memory, rules=EVERYTHING).is_empty
