"""What Gemini's API refuses with status 400, as far as a conversation's memory could be the cause. Pure.

Where models differ the strictest is imitated: a conversation begins with the user's turn and ends with one or with results, and
no part is empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

_FUNCTION = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
MOST_TEXTS = 100


def content_problems(model: str, body: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a request for an answer."""
    contents = body.get("contents") or []
    if not contents:
        yield "* GenerateContentRequest.contents: contents is not specified"
        return
    for index, content in enumerate(contents):
        yield from _part_problems(f"contents[{index}]", content)
        if content.get("role") not in ("user", "model"):
            yield "Please use a valid role: user, model."
    if "systemInstruction" in body:
        yield from _part_problems("system_instruction", body["systemInstruction"])
    yield from _order_problems(contents)
    if model.startswith("gemini-3"):
        yield from _signature_problems(contents)
    yield from _tool_problems(body)


def _part_problems(place: str, content: Mapping[str, Any]) -> Iterator[str]:
    parts = content.get("parts") or []
    if not parts:
        yield f"* GenerateContentRequest.{place}.parts: contents.parts must not be empty."
    for part in parts:
        data = {key for key in part if key not in ("thought", "thoughtSignature")}
        if not data or (data == {"text"} and not part["text"]):
            yield "Unable to submit request because it must have a text parameter, or another one with data."


def _order_problems(contents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if contents[0].get("role") != "user" or _named(contents[0], "functionResponse"):
        yield "Please ensure that multiturn requests start with a user turn."
    if contents[-1].get("role") != "user":
        yield "Please ensure that multiturn requests end with a user role or a function response."
    for before, content in pairwise(contents):
        results, calls = _named(content, "functionResponse"), _named(before, "functionCall")
        if results and not calls:
            yield "Please ensure that function response turn comes immediately after a function call turn."
        if calls and sorted(results) != sorted(calls):
            yield (
                "Please ensure that the number of function response parts is equal to the number of function call parts of"
                " the function call turn."
            )
        if _named(content, "functionCall") and before.get("role") != "user":
            yield (
                "Please ensure that function call turn comes immediately after a user turn or after a function response"
                " turn."
            )


def _signature_problems(contents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The first call of each step of the running turn carries the signature that it came with."""
    asked = [i for i, one in enumerate(contents) if one.get("role") == "user" and not _named(one, "functionResponse")]
    for content in contents[asked[-1] + 1 if asked else 0 :]:
        first = next((part for part in content.get("parts") or () if "functionCall" in part), None)
        if first is not None and not first.get("thoughtSignature"):
            yield "Function call is missing a thought_signature in functionCall parts."


def _named(content: Mapping[str, Any], kind: str) -> list[str]:
    return [str(part[kind].get("name")) for part in content.get("parts") or () if kind in part]


def _tool_problems(body: Mapping[str, Any]) -> Iterator[str]:
    for tool in body.get("tools") or ():
        for index, function in enumerate(tool.get("functionDeclarations") or ()):
            place = f"* GenerateContentRequest.tools[0].function_declarations[{index}]"
            if not _FUNCTION.fullmatch(str(function.get("name") or "")):
                yield f"{place}.name: Invalid function name."
            yield from (f"{place}.parameters{one}" for one in _schema_problems(function.get("parameters") or {}))
    config = body.get("generationConfig") or {}
    if "responseJsonSchema" in config and config.get("responseMimeType") != "application/json":
        yield "* GenerateContentRequest.generation_config.response_mime_type: must be application/json."


def _schema_problems(schema: Any, place: str = "") -> Iterator[str]:
    if not isinstance(schema, Mapping):
        return
    if schema.get("type") == "OBJECT" and not schema.get("properties"):
        yield f"{place}.properties: should be non-empty for OBJECT type"
    if schema.get("type") == "ARRAY" and not schema.get("items"):
        yield f"{place}.items: missing field."
    for key, inner in (schema.get("properties") or {}).items():
        yield from _schema_problems(inner, f"{place}.properties[{key}]")
    yield from _schema_problems(schema.get("items"), f"{place}.items")


def embedding_problems(requests: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is wrong with a request for vectors."""
    if not 0 < len(requests) <= MOST_TEXTS:
        yield f"* BatchEmbedContentsRequest.requests: at most {MOST_TEXTS} requests can be in one batch"
    for request in requests:
        yield from _part_problems("content", request.get("content") or {})
