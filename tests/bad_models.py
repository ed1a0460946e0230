"""Chat models that do not do as they are asked, in every way that providers know; they answer through LangChain's own parsers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import BaseModel

APOLOGY = "I'm sorry, but as a model I cannot help with that."
LONG = "elephant " * 10_000


class AnsweringModel(BaseChatModel):
    """Answers a question with what `reply` makes of it, given the schema that was bound, if any."""

    reply: Callable[[Sequence[BaseMessage], type[BaseModel] | None], AIMessage]
    seconds: float = 0.0
    bound: Any = None
    asked: list[str] = []  # noqa: RUF012 - a pydantic field, copied for each model

    @property
    def _llm_type(self) -> str:
        return "bad"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        """Keeps the schema, and shares the list of questions."""
        model = self.model_copy(update={"bound": tools[0]})
        model.asked = self.asked
        return model

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        self.asked.append("\n".join(message.text for message in messages))
        time.sleep(self.seconds)
        return self._result(messages)

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        self.asked.append("\n".join(message.text for message in messages))
        await asyncio.sleep(self.seconds)
        return self._result(messages)

    def _result(self, messages: list[BaseMessage]) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self.reply(messages, self.bound))])


def structured(schema: type[BaseModel] | None, **values: Any) -> AIMessage:
    """The answer that fills in the schema."""
    name = schema.__name__ if schema else ""
    return AIMessage("", tool_calls=[{"name": name, "args": values, "id": "1"}])


def _raising(_: Any, __: Any) -> AIMessage:
    raise RuntimeError("quota of the elephant")


def _invalid(_: Any, schema: type[BaseModel] | None) -> AIMessage:
    broken = '{"elephant": [}'
    if schema is None:
        return AIMessage("")
    call: Any = {"name": schema.__name__, "args": broken, "id": "1", "error": "no JSON", "type": "invalid_tool_call"}
    return AIMessage(broken, invalid_tool_calls=[call])


def _too_long(_: Any, schema: type[BaseModel] | None) -> AIMessage:
    if schema is None:
        return AIMessage(LONG)
    return structured(schema, **{name: _filled(field.annotation) for name, field in schema.model_fields.items()})


def _filled(annotation: Any) -> Any:
    """A hundred of whatever a list holds, all texts ten thousand words long."""
    [item] = getattr(annotation, "__args__", None) or [annotation]
    if not (isinstance(item, type) and issubclass(item, BaseModel)):
        return []
    return [{name: _value(field.annotation) for name, field in item.model_fields.items()}] * 100


def _value(annotation: Any) -> Any:
    kinds = getattr(annotation, "__args__", None) or [annotation]
    if bool in kinds:
        return False
    if int in kinds:
        return 1
    if float in kinds:
        return 1e9
    return LONG if (str in kinds and not hasattr(annotation, "__origin__")) or None.__class__ in kinds else []


BAD_REPLIES: dict[str, Callable[[Any, Any], AIMessage]] = {
    "raises": _raising,
    "says nothing": lambda _, __: AIMessage(""),
    "apologises": lambda _, __: AIMessage(APOLOGY),
    "answers invalid JSON": _invalid,
    "answers ten times too much": _too_long,
    "calls a tool": lambda _, __: AIMessage(
        "", tool_calls=[{"name": "elephant", "args": {"query": "elephant"}, "id": "1"}]
    ),
}
"""What a model may say instead of an answer."""

BAD_KINDS = (*BAD_REPLIES, "is late")


def bad_model(kind: str) -> AnsweringModel:
    """A model of that kind; a late one takes half a second for an apology."""
    if kind == "is late":
        return AnsweringModel(reply=BAD_REPLIES["apologises"], seconds=0.5, asked=[])
    return AnsweringModel(reply=BAD_REPLIES[kind], asked=[])
