"""Memory tools keep the laws: whatever is saved, changed and forgotten, a line of a thread knows its own past and no other."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, RetryPolicy, Send, interrupt

from graph_memory import (
    MemoryState,
    open_store,
)
from tests.agents import Scripted
from tests.fakes import MODES, call, in_thread
from tests.integration.test_lineage import STORES
from tests.lineage_checks import USER
from tests.tool_graphs import Flaky, calls, facts, graph, said, told

KINDS = ("save", "update", "forget", "set", "unset", "note", "unnote")
TURNS = st.lists(
    st.tuples(
        st.floats(0, 1),  # from how far back the turn goes on; above 0.5 from the end
        st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 2)), min_size=1, max_size=4),
        st.booleans(),  # whether the tools node fails once
    ),
    min_size=1,
    max_size=8,
)


@dataclass(frozen=True)
class Known:
    """What a line knows: id to text of facts, preferences, notes."""

    facts: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


def planned(known: Known, wanted: list[tuple[str, int]], number: int) -> list[tuple[str, dict[str, str]]]:
    """The calls of one answer, none of them about what another one is about."""
    made: list[tuple[str, dict[str, str]]] = []
    ids, keys, notes = list(known.facts), {"a", "b", "c"}, {"x", "y", "z"}
    for place, (kind, which) in enumerate(wanted):
        text = f"word{number}p{place}"
        if kind == "save":
            made.append(("save_memory", {"text": text}))
        elif kind in ("update", "forget") and ids:
            chosen = ids.pop(which % len(ids))
            made.append(
                ("update_memory", {"id": chosen, "text": text})
                if kind == "update"
                else ("forget_memory", {"id": chosen})
            )
        elif kind == "set" and keys:
            made.append(("save_memory", {"key": keys.pop(), "text": text}))
        elif kind == "unset" and (there := sorted(keys & set(known.values))):
            keys.remove(there[0])
            made.append(("forget_memory", {"id": there[0]}))
        elif kind in ("note", "unnote") and notes:
            made.append(("note", {"key": notes.pop(), "text": text if kind == "note" else ""}))
    return made


def after(known: Known, made: list[tuple[str, dict[str, str]]], said: list[str]) -> Known:
    """What is known when the calls were answered."""
    facts, values, notes = dict(known.facts), dict(known.values), dict(known.notes)
    for (name, args), answer in zip(made, said, strict=True):
        key = answer.partition("[")[2].partition("]")[0]
        if name == "note":
            notes.pop(args["key"], None)
            notes |= {args["key"]: args["text"]} if args["text"] else {}
        elif "key" in args:
            values[args["key"]] = args["text"]
        elif name == "save_memory":
            facts[key] = args["text"]
        else:
            facts.pop(args["id"], None)
            values.pop(args["id"], None)
            facts |= {key: args["text"]} if name == "update_memory" else {}
    return Known(facts, values, notes)


def listed(lines: str, notes: str) -> Known:
    """What the tools say is known."""
    some = [line for line in lines.splitlines() if line != "nothing is saved yet"]
    facts = {line[1 : line.index("]")]: line.rpartition(" ")[2] for line in some if line.startswith("[")}
    values = dict(line.split(": ", 1) for line in some if not line.startswith("["))
    return Known(facts, values, dict(line.split(": ", 1) for line in notes.splitlines() if ": " in line))


def live(model: Scripted, store: Any, mode: str, turns: list[Any]) -> Any:
    """Takes turns, each from some moment of the thread, and looks after each at what is known; the graph."""
    flaky = Flaky()
    run = graph(model, store, extra=[flaky.tool])
    moments: list[tuple[dict[str, Any], Known]] = [({}, Known())]
    for number, (place, wanted, fails) in enumerate(turns):
        at = len(moments) - 1 if place > 0.5 or len(moments) == 1 else 1 + int(place * 2 * (len(moments) - 2))
        moment, known = moments[at]
        made = planned(known, wanted, number)
        flaky.fails[:] = [fails]
        model.answers[:] = [calls(*made, ("flaky", {})), calls(("list_memories", {}), ("read_notes", {})), "done"]
        config = in_thread(user_id=USER, **moment)

        *done, _, lines, notes = told(call(run, mode, said(), config))

        now = after(known, made, done)
        assert listed(lines, notes) == now
        kept = run.get_state(in_thread()).config["configurable"]
        moments.append(({key: value for key, value in kept.items() if key != "thread_id"}, now))
    return run


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("store", STORES)
def test_every_store_serves_the_tools(store: str, mode: str, request: pytest.FixtureRequest) -> None:
    """The same, by chance with a fixed seed."""
    chance = random.Random(7)
    wanted = [[(kind, chance.randrange(3)) for kind in chance.choices(KINDS, k=4)] for _ in range(10)]
    turns = [(chance.random(), some, chance.random() < 0.3) for some in wanted]

    with STORES[store](request) as opened:
        live(Scripted(), opened, mode, turns)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["ours", "foreign"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(turns=TURNS)
def test_every_line_knows_its_own_past(kind: str, mode: str, turns: list[Any]) -> None:
    """In forks of forks, with tools nodes that fail and are tried again; and another user knows nothing."""
    with open_store("sqlite://") as opened:
        store = opened if kind == "ours" else InMemoryStore()
        model = Scripted()
        run = live(model, store, mode, turns)
        model.answers[:] = [calls(("list_memories", {}), ("search_memory", {"query": "word0p0"}))]
        theirs = call(run, mode, said(), in_thread("other", user_id="bob"))
        assert told(theirs) == ["nothing is saved yet", "nothing was found"]


@pytest.mark.parametrize("mode", MODES)
def test_an_agent_that_starts_over_as_a_subgraph_leaves_what_its_last_try_saved(mode: str) -> None:
    """A retry policy on the node of the subgraph asks the model again, and it may say something else at the same place."""

    @tool
    def broken() -> str:
        """Fails."""
        raise TimeoutError

    with open_store("sqlite://") as store:
        model = Scripted()
        inner = graph(model, None, extra=[broken], retry=None, checkpointer=None)
        builder: Any = StateGraph(MemoryState)
        builder.add_node("start", lambda state: {"messages": []})
        retry = RetryPolicy(max_attempts=2, initial_interval=0.001, jitter=False, retry_on=TimeoutError)
        builder.add_node("agent", inner, retry_policy=retry)
        builder.add_edge(START, "start")
        builder.add_edge("start", "agent")
        run = builder.compile(store=store, checkpointer=InMemorySaver())
        save = ("save_memory", {"text": "Same."})
        model.answers[:] = [calls(("list_memories", {})), "nothing"]
        call(run, mode, said("Hello."), in_thread())
        model.answers[:] = [calls(save, ("save_memory", {"text": "First."})), calls(("broken", {}))]
        model.answers += [calls(save, ("save_memory", {"text": "Second."})), calls(("list_memories", {})), "done"]

        *_, lines = told(call(run, mode, said(), in_thread()))

        assert sorted(listed(lines, "").facts.values()) == ["Same.", "Second."]
        assert facts(store) == ["Same.", "Second."]


@pytest.mark.parametrize("mode", MODES)
def test_a_turn_that_waits_for_a_human_saves_once(mode: str) -> None:
    """The tools node runs again when it is resumed, with all of its calls."""

    @tool
    def confirm() -> str:
        """Asks a human."""
        return str(interrupt("sure?"))

    with open_store("sqlite://") as store:
        model = Scripted(
            answers=[calls(("save_memory", {"text": "Saved."}), ("confirm", {})), calls(("list_memories", {}))]
        )
        run = graph(model, store, extra=[confirm])
        call(run, mode, said(), in_thread())

        *_, lines = told(call(run, mode, Command(resume="yes"), in_thread()))

        assert list(listed(lines, "").facts.values()) == ["Saved."]
        assert facts(store) == ["Saved."]


@pytest.mark.parametrize("mode", MODES)
def test_agents_that_are_sent_save_side_by_side(mode: str) -> None:
    """The same answers with the same ids of calls, each in its own run; a fork from before sees none of it."""
    with open_store("sqlite://") as store:
        workers = Scripted(answers=[calls(("list_memories", {})) for _ in range(3)] + ["nothing"] * 3)
        builder: Any = StateGraph(MemoryState)
        builder.add_node("start", lambda state: {"messages": []})
        builder.add_node("worker", graph(workers, None, checkpointer=None))
        builder.add_edge(START, "start")
        builder.add_conditional_edges("start", lambda state: [Send("worker", state) for _ in range(3)])
        run = builder.compile(store=store, checkpointer=InMemorySaver())
        call(run, mode, said("Hello."), in_thread())
        moment = run.get_state(in_thread()).config["configurable"]
        workers.answers[:] = [calls(("save_memory", {"text": f"Found {n}."})) for n in range(3)] + ["done"] * 3

        call(run, mode, said(), in_thread())

        assert facts(store) == ["Found 0.", "Found 1.", "Found 2."]
        there = {key: value for key, value in moment.items() if key != "thread_id"}
        for config, count in ((in_thread(), 3), (in_thread(**there), 0)):
            workers.answers[:] = [calls(("list_memories", {})) for _ in range(3)] + ["done"] * 3
            texts = told(call(run, mode, said("What do you know?"), config))
            assert [len(listed(lines, "").facts) for lines in texts] == [count] * 3
