"""Heads, roots and operations: which commits a line sees, and what tells a retry from a fork."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import RetryPolicy

from graph_memory import MemoryState, Scope
from graph_memory.graph.lineage import LINEAGE, Head, Lineage, line_of, lineage_of, lineage_value, node_of, operation_id
from graph_memory.graph.state import merge_memory, next_version
from tests.fakes import in_thread

LANGGRAPH = "measured on LangGraph 1.2.22; see graph_memory/graph/lineage.py"


@given(st.lists(st.tuples(st.integers(0, 10**6), st.booleans()), max_size=40))
def test_a_head_sees_its_ancestors_and_nothing_else(steps: list[tuple[int, bool]]) -> None:
    """In a random tree of commits, on every head: what it sees is the way from it to the root."""
    heads: list[Head] = [Head()]
    ways: list[set[tuple[str, int]]] = [set()]
    taken: set[tuple[str, int]] = set()
    for number, (choice, _) in enumerate(steps):
        at = choice % len(heads)
        head = heads[at]
        if (head.branch, head.commit + 1) in taken:
            head = head.forked(f"op{number}")
        head = head.next()
        taken.add((head.branch, head.commit))
        heads.append(head)
        ways.append({*ways[at], (head.branch, head.commit)})

    for head, way in zip(heads, ways, strict=True):
        lineage = Lineage("r", {"a": head})
        origins = {place: {"root": "r", "line": "a", "branch": place[0], "commit": place[1]} for place in taken}
        assert {place for place, origin in origins.items() if lineage.sees(origin)} == way
        assert Head.of(json.loads(json.dumps(head.to_value()))) == head


def test_a_head_stays_small_after_fifty_forks() -> None:
    """Every fork adds one cut: under 2 KB in each checkpoint after fifty."""
    head = Head()
    for number in range(50):
        head = head.next().next().forked(f"{number:010x}")

    value = lineage_value("0" * 16, {"assistant~0a1b2c": head.next()})

    assert len(json.dumps(value)) < 2048


def test_other_threads_and_what_is_outside_of_lineage_stay_visible() -> None:
    """A fork hides the abandoned future of its own thread alone."""
    lineage = Lineage("r", {"a": Head("b", 2, (("", 1),))})

    seen = [
        lineage.sees({"root": root, "line": line, "branch": branch, "commit": commit})
        for root, line, branch, commit in [
            ("other", "a", "", 9), ("r", "a", None, 0), ("r", "a", "", 1), ("r", "a", "b", 2),
            ("r", "a", "", 2), ("r", "a", "b", 3), ("r", "x", "", 1),
        ]
    ]  # fmt: skip

    assert seen == [True, True, True, True, False, False, False]


def test_a_copy_of_the_channel_that_is_late_does_not_set_it_back() -> None:
    """A subgraph gives back what it was given, while the parent's node has moved on."""
    line = line_of("assistant", Scope("ada", "t"))
    given = merge_memory(lineage_value("r", {line: Head("", 1)}), {"assistant": {"vector": {"seq": 2}}})
    given = merge_memory(given, next_version(given, "assistant"))
    moved = merge_memory(lineage_value("r", {line: Head("", 2)}), {"assistant": {"vector": {"seq": 4}}})
    moved = merge_memory(given, merge_memory(moved, next_version(given, "assistant")))
    copy = merge_memory(given, {"helper": {"vector": {"seq": 1}}, "assistant": {"notes": {"a": 1}}})

    either = [merge_memory(moved, copy), merge_memory(merge_memory(given, copy), moved)]

    for merged in either:
        assert Head.of(merged[LINEAGE]["heads"][line]) == Head("", 2)
        assert merged["assistant"] == {"vector": {"seq": 4}, "notes": {"a": 1}}
        assert merged["helper"] == {"vector": {"seq": 1}}
    assert node_of(line) == "assistant"


