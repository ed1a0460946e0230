"""OpenAI's chat completions and embeddings, as the stand-in speaks them."""

from __future__ import annotations

import base64
import struct
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from graph_memory.testing._model_values import Asked, Method, Reply, Role, Said, ToolCall, Usage, event, pieces
from graph_memory.testing._openai_rules import chat_problems, embedding_problems

_FINISH = {"stop": "stop", "length": "length", "blocked": "content_filter"}
_ROLES: dict[str, Role] = {"developer": "system", "system": "system", "assistant": "assistant", "tool": "tool"}
_TYPES = {400: "invalid_request_error", 401: "invalid_request_error", 404: "invalid_request_error", 429: "requests"}


class OpenAIChat:
    """`POST /v1/chat/completions`."""

    def asked(self, path: str, body: Mapping[str, Any]) -> Asked:
        """The request, with what is wrong with it."""
        form = body.get("response_format") or {}
        tools = [tool.get("function") or {} for tool in body.get("tools") or ()]
        method, schema = _form(form, body.get("tool_choice"), tools)
        return Asked(
            "openai",
            "chat",
            str(body.get("model")),
            tuple(map(_said, body.get("messages") or ())),
            tools=tuple(str(tool.get("name")) for tool in tools),
            method=method,
            schema=schema,
            is_streamed=bool(body.get("stream")),
            body=body,
            problem=next(chat_problems(body), ""),
        )

    def body(self, asked: Asked, reply: Reply, usage: Usage) -> dict[str, Any]:
        """The answer as one object."""
        message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": reply.refusal or None}
        if reply.calls:
            message["tool_calls"] = [_call(call) for call in reply.calls]
        choice = {"index": 0, "message": message, "finish_reason": _finish(reply), "logprobs": None}
        return {**_head(asked, "chat.completion"), "choices": [choice], "usage": _usage(usage)}

    def events(self, asked: Asked, reply: Reply, usage: Usage) -> Iterable[bytes]:
        """The answer as server-sent events."""
        head = _head(asked, "chat.completion.chunk")
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "", "refusal": None}]
        deltas += [{"content": piece} for piece in pieces(reply.text)]
        deltas += [{"refusal": piece} for piece in pieces(reply.refusal)]
        deltas += [
            {"tool_calls": [part]} for index, call in enumerate(reply.calls) for part in _call_parts(index, call)
        ]
        for delta in deltas:
            yield event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        yield event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": _finish(reply)}]})
        if (asked.body.get("stream_options") or {}).get("include_usage"):
            yield event({**head, "choices": [], "usage": _usage(usage)})
        yield b"data: [DONE]\n\n"

    def nothing(self, asked: Asked) -> dict[str, Any]:
        """An answer without an answer."""
        return {**_head(asked, "chat.completion"), "choices": [], "usage": _usage(Usage(asked.prompt_tokens, 0))}

    def error(self, status: int, message: str) -> dict[str, Any]:
        """An error."""
        return openai_error(status, message)


class OpenAIVectors:
    """`POST /v1/embeddings`."""

    def asked(self, path: str, body: Mapping[str, Any]) -> Asked:
        """The request, with what is wrong with it."""
        given = body.get("input")
        texts = given if isinstance(given, list) and not all(isinstance(one, int) for one in given) else [given]
        told = tuple(one if isinstance(one, str) else " ".join(map(str, one or ())) for one in texts)
        problem = next(embedding_problems({**body, "input": texts}), "")
        return Asked("openai", "embeddings", str(body.get("model")), texts=told, body=body, problem=problem)

    def vectors(self, asked: Asked, vectors: Sequence[Sequence[float]], usage: Usage) -> dict[str, Any]:
        """The answer to a request for vectors."""
        in_base64 = asked.body.get("encoding_format") == "base64"
        shown = [_packed(vector) if in_base64 else list(vector) for vector in vectors]
        data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(shown)]
        used = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens}
        return {"object": "list", "data": data, "model": asked.model, "usage": used}

    def error(self, status: int, message: str) -> dict[str, Any]:
        """An error."""
        return openai_error(status, message)


def openai_error(status: int, message: str) -> dict[str, Any]:
    """An error as OpenAI tells it."""
    code = {401: "invalid_api_key", 429: "rate_limit_exceeded"}.get(status)
    if "maximum context length" in message:
        code = "context_length_exceeded"
    return {"error": {"message": message, "type": _TYPES.get(status, "server_error"), "param": None, "code": code}}


def text_in(content: Any) -> str:
    """The text of a message's content."""
    if isinstance(content, list):
        return "\n".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))
    return str(content or "")


def _form(form: Mapping[str, Any], choice: Any, tools: Sequence[Mapping[str, Any]]) -> tuple[Method, Any]:
    if form.get("type") == "json_object":
        return "json_mode", None
    if form.get("type") == "json_schema":
        return "json_schema", form["json_schema"].get("schema")
    if isinstance(choice, Mapping) or choice == "required":
        return "function_calling", tools[0].get("parameters") if tools else None
    return "", None


def _said(message: Mapping[str, Any]) -> Said:
    calls = [call.get("function") or {} for call in message.get("tool_calls") or ()]
    told = tuple(ToolCall(str(call.get("name")), str(call.get("arguments"))) for call in calls)
    return Said(_ROLES.get(str(message.get("role")), "user"), text_in(message.get("content")), told)


def _head(asked: Asked, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid4().hex}", "object": kind, "created": int(time.time()), "model": asked.model}


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.calls and reply.finish == "stop" else _FINISH[reply.finish]


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id or f"call_{uuid4().hex[:24]}", "type": "function", "function": function}


def _call_parts(index: int, call: ToolCall) -> Iterator[dict[str, Any]]:
    """A call as a stream tells it: its name, then its arguments in two parts."""
    whole = _call(call)
    yield {**whole, "index": index, "function": {"name": call.name, "arguments": ""}}
    half = len(call.arguments) // 2
    for part in (call.arguments[:half], call.arguments[half:]):
        yield {"index": index, "function": {"arguments": part}}


def _usage(usage: Usage) -> dict[str, Any]:
    answered = usage.answer_tokens + usage.thought_tokens
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": answered,
        "total_tokens": usage.prompt_tokens + answered,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.thought_tokens},
    }


def _packed(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
