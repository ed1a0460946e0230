"""The stand-in for model APIs answers the real clients as the APIs do, and refuses what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel, Field

from graph_memory.testing.models import Asked, Hang, ModelServer, Reply, ToolCall
from tests.providers import CHATS, EMBEDDERS, chats, embedders

CALLING = Reply("Let me see.", calls=(ToolCall("look", {"place": "a drawer"}),))


def look(place: str) -> str:
    """Looks into a place."""
    return place


class Found(BaseModel):
    """What a model is asked for."""

    place: str
    depth: int = Field(default_factory=int)


def whole(stream: Any) -> AIMessageChunk:
    """The chunks of a stream in one."""
    first, *rest = stream
    for chunk in rest:
        first += chunk
    return first


@chats
def test_an_answer_is_the_same_at_once_and_in_pieces(chat: str):
    """Text and usage; a stream comes in several chunks."""
    with ModelServer(["Hello there Ada.", "Hello there Ada."], count=len) as server:
        model = CHATS[chat](server)
        asked = [SystemMessage("Be kind."), HumanMessage("Hello?")]
        at_once, pieces = model.invoke(asked), list(model.stream(asked))

    assert at_once.text == whole(pieces).text == "Hello there Ada."
    assert len(pieces) > 3
    assert at_once.usage_metadata == whole(pieces).usage_metadata
    assert at_once.usage_metadata is not None
    assert at_once.usage_metadata["output_tokens"] == len("Hello there Ada.")
    assert [(said.role, said.text) for said in server.requests[0].messages] == [
        ("system", "Be kind."),
        ("user", "Hello?"),
    ]


@chats
async def test_async_clients_are_answered_alike(chat: str):
    """`ainvoke` and `astream`."""
    with ModelServer() as server:
        model = CHATS[chat](server)
        answer = await model.ainvoke("Hello?")
        pieces = [chunk async for chunk in model.astream("Hello?")]

    assert answer.text == whole(pieces).text == "You said: Hello?"


@chats
@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_a_tool_call_and_its_result_go_there_and_back(chat: str, way: str):
    """The call, and then the conversation with its result."""
    with ModelServer([CALLING, "It is in the drawer."]) as server:
        model = CHATS[chat](server).bind_tools([look])
        question = HumanMessage("Where is it?")
        called: Any = model.invoke([question]) if way == "invoke" else whole(model.stream([question]))
        result = ToolMessage("a key", tool_call_id=called.tool_calls[0]["id"])
        answer = model.invoke([question, called, result])

    assert [(call["name"], call["args"]) for call in called.tool_calls] == [("look", {"place": "a drawer"})]
    assert answer.text == "It is in the drawer."
    assert "a key" in server.requests[-1].text
    assert server.refused == []


@chats
@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_an_object_is_answered_as_it_is_asked_for(chat: str, method: str):
    """The test need not know by which way the client asks."""
    with ModelServer([Found(place="drawer", depth=2)]) as server:
        model = CHATS[chat](server).with_structured_output(Found, method=method)

        assert model.invoke("Where? Answer with JSON.") == Found(place="drawer", depth=2)
        # To Gemini's client "json_mode" is another name for "json_schema".
        assert server.requests[0].method in (method, "json_schema")


BROKEN: dict[str, list[BaseMessage]] = {
    "a call without its result": [HumanMessage("a"), AIMessage("", tool_calls=[{"name": "look", "args": {}, "id": "1"}]),
                                  HumanMessage("b")],
    "a result without its call": [HumanMessage("a"), ToolMessage("x", tool_call_id="1")],
    "an answer at the beginning": [AIMessage("a"), HumanMessage("b")],
    "an empty answer": [HumanMessage("a"), AIMessage(""), HumanMessage("b")],
}  # fmt: skip
"""What a provider refuses; OpenAI does not mind how a conversation begins, and Gemini's client drops lone results itself."""

MINDED = [
    *((chat, "a call without its result") for chat in CHATS),
    ("chat completions", "a result without its call"),
    ("responses", "a result without its call"),
    *(
        (chat, kind)
        for chat in ("gemini 2.5", "gemini 3")
        for kind in ("an answer at the beginning", "an empty answer")
    ),
]


@pytest.mark.parametrize(("chat", "kind"), MINDED)
def test_what_the_api_would_refuse_is_refused(chat: str, kind: str):
    """With status 400 and the API's own words."""
    with ModelServer() as server:
        model = CHATS[chat](server)
        with pytest.raises(Exception, match="400") as caught:
            model.invoke(BROKEN[kind])

    assert server.refused
    assert server.refused[0] in str(caught.value)


@pytest.mark.parametrize("chat", ["responses", "gemini 2.5"])
def test_a_strict_schema_must_hold_no_default(chat: str):
    """Of OpenAI's; Gemini does not mind."""

    class Defaulting(BaseModel):
        depth: int = 3

    with ModelServer([{"depth": 4}]) as server:
        model = CHATS[chat](server).with_structured_output(Defaulting, method="json_schema", include_raw=True)
        if chat == "gemini 2.5":
            assert model.invoke("x")["parsed"] == Defaulting(depth=4)
        else:
            with pytest.raises(Exception, match="'default' is not permitted"):
                model.invoke("x")


@chats
def test_a_conversation_that_is_too_long_is_refused(chat: str):
    """By the context that the model is said to have."""
    with (
        ModelServer(context_tokens=100) as server,
        pytest.raises(Exception, match="maximum context length is 100 tokens"),
    ):
        CHATS[chat](server).invoke("word " * 200)


@chats
def test_a_wrong_key_is_refused(chat: str):
    """And not told to anybody."""
    with ModelServer() as server:
        model = CHATS[chat](server)
        server.key = "another"
        with pytest.raises(Exception, match="Incorrect API key") as caught:
            model.invoke("Hello?")

    assert "sk-stand-in" not in str(caught.value)


@embedders
def test_texts_that_share_words_are_near_each_other(embedder: str):
    """Vectors for documents and for a question."""
    with ModelServer() as server:
        model = EMBEDDERS[embedder](server)
        cat, car = model.embed_documents(["the old cat sleeps", "my car broke down"])
        asked = model.embed_query("where is the cat")

    assert sum(map(float.__mul__, asked, cat)) > sum(map(float.__mul__, asked, car))
    assert [request.kind for request in server.requests] == ["embeddings", "embeddings"]


def test_a_script_that_is_over_and_one_that_fails_are_noticed():
    """The first in the client, the second at the end of the block as well."""
    with ModelServer(["Only this."]) as server:
        model = CHATS["chat completions"](server)
        model.invoke("a")
        with pytest.raises(Exception, match="no answer left"):
            model.invoke("b")

    def failing(asked: Asked) -> str:
        raise LookupError(asked.question)

    with (
        pytest.raises(LookupError, match="c"),
        ModelServer(failing) as server,
        pytest.raises(Exception, match="LookupError"),
    ):
        CHATS["gemini 2.5"](server).invoke("c")


def test_what_hangs_is_let_go_at_the_end():
    """A client without patience gives up; the stand-in does not keep its thread."""
    with ModelServer([Hang()]) as server, pytest.raises(Exception, match="timed out"):
        CHATS["chat completions"](server, timeout=0.2).invoke("Hello?")
