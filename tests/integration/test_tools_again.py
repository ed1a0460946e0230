"""What memory tools wrote is written once when they run again, and a fork does not see it."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.store.base import BaseStore

from graph_memory import (
    ConfigurationError,
    MemoryState,
    VectorMemory,
    memory_tools,
)
from tests.fakes import MODES, call, in_thread
from tests.tool_graphs import GRAPHS, SAVE, Flaky, calls, facts, graph, id_in, kept, said, says, told

pytestmark = pytest.mark.parametrize("mode", MODES)


def test_a_tools_node_that_is_tried_again_writes_once(store: BaseStore, mode: str) -> None:
    """Facts, values and notes; and what a call beside it wrote when it failed."""
    flaky = Flaky(True, False, True)
    model = says(
        calls(
            SAVE,
            ("save_memory", {"key": "language", "text": "Dutch"}),
            ("note", {"key": "a", "text": "b"}),
            ("flaky", {}),
        ),
        calls(("update_memory", {"id": "x", "text": "y"}), ("flaky", {}), ("save_memory", {"text": "Second."})),
        calls(("list_memories", {}), ("read_notes", {})),
    )
    run = graph(model, store, extra=[flaky.tool])

    *_, listed, notes = told(call(run, mode, said(), in_thread()))

    assert flaky.called == 4
    assert kept(store) == ["Ines lives in Ghent.", "Second."]
    assert [line.partition(" ")[2][11:] for line in listed.splitlines()[1:]] == ["Second.", "Ines lives in Ghent."]
    assert listed.splitlines()[0] == "language: Dutch"
    assert notes == "a: b"


def test_an_update_that_is_tried_again_is_one_update(store: BaseStore, mode: str) -> None:
    """And so is a forgetting."""
    flaky = Flaky(True)
    run = graph(says(calls(SAVE, ("save_memory", {"text": "Rex is a dog."})), "ok"), store)
    first, second = map(id_in, told(call(run, mode, said(), in_thread())))
    model = says(
        calls(
            ("update_memory", {"id": first, "text": "Ines lives in Bruges."}),
            ("forget_memory", {"id": second}),
            ("flaky", {}),
        ),
    )
    run = graph(model, store, extra=[flaky.tool])

    updated, forgotten, _ = told(call(run, mode, said(), in_thread("two")))

    assert updated.startswith("updated")
    assert forgotten == "forgotten"
    assert facts(store) == ["Ines lives in Bruges."]
    assert kept(store) == ["Ines lives in Bruges.", "Ines lives in Ghent.", "Rex is a dog."]


def read() -> AIMessage:
    """Everything is asked for."""
    return calls(("list_memories", {}), ("search_memory", {"query": "Ines"}), ("read_notes", {}))


@GRAPHS
def test_a_fork_sees_what_its_own_line_saved(store: BaseStore, mode: str, made: Any) -> None:
    """What was saved, changed and forgotten after the moment that is gone back to did not happen there."""
    model = says(
        calls(SAVE, ("save_memory", {"text": "Rex is a dog."}), ("save_memory", {"key": "language", "text": "Dutch"})),
        "ok",
        calls(("save_memory", {"text": "Later."}), ("save_memory", {"key": "language", "text": "French"})),
        "ok",
    )
    run = made(model, store)
    ines, rex, _ = map(id_in, told(call(run, mode, said(), in_thread())))
    moment = run.get_state(in_thread()).config["configurable"]
    call(run, mode, said(), in_thread())
    change = calls(
        ("update_memory", {"id": ines, "text": "Ines lives in Bruges."}),
        ("forget_memory", {"id": rex}),
        ("note", {"key": "a", "text": "b"}),
    )
    rome = calls(("update_memory", {"id": ines, "text": "Ines is in Rome."}))
    model.answers[:] = [change, read(), "ok", read(), "ok", rome, read()]
    *_, after, _, notes = told(call(run, mode, said(), in_thread()))
    assert ("Bruges" in after, "Rex" in after, "French" in after, notes) == (True, False, True, "a: b")

    there = {key: value for key, value in moment.items() if key != "thread_id"}
    before, found, notes = told(call(run, mode, said(), in_thread(**there)))

    assert ("Ghent" in before, "Rex" in before, "Dutch" in before) == (True, True, True)
    assert not any(word in before for word in ("Bruges", "Later", "French"))
    assert "Bruges" not in found
    assert notes == "there are no notes"
    *_, after, _, _ = told(call(run, mode, said(), in_thread()))
    assert ("Rome" in after, "Ghent" in after, "Bruges" in after) == (True, False, False)


@GRAPHS
def test_what_is_saved_at_once_by_one_answer_is_all_kept(store: BaseStore, mode: str, made: Any) -> None:
    """Each call is a part of one commit, wherever it runs."""
    model = says(calls(*[("save_memory", {"text": f"Fact {n}."}) for n in range(12)]), calls(("list_memories", {})))

    *_, listed = told(call(made(model, store), mode, said(), in_thread()))

    assert sorted(line[24:] for line in listed.splitlines()) == sorted(f"Fact {n}." for n in range(12))


def test_without_the_memory_channel_what_is_saved_is_seen_from_everywhere(store: BaseStore, mode: str) -> None:
    """And changed in place, once, whether or not it is tried again."""
    flaky = Flaky(True, False, True)
    model = says(calls(SAVE, ("save_memory", {"key": "language", "text": "Dutch"}), ("flaky", {})), "ok")
    run = graph(model, store, schema=MessagesState, extra=[flaky.tool])
    saved, *_ = told(call(run, mode, said(), in_thread()))
    moment = run.get_state_history(in_thread())
    first = list(moment)[-1].config["configurable"]
    model.answers[:] = [
        calls(("list_memories", {})),
        calls(("update_memory", {"id": id_in(saved), "text": "Ines lives in Bruges."}), ("flaky", {})),
    ]

    here = {key: value for key, value in first.items() if key != "thread_id"}
    listed, updated, _ = told(call(run, mode, said(), in_thread(**here)))

    assert listed.splitlines()[0] == "language: Dutch"
    assert "Ghent" in listed
    assert updated == f"updated, now [{id_in(saved)}]"
    assert kept(store) == ["Ines lives in Bruges."]
    with pytest.raises(ConfigurationError, match="MemoryState or MemoryMiddleware"):
        call(
            graph(says(calls(("note", {"key": "a", "text": "b"}))), store, schema=MessagesState),
            mode,
            said(),
            in_thread(),
        )


def test_calls_that_are_numbered_anew_stay_apart(store: BaseStore, mode: str) -> None:
    """In a graph without reducer and checkpointer, whose messages have no ids, turn after turn."""
    saving = ToolNode(memory_tools([VectorMemory()]))
    builder: Any = StateGraph(dict)
    builder.add_node("tools", saving)
    builder.add_edge(START, "tools")
    run = builder.compile(store=store)

    for text in ("First.", "Second.", "Second."):
        call(run, mode, {"messages": [HumanMessage("Save."), calls(("save_memory", {"text": text}))]}, in_thread())

    assert facts(store) == ["First.", "Second."]


def test_an_agent_that_is_a_subgraph_has_its_own_lines(store: BaseStore, mode: str) -> None:
    """Two of them at once in one graph that has the `memory` channel, round after round; a fork sees its own past."""
    builder: Any = StateGraph(MemoryState)
    models = {}
    for name in ("left", "right"):
        models[name] = says(
            calls(("save_memory", {"text": f"{name} 1."})), calls(("save_memory", {"text": f"{name} 2."}))
        )
        inner: Any = graph(models[name], None, checkpointer=None)
        builder.add_node(name, inner)
        builder.add_edge("start", name)
        builder.add_edge(name, END)
    builder.add_node("start", lambda state: {"memory": {}})
    builder.add_edge(START, "start")
    run = builder.compile(store=store, checkpointer=InMemorySaver())
    call(run, mode, said(), in_thread())
    assert facts(store) == ["left 1.", "left 2.", "right 1.", "right 2."]
