"""OpenAI's and Gemini's APIs in trouble, through their own clients: nothing is doubled, nothing bad is kept, no call fails."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from langgraph.types import RetryPolicy

from graph_memory import BufferMemory, EntityMemory, KeyValueMemory, SummaryMemory, VectorMemory
from graph_memory.errors import ModelError
from graph_memory.steps import Generate, Steps, arun, run
from graph_memory.testing.models import (
    Answer,
    Asked,
    CutOff,
    Failure,
    Hang,
    Malformed,
    ModelServer,
    Nothing,
    Reply,
    ToolCall,
)
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import plain, remembered, said
from tests.providers import CHATS, chats, chatting, hasty

__all__ = ["hasty"]

both = pytest.mark.parametrize("mode", MODES)
TURNS = ["I saw three blue whales near Iceland in July.", "My sister Ann works at Acme.", "I prefer tea.", "And now?"]
SOON = Failure(429, retry_after_seconds=0.01), Failure(500, retry_after_seconds=0.01)
BAD: dict[str, Answer] = {
    "an error": Failure(500, message="the elephant in the machine"),
    "too many requests": Failure(429, message="the elephant has no quota"),
    "a refused request": Failure(400, message="the elephant is not permitted"),
    "a broken body": Malformed(b'{"choices": [{"message": {"content": "elephant'),
    "another body": Malformed(b'{"elephant": true}'),
    "a web page": Malformed(b"<html>elephant</html>", "text/html"),
    "no choice": Nothing(),
    "half a body": CutOff(Reply("An elephant that breaks off.")),
    "a filter": Reply(finish="blocked"),
    "a refusal": Reply(refusal="I'm sorry, I cannot talk of elephants."),
    "an apology": Reply("I'm sorry, but I cannot help with that elephant."),
    "another schema": {"preferences": "elephant", "entities": "elephant"},
    "another tool": Reply(calls=(ToolCall("elephant", {"size": 9}),)),
    "arguments that are no JSON": Reply(calls=(ToolCall("Preferences", '{"preferences": [{"elephant"'),)),
}  # fmt: skip
"""What a provider may answer instead of an answer."""


def asking(model: Any) -> Steps[Any]:
    """A body that asks a model for words."""
    return (yield Generate(model, [HumanMessage("Hello?")]))


@both
@chats
@pytest.mark.usefixtures("hasty")
def test_a_call_that_succeeds_at_last_is_remembered_once(chat: str, mode: str):
    """The client tries again by itself after 429 and 500; the conversation holds one answer, the store one of each memo."""
    store = InMemoryStore()
    with ModelServer([*SOON, "Hello Ada.", *SOON, "In Ghent."]) as server:
        model = CHATS[chat](server, retries=2)
        graph = chatting(model, mode, [BufferMemory(), VectorMemory()]).compile(
            store=store, checkpointer=InMemorySaver()
        )
        call(graph, mode, said("I am Ada."), in_thread())
        result = call(graph, mode, said("Where is Ines?"), in_thread())

    assert [message.text for message in result["messages"]] == [
        "I am Ada.",
        "Hello Ada.",
        "Where is Ines?",
        "In Ghent.",
    ]
    assert sorted(remembered(store)) == ["Hello Ada.", "I am Ada.", "In Ghent.", "Where is Ines?"]
    assert len(server.requests) == 6


@both
@chats
def test_a_node_that_is_run_again_remembers_once(chat: str, mode: str):
    """The graph's own retry policy: the first attempt ends in the middle of the answer, the second succeeds."""
    store = InMemoryStore()
    with ModelServer([CutOff(), "Hello Ada."]) as server:
        retry = RetryPolicy(max_attempts=2, initial_interval=0.01, retry_on=Exception)
        builder = chatting(CHATS[chat](server), mode, [BufferMemory(), VectorMemory()], retry_policy=retry)
        result = call(builder.compile(store=store, checkpointer=InMemorySaver()), mode, said("I am Ada."), in_thread())

    assert [message.text for message in result["messages"]] == ["I am Ada.", "Hello Ada."]
    assert sorted(remembered(store)) == ["Hello Ada.", "I am Ada."]


