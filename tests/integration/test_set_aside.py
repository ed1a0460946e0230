"""A text that a memory cannot digest: it is set aside where it can be seen and put back, and the thread is learnt from again."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, Scope, SummaryMemory, VectorMemory, search
from graph_memory.graph.queues import dead_letters, requeue
from graph_memory.graph.recalling import EVENT
from graph_memory.graph.taking import TRIES
from tests.bad_models import AnsweringModel
from tests.fakes import BrokenStore, in_thread
from tests.outbox import NoteMemory, drained, each_mode, each_store, noted_graph, notes, say, waiting, worker

ADA = Scope(user_id="ada", thread_id="t")
TURNS = ["zero", "poison", *(f"turn {n}" for n in range(TRIES + 2))]


def fails_on_poison(text: str) -> str:
    """The text, unless it is the one."""
    if "poison" in text:
        raise ValueError(text)
    return text


def own_state(graph: Any, name: str) -> dict[str, Any]:
    """A memory's part of the thread's state."""
    state: dict[str, Any] = graph.get_state(in_thread()).values["memory"]["assistant"][name]
    return state


@each_mode
@each_store
def test_a_turn_that_cannot_be_digested_becomes_a_dead_letter(
    make: Any, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The rest is learnt, the log and the outbox say why; put back, a worker takes it in when it can."""
    store: BaseStore = make()
    memory = NoteMemory(remembers="inline", work=fails_on_poison)
    graph = noted_graph(store, InMemorySaver(), BufferMemory(), memory)
    with caplog.at_level(logging.WARNING, "graph_memory"):
        for text in TURNS:
            say(graph, text, mode)

    assert notes(store) == sorted(set(TURNS) - {"poison"})
    [letter] = dead_letters(store)
    assert (letter.memory, letter.reason, letter.attempts) == ("notes", "the function failed: ValueError", TRIES + 1)
    assert "set a turn aside" in caplog.text
    assert "poison" not in str(letter) + "".join(record.getMessage() for record in caplog.records)
    assert (own_state(graph, "notes")["tried"], own_state(graph, "notes")["seq"]) == (0, 2 * len(TURNS))

    assert requeue(store) == 1
    drained(worker(store, NoteMemory(remembers="inline")), mode)
    assert notes(store) == sorted(TURNS)
    assert (waiting(store), dead_letters(store)) == (0, [])


@each_mode
def test_an_outage_of_many_turns_sets_nothing_aside(mode: str) -> None:
    """When the model is back, everything is taken in."""
    is_away, store = [True], InMemoryStore()

    def work(text: str) -> str:
        if is_away[0]:
            raise TimeoutError
        return text

    graph = noted_graph(store, InMemorySaver(), BufferMemory(), NoteMemory(remembers="inline", work=work))
    for number in range(12):
        say(graph, f"turn {number}", mode)
    assert (notes(store), dead_letters(store)) == ([], [])

    is_away[0] = False
    say(graph, "the last", mode)

    assert len(notes(store)) == 13
    assert dead_letters(store) == []


def test_the_stream_says_what_was_set_aside() -> None:
    """With the reason, beside the event that it was remembered."""
    memory = NoteMemory(remembers="inline", work=fails_on_poison)
    graph, told = noted_graph(InMemoryStore(), InMemorySaver(), memory), list[Any]()
    for text in TURNS:
        told += graph.stream({"messages": [("user", text)]}, in_thread(), stream_mode="custom")

    [event] = [one[EVENT] for one in told if one[EVENT]["event"] == "set_aside"]
    turn_id = next(m.id for m in graph.get_state(in_thread()).values["messages"] if m.text == "poison")
    assert event == {
        "event": "set_aside",
        "node": "assistant",
        "memory": "notes",
        "turn_id": turn_id,
        "reason": "the function failed: ValueError",
        "dead_letter": True,
    }


def test_what_a_store_refuses_does_not_stop_vector_memory() -> None:
    """A text that the embedder of a store cannot take: the others are found."""
    store = BrokenStore(lambda op: "poison" in str(getattr(op, "value", "")) and "fails" not in str(op) and is_bad(op))
    graph = noted_graph(store, InMemorySaver(), VectorMemory())
    for text in TURNS:
        say(graph, text)

    found = {one.memo.text for one in search(ADA, "", store=store, limit=100) if one.memo.role == "human"}
    assert found == set(TURNS) - {"poison"}
    assert len(dead_letters(store)) == 1


def is_bad(op: Any) -> bool:
    """Whether an operation would have the text embedded."""
    return getattr(op, "index", None) is not False


@each_mode
def test_a_summary_goes_on_without_its_model_for_a_turn_that_the_model_declines(mode: str) -> None:
    """That turn is quoted, the others are the model's."""

    def reply(messages: Any, schema: Any) -> AIMessage:
        said = str(messages[-1].text)
        return AIMessage("I'm sorry, I cannot." if "poison" in said else "MODEL: they spoke.")

    summary = SummaryMemory(AnsweringModel(reply=reply), threshold_tokens=1, keep_recent=2)
    graph = noted_graph(InMemoryStore(), InMemorySaver(), BufferMemory(turns=1), summary)
    for number in range(3 * TRIES):
        say(graph, "I take the poison in Ghent." if number == 1 else f"I am in Antwerp, day {number}.", mode)

    state = own_state(graph, "summary")
    assert state["tried"] == 0
    assert state["messages"] >= 2 * TRIES
    assert "MODEL" in state["text"]
