"""Summary memory before it summarises: when it does, what it would do, and which options it takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from graph_memory.errors import ConfigurationError
from graph_memory.memories.conversation import conversation_memory
from graph_memory.memories.summary.memory import SummaryMemory
from graph_memory.types import Query, Scope
from tests.fakes import words_counter
from tests.summarisers import Summariser

TASK = "Please plan a trip to Lisbon for four people."


def chat(*texts: str) -> tuple[BaseMessage, ...]:
    """A human and an assistant in alternation."""
    kinds = (HumanMessage, AIMessage)
    return tuple(kinds[i % 2](text, id=f"m{i}") for i, text in enumerate(texts))


def asked(messages: tuple[BaseMessage, ...], **more: Any) -> Query:
    """A query in ada's thread."""
    now, ada = datetime(2026, 1, 2, tzinfo=UTC), Scope(user_id="ada", thread_id="t")
    known = Query(ada, "now?", messages, "q", 1000, words_counter(), now, history_tokens=500, overflowed=0)
    return replace(known, **more)


def test_too_many_tokens_leave_all_but_the_newest():
    """More than the threshold: everything but `keep_recent` messages, whole turns."""
    messages = chat(*["ten words are in this one, and that is all."] * 12)
    memory = SummaryMemory(threshold_tokens=100, keep_recent=3)

    assert memory.overflow(asked(messages)) == 8
    assert memory.overflow(asked(messages, overflowed=6)) == 6
    assert SummaryMemory().overflow(asked(messages)) == 0


def test_alone_it_takes_in_everything():
    """Where no memory shows a history, nothing waits for the window to overflow."""
    assert SummaryMemory().overflow(asked(chat("a", "b"), history_tokens=0)) == 2


def test_an_adaptive_threshold_follows_the_question():
    """The harder the question, the more stays word for word."""
    messages = chat(*["ten words are in this one, and that is all."] * 12)
    memory = SummaryMemory(threshold_tokens="adaptive", context_tokens=300, keep_recent=2)
    hard = "Explain, analyze, compare and evaluate the architecture: how and why?"

    assert memory.overflow(asked(messages, text="Hi")) > memory.overflow(asked(messages, text=hard)) == 0


def test_a_preview_says_what_would_happen():
    """Compressed, kept word for word and untouched, with their tokens; nobody is asked."""
    model = Summariser()
    memory = SummaryMemory(model, strategy="selective", threshold_tokens=50, keep_recent=2, ratio=0.5)
    messages = (
        SystemMessage("Be kind."),
        *chat(TASK, "Gladly. " + "word " * 40, "important: no nuts", "Ok.", "And?", "So."),
    )

    seen = memory.preview(messages, counter=words_counter())

    assert [message.id for message in seen.compressed] == ["m0", "m1", "m3"]
    assert [message.id for message in seen.preserved] == ["m2"]
    assert [message.content for message in seen.kept] == ["Be kind.", "And?", "So."]
    assert seen.tokens_compressed > seen.summary_tokens > 0
    assert seen.compresses
    assert not memory.preview(messages[:3], counter=words_counter()).preserved
    assert model.asked == []


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "none"},
        {"fallback": "silent"},
        {"threshold_tokens": 0},
        {"threshold_tokens": "auto"},
        {"ratio": 1.0},
        {"keep_recent": -1},
        {"max_tokens": 0},
        {"call_tokens": 10},
        {"placement": "history"},
        {"model": 3},
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any]):
    """Early, and by name."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        SummaryMemory(**options)


def test_presets_and_the_pair_have_the_figures_of_the_documents():
    """30,000 / 0.2 / 10, 40,000 / 0.3 / 20, 60,000 / 0.5 / 20 selective; 0.3 of the budget for the summary."""
    presets = [SummaryMemory.aggressive(), SummaryMemory.balanced(), SummaryMemory.conservative()]

    assert [(p.threshold_tokens, p.ratio, p.keep_recent, p.strategy) for p in presets] == [
        (30_000, 0.2, 10, "sliding_window"),
        (40_000, 0.3, 20, "sliding_window"),
        (60_000, 0.5, 20, "selective"),
    ]
    assert [memory.weight for memory in conversation_memory()] == [0.7, 0.3]
    assert [getattr(memory, "turns", None) for memory in conversation_memory()] == [10, None]
    assert [getattr(memory, "turns", None) for memory in conversation_memory(turns=7)] == [7, None]
    with pytest.raises(ConfigurationError, match="summary_weight"):
        conversation_memory(summary_weight=1.5)
