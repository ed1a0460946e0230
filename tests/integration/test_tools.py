"""`memory_tools`: what an agent can do with its memory by itself, in `create_agent` and in a plain `ToolNode`."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.store.base import BaseStore

from graph_memory import (
    BufferMemory,
    ConfigurationError,
    EntityMemory,
    KeyValueMemory,
    Memory,
    MemoryState,
    Scope,
    VectorMemory,
    WorkingMemory,
    attach,
    consolidate,
    memory_tools,
)
from tests.fakes import MODES, Assistant, call, in_thread
from tests.tool_graphs import GRAPHS, SAVE, agent, calls, facts, graph, id_in, memories, said, says, told

pytestmark = pytest.mark.parametrize("mode", MODES)

ADA = Scope(user_id="ada")


@GRAPHS
def test_what_is_saved_is_found_updated_and_forgotten(store: BaseStore, mode: str, made: Any) -> None:
    """By the short id that each line shows; in another thread of the user as in this one."""
    run = made(says(calls(SAVE), "ok"), store)
    [saved] = told(call(run, mode, said(), in_thread("one")))
    key = id_in(saved)
    assert len(key) == 10

    model = says(
        calls(("search_memory", {"query": "Where does Ines live?"})),
        calls(("update_memory", {"id": f"[{key}]", "text": "Ines lives in Bruges."})),
        calls(("list_memories", {})),
        calls(("forget_memory", {"id": key})),
        calls(("list_memories", {}), ("search_memory", {"query": "Ines lives"}), ("forget_memory", {"id": key})),
    )
    run = made(model, store)
    found, updated, listed, forgotten, nothing, unfound, again = told(call(run, mode, said(), in_thread("two")))

    assert f"[{key}] 20" in found
    assert "Ines lives in Ghent." in found
    assert updated.startswith("updated, now [")
    assert listed.count("\n") == 0
    assert "Bruges" in listed
    assert forgotten == "forgotten"
    assert nothing == "nothing is saved yet"
    assert "Ghent" not in unfound
    assert "Bruges" not in unfound
    assert "nothing is saved under that id" in again
    assert facts(store) == []


@GRAPHS
def test_preferences_are_saved_listed_and_forgotten_by_name(store: BaseStore, mode: str, made: Any) -> None:
    """In the key-value memory, where application code gets them."""
    model = says(
        calls(("save_memory", {"key": "language", "text": "Dutch"})),
        calls(("save_memory", {"key": "language", "text": "French"})),
        calls(("list_memories", {}), ("search_memory", {"query": "which language?"})),
        "ok",
        calls(("forget_memory", {"id": "language"})),
        calls(("list_memories", {}), ("forget_memory", {"id": "language"})),
    )
    run = made(model, store)

    assert told(call(run, mode, said(), in_thread()))[:3] == ["saved as language"] * 2 + ["language: French"]
    assert KeyValueMemory().get(ADA, "language", store=store) == "French"
    forgotten, listed, again = told(call(run, mode, said(), in_thread()))
    assert (forgotten, listed) == ("forgotten", "nothing is saved yet")
    assert "nothing is saved under that id" in again
    assert KeyValueMemory().get(ADA, "language", store=store) is None


@GRAPHS
def test_notes_are_the_threads_own(store: BaseStore, mode: str, made: Any) -> None:
    """Notes made at once are all kept; an empty text removes one; another thread has none."""
    model = says(
        calls(("note", {"key": "plan", "text": "book a train"}), ("note", {"key": "date", "text": "May 3"})),
        calls(("read_notes", {})),
        calls(("note", {"key": "plan", "text": ""})),
        calls(("read_notes", {})),
        "ok",
        calls(("read_notes", {})),
    )
    run = made(model, store)

    *_, read, removed, rest = told(call(run, mode, said(), in_thread("one")))
    assert sorted(read.splitlines()) == ["date: May 3", "plan: book a train"]
    assert (removed, rest) == ("removed plan", "date: May 3")
    assert told(call(run, mode, said(), in_thread("two"))) == ["there are no notes"]


@GRAPHS
def test_shared_notes_are_read_in_other_threads(store: BaseStore, mode: str, made: Any) -> None:
    """Of the same user, and of nobody else."""
    shared = [VectorMemory(), WorkingMemory(shared=True)]
    model = says(
        calls(("note", {"key": "plan", "text": "book a train"}), ("note", {"key": "old", "text": "x"})),
        calls(("note", {"key": "old", "text": ""})),
        "ok",
        calls(("read_notes", {})),
        "ok",
        calls(("read_notes", {})),
    )
    run = made(model, store, memories=shared)
    call(run, mode, said(), in_thread("one"))

    assert told(call(run, mode, said(), in_thread("two"))) == ["plan: book a train"]
    assert told(call(run, mode, said(), in_thread("three", user_id="bob"))) == ["there are no notes"]


def test_an_entity_is_looked_up_by_name(store: BaseStore, mode: str) -> None:
    """What the conversation told of it."""
    model = says(
        "Nice.",
        calls(("look_up_entity", {"name": "Ines"}), ("look_up_entity", {"name": "Zoltan"})),
        calls(("look_up_entity", {"name": " \x00 "})),
    )
    run = agent(model, store)
    call(run, mode, said("My sister Ines lives in Ghent."), in_thread())

    known, unknown, empty = told(call(run, mode, said("Tell me about her."), in_thread()))

    assert "lives in Ghent" in known
    assert unknown == "nothing is known under that name"
    assert "the name is empty" in empty


def test_an_attached_node_recalls_what_tools_saved(store: BaseStore, mode: str) -> None:
    """Facts, the profile and the notes stand in the context of the next call, and in a fork those of its moment."""
    seen = Assistant(
        [calls(SAVE, ("save_memory", {"key": "language", "text": "Dutch"}), ("note", {"key": "a", "text": "b"}))]
    )
    builder: Any = StateGraph(MemoryState)
    builder.add_node("assistant", seen)
    builder.add_node("tools", ToolNode(memory_tools(memories(), node="assistant")))
    builder.add_edge(START, "assistant")
    builder.add_conditional_edges("assistant", lambda state: "tools" if state["messages"][-1].tool_calls else END)
    builder.add_edge("tools", "assistant")
    attach(builder, "assistant", memories(), budget_tokens=2000)
    run = builder.compile(store=store, checkpointer=InMemorySaver())
    call(run, mode, said("Remember this."), in_thread())
    before = next(moment for moment in run.get_state_history(in_thread()) if moment.next == ("tools",)).config[
        "configurable"
    ]

    call(run, mode, said("Where does Ines live?"), in_thread())

    assert all(text in seen.text for text in ("Ines lives in Ghent.", "language: Dutch", "a: b"))
    there = {key: value for key, value in before.items() if key != "thread_id"}
    call(run, mode, said("Where does Ines live?"), in_thread(**there))
    assert not any(text in seen.text for text in ("Ines lives in Ghent.", "language: Dutch", "a: b"))


def test_consolidation_keeps_a_fact_that_was_saved_again(store: BaseStore, mode: str) -> None:
    """The one that was forgotten before is there for forks only, and nothing is merged into it."""
    model = says(calls(SAVE), "ok")
    run = graph(model, store)
    [saved] = told(call(run, mode, said(), in_thread()))
    model.answers[:] = [calls(("forget_memory", {"id": id_in(saved)})), calls(SAVE), "ok"]
    call(run, mode, said(), in_thread())

    consolidate(store, "ada", dry_run=False, memory=VectorMemory(episodes=None))

    assert facts(store) == ["Ines lives in Ghent."]
    assert VectorMemory().search(ADA, "Ines", store=store)[0].memo.text == "Ines lives in Ghent."


def test_which_tools_there_are_follows_from_the_memories(mode: str) -> None:
    """With a prefix where there are several sets."""

    def names(*some: Memory, **options: Any) -> list[str]:
        return sorted(tool.name for tool in memory_tools(some, **options))

    saved = ["forget_memory", "list_memories", "save_memory"]
    assert names(VectorMemory()) == sorted([*saved, "search_memory", "update_memory"])
    assert names(KeyValueMemory()) == saved
    assert names(EntityMemory(), BufferMemory()) == ["look_up_entity"]
    assert names(WorkingMemory(), prefix="my_") == ["my_note", "my_read_notes"]
    fields = [
        set(tool.args) for tool in memory_tools([VectorMemory(), KeyValueMemory(), EntityMemory(), WorkingMemory()])
    ]
    assert set().union(*fields) == {"query", "limit", "text", "key", "id", "page", "name"}
    with pytest.raises(ConfigurationError, match="none of these memories has tools"):
        memory_tools([BufferMemory()])
    with pytest.raises(ConfigurationError, match="of one kind"):
        memory_tools([VectorMemory(), VectorMemory(name="other")])
    with pytest.raises(ConfigurationError, match="put it in brackets"):
        memory_tools(VectorMemory())  # type: ignore[arg-type]


@pytest.mark.parametrize("prefix", ["my tools ", "über_", "x" * 60])
def test_names_that_providers_refuse_are_refused(mode: str, prefix: str) -> None:
    """Before the first call of a model would fail for them."""
    with pytest.raises(ConfigurationError, match="which providers refuse as a tool's name"):
        memory_tools([VectorMemory()], prefix=prefix)
