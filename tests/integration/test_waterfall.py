"""The waterfall: what leaves the window flows to every memory that feeds on it, each from where it had got to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, Memory, Section, Snippet, VectorMemory, open_store
from graph_memory.errors import ModelError
from graph_memory.memories.summary.memory import SummaryMemory
from graph_memory.steps import Steps
from graph_memory.types import Query, Turn
from tests.fakes import MODES, Assistant, call, in_thread, words_counter
from tests.graphs import plain, remembered, said


@dataclass(frozen=True, kw_only=True)
class Notes(Memory):
    """A memory of one's own that feeds on overflow: it notes what it was told, and fails when it is to."""

    kind = "notes"
    name: str = "notes"
    feeds: Any = "overflow"
    told: list[str] = field(default_factory=list)
    fails: list[bool] = field(default_factory=list)

    def recall(self, query: Query) -> Steps[Section]:
        """How many messages it knows."""
        yield from ()
        return self.section([Snippet(f"{query.state.get('count', 0)} messages noted")])

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Counts them."""
        yield from ()
        if self.fails and self.fails.pop():
            raise ModelError("not now")
        self.told.extend(message.id or "" for message in turn.messages)
        return {"count": turn.state.get("count", 0) + len(turn.messages)}


def question(number: int) -> str:
    """A message of some thirty words."""
    return f"Fact {number} is worth {number * 10} euros. " + " ".join(f"w{number}x{i}" for i in range(24)) + "."


def talk(built: Any, mode: str, turns: int, first: int = 0) -> Any:
    """Says so many things."""
    for number in range(first, first + turns):
        result = call(built, mode, said(question(number)), in_thread())
    return result


def graph(assistant: Any, memories: list[Memory], *, saver: Any = None, store: Any = None, **options: Any) -> Any:
    """A graph with these memories and a budget of 500 words."""
    built = plain(assistant, memories, **{"budget_tokens": 500, "counter": words_counter(), **options})
    return built.compile(checkpointer=saver or InMemorySaver(), store=store or InMemoryStore())


@pytest.mark.parametrize("mode", MODES)
def test_everything_that_feeds_on_it_gets_it(mode: str):
    """A summary, a vector memory and one's own: each is told every message that left, once, in whole turns."""
    notes, store = Notes(), InMemoryStore()
    built = graph(
        Assistant(), [BufferMemory(weight=3), SummaryMemory(), VectorMemory(feeds="overflow"), notes], store=store
    )

    result = talk(built, mode, 14)

    states = result["memory"]["assistant"]
    gone = states["summary"]["messages"]
    ids = [message.id for message in result["messages"]]
    assert notes.told == ids[:gone]
    assert gone > 4
    assert gone % 2 == 0
    assert len([text for text in remembered(store) if text.startswith(("Fact", "answer"))]) == gone
    assert {states[name]["remembered"] for name in ("summary", "vector", "notes")} == {ids[gone - 1]}


@pytest.mark.parametrize("mode", MODES)
def test_the_slowest_keeps_the_window(mode: str):
    """What one memory failed to take in stays in the window for all, and it alone is told again."""
    assistant, notes = Assistant(), Notes(fails=[True] * 4)
    built = graph(assistant, [BufferMemory(weight=3), SummaryMemory(), notes])

    result = talk(built, mode, 10)
    states = result["memory"]["assistant"]
    ids = [message.id for message in result["messages"]]
    while notes.fails:
        result = talk(built, mode, 1, first=len(ids) // 2)
        ids = [message.id for message in result["messages"]]
    states = talk(built, mode, 2, first=50)["memory"]["assistant"]

    assert notes.told == ids[: len(notes.told)]
    assert states["notes"]["count"] == len(notes.told) > 0
    assert states["summary"]["messages"] >= len(notes.told)


@pytest.mark.parametrize("mode", MODES)
def test_a_batch_leaves_at_once(mode: str):
    """`flush_tokens` says how much, so that the memories are told seldom and the window's start stays put."""
    sizes = {}
    for flush in (0, 150):
        notes = Notes()
        built = graph(Assistant(), [BufferMemory(tokens=300, flush_tokens=flush), notes])
        counts = [talk(built, mode, 1, first=i)["memory"]["assistant"]["notes"].get("count", 0) for i in range(16)]
        sizes[flush] = len(set(counts)) - 1

    assert 0 < sizes[150] < sizes[0]


@pytest.mark.parametrize("mode", MODES)
def test_turns_leave_in_batches_and_never_unseen(mode: str):
    """A window of ten turns: what leaves has been taken in before it is no longer shown."""
    assistant, notes = Assistant(), Notes()
    built = graph(assistant, [BufferMemory(turns=10), notes], budget_tokens=5000)
    seen = 0
    for number in range(24):
        result = talk(built, mode, 1, first=number)
        shown = [i for i in range(24) if f"Fact {i} " in assistant.text]
        assert shown == list(range(seen // 2, number + 1))
        assert len(shown) <= 10
        seen = result["memory"]["assistant"]["notes"].get("count", 0)
    assert len(notes.told) == seen > 20


@pytest.mark.parametrize("mode", MODES)
def test_shares_bound_both_sides(mode: str):
    """The history keeps its minimum, a memory gets no more than its maximum, whatever the weights."""
    memories: list[Memory] = [
        BufferMemory(weight=0.1, min_share=0.5),
        SummaryMemory(weight=5, max_share=0.2, ratio=0.9),
        VectorMemory(weight=5, feeds="overflow", max_share=0.25),
    ]
    built = graph(Assistant(), memories)

    context = talk(built, mode, 30)["memory_context"]

    assert context.tokens["buffer"] + context.tokens["thread"] >= 0.5 * 500 - 90  # a turn has 40, and leaves in batches
    assert 0 < context.tokens["summary"] <= 0.2 * 500
    assert 0 < context.tokens["vector"] <= 0.25 * 500


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("placement", "kind"), [("system", "system"), ("tail", "human")])
def test_it_goes_where_it_is_told(mode: str, placement: Any, kind: str):
    """Into the system message, or into the newest human message."""
    assistant = Assistant()
    built = graph(assistant, [BufferMemory(weight=3), SummaryMemory(placement=placement)])

    talk(built, mode, 14)

    holding = [message for message in assistant.messages if "Summary of what was said before:" in str(message.content)]
    assert [message.type for message in holding] == [kind]
    assert holding[0] is assistant.messages[0 if kind == "system" else -1]


@pytest.mark.parametrize("mode", MODES)
def test_what_overflowed_is_found_by_search(mode: str):
    """A vector memory that feeds on overflow knows what the window does not, and nothing twice."""
    assistant = Assistant()
    with open_store("sqlite://") as store:
        built = graph(assistant, [BufferMemory(weight=3), VectorMemory(feeds="overflow")], store=store)
        talk(built, mode, 14)
        call(built, mode, said("What is fact 1 worth?"), in_thread())

    assert assistant.text.count("Fact 1 is worth 10 euros.") == 1
