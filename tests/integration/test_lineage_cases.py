"""What random lives found, one by one: the smallest life of a thread that each of them needs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from graph_memory import MemoryState, forget, open_store
from graph_memory.graph.lineage import LINEAGE
from tests.fakes import MODES
from tests.lineage import Life
from tests.lineage_checks import USER
from tests.lineage_faults import CrashError, Fuse
from tests.lineage_graphs import MAIN, Shape, hand_off, parallel, plain, pruning, remembering, sub_agent
from tests.lineage_scripts import Script, word

pytestmark = pytest.mark.parametrize("mode", MODES)


@pytest.fixture(params=["InMemoryStore", "SqliteStore"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseStore]:
    """Both stores."""
    if request.param == "InMemoryStore":
        yield InMemoryStore()
        return
    with open_store(f"sqlite:///{tmp_path}/memory.db") as opened:
        yield opened


def ended(life: Life) -> Any:
    """The config of the thread's newest checkpoint."""
    return life.graph.get_state(life.config()).config


def test_a_copy_of_a_thread_in_the_middle_of_a_turn_goes_its_own_way(store: BaseStore, mode: str) -> None:
    """Copy and original resume the same checkpoint: two operations, not one that ran again."""
    life = Life(store, Shape(sub_agent, ((None, MAIN), ("helper", "helper"))), 0, mode, pauses=(("sub",), ()))
    life._run(life._said())
    life.saver.copy_thread("t", "t1")

    for life.thread in ("t", "t1"):
        life._finish()
        life.check()

    life.thread = "t"
    life.check()


@pytest.mark.parametrize("operation", range(1, 9))
def test_a_store_that_failed_leaves_the_slot_to_a_fork(mode: str, operation: int) -> None:
    """The head stays where it was when nothing was written, so a fork's records are not taken for this line's."""
    life = Life(InMemoryStore(), Shape(plain), 0, mode)
    life.turn()
    before = ended(life)
    life.fault.left, life.fault.stays, life.is_breaking = operation, True, True
    life.turn()
    broken = ended(life)
    life.fault.mend()
    life.is_breaking = False

    life.turn(before)
    life.check()
    life.turn(broken)
    life.check()


def test_a_subgraph_that_is_tried_again_in_a_fork_leaves_nothing_of_the_first_try(store: BaseStore, mode: str) -> None:
    """What the first try wrote on the new branch is deleted, as it is on the first branch."""
    life = Life(store, Shape(sub_agent, ((None, MAIN), ("helper", "helper"))), 0, mode)
    life.turn()
    before = ended(life)
    life.turn()

    life.script.rough = 1
    life.turn(before)

    life.check()
    life.turn()
    life.check()


def test_a_subgraph_does_not_set_back_what_was_remembered_beside_it(store: BaseStore, mode: str) -> None:
    """It hands back the `memory` channel as it was when it began; the newer part wins."""
    life = Life(store, Shape(sub_agent, ((None, MAIN), ("helper", "helper"))), 0, mode)
    for _ in range(3):
        life.turn()
        life.check()

    heads = life.graph.get_state(life.config()).values["memory"][LINEAGE]["heads"]
    assert all(head["branch"] == "" for head in heads.values())


def test_a_fork_between_an_answer_and_its_hand_off_doubles_nothing(store: BaseStore, mode: str) -> None:
    """A node that hands off is told of its turn again when somebody interjects: seen once all the same."""
    life = Life(store, Shape(hand_off, ((None, MAIN), ("helper", "helper")), forgetful=("helper",)), 0, mode)
    life.turn()
    before = ended(life)
    life.turn()

    answer = AIMessage(f"rather {word()} about everything", additional_kwargs={"by": MAIN})
    life._run(None, life.graph.update_state(before, {"messages": [answer]}, as_node=MAIN))
    life._finish()

    life.check()


