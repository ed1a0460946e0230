"""What a stand-in for a model's API is asked, and what it can be told to answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from pydantic import BaseModel

Kind = Literal["chat", "embeddings"]
Role = Literal["system", "user", "assistant", "tool"]
Method = Literal["", "function_calling", "json_schema", "json_mode"]
Finish = Literal["stop", "length", "blocked"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool.

    Attributes:
        name: the tool's.
        args: a JSON object; a text is sent as it is, for calls that are no JSON.
        id: where the API has ids; "" for one that the stand-in makes.
    """

    name: str
    args: Mapping[str, Any] | str = field(default_factory=dict)
    id: str = ""

    @property
    def arguments(self) -> str:
        """As JSON."""
        return self.args if isinstance(self.args, str) else json.dumps(self.args)


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a request, as every API means it."""

    role: Role
    text: str = ""
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request.

    Attributes:
        api: "openai", "openai-responses" or "gemini".
        kind: whether an answer or vectors are asked for.
        model: its name.
        messages: the conversation, the system's instructions first.
        texts: what is to be embedded; a text that came as token numbers is these numbers.
        tools: names of the tools that may be called.
        method: how a structured answer is asked for; "" when any text will do.
        schema: the JSON schema of that answer, where it came along.
        is_streamed: whether the answer is to be streamed.
        prompt_tokens: what was sent, as the stand-in counts.
        body: the request as it came.
        problem: why the API refuses it; "" when it does not.
    """

    api: str
    kind: Kind
    model: str
    messages: tuple[Said, ...] = ()
    texts: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    method: Method = ""
    schema: Mapping[str, Any] | None = None
    is_streamed: bool = False
    prompt_tokens: int = 0
    body: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def text(self) -> str:
        """All that the model could read."""
        return "\n".join([*(message.text for message in self.messages), *self.texts])

    @property
    def question(self) -> str:
        """The newest message of the user."""
        return next((message.text for message in reversed(self.messages) if message.role == "user"), "")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model says.

    Attributes:
        text: its words; streamed word by word.
        calls: tools that it calls.
        finish: why it ends: it has said all, may say no more, or was stopped by a filter.
        thought_tokens: what it thought before, unseen.
        refusal: why it declines, where the API has a place of its own for that.
    """

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    finish: Finish = "stop"
    thought_tokens: int = 0
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Nothing:
    """An answer without any choice or candidate; Gemini says that the prompt was blocked."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of the API.

    Attributes:
        status: such as 429 or 500.
        retry_after_seconds: what the header of that name says; None for no header.
        message: what the API says about it.
    """

    status: int = 500
    retry_after_seconds: float | None = None
    message: str = "The stand-in was told to fail."


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer: the connection stays open for so long, or until the stand-in stops, and is closed then."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class CutOff:
    """A reply that breaks off: after so many events of a stream, or in the middle of the body."""

    reply: Reply = field(default_factory=lambda: Reply("Half of this is never heard."))
    after: int = 2


@dataclass(frozen=True, slots=True)
class Malformed:
    """A body, with the status 200, that is not what the API promises."""

    body: bytes = b'{"choices": [{'
    content_type: str = "application/json"


Answer: TypeAlias = "str | Mapping[str, Any] | BaseModel | Reply | Nothing | Failure | Hang | CutOff | Malformed"
"""A text is a `Reply`; an object is one in the way that the request asks for: a tool call, or JSON."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call took."""

    prompt_tokens: int
    answer_tokens: int
    thought_tokens: int = 0


class Wire(Protocol):
    """One route of an API: how its requests are read and its errors written."""

    def asked(self, path: str, body: Mapping[str, Any]) -> Asked:
        """The request, with what is wrong with it."""
        ...

    def error(self, status: int, message: str) -> dict[str, Any]:
        """An error."""
        ...


class ChatWire(Wire, Protocol):
    """A route that answers a conversation."""

    def body(self, asked: Asked, reply: Reply, usage: Usage) -> dict[str, Any]:
        """The answer as one object."""
        ...

    def events(self, asked: Asked, reply: Reply, usage: Usage) -> Iterable[bytes]:
        """The answer as server-sent events."""
        ...

    def nothing(self, asked: Asked) -> dict[str, Any]:
        """An answer without an answer."""
        ...


class VectorWire(Wire, Protocol):
    """A route that answers texts with vectors."""

    def vectors(self, asked: Asked, vectors: Sequence[Sequence[float]], usage: Usage) -> dict[str, Any]:
        """The answer."""
        ...


def event(data: Mapping[str, Any], name: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def pieces(text: str) -> list[str]:
    """A text word by word, spaces included."""
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + words[-1:] if text else []


def as_reply(answer: str | Mapping[str, Any] | BaseModel | Reply, asked: Asked) -> Reply:
    """The answer in the way that the request asks for."""
    if isinstance(answer, Reply):
        return answer
    if isinstance(answer, str):
        return Reply(answer)
    value = answer.model_dump(mode="json") if isinstance(answer, BaseModel) else answer
    if asked.method == "function_calling":
        return Reply(calls=(ToolCall(asked.tools[0], value),))
    return Reply(json.dumps(value))