@both
@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("chat", ["chat completions", "gemini 2.5"])
def test_memorys_own_model_is_tried_again_too(chat: str, mode: str):
    """What it read is kept once."""
    read = {"preferences": [{"key": "drink", "value": "green tea"}]}
    with ModelServer([*SOON, read, {}]) as server:
        node, store = Assistant(), InMemoryStore()
        graph = plain(node, [KeyValueMemory(model=CHATS[chat](server, retries=2))])
        app = graph.compile(store=store, checkpointer=InMemorySaver())
        call(app, mode, said("Hello."), in_thread())
        call(app, mode, said("And now?"), in_thread())

    assert node.text.count("green tea") == 1


@both
@chats
@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_answer_never_becomes_a_memory(chat: str, kind: str, mode: str, caplog: pytest.LogCaptureFixture):
    """Summary, preferences and entities of a model that gives only this: the history stays, and the key is told nowhere."""
    node, store = Assistant(), InMemoryStore()

    def script(asked: Asked) -> Answer:
        return BAD[kind] if asked.method or kind != "another schema" else Nothing()

    with caplog.at_level(logging.DEBUG, logger="graph_memory"), ModelServer(script) as server:
        model = CHATS[chat](server)
        memories = [BufferMemory(), SummaryMemory(model, threshold_tokens=20, keep_recent=2), KeyValueMemory(model=model),
                    EntityMemory(model)]  # fmt: skip
        graph = plain(node, memories).compile(store=store, checkpointer=InMemorySaver())
        results = [call(graph, mode, said(text), in_thread()) for text in TURNS]

    assert len(server.requests) >= 3
    assert all(text in node.text for text in TURNS)
    kept = [json.dumps(item.value) for item in store.search((), limit=1000)] + [repr(results[-1]["memory"]), node.text]
    assert not any(word in "".join(kept) for word in ("elephant", "sorry"))
    assert not any("elephant" in message for message in caplog.messages if message.startswith("memory "))
    assert server.key not in caplog.text


@chats
@pytest.mark.parametrize("kind", ["an error", "a broken body", "a web page", "half a body"])
async def test_what_a_client_raises_is_one_sentence_of_ours(chat: str, kind: str):
    """A `ModelError` without the provider's words; those are its cause."""
    with ModelServer(lambda _: BAD[kind]) as server:
        model = CHATS[chat](server)
        with pytest.raises(ModelError) as caught:
            run(asking(model))
        with pytest.raises(ModelError, match="the model failed: "):
            await arun(asking(model))

    assert "elephant" not in str(caught.value)
    assert caught.value.__cause__ is not None


@both
@chats
def test_a_model_that_hangs_is_waited_for_no_longer_than_allowed(chat: str, mode: str):
    """The run goes on; what was said is made up for when the model is back."""
    node, store, saver, is_back = Assistant(), InMemoryStore(), InMemorySaver(), threading.Event()
    read = {"preferences": [{"key": "drink", "value": "green tea"}]}
    with ModelServer(lambda _: read if is_back.is_set() else Hang()) as server:
        model = CHATS[chat](server)
        impatient = plain(node, [KeyValueMemory(model=model, remember_deadline_seconds=0.2)])
        call(impatient.compile(store=store, checkpointer=saver), mode, said("I like whales."), in_thread())
        is_back.set()
        patient = plain(node, [KeyValueMemory(model=model)]).compile(store=store, checkpointer=saver)
        call(patient, mode, said("Hello."), in_thread())
        call(patient, mode, said("And now?"), in_thread())

    assert "green tea" in node.text
    assert any("I like whales." in asked.text and "Hello." in asked.text for asked in server.requests)


@both
@chats
def test_an_answer_that_says_nothing_does_not_spoil_the_thread(chat: str, mode: str):
    """The node's own answer was blocked: the next request is one that the provider takes."""
    with ModelServer([Reply(finish="blocked"), "Hello Ada."]) as server:
        graph = chatting(CHATS[chat](server), mode, [BufferMemory(), VectorMemory()])
        app = graph.compile(store=InMemoryStore(), checkpointer=InMemorySaver())
        call(app, mode, said("Tell me something terrible."), in_thread())
        result = call(app, mode, said("I am Ada."), in_thread())

    assert result["messages"][-1].text == "Hello Ada."
    assert server.refused == []
    assert [one.text for one in server.requests[-1].messages if one.role == "assistant"] == []
