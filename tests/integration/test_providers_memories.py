"""Memories that ask a chat model, asking OpenAI's and Gemini's through their own clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, EntityMemory, KeyValueMemory, Memory, StructuredBy, SummaryMemory, VectorMemory
from graph_memory.memories.episodes.keeping import Episodes
from graph_memory.models import Method, named_model
from graph_memory.testing.models import Asked, ModelServer
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import plain, said
from tests.providers import CHATS, NAMES, at_home, chats

READ = {
    "preferences": [{"key": "drink", "value": "green tea"}],
    "entities": [{"name": "Ines", "type": "person", "aliases": [], "message": 0}],
    "facts": [
        {"subject": "Ines", "attribute": "home", "value": "Ghent", "value_type": "", "replaces": True, "ended": False,
         "since": "", "message": 0}
    ],
    "judgements": [{"message": 1, "importance": 0.9}],
}  # fmt: skip
"""What the model reads out of a turn, whatever it is asked for: nothing of it is said."""

STRUCTURED: dict[str, tuple[Callable[[Any], Memory], str]] = {
    "preferences": (lambda model: KeyValueMemory(model=model), "green tea"),
    "entities": (lambda model: EntityMemory(model), "Ghent"),
}
"""Memories that ask for objects, and what the next call then reads."""

METHODS = get_args(Method)
both = pytest.mark.parametrize("mode", MODES)


def reading(asked: Asked) -> dict[str, Any] | str:
    """Answers with an object where one is asked for, else with a summary."""
    return READ if asked.method else "They spoke of whales, at length."


def talk(memories: list[Memory], mode: str, turns: list[str], store: Any = None) -> Assistant:
    """The node that has been through the turns."""
    node = Assistant()
    graph = plain(node, memories).compile(store=store or InMemoryStore(), checkpointer=InMemorySaver())
    for text in turns:
        assert not call(graph, mode, said(text), in_thread())["memory_context"].degradations
    return node


@both
@chats
@pytest.mark.parametrize("memory", STRUCTURED)
@pytest.mark.parametrize("method", ["", *METHODS])
def test_what_a_model_reads_out_of_a_turn_is_remembered(memory: str, method: Any, chat: str, mode: str):
    """By the client's own way of structured output and by each of the three; no request would have been refused."""
    make, expected = STRUCTURED[memory]
    with ModelServer(reading) as server:
        model = CHATS[chat](server)
        node = talk(
            [make(StructuredBy(model, method) if method else model)],
            mode,
            ["Hello, I am Ines.", "Where does Ines live?"],
        )

    assert expected in node.text
    assert server.refused == []
    assert {asked.method for asked in server.requests} <= {method or "json_schema", "json_schema"}


@both
@chats
def test_a_summary_is_written_by_the_model(chat: str, mode: str):
    """What left the window is told in the model's words."""
    turns = ["I saw three blue whales near Iceland in July.", "The largest was thirty metres long.", "Good.", "And?"]
    with ModelServer(reading) as server:
        summary = SummaryMemory(CHATS[chat](server), threshold_tokens=20, keep_recent=2)
        node = talk([BufferMemory(), summary], mode, turns)

    assert "They spoke of whales, at length." in node.text
    assert "three blue whales" in server.requests[0].text
    assert server.refused == []


@both
@chats
def test_importance_and_episodes_are_judged_by_the_model(chat: str, mode: str):
    """Vector memory's two questions."""
    store = InMemoryStore()
    with ModelServer(reading) as server:
        model = CHATS[chat](server)
        memory = VectorMemory(importance_model=model, episodes=Episodes(model=model))
        talk([BufferMemory(), memory], mode, ["I moved to Ghent."], store)

    found = {
        item.value["text"]: item.value["importance"] for item in store.search((), limit=99) if "text" in item.value
    }
    assert found["I moved to Ghent."] == 0.9
    assert server.refused == []


@both
@pytest.mark.parametrize("provider", NAMES)
def test_a_name_and_a_key_are_enough(provider: str, mode: str, monkeypatch: pytest.MonkeyPatch):
    """`init_chat_model` finds the client, which finds its key in the environment."""
    named_model.cache_clear()
    with ModelServer(reading) as server:
        at_home(monkeypatch, server)
        node = talk([EntityMemory(NAMES[provider])], mode, ["Hello, I am Ines.", "Where does Ines live?"])
    named_model.cache_clear()

    assert "Ghent" in node.text
    assert server.refused == []


@both
@pytest.mark.parametrize("provider", NAMES)
def test_a_name_without_a_key_costs_the_run_nothing(
    provider: str, mode: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """The log says what is missing; the conversation goes on, and what was said stays in the window."""
    for variable in ("OPENAI_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    named_model.cache_clear()
    memories = [
        BufferMemory(),
        SummaryMemory(NAMES[provider], threshold_tokens=20, keep_recent=1),
        EntityMemory(NAMES[provider]),
    ]

    node = talk(memories, mode, ["I saw three blue whales near Iceland in July.", "They were large.", "And?"])

    assert "three blue whales" in node.text
    assert f"the model '{NAMES[provider]}' cannot be used" in caplog.text


def test_a_null_that_a_tool_cannot_say_takes_a_preference_back():
    """Gemini's tools know no null: the model leaves the value out, or writes the word."""
    answers: list[Any] = [{"preferences": [{"key": "drink", "value": "tea"}, {"key": "pet", "value": "cat"}]},
                          {"preferences": [{"key": "drink"}, {"key": "pet", "value": "null"}]}]  # fmt: skip
    with ModelServer([*answers, {}]) as server:
        model = StructuredBy(CHATS["gemini 2.5"](server), "function_calling")
        node = talk([KeyValueMemory(model=model)], "invoke", ["I drink tea.", "No more tea, and no cat.", "And now?"])

    assert "tea" not in node.text
    assert "cat" not in node.text


def test_the_schema_is_told_where_the_provider_is_not_given_it():
    """JSON mode alone knows no schema: it stands in the system message."""
    with ModelServer(reading) as server:
        talk([EntityMemory(StructuredBy(CHATS["chat completions"](server), "json_mode"))], "invoke", ["I am Ines."])

    [system] = [said.text for said in server.requests[0].messages if said.role == "system"]
    assert "JSON schema" in system
    assert '"ExtractedFact"' in system
