"""OpenAI's responses API, which its newest models are asked by, as the stand-in speaks it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from graph_memory.testing._model_values import Asked, Method, Reply, Role, Said, ToolCall, Usage, event, pieces
from graph_memory.testing._openai_chat import openai_error, text_in
from graph_memory.testing._openai_rules import function_problems, named_schema_problems

_ROLES: dict[str, Role] = {"developer": "system", "system": "system", "assistant": "assistant"}
_INCOMPLETE = {"length": "max_output_tokens", "blocked": "content_filter"}


class OpenAIResponses:
    """`POST /v1/responses`."""

    def asked(self, path: str, body: Mapping[str, Any]) -> Asked:
        """The request, with what is wrong with it."""
        items = _items(body)
        tools = [tool for tool in body.get("tools") or () if tool.get("type") == "function"]
        method, schema = _form(body, tools)
        return Asked(
            "openai-responses",
            "chat",
            str(body.get("model")),
            tuple(map(_said, items)),
            tools=tuple(str(tool.get("name")) for tool in tools),
            method=method,
            schema=schema,
            is_streamed=bool(body.get("stream")),
            body=body,
            problem=next(_problems(body, items, tools), ""),
        )

    def body(self, asked: Asked, reply: Reply, usage: Usage) -> dict[str, Any]:
        """The answer as one object."""
        status = "completed" if reply.finish == "stop" else "incomplete"
        reason = None if reply.finish == "stop" else {"reason": _INCOMPLETE[reply.finish]}
        used = {
            "input_tokens": usage.prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": usage.answer_tokens + usage.thought_tokens,
            "output_tokens_details": {"reasoning_tokens": usage.thought_tokens},
            "total_tokens": usage.prompt_tokens + usage.answer_tokens + usage.thought_tokens,
        }
        return {**_response(asked, status), "output": _output(reply), "incomplete_details": reason, "usage": used}

    def events(self, asked: Asked, reply: Reply, usage: Usage) -> Iterable[bytes]:
        """The answer as server-sent events."""
        whole = self.body(asked, reply, usage)
        told: list[tuple[str, dict[str, Any]]] = [("response.created", {"response": _response(asked, "in_progress")})]
        for index, item in enumerate(whole["output"]):
            told += _item_events(index, item)
        told.append((f"response.{whole['status']}", {"response": whole}))
        for number, (kind, data) in enumerate(told):
            yield event({"type": kind, "sequence_number": number, **data}, kind)

    def nothing(self, asked: Asked) -> dict[str, Any]:
        """An answer without an answer."""
        return self.body(asked, Reply(), Usage(asked.prompt_tokens, 0))

    def error(self, status: int, message: str) -> dict[str, Any]:
        """An error."""
        return openai_error(status, message)


def _items(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    given = body.get("input")
    told = [{"role": "user", "content": given}] if isinstance(given, str) else list(given or ())
    return [{"role": "system", "content": body["instructions"]}, *told] if body.get("instructions") else told


def _problems(
    body: Mapping[str, Any], items: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    if not items:
        yield "Missing required parameter: 'input'."
    calls = [item.get("call_id") for item in items if item.get("type") == "function_call"]
    results = [item.get("call_id") for item in items if item.get("type") == "function_call_output"]
    yield from (
        f"No tool call found for function call output with call_id {one}." for one in results if one not in calls
    )
    yield from (f"No tool output found for function call {one}." for one in calls if one not in results)
    for tool in tools:
        yield from function_problems(tool)
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_object" and "json" not in json.dumps(items).lower():
        yield "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'."
    if form.get("type") == "json_schema":
        yield from named_schema_problems(form, "text.format")


def _form(body: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]) -> tuple[Method, Any]:
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_object":
        return "json_mode", None
    if form.get("type") == "json_schema":
        return "json_schema", form.get("schema")
    if isinstance(body.get("tool_choice"), Mapping) or body.get("tool_choice") == "required":
        return "function_calling", tools[0].get("parameters") if tools else None
    return "", None


def _said(item: Mapping[str, Any]) -> Said:
    if item.get("type") == "function_call":
        return Said("assistant", calls=(ToolCall(str(item.get("name")), str(item.get("arguments"))),))
    if item.get("type") == "function_call_output":
        return Said("tool", text_in(item.get("output")))
    return Said(_ROLES.get(str(item.get("role")), "user"), text_in(item.get("content")))


def _response(asked: Asked, status: str) -> dict[str, Any]:
    return {
        "id": f"resp_{uuid4().hex}", "object": "response", "created_at": int(time.time()), "status": status,
        "model": asked.model, "output": [], "error": None, "incomplete_details": None, "instructions": None, "metadata": {},
        "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0, "usage": None,
    }  # fmt: skip


def _output(reply: Reply) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if reply.text:
        content.append({"type": "output_text", "text": reply.text, "annotations": []})
    if reply.refusal:
        content.append({"type": "refusal", "refusal": reply.refusal})
    items: list[dict[str, Any]] = []
    if content:
        items.append({"id": f"msg_{uuid4().hex}", "type": "message", "status": "completed", "role": "assistant",
                      "content": content})  # fmt: skip
    for call in reply.calls:
        items.append({"id": f"fc_{uuid4().hex}", "type": "function_call", "status": "completed", "name": call.name,
                      "call_id": call.id or f"call_{uuid4().hex[:24]}", "arguments": call.arguments})  # fmt: skip
    return items


def _item_events(index: int, item: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a stream tells of one item of the output."""
    place = {"output_index": index, "item_id": item["id"]}
    empty: dict[str, Any] = {"content": []} if item["type"] == "message" else {"arguments": ""}
    yield "response.output_item.added", {"output_index": index, "item": {**item, **empty, "status": "in_progress"}}
    if item["type"] == "function_call":
        half = len(item["arguments"]) // 2
        for part in (item["arguments"][:half], item["arguments"][half:]):
            yield "response.function_call_arguments.delta", {**place, "delta": part}
        yield "response.function_call_arguments.done", {**place, "name": item["name"], "arguments": item["arguments"]}
    for number, content in enumerate(item.get("content") or ()):
        kind, text = ("output_text", "text") if content["type"] == "output_text" else ("refusal", "refusal")
        at = {**place, "content_index": number}
        yield "response.content_part.added", {**at, "part": {**content, text: ""}}
        for piece in pieces(content[text]):
            yield f"response.{kind}.delta", {**at, "delta": piece, **({"logprobs": []} if text == "text" else {})}
        yield f"response.{kind}.done", {**at, text: content[text], **({"logprobs": []} if text == "text" else {})}
        yield "response.content_part.done", {**at, "part": content}
    yield "response.output_item.done", {"output_index": index, "item": item}
