"""`forget` with a checkpointer: nothing of a user is left anywhere, and no replay and no fork brings anything back."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import EmptyInputError
from langgraph.graph import START, StateGraph

from graph_memory import (
    BufferMemory,
    EntityMemory,
    KeyValueMemory,
    MemoryState,
    SummaryMemory,
    VectorMemory,
    Worker,
    WorkerOptions,
    WorkingMemory,
    aforget,
    attach,
    dead_letters,
    forget,
    open_memory,
    pending,
    said_preferences,
)
from graph_memory.lifecycle import user_threads
from graph_memory.namespaces import user_prefix
from tests.fakes import MODES, Assistant, call, in_thread
from tests.outbox import STORES, NoteMemory

SECRET = "Zanzibar"


@dataclass
class Named:
    """A context that names the user, as production does; checkpoints know nothing of it."""

    user_id: str


def graph_of(store: Any, saver: Any, node: Any) -> Any:
    """All six memories, with one that is left to a worker."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MemoryState, context_schema=Named)
    builder.add_node("assistant", node)
    builder.add_edge(START, "assistant")
    memories = [
        BufferMemory(turns=3, prune=True),
        SummaryMemory(threshold_tokens=20, keep_recent=1),
        VectorMemory(),
        WorkingMemory(shared=True),
        KeyValueMemory(extract=said_preferences),
        EntityMemory(),
        NoteMemory(work=failing),
    ]
    attach(builder, "assistant", memories, budget_tokens=4000)
    return builder.compile(checkpointer=saver, store=store)


def failing(text: str) -> None:
    """What a background memory does to a text that it cannot digest."""
    if "fail" in text:
        raise ValueError("cannot digest")


def said(number: int, more: str = "") -> dict[str, Any]:
    """A turn that all memories take something from."""
    return {"messages": [HumanMessage(f"My sister Ines lives in {SECRET}. I prefer tea number {number}. {more}")]}


def everything(store: Any, saver: InMemorySaver) -> str:
    """All that is kept anywhere, as text."""
    items = [f"{item.namespace} {item.key} {item.value}" for item in store.search(("graph_memory",), limit=10_000)]
    return "\n".join([*items, *(str(one) for one in saver.list(None))])


@pytest.mark.parametrize("names", ["config", "context"])
@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_left_and_nothing_comes_back(
    kind: str, mode: str, names: str, request: pytest.FixtureRequest
) -> None:
    """Memos, archives, waiting and dead letters, branches, checkpoints; another user's stay as they were."""
    saver, node = InMemorySaver(), Assistant()
    with STORES[kind](request) as store:
        graph = graph_of(store, saver, node)

        def run(value: Any, user: str, moment: Any = None) -> None:
            by_config = names == "config" or user != "ada"
            config = in_thread(f"of {user}", user_id=user if by_config else None)
            config["configurable"] |= (moment or {}).get("configurable", {})
            call(graph, mode, value, config, context=None if by_config else Named(user))

        for number in range(5):
            run(said(number, "fail" if number == 2 else ""), "ada")
            run({"messages": [HumanMessage(f"I am Bob, message {number}.")]}, "bob")
        Worker(graph, store, options=WorkerOptions(attempts=1)).drain()
        moments = [state.config for state in graph.get_state_history(in_thread("of ada"))]
        run(said(7), "ada", moments[8])
        assert dead_letters(store)
        assert pending(store)
        assert user_threads(store, "ada", saver) == ["of ada"]
        theirs = store.search(user_prefix("bob"), limit=10_000)

        assert SECRET in everything(store, saver)

        if mode == "invoke":
            forgotten = forget(store, "ada", checkpointer=saver)
        else:
            forgotten = asyncio.run(aforget(store, "ada", checkpointer=saver))

        assert forgotten > 0
        assert SECRET not in everything(store, saver)
        assert not store.search(user_prefix("ada"), limit=10)
        assert not dead_letters(store)
        assert {pointer.where[1] for pointer in pending(store)} <= {user_prefix("bob")[1]}
        assert store.search(user_prefix("bob"), limit=10_000) == theirs
        assert saver.get_tuple(in_thread("of bob")) is not None

        for moment in (moments[0], moments[6], moments[-1]):
            with suppress(EmptyInputError):
                run(None, "ada", moment)
            run({"messages": [HumanMessage("Where does my sister live?")]}, "ada", moment)
        assert SECRET not in node.text
        assert SECRET not in everything(store, saver)


def test_threads_are_found_by_the_users_runs_alone() -> None:
    """What was said before memory was attached is the user's too."""
    with open_memory("sqlite://") as memory:
        builder = StateGraph(MemoryState).add_node("assistant", Assistant()).add_edge(START, "assistant")
        graph = builder.compile(checkpointer=memory.checkpointer)
        graph.invoke(said(1), in_thread("old"))
        graph.invoke(said(1), in_thread("theirs", user_id="bob"))

        assert forget(memory.store, "ada", checkpointer=memory.checkpointer) == 0

        assert memory.checkpointer.get_tuple(in_thread("old")) is None
        assert memory.checkpointer.get_tuple(in_thread("theirs")) is not None
