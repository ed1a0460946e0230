"""Gemini's API as the stand-in speaks it: `generateContent`, `streamGenerateContent` and the embeddings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graph_memory.testing._gemini_rules import content_problems, embedding_problems
from graph_memory.testing._model_values import Asked, Method, Reply, Role, Said, ToolCall, Usage, event, pieces

_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "blocked": "SAFETY"}
_STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip
_SIGNATURE = "c2lnbmVkIGJ5IHRoZSBzdGFuZC1pbg=="


class GeminiChat:
    """`POST /v1beta/models/<model>:generateContent` and `:streamGenerateContent`."""

    def asked(self, path: str, body: Mapping[str, Any]) -> Asked:
        """The request, with what is wrong with it."""
        model = _model(path)
        tools = [f for tool in body.get("tools") or () for f in tool.get("functionDeclarations") or ()]
        method, schema = _form(body, tools)
        system = [Said("system", _text(body["systemInstruction"]))] if "systemInstruction" in body else []
        return Asked(
            "gemini",
            "chat",
            model,
            (*system, *map(_said, body.get("contents") or ())),
            tools=tuple(str(tool.get("name")) for tool in tools),
            method=method,
            schema=schema,
            is_streamed=":streamGenerateContent" in path,
            body=body,
            problem=next(content_problems(model, body), ""),
        )

    def body(self, asked: Asked, reply: Reply, usage: Usage) -> dict[str, Any]:
        """The answer as one object."""
        return _answer(asked, _parts(asked, reply), usage, _FINISH[reply.finish])

    def events(self, asked: Asked, reply: Reply, usage: Usage) -> Iterable[bytes]:
        """The answer as server-sent events; each tells the usage so far."""
        parts = [{"text": piece} for piece in pieces(reply.text)] + _parts(asked, Reply(calls=reply.calls))
        for number, part in enumerate(parts, 1):
            so_far = Usage(usage.prompt_tokens, usage.answer_tokens * number // len(parts), usage.thought_tokens)
            yield event(_answer(asked, [part], so_far))
        yield event(_answer(asked, [], usage, _FINISH[reply.finish]))

    def nothing(self, asked: Asked) -> dict[str, Any]:
        """An answer without an answer: the prompt was blocked."""
        answer = _answer(asked, [], Usage(asked.prompt_tokens, 0))
        return {**answer, "candidates": [], "promptFeedback": {"blockReason": "SAFETY"}}

    def error(self, status: int, message: str) -> dict[str, Any]:
        """An error."""
        return gemini_error(status, message)


class GeminiVectors:
    """`POST /v1beta/models/<model>:batchEmbedContents` and `:embedContent`."""

    def asked(self, path: str, body: Mapping[str, Any]) -> Asked:
        """The request, with what is wrong with it."""
        requests = body.get("requests") or [] if ":batchEmbedContents" in path else [body]
        texts = tuple(_text(request.get("content") or {}) for request in requests)
        problem = next(embedding_problems(requests), "")
        return Asked("gemini", "embeddings", _model(path), texts=texts, body=body, problem=problem)

    def vectors(self, asked: Asked, vectors: Sequence[Sequence[float]], usage: Usage) -> dict[str, Any]:
        """The answer."""
        shown = [{"values": list(vector)} for vector in vectors]
        return {"embeddings": shown} if "requests" in asked.body else {"embedding": shown[0]}

    def error(self, status: int, message: str) -> dict[str, Any]:
        """An error."""
        return gemini_error(status, message)


def gemini_error(status: int, message: str) -> dict[str, Any]:
    """An error as Gemini tells it."""
    return {"error": {"code": status, "message": message, "status": _STATUSES.get(status, "UNKNOWN")}}


def _model(path: str) -> str:
    return path.partition("models/")[2].partition(":")[0]


def _form(body: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]) -> tuple[Method, Any]:
    config = body.get("generationConfig") or {}
    if config.get("responseMimeType") == "application/json":
        schema = config.get("responseJsonSchema") or config.get("responseSchema")
        return ("json_schema", schema) if schema else ("json_mode", None)
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    if calling.get("mode") == "ANY" and tools:
        return "function_calling", tools[0].get("parameters")
    return "", None


def _said(content: Mapping[str, Any]) -> Said:
    parts = content.get("parts") or ()
    calls = tuple(ToolCall(part["functionCall"]["name"], part["functionCall"].get("args") or {})
                  for part in parts if "functionCall" in part)  # fmt: skip
    results = [json.dumps(part["functionResponse"].get("response")) for part in parts if "functionResponse" in part]
    role: Role = "tool" if results else "assistant" if content.get("role") == "model" else "user"
    return Said(role, "\n".join([*filter(None, [_text(content)]), *results]), calls)


def _text(content: Mapping[str, Any]) -> str:
    return "\n".join(part["text"] for part in content.get("parts") or () if part.get("text"))


def _parts(asked: Asked, reply: Reply) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"text": reply.text}] if reply.text else []
    for index, call in enumerate(reply.calls):
        args = {"malformed": call.args} if isinstance(call.args, str) else dict(call.args)
        part: dict[str, Any] = {"functionCall": {"name": call.name, "args": args}}
        if not index and asked.model.startswith("gemini-3"):
            part["thoughtSignature"] = _SIGNATURE
        parts.append(part)
    return parts


def _answer(asked: Asked, parts: Sequence[Mapping[str, Any]], usage: Usage, finish: str = "") -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": 0}
    if parts:
        candidate["content"] = {"role": "model", "parts": list(parts)}
    if finish:
        candidate["finishReason"] = finish
    counted = {
        "promptTokenCount": usage.prompt_tokens,
        "candidatesTokenCount": usage.answer_tokens,
        "thoughtsTokenCount": usage.thought_tokens,
        "totalTokenCount": usage.prompt_tokens + usage.answer_tokens + usage.thought_tokens,
    }
    return {"candidates": [candidate], "usageMetadata": counted, "modelVersion": asked.model}