def test_memory_in_a_subgraph_alone_obeys_forks_from_the_second_turn_on(store: BaseStore, mode: str) -> None:
    """No node of the parent tells where the thread begins, so the first turn does."""

    def only_sub(script: Script) -> Any:
        inner: StateGraph[Any, Any, Any, Any] = StateGraph(MemoryState)
        inner.add_node(MAIN, script.llm(MAIN))
        inner.add_edge(START, MAIN)
        remembering(inner, MAIN)
        return StateGraph(MemoryState).add_node("sub", inner.compile()).add_edge(START, "sub")

    life = Life(store, Shape(only_sub), 0, mode)
    life.turn()
    before = ended(life)
    life.turn()
    life.check()

    life.turn(before)

    life.check()


def test_a_replay_leaves_the_archived_turn_of_the_other_line(store: BaseStore, mode: str) -> None:
    """A line that pruned a turn reads it back as it was there, whatever a replay of that turn answered."""
    life = Life(store, Shape(pruning), 0, mode)
    life.turn()
    asked = next(s for s in life._moments() if s.values["messages"][-1].type == "human").config
    for _ in range(2):
        life.turn()
    before = ended(life)

    life._run(None, asked)
    life._finish()

    life.turn(before)


def test_lines_that_go_on_after_their_user_was_forgotten_do_not_mix(store: BaseStore, mode: str) -> None:
    """Checkpoints that somebody kept still hold heads whose slots are gone: each line begins a branch, and nothing comes back."""
    if not getattr(store, "takes_claims", False):
        pytest.skip(
            "best effort: this store is asked for the slot after the head's, which tells nothing of what was forgotten"
        )
    life = Life(store, Shape(plain), 0, mode)
    ends = []
    for _ in range(4):
        life.turn()
        ends.append(ended(life))
    before = set(life.seen(life._tip()))
    forget(store, USER)
    assert not life.seen(life._tip())

    life.turn(ends[1])
    short = life._tip()
    life.turn(ends[3])
    life.turn()
    long = life._tip()
    life.turn(short.config if short else None)

    assert short is not None
    assert len(life.seen(long)) == 4
    assert set(life.seen(short)) < set(life.seen(life._tip()))
    assert not set(life.seen(long)) & set(life.seen(life._tip()))
    assert not before & {*life.seen(long), *life.seen(life._tip())}


def test_a_kill_before_anything_of_a_thread_was_saved_leaves_an_earlier_thread(store: BaseStore, mode: str) -> None:
    """With durability="exit" LangGraph keeps nothing of the first turn: what was remembered of it stays, as another thread's."""
    life = Life(store, Shape(plain), 0, mode, "exit")
    life.saver.fuse = Fuse(1, stays=True, cancels=lambda: life.crash.cancels and life.crash.cancels())
    with pytest.raises(CrashError):
        life._run(life._said())
    life.saver.fuse = life.crash
    remembered = [i.value["text"] for i in store.search(("graph_memory",), limit=100) if "text" in i.value]

    life.turn()

    assert remembered
    assert set(remembered) < set(life.seen(life._tip()))


def test_a_replay_of_the_input_itself_begins_a_new_root(store: BaseStore, mode: str) -> None:
    """Before the first message has an id, nothing tells a replay from a new thread: it sees what was remembered before."""
    life = Life(store, Shape(plain), 0, mode)
    life.turn()
    first = life.seen(life._tip())
    *_, start = life.graph.get_state_history(life.config())

    life.graph.invoke(None, {"configurable": {**start.config["configurable"], **life.config()["configurable"]}})

    assert set(first) < set(life.seen(life._tip()))


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_two_runs_of_a_thread_at_once_never_mix(store: BaseStore, mode: str, durability: str) -> None:
    """The second to remember goes on with a branch of its own, and both lines stay whole."""
    if not getattr(store, "takes_claims", False):
        pytest.skip("best effort: this store cannot take a slot and write in one step")
    life = Life(store, Shape(parallel, ((None, MAIN), ("critic", "critic"))), 0, mode, durability)
    life.turn()
    start, graph = ended(life), life.graph

    def run() -> None:
        life._call({"messages": [("user", f"question {word()} about everything")]}, life.config())

    for _ in range(3):
        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    life.turn()

    life.check()
    ends = [s for s in graph.get_state_history(life.config()) if not s.tasks and s.config != start]
    assert len(ends) >= 6
    for end in ends:
        tip = life.saver.get_tuple(end.config)
        assert tip is not None
        life.check_end(tip)
