"""Chat models by name, and what counts as an answer."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel

from graph_memory.context.tokens import token_counter
from graph_memory.errors import ConfigurationError, ModelError
from graph_memory.memories.summary.writing import Writer
from graph_memory.models import StructuredBy, answer_text, checked_model, named_model, structured
from graph_memory.steps import Generate, Steps, arun, run


class Person(BaseModel):
    """What a model is asked for."""

    name: str


class Structured:
    """A model that answers structured questions with what it was given."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def with_structured_output(self, schema: type[Any], *, include_raw: bool) -> Structured:
        """Itself."""
        assert include_raw
        return self

    def invoke(self, messages: Any, config: Any) -> Any:
        """The answer."""
        return self.answer

    async def ainvoke(self, messages: Any, config: Any) -> Any:
        """The answer."""
        return self.answer


def asking(model: Any) -> Steps[Any]:
    """A body that asks for a person."""
    return (yield Generate(model, [HumanMessage("who?")], Person))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (AIMessage(""), "answered nothing"),
        (AIMessage("  \n"), "answered nothing"),
        (AIMessage("", tool_calls=[{"name": "search", "args": {}, "id": "1"}]), "called a tool"),
        (AIMessage("I'm sorry, but I can't help with that."), "declined"),
        (AIMessage("I cannot summarise this conversation."), "declined"),
        (AIMessage("As an AI language model, I do not do that."), "declined"),
        (AIMessage("I'm unable to assist with that request."), "declined"),
        (AIMessage("Apologies, but I can't."), "declined"),
        (AIMessage("Es tut mir leid, das kann ich nicht."), "declined"),
        (AIMessage("Error code: 429 - too many requests"), "an error"),
        (AIMessage("Error: 503 Service Unavailable"), "an error"),
        (AIMessage("Traceback (most recent call last): x"), "an error"),
        (AIMessage("Request timed out."), "an error"),
        (AIMessage("..."), "without a word"),
        (AIMessage("null"), "without a word"),
    ],
)
def test_what_is_no_answer_is_refused(message: AIMessage, reason: str):
    """Nothing, a tool call and an apology never become a memory."""
    with pytest.raises(ModelError, match=reason):
        answer_text(message)


@pytest.mark.parametrize(
    "text",
    ["Ada is sorry that she was late.", "I moved to Paris.", "Sorry, " + "she wrote. " * 60, "Errors were fixed."],
)
def test_an_answer_that_only_mentions_regret_is_one(text: str):
    """A summary may tell of apologies."""
    assert answer_text(AIMessage(text)) == text.strip()


def test_a_structured_answer_is_the_validated_object():
    """Whatever way the provider makes it, the memory gets the schema's object."""
    raw = {"raw": AIMessage("{}"), "parsed": Person(name="Ada"), "parsing_error": None}

    assert run(asking(Structured(raw))) == Person(name="Ada")


async def test_a_structured_answer_is_validated_in_async_graphs_too():
    """The async driver checks alike."""
    assert await arun(asking(Structured({"parsed": Person(name="Ada"), "parsing_error": None}))) == Person(name="Ada")


@pytest.mark.parametrize(
    "answer",
    [None, {"parsed": None, "parsing_error": ValueError("no")}, {"name": "Ada"}, "Ada", {"parsed": {"name": "Ada"}}],
)
def test_an_answer_of_another_shape_is_the_models_failure(answer: Any):
    """Invalid JSON, plain text, nothing: one clear sentence."""
    with pytest.raises(ModelError, match="no valid Person"):
        run(asking(Structured(answer)))


def test_the_parsing_error_is_the_cause():
    """Whoever looks closer finds what the provider said."""
    cause = ValueError("not JSON")
    with pytest.raises(ModelError) as caught:
        structured({"parsed": None, "parsing_error": cause}, Person)

    assert caught.value.__cause__ is cause


def test_what_is_no_model_is_refused_early():
    """Not when the first turn is summarised, but when the memory is made."""
    with pytest.raises(ConfigurationError, match="type int"):
        checked_model(7, "summary")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="empty model name"):
        checked_model(" ", "summary")


def test_an_unknown_name_says_which_model():
    """A mistyped provider is one sentence, not a traceback of LangChain."""
    with pytest.raises(ModelError, match="'nobody:nothing' cannot be used"):
        named_model("nobody:nothing")


async def test_a_model_by_name_is_made_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch):
    """Its package is imported and files are read: an event loop has better things to do."""
    made_in: list[threading.Thread] = []

    def make(name: str) -> FakeListChatModel:
        made_in.append(threading.current_thread())
        return FakeListChatModel(responses=["They spoke of whales."])

    monkeypatch.setattr("langchain.chat_models.init_chat_model", make)
    named_model.cache_clear()
    written = Writer(memory="summary", model="a:name", prompt="", counter=token_counter()).written(
        "", [HumanMessage("Whales!")], max_tokens=100, earlier_share=0.5
    )

    assert (await arun(written)).text == "They spoke of whales."
    assert made_in != []
    assert threading.current_thread() not in made_in
    named_model.cache_clear()


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_structured_answers_can_be_asked_for_by_another_method(method: Any):
    """The model is told which; only JSON mode needs the schema in words."""
    asked: list[Any] = []

    class Noting(Structured):
        def with_structured_output(self, schema: type[Any], *, include_raw: bool, method: str = "") -> Structured:
            asked.append(method)
            return self

        def invoke(self, messages: Any, config: Any) -> Any:
            asked.extend(messages)
            return self.answer

    model = StructuredBy(Noting({"parsed": Person(name="Ada")}), method)

    assert run(asking(model)) == Person(name="Ada")
    assert asked[0] == method
    assert asked[-1] == HumanMessage("who?")
    assert len(asked) == (3 if method == "json_mode" else 2)
    if method == "json_mode":
        assert '"name"' in asked[1].text


def test_a_method_that_nobody_knows_is_refused_early():
    """When it is written down."""
    with pytest.raises(ConfigurationError, match="choose from json_schema, function_calling, json_mode"):
        StructuredBy("openai:gpt-4o-mini", "guessing")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="empty model name"):
        checked_model(StructuredBy("", "json_mode"), "summary")


def test_a_name_is_resolved_when_the_model_is_asked():
    """Making a memory with a name needs no key; asking without one fails as the model's failure."""
    checked_model("nobody:nothing", "summary")
    with pytest.raises(ModelError, match="cannot be used"):
        run(asking("nobody:nothing"))
