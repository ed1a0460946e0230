"""How working memory stands in the channel: pages that come and go, and notes of nodes that do not see them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage

from graph_memory import Scope, Turn
from graph_memory.graph.state import merge_memory
from graph_memory.memories.working.items import Bounds
from graph_memory.memories.working.memory import WorkingMemory
from graph_memory.memories.working.state import scratchpad_of, tidied, together
from graph_memory.steps import run
from tests.store_helpers import Clock

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def names(found: Any) -> list[str]:
    """The keys."""
    return [one.key for one in found]


def turn(*messages: Any, now: datetime, state: Any) -> Turn:
    """A finished turn."""
    return Turn(Scope(user_id="ada", thread_id="t"), tuple(messages), "root", now, state=state)


@given(st.lists(st.lists(st.text(min_size=1, max_size=3).filter(str.strip), max_size=4), max_size=12))
def test_the_channel_does_not_grow(turns: list[list[str]]) -> None:
    """Markers of what was removed are dropped within two turns; what is in hand stays through it."""
    memory = WorkingMemory(capacity=3)
    state: dict[str, Any] = {}
    for keys in [*turns, [], []]:
        for key in keys:
            state = merge_memory(state, memory.noted(key, key, node="n", state={"memory": state})["memory"])
        mine = state.get("n", {}).get("working", {})
        before = scratchpad_of(mine, Bounds(3, 50, "importance"), NOW)
        update = run(memory.remember(turn(HumanMessage("x", id="h"), now=datetime.now(UTC), state=mine)))
        state = merge_memory(state, {"n": {"working": update}})
        after = scratchpad_of(state["n"]["working"], Bounds(3, 50, "importance"), NOW)
        assert names(after.items) == names(before.items)

    pages = [page for page in (state["n"]["working"].get("a"), state["n"]["working"].get("b")) if page]
    assert sum(len(page.get("items", {})) for page in pages) <= 3
    assert json.loads(json.dumps(state)) == state


def test_a_note_by_a_node_that_sees_no_state_replaces_the_one_before() -> None:
    """Though it was noted at one instant with it, or by a clock that is behind, in every phase of the pages."""
    clock = Clock()
    memory = WorkingMemory(clock=clock)
    for turns in range(5):
        for seconds in (0, -1):
            channel = dict[str, Any]()
            for key in "ab":
                channel = merge_memory(channel, memory.noted(key, "old", node="n", state={"memory": channel})["memory"])
            channel = merge_memory(channel, memory.dropped("a", node="n", state={"memory": channel})["memory"])
            for _ in range(turns):
                told = turn(HumanMessage("x", id="h"), now=clock(), state=channel["n"]["working"])
                channel = merge_memory(channel, {"n": {"working": run(memory.remember(told))}})
            clock.advance(seconds=seconds)
            channel = merge_memory(channel, memory.noted("b", "new", node="n", ttl_seconds=5)["memory"])

            assert memory.pad({"memory": channel}, node="n").get("b", "main") == "new"
            clock.advance(seconds=5)
            assert names(memory.pad({"memory": channel}, node="n").items) == []


def test_notes_of_a_node_that_sees_no_state_leave_nothing_behind() -> None:
    """Pages go by turns though both are written in every turn; after three quiet turns only what is in hand is there."""
    memory, channel = WorkingMemory(capacity=3), dict[str, Any]()
    for number in range(23):
        if number < 20:
            channel = merge_memory(channel, memory.noted(f"k{number}", 1, node="n")["memory"])
        told = turn(HumanMessage("x", id="h"), now=datetime.now(UTC), state=channel["n"]["working"])
        channel = merge_memory(channel, {"n": {"working": run(memory.remember(told))}})
        pages = [page for page in map(channel["n"]["working"].get, "ab") if page]
        assert sum(len(page["items"]) for page in pages) <= 15

    assert [sorted(item[1]["key"] for item in page["items"].values()) for page in pages] == [["k17", "k18", "k19"]]


def test_steps_of_two_chains_may_have_one_name() -> None:
    """Each namespace has its own."""
    memory = WorkingMemory()

    update = together(*(memory.stepped(space, node="n", step="flight", namespace=space) for space in ("one", "two")))

    assert [step.thought for step in memory.pad(update, node="n").steps] == ["one", "two"]


@pytest.mark.parametrize("is_blind", [False, True])
def test_a_note_made_while_the_turn_ends_is_not_lost(is_blind: bool) -> None:
    """A node beside the remembering one writes to the pages that it knows, before or after it, in every phase of the pages."""
    memory, state = WorkingMemory(), dict[str, Any]()
    for number in range(12):
        mine = state.get("n", {}).get("working", {})
        update = {
            "n": {"working": run(memory.remember(turn(HumanMessage("x", id="h"), now=datetime.now(UTC), state=mine)))}
        }
        seen = None if is_blind else {"memory": state}
        late = memory.noted(f"late {number}", 1, node="n", state=seen)["memory"]
        gone = memory.dropped([f"late {number - 2}"], node="n", state=seen)["memory"]
        both = [late, update, gone] if number % 2 else [update, late, gone]
        for one in both:
            state = merge_memory(state, one)
        found = names(memory.pad({"memory": state}, node="n").items)
        assert f"late {number}" in found
        assert f"late {number - 2}" not in found


def test_nothing_to_tidy_is_no_update() -> None:
    """A turn without tools leaves the channel as it is."""
    assert tidied({}, scratchpad_of({}, Bounds(1, 1, "lru"), NOW), NOW) == {}
