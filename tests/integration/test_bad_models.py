"""Models that do not do as they are asked, behind every memory that asks one: the run goes on, and nothing of it is kept."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, EntityMemory, KeyValueMemory, Memory, SummaryMemory, VectorMemory
from graph_memory.memories.episodes.keeping import Episodes
from tests.bad_models import BAD_KINDS, bad_model
from tests.fakes import MODES, Assistant, call, in_thread, words_counter
from tests.graphs import plain

DEADLINE = 0.1
ASKING: dict[str, Callable[[Any], Memory]] = {
    "summary": lambda model: SummaryMemory(model, threshold_tokens=30, keep_recent=2, remember_deadline_seconds=DEADLINE),
    "importance": lambda model: VectorMemory(importance_model=model, remember_deadline_seconds=DEADLINE),
    "episodes": lambda model: VectorMemory(episodes=Episodes(model=model), remember_deadline_seconds=DEADLINE),
    "preferences": lambda model: KeyValueMemory(model=model, remember_deadline_seconds=DEADLINE),
    "entities": lambda model: EntityMemory(model, remember_deadline_seconds=DEADLINE),
}  # fmt: skip
"""Every memory that asks a chat model, in each way that it does."""

TURNS = ["Please plan a trip to Lisbon.", "My sister Ann works at Acme.", "I prefer tea, and I am 42.", "Thanks a lot!"]
LARGEST = 20_000
"""Characters of one record or of the thread's state that a hundred answers of 90,000 must not exceed."""

bad = pytest.mark.parametrize("kind", BAD_KINDS)
asking = pytest.mark.parametrize("asks", ASKING)
both = pytest.mark.parametrize("mode", MODES)


BEGAN = datetime.now(UTC) - timedelta(days=len(TURNS))


def dated(day: int) -> dict[str, Any]:
    """Said so many days after the beginning."""
    return {"said_at": (BEGAN + timedelta(days=day)).isoformat()}


def answering() -> Assistant:
    """Answers on the day of the question."""
    return Assistant([AIMessage(f"answer {i + 1}", additional_kwargs=dated(i)) for i in range(len(TURNS))])


def talk(graph: Any, mode: str) -> list[Any]:
    """Says the turns, a day apart; the results."""
    said = [HumanMessage(text, additional_kwargs=dated(i)) for i, text in enumerate(TURNS)]
    return [call(graph, mode, {"messages": [message]}, in_thread()) for message in said]


@both
@bad
@asking
def test_a_bad_model_costs_the_run_nothing(asks: str, kind: str, mode: str, caplog: pytest.LogCaptureFixture):
    """The node answers, reads what was said within its budget, and neither store, state, log nor context holds the nonsense."""
    node, store, model = answering(), InMemoryStore(), bad_model(kind)
    memories = [BufferMemory(), ASKING[asks](model)]
    graph = plain(node, memories, budget_tokens=400, counter=words_counter())

    with caplog.at_level(logging.DEBUG, logger="graph_memory"):
        results = talk(graph.compile(store=store, checkpointer=InMemorySaver()), mode)

    assert model.asked, "it was never asked: the test tests nothing"
    assert [result["messages"][-1].content for result in results] == [f"answer {i + 1}" for i in range(len(TURNS))]
    assert all(result["memory_context"].total_tokens <= 400 for result in results)
    kept = [json.dumps(item.value) for item in store.search((), limit=1000)] + [repr(results[-1]["memory"])]
    assert all(len(one) < LARGEST for one in kept)
    if kind != "answers ten times too much":
        assert not any(word in "".join([*kept, node.text, *caplog.messages]) for word in ("elephant", "sorry"))
        assert all(text in node.text for text in TURNS)


@both
@bad
def test_what_a_bad_model_left_out_is_made_up_for(kind: str, mode: str):
    """With a model that works, the next turn takes in everything since."""
    store, saver = InMemoryStore(), InMemorySaver()
    broken = VectorMemory(importance_model=bad_model(kind), remember_deadline_seconds=DEADLINE)
    talk(plain(Assistant(), [BufferMemory(), broken]).compile(store=store, checkpointer=saver), mode)

    mended = plain(Assistant(), [BufferMemory(), VectorMemory()]).compile(store=store, checkpointer=saver)
    call(mended, mode, {"messages": [HumanMessage("Hello again.")]}, in_thread())

    texts = {item.value.get("text") for item in store.search((), limit=1000)}
    assert {*TURNS, "Hello again."} <= texts
