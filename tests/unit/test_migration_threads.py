"""Mixed threads, gathered into whole turns while little is held."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from graph_memory.migration import threads as limits
from graph_memory.migration.records import Said
from graph_memory.migration.threads import Chunk, Threads


def said(thread: str, number: int, kind: str) -> Said:
    """A message."""
    made = HumanMessage if kind == "human" else AIMessage
    return Said("line", "ada", thread, thread, made(f"{thread} {number}", id=str(number)))


def gathered(records: list[Said]) -> list[Chunk]:
    """All chunks."""
    threads = Threads()
    return [chunk for one in records for chunk in threads.add(one)] + list(threads.rest())


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["human", "ai"])), max_size=400))
def test_every_message_comes_out_once_and_in_its_order(spoken: list[tuple[str, str]]):
    """With its number in the thread and the message before it."""
    records = [said(thread, number, kind) for number, (thread, kind) in enumerate(spoken)]

    for thread in "abc":
        mine = [one.message for one in records if one.thread == thread]
        chunks = [chunk for chunk in gathered(records) if chunk.thread == thread]
        assert [message for chunk in chunks for message in chunk.messages] == mine
        assert [chunk.seq for chunk in chunks] == [mine.index(chunk.messages[0]) for chunk in chunks]
        assert [chunk.previous for chunk in chunks] == [([None, *mine])[chunk.seq] for chunk in chunks]


def test_a_chunk_ends_where_a_turn_ends():
    """However long the turn is, up to a limit."""
    turn = ["human", *["ai"] * 9]
    records = [said("a", number, turn[number % 10]) for number in range(200)]

    assert [chunk.messages[0].type for chunk in gathered(records)] == ["human"] * 3
    endless = [said("a", number, "ai") for number in range(limits.LONGEST * 2 + 1)]
    assert [len(chunk.messages) for chunk in gathered(endless)] == [limits.LONGEST, limits.LONGEST, 1]


def test_few_messages_wait_whatever_the_number_of_threads(monkeypatch: pytest.MonkeyPatch):
    """The thread that waited longest is handed over first."""
    monkeypatch.setattr(limits, "MOST", 50)
    threads, waiting = Threads(), 0
    for number in range(limits.MOST * 3):
        waiting += 1
        for chunk in threads.add(said(f"t{number}", number, "human")):
            waiting -= len(chunk.messages)
        assert waiting <= limits.MOST

    assert sum(len(chunk.messages) for chunk in threads.rest()) == waiting
