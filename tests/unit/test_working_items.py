"""What working memory keeps: capacity, time to live, eviction, the steps of a chain. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from graph_memory import ConfigurationError, Scope, Turn
from graph_memory.graph.state import merge_memory
from graph_memory.memories.working.items import Bounds, WorkingItem, kept, mentioned
from graph_memory.memories.working.memory import WorkingMemory
from graph_memory.memories.working.state import together
from graph_memory.memories.working.tool_steps import steps_of
from graph_memory.steps import run
from tests.store_helpers import Clock

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ADA = Scope(user_id="ada", thread_id="t")


def item(key: str, *, importance: float = 0.5, noted: int = 0, used: int = 0, **more: Any) -> WorkingItem:
    """An item that was noted and used so many seconds after the beginning."""
    at, last = NOW + timedelta(seconds=noted), NOW + timedelta(seconds=max(noted, used))
    return WorkingItem(key, more.get("value", key), "main", importance, at, more.get("expires_at"), last)


def names(found: Any) -> list[str]:
    """The keys."""
    return [one.key for one in found]


@pytest.mark.parametrize(
    ("eviction", "stay"), [("importance", ["new", "dear"]), ("lru", ["new", "used"]), ("fifo", ["new", "dear"])]
)
def test_who_goes_first(eviction: Any, stay: list[str]) -> None:
    """The least important, the longest unused, or the oldest."""
    items = [item("used", importance=0.1, noted=0, used=9), item("dear", importance=0.9, noted=1), item("new", noted=2)]

    assert set(names(kept(items, (), Bounds(2, 5, eviction), NOW).items)) == set(stay)


def test_what_is_of_use_is_spoken_of() -> None:
    """At least half of an item's terms, and two where it has as many."""
    items = [item("fare", value="42 euro to Ghent"), item("mood", value="fine"), item("plan", value="visit the castle")]

    assert names(mentioned(items, ["The fare to Ghent is 42 euro.", "mood"])) == ["fare"]
    assert mentioned([item("the", value="")], ["nothing"]) == []


def turn(*messages: Any, **more: Any) -> Turn:
    """A finished turn."""
    return Turn(ADA, tuple(messages), "root", more.pop("now", NOW), **more)


def tool_turn() -> Turn:
    """Two exchanges with tools: two calls at once of which one fails, then one."""
    calls = [{"name": "fares", "args": {"to": "Ghent"}, "id": "1"}, {"name": "seats", "args": {}, "id": "2"}]
    return turn(
        HumanMessage("how do I get to Ghent?", id="h"),
        AIMessage("Looking up\nfares.", id="a1", tool_calls=calls),
        ToolMessage("12 euro " * 100, id="t1", tool_call_id="1"),
        ToolMessage("Error: secret stack", id="t2", tool_call_id="2", status="error"),
        AIMessage("", id="a2", tool_calls=[{"name": "book", "args": {"n": 1}, "id": "3"}]),
        ToolMessage("booked", id="t3", tool_call_id="3"),
        AIMessage("", id="a3", tool_calls=[{"name": "never", "args": {}, "id": "4"}]),
        AIMessage("Done.", id="a4"),
    )


def chain(turn: Turn, after: datetime | None = None) -> list[Any]:
    """The steps that a turn shows."""
    return steps_of(turn, memory="working", namespace="main", ttl_seconds=60, characters=40, after=after)


def test_tool_calls_become_steps_in_order() -> None:
    """With what was said beside the call, the clipped result, links to the exchange before; an unanswered call is none."""
    steps = chain(tool_turn())

    assert [(s.thought, s.action) for s in steps] == [
        ("Looking up fares.", 'fares(to="Ghent")'),
        ("", "seats()"),
        ("", "book(n=1)"),
    ]
    assert steps[0].result == "12 euro 12 euro 12 euro 12 euro 12 euro…"
    assert steps[2].links == (steps[0].id, steps[1].id)
    assert steps[0].sources == ("a1", "t1")
    assert [s.at for s in steps] == sorted({s.at for s in steps})


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("no access", "error"),
        ("Error: no access", "success"),
        ("KeyError('x')", "success"),
        ("Traceback (most recent call last):", "success"),
    ],
)
def test_an_error_text_never_becomes_a_memory(text: str, status: Any) -> None:
    """Law 3: the step says that it failed, and no more."""
    call = {"name": "f", "args": {}, "id": "1"}
    messages = (AIMessage("", id="a", tool_calls=[call]), ToolMessage(text, id="t", tool_call_id="1", status=status))

    [step] = chain(turn(HumanMessage("x", id="h"), *messages))

    assert (step.failed, step.result) == (True, "")


def test_a_result_about_errors_is_a_result() -> None:
    """Only what is an error is left out."""
    call = {"name": "f", "args": {}, "id": "1"}
    messages = (AIMessage("", id="a", tool_calls=[call]), ToolMessage("Error rates fell", id="t", tool_call_id="1"))

    [step] = chain(turn(HumanMessage("x", id="h"), *messages))

    assert (step.failed, step.result) == (False, "Error rates fell")


