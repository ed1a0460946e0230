"""A turn that is edited after it was remembered: this line of the thread knows the new text, a fork from before the old one."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, EntityMemory, KeyValueMemory, Memory, VectorMemory
from graph_memory.extract.preferences import said_preferences
from graph_memory.graph.edits import KEPT_TURNS
from tests.fakes import Assistant, call, in_thread
from tests.graphs import plain, said
from tests.outbox import NoteMemory, drained, each_mode, each_store, notes, worker

QUESTION = "Where do I work, and how shall you call me?"


def memories(**options: Any) -> list[Memory]:
    """What lives in the store."""
    return [VectorMemory(**options), EntityMemory(**options), KeyValueMemory(extract=said_preferences, **options)]


def edited(graph: Any, number: int, text: str, mode: str = "invoke") -> None:
    """Puts a human message of the thread in other words."""
    humans = [m for m in graph.get_state(in_thread()).values["messages"] if m.type == "human"]
    graph.update_state(in_thread(), {"messages": [HumanMessage(text, id=humans[number].id)]}, as_node="assistant")


@each_mode
@each_store
@pytest.mark.parametrize("remembers", ["inline", "background"])
def test_an_edited_turn_is_told_again(make: Any, mode: str, remembers: str) -> None:
    """The old text is not recalled any more, nor what was made of it; what was said since still counts."""
    store: BaseStore = make()
    node, kept = Assistant(), memories(remembers=remembers)
    graph = plain(node, kept, budget_tokens=3000).compile(store=store, checkpointer=InMemorySaver())

    def say(text: str, config: Any = None) -> str:
        call(graph, mode, said(text), config or in_thread())
        drained(worker(store, *kept), mode)
        return node.text

    for text in ("I work at Acme. Call me Sam.", "I live in Ghent.", "I like tea."):
        say(text)
    past = in_thread(**graph.get_state(in_thread()).config["configurable"])
    edited(graph, 0, "I work at Initech. Call me Max.")
    say("Nothing new.")

    now = say(QUESTION)
    assert "Initech" in now
    assert "Max" in now
    assert "Acme" not in now
    assert "Sam" not in now
    assert "Ghent" in say("Where do I live?")
    then = say(QUESTION, past)
    assert "Acme" in then
    assert "Initech" not in then

    edited(graph, 0, "I work at Globex. Call me Lou.")
    say("Still nothing new.")
    on_the_fork = say(QUESTION)
    assert "Globex" in on_the_fork
    assert "Acme" not in on_the_fork


@each_mode
def test_an_edit_of_an_edit_replaces_it(mode: str) -> None:
    """However often; and the message before and after it are as they were."""
    node, store = Assistant(), InMemoryStore()
    graph = plain(node, [VectorMemory()], budget_tokens=3000).compile(store=store, checkpointer=InMemorySaver())
    for text in ("I live in Ghent.", "I work at Acme.", "I like tea."):
        call(graph, mode, said(text), in_thread())

    for text in ("I work at Initech.", "I work at Globex."):
        edited(graph, 1, text)
        call(graph, mode, said("Nothing new."), in_thread())
        call(graph, mode, said(QUESTION), in_thread())

    assert "I work at Globex." in node.text
    assert "Initech" not in node.text
    assert "Acme" not in node.text
    memos = [item.value for item in store.search(("graph_memory",), limit=100) if item.value.get("kind") == "message"]
    assert next(memo["after"] for memo in memos if memo["text"] == "I like tea.") == "answer 3"
    assert next(memo["before"] for memo in memos if memo["text"] == "I work at Globex.") == "answer 1"


@each_mode
def test_a_memory_that_fails_on_an_edit_is_told_again(mode: str) -> None:
    """Until then the old version stays; nothing is doubled."""
    is_away, store, node = [False], InMemoryStore(), Assistant()

    def work(text: str) -> str:
        if is_away[0] and "rather" in text:
            raise TimeoutError
        return text

    memory = NoteMemory(remembers="inline", work=work)
    graph = plain(node, [memory], budget_tokens=3000).compile(store=store, checkpointer=InMemorySaver())
    for text in ("one", "two"):
        call(graph, mode, said(text), in_thread())
    is_away[0] = True
    edited(graph, 0, "rather this")
    call(graph, mode, said("three"), in_thread())
    assert "one" in node.text

    is_away[0] = False
    call(graph, mode, said("four"), in_thread())
    call(graph, mode, said("five"), in_thread())

    assert "rather this" in node.text
    assert "- one" not in node.text
    assert notes(store) == sorted(["one", "two", "rather this", "three", "four", "five"])


@each_mode
def test_a_thread_that_is_not_edited_is_told_nothing_again(mode: str) -> None:
    """Nor is a turn that has grown; and what is kept of how turns read does not grow with the thread."""
    store, heard = InMemoryStore(), list[str]()
    memory = NoteMemory(remembers="inline", work=heard.append)
    graph = plain(Assistant(), [BufferMemory(), memory]).compile(store=store, checkpointer=InMemorySaver())
    for number in range(KEPT_TURNS + 4):
        call(graph, mode, said(f"turn {number}"), in_thread())
        if number == 3:
            graph.update_state(in_thread(), {"messages": [AIMessage("and more")]}, as_node="assistant")

    assert len(heard) == len(set(heard)) == KEPT_TURNS + 4
    lineage = graph.get_state(in_thread()).values["memory"]["@lineage"]
    [rows] = lineage["told"].values()
    assert len(rows) == KEPT_TURNS
    assert "edited" not in lineage
