"""The window of recent turns in a graph: by time, and as long as a memory has not taken in what leaves it."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, ConfigurationError, SummaryMemory, VectorMemory, WorkingMemory
from graph_memory.memories import buffer
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import plain, said

both = pytest.mark.parametrize("mode", MODES)


class Failing(FakeListChatModel):
    """A model that is never there."""

    def _call(self, *args: Any, **kwargs: Any) -> str:
        raise RuntimeError("429")


def talk(mode: str, memories: list[Any], texts: list[str], **options: Any) -> list[list[str]]:
    """What the node was handed in each turn."""
    assistant = Assistant()
    graph = plain(assistant, memories, **options).compile(store=InMemoryStore(), checkpointer=InMemorySaver())
    handed = []
    for text in texts:
        call(graph, mode, said(text), in_thread())
        handed.append([message.text for message in assistant.messages])
    return handed


@both
@pytest.mark.parametrize("limit", [{"turns": 2}, {"tokens": 40}])
def test_what_a_failing_summary_has_not_taken_in_stays_in_the_window(mode: str, limit: dict[str, Any]):
    """Law 3: the history that a summary was to replace is handed on, whatever the buffer's own limit."""
    model = Failing(responses=["x"])
    texts = [f"My dog number {n} is called Rex" for n in range(5)]

    handed = talk(mode, [BufferMemory(**limit), SummaryMemory(model)], texts)[-1]

    assert [text for text in handed if text.startswith("My dog")] == texts


@both
def test_a_window_of_seconds_goes_by_when_turns_were_remembered(mode: str, monkeypatch: pytest.MonkeyPatch):
    """Messages seldom say when they were said."""
    handed = talk(mode, [BufferMemory(seconds=3600)], ["one", "two"])
    assert "one" in handed[-1]

    monkeypatch.setattr(
        buffer, "_dates", lambda state: {k: "2020-01-01T00:00:00+00:00" for k, _ in state.get("dates", ())}
    )
    handed = talk(mode, [BufferMemory(seconds=3600)], ["one", "two", "three"])
    assert handed[-1] == ["three"]


@both
def test_without_a_window_everything_overflows(mode: str):
    """A memory that feeds on overflow learns also where no buffer is attached."""
    handed = talk(
        mode, [VectorMemory(feeds="overflow")], ["My sister Ines lives in Ghent", "Fine", "Where does my sister live?"]
    )

    assert "Ines lives in Ghent" in handed[-1][-1]


def test_promoting_to_nobody_is_refused():
    """A mistyped name would promote into the void."""
    with pytest.raises(ConfigurationError, match="promote_to='vektor'"):
        plain(Assistant(), [WorkingMemory(shared=True, promote_to="vektor"), VectorMemory()])