def test_without_a_checkpointer_there_is_no_lineage() -> None:
    """Nothing would bring heads back."""
    scope, messages = Scope("ada", "t"), [HumanMessage("hello", id="1")]

    assert lineage_of({}, scope, messages, {"configurable": {}}) is None
    assert lineage_of({}, scope, messages, {"configurable": {"__pregel_checkpointer": InMemorySaver()}}) is not None
    inner: Any = {"configurable": {"__pregel_checkpointer": InMemorySaver(), "checkpoint_ns": "sub:1|assistant:2"}}
    assert lineage_of({}, scope, messages, inner) is None


class Noting:
    """Notes the config of its calls, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.configs: list[RunnableConfig] = []
        self.failures = 0

    def __call__(self, state: Any, config: RunnableConfig) -> dict[str, Any]:
        self.configs.append(config)
        if self.failures:
            self.failures -= 1
            raise ConnectionError
        return {}

    def operations(self) -> list[str]:
        """The operations of the calls since the last time."""
        found = [operation_id(config, "line") for config in self.configs]
        self.configs.clear()
        return found


@pytest.fixture(params=["node", "subgraph"])
def noted(request: pytest.FixtureRequest) -> tuple[Any, Noting]:
    """A graph whose node, or whose subgraph's node, is tried again."""
    note, policy = Noting(), RetryPolicy(max_attempts=3, initial_interval=0.001, retry_on=ConnectionError)
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    inner = StateGraph(MessagesState).add_node("note", note).add_edge(START, "note").compile()
    builder.add_node("step", note if request.param == "node" else inner, retry_policy=policy)
    builder.add_edge(START, "step")
    return builder.compile(checkpointer=InMemorySaver()), note


def test_a_retry_is_the_same_operation(noted: tuple[Any, Noting]) -> None:
    """The root checkpoint's id and the names in the namespace stay."""
    graph, note = noted
    note.failures = 2

    graph.invoke({"messages": [("user", "hello")]}, in_thread())

    operations = note.operations()
    assert len(operations) == 3, LANGGRAPH
    assert len(set(operations)) == 1, LANGGRAPH


def test_a_resume_is_the_same_operation_and_a_fork_is_not(noted: tuple[Any, Noting]) -> None:
    """A run that failed is resumed from its checkpoint; a replay of that checkpoint gets one of its own."""
    graph, note = noted
    note.failures = 9
    with pytest.raises(ConnectionError):
        graph.invoke({"messages": [("user", "hello")]}, in_thread())
    first = set(note.operations())
    moment = graph.get_state(in_thread()).config
    note.failures = 0

    graph.invoke(None, in_thread())
    resumed = set(note.operations())
    graph.invoke(None, moment)
    replayed = set(note.operations())
    graph.invoke(None, graph.update_state(moment, {"messages": []}, as_node=START))
    forked = set(note.operations())
    graph.invoke({"messages": [("user", "more")]}, in_thread())

    assert first == resumed, LANGGRAPH
    assert len({*first, *replayed, *forked, *note.operations()}) == 4, LANGGRAPH


def test_langgraph_says_what_lineage_rests_on() -> None:
    """Names without a public way to ask: the checkpointer, the durability that `attach` strips, the map of checkpoints."""
    note = Noting()
    inner = StateGraph(MemoryState).add_node("note", note).add_edge(START, "note").compile()
    builder = StateGraph(MemoryState).add_node("note", note).add_node("sub", inner)
    builder.add_edge(START, "note").add_edge("note", "sub")

    builder.compile(checkpointer=InMemorySaver()).invoke({"messages": []}, in_thread(), durability="sync")
    at_root, inside = (config["configurable"] for config in note.configs)
    note.configs.clear()
    builder.compile().invoke({"messages": []}, in_thread())
    without = note.configs[0]["configurable"]

    assert at_root["__pregel_checkpointer"] is not None, LANGGRAPH
    assert without.get("__pregel_checkpointer") is None, LANGGRAPH
    assert inside["__pregel_durability"] == "sync", LANGGRAPH
    assert "" in inside["checkpoint_map"], LANGGRAPH
    assert "|" in inside["checkpoint_ns"], LANGGRAPH
    assert "|" not in at_root["checkpoint_ns"], LANGGRAPH
