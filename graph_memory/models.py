"""Chat models as memories use them: any LangChain model, or its name; and what counts as an answer.

A memory must not keep what a model says when it declines, says nothing, or calls a tool instead. Structured answers are checked
against their schema, whichever way the provider makes them.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Union, get_args

from langchain_core.messages import SystemMessage

from graph_memory.errors import ConfigurationError, MissingExtraError, ModelError
from graph_memory.messages import is_error_text, text_of
from graph_memory.prompts import JSON_ANSWER

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

Method = Literal["json_schema", "function_calling", "json_mode"]


@dataclass(frozen=True, slots=True)
class StructuredBy:
    """A chat model with the way in which it is asked for structured answers, when its own default is not the right one.

    Many servers that speak OpenAI's API know no `json_schema`: `EntityMemory(StructuredBy(model, "function_calling"))`.

    Attributes:
        model: a LangChain chat model, or its name.
        method: as in LangChain's `with_structured_output`. In "json_mode" the schema is told in the system message.

    Raises:
        ConfigurationError: the method is another.
    """

    model: BaseChatModel | str
    method: Method

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise ConfigurationError(f"method is {self.method!r}: choose from {', '.join(get_args(Method))}")


ChatModel: TypeAlias = Union["BaseChatModel", str, StructuredBy]
"""A LangChain chat model, or a name that `init_chat_model` knows, such as "openai:gpt-4o-mini"."""

_DECLINED = re.compile(
    r"\A\W*(?:i(?:\W?m| am|\W?ll be| will be)?,? (?:really |very |so |deeply )?(?:sorry|afraid|unable|not able|not allowed)\b"
    r"|(?:my |our |sincere )*(?:sorry|apologies|apologise|apologize)\b(?:[,.:; ]|$)"
    r"|i apologi[sz]e|i must (?:decline|refuse)|i won\W?t\b|as (?:an ai|a(?: large)? language model)\b"
    r"|(?:unfortunately,? )?(?:i|we) (?:cannot|can\W?t|could not|couldn\W?t|decline|refuse)\b"
    r"|(?:es )?tut mir leid|leider kann ich|(?:je suis )?désolé|lo siento|mi dispiace|desculpe)",
    re.IGNORECASE,
)
_WORDLESS = re.compile(r"\A(?:[\W_\d]|null|none|nil|undefined|n/a)*\Z", re.IGNORECASE)
_LONGEST_REFUSAL = 400
"""Characters: a longer text that begins with an apology has something to say after it."""


def checked_model(model: ChatModel | None, memory: str) -> None:
    """Refuses early what is no chat model, before a graph is built with it.

    Raises:
        ConfigurationError: it is neither a model nor the name of one.
        MissingExtraError: it is a name, and `langchain`, which resolves names, is not installed.
    """
    if isinstance(model, StructuredBy):
        checked_model(model.model, memory)
    elif isinstance(model, str):
        if not model.strip():
            raise ConfigurationError(
                f"memory {memory!r} has an empty model name: give one, for example 'openai:gpt-4o-mini'"
            )
        _init_chat_model()
    elif model is not None and not callable(getattr(model, "invoke", None)):
        raise ConfigurationError(
            f"memory {memory!r} has a model of type {type(model).__name__}: give a LangChain chat model, or a name such as"
            " 'openai:gpt-4o-mini'"
        )


@functools.lru_cache(maxsize=32)
def named_model(name: str) -> BaseChatModel:
    """The model of that name, made when it is first used and kept.

    Raises:
        MissingExtraError: `langchain` is not installed.
        ModelError: the name is unknown, its package or its key is missing.
    """
    make = _init_chat_model()
    try:
        model: BaseChatModel = make(name)
    except Exception as exc:  # every provider has its own; it names what is missing
        raise ModelError(f"the model {name!r} cannot be used: {type(exc).__name__}: {exc}") from exc
    return model


def is_named(model: ChatModel) -> bool:
    """Whether it is given by its name, so that it is made when it is first asked."""
    return isinstance(model.model if isinstance(model, StructuredBy) else model, str)


def resolved(model: ChatModel) -> Any:
    """The model itself, whether given or named."""
    if isinstance(model, StructuredBy):
        return resolved(model.model)
    return named_model(model) if isinstance(model, str) else model


def question(
    model: ChatModel, messages: Sequence[BaseMessage], schema: type[Any] | None
) -> tuple[Any, list[BaseMessage]]:
    """What to invoke, and with which messages, for an answer, or for one that `structured` takes."""
    asked = resolved(model)
    if schema is None:
        return asked, list(messages)
    if not isinstance(model, StructuredBy):
        return asked.with_structured_output(schema, include_raw=True), list(messages)
    form = asked.with_structured_output(schema, method=model.method, include_raw=True)
    return form, _told(messages, schema) if model.method == "json_mode" else list(messages)


def _told(messages: Sequence[BaseMessage], schema: type[Any]) -> list[BaseMessage]:
    """The messages with the schema at the end of the system message, the first."""
    told = JSON_ANSWER + json.dumps(schema.model_json_schema())
    is_system = bool(messages) and messages[0].type == "system"
    system = f"{text_of(messages[0])}\n\n{told}" if is_system else told
    return [SystemMessage(system), *messages[is_system:]]


def answer_text(message: BaseMessage) -> str:
    """What the model said, stripped.

    Raises:
        ModelError: it said nothing, called a tool instead, declined, or gave the text of an error.
    """
    text = text_of(message).strip()
    if not text:
        called = getattr(message, "tool_calls", None)
        raise ModelError("the model called a tool instead of answering" if called else "the model answered nothing")
    if _WORDLESS.match(text):
        raise ModelError("the model answered without a word")
    if len(text) <= _LONGEST_REFUSAL and _DECLINED.match(text):
        raise ModelError("the model declined to answer")
    if len(text) <= _LONGEST_REFUSAL and is_error_text(text):
        raise ModelError("the model answered with the text of an error")
    return text


def structured(answer: Any, schema: type[Any]) -> Any:
    """The validated object in what `with_structured_output(schema, include_raw=True)` gave.

    Raises:
        ModelError: there is none, or it does not fit the schema.
    """
    parsed = answer.get("parsed") if isinstance(answer, dict) and "parsed" in answer else answer
    if isinstance(parsed, schema):
        return parsed
    error = answer.get("parsing_error") if isinstance(answer, dict) else None
    raise ModelError(f"the model gave no valid {schema.__name__}") from (
        error if isinstance(error, Exception) else None
    )


def _init_chat_model() -> Any:
    try:
        from langchain.chat_models import init_chat_model
    except ImportError as exc:
        raise MissingExtraError("a model given by name", "agents") from exc
    return init_chat_model