def test_steps_follow_each_other_though_the_clock_goes_back() -> None:
    """A chain is in order."""
    later = NOW + timedelta(days=1)

    assert all(step.at > later for step in chain(tool_turn(), after=later))


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("note"), st.sampled_from("abcdefgh"), st.floats(0, 1), st.sampled_from([None, 1.0, 50.0])),
        st.tuples(st.just("blind"), st.sampled_from("abcdefgh"), st.floats(0, 1), st.sampled_from([None, 1.0, 50.0])),
        st.tuples(st.sampled_from(["drop", "blind drop"]), st.sampled_from("abcdefgh")),
        st.tuples(st.just("use"), st.sampled_from("abcdefgh")),
        st.tuples(st.just("step"), st.text(max_size=5)),
        st.tuples(st.just("clock"), st.integers(-100, 100)),
        st.tuples(st.just("turn")),
    ),
    max_size=40,
)


@given(OPERATIONS, st.integers(1, 4), st.sampled_from(["importance", "lru", "fifo"]))
def test_capacity_and_ttl_hold_under_any_order_of_operations(
    operations: list[Any], capacity: int, eviction: Any
) -> None:
    """Whatever is done in whatever order, also when the clock goes back; and the channel does not grow."""
    clock = Clock()
    memory = WorkingMemory(capacity=capacity, eviction=eviction, ttl_seconds=30, max_steps=3, clock=clock)
    state: dict[str, Any] = {"memory": {}}
    ends: dict[str, datetime] = {}
    for number, operation in enumerate(operations):
        match operation:
            case ("note" | "blind" as how, key, importance, ttl):
                seen = state if how == "note" else None
                update = memory.noted(key, 1, node="n", state=seen, importance=importance, ttl_seconds=ttl)
                ends[key] = clock() + timedelta(seconds=ttl or 30)
            case ("drop" | "blind drop" as how, key):
                update = memory.dropped([key], node="n", state=state if how == "drop" else None)
                assert key not in names(
                    memory.pad({"memory": merge_memory(state["memory"], update["memory"])}, node="n").items
                )
            case ("use", key):
                update = memory.used([key], node="n", state=state)
            case ("step", thought):
                update = memory.stepped(thought or "hm", node="n", state=state, step=str(number))
            case ("clock", seconds):
                clock.advance(seconds=seconds)
                update = {}
            case _:
                mine = state["memory"].get("n", {}).get("working", {})
                told = turn(HumanMessage("x", id="h"), now=clock(), state=mine)
                update = {"memory": {"n": {"working": run(memory.remember(told))}}}
        state = {"memory": merge_memory(state["memory"], update.get("memory"))}
        pad = memory.pad(state, node="n")
        assert len(pad.items) <= capacity
        assert len(pad.steps) <= 3
        assert all(clock() < ends[one.key] for one in pad.items)
        assert [s.at for s in pad.steps] == sorted({s.at for s in pad.steps})


def test_updates_join() -> None:
    """As the channel's reducer would."""
    memory = WorkingMemory()

    update = together(memory.noted("a", {"x": 1}, node="n"), memory.noted("b", 2, node="n"))

    assert names(memory.pad(update, node="n").items) == ["a", "b"]


def test_a_new_value_replaces_the_old_one_whole() -> None:
    """Mappings are not merged."""
    memory = WorkingMemory()
    state = merge_memory(None, memory.noted("a", {"x": 1}, node="n")["memory"])
    state = merge_memory(state, memory.noted("a", {"y": 2}, node="n", state={"memory": state})["memory"])

    assert memory.pad({"memory": state}, node="n").get("a", "main") == {"y": 2}


def test_statistics_are_by_namespace() -> None:
    """Count, oldest, newest, mean importance, steps."""
    clock = Clock()
    memory = WorkingMemory(clock=clock)
    update = memory.noted("a", 1, node="n", importance=0.2)
    clock.advance(seconds=5)
    update = together(
        update, memory.noted("b", 1, node="n", importance=0.4), memory.stepped("hm", node="n", namespace="x")
    )

    stats = memory.pad(update, node="n").stats()

    assert (stats["main"].count, round(stats["main"].mean_importance, 9), stats["main"].steps) == (2, 0.3, 0)
    assert stats["main"].newest == clock()
    assert stats["main"].oldest == clock() - timedelta(seconds=5)
    assert (stats["x"].count, stats["x"].oldest, stats["x"].steps) == (0, None, 1)


@pytest.mark.parametrize(
    "options",
    [
        {"capacity": 0},
        {"ttl_seconds": -1},
        {"eviction": "random"},
        {"placement": "history"},
        {"namespace": " "},
        {"shows": "main"},
        {"shown_steps": -1},
        {"promote_uses": 0},
        {"promote_importance": 2},
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    """Before a graph is built with them."""
    with pytest.raises(ConfigurationError):
        WorkingMemory(**options)


def test_wrong_notes_are_refused() -> None:
    """Importance, key, value, links, and the wrong kind of memory."""
    memory = WorkingMemory()
    for key, value, importance in (("", 1, 0.5), ("k", {1}, 0.5), ("k", 1, 2), ("k", 1, float("nan"))):
        with pytest.raises(ConfigurationError):
            memory.noted(key, value, node="n", importance=importance)
    with pytest.raises(ConfigurationError, match="brackets"):
        memory.stepped("x", node="n", links="abc")
    with pytest.raises(ConfigurationError, match="is shared"):
        WorkingMemory(shared=True).noted("k", 1, node="n")
    with pytest.raises(ConfigurationError, match="thread's own"):
        memory.read(ADA, store=None)  # type: ignore[arg-type]
