"""What OpenAI's API refuses with status 400, as far as a conversation's memory could be the cause. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_NAME = re.compile(r"[^\s<|\\/>]+")
_FUNCTION = re.compile(r"[a-zA-Z0-9_-]{1,64}")
MOST_TEXTS = 2048


def chat_problems(body: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a request for a chat completion."""
    messages = body.get("messages")
    if not body.get("model"):
        yield "you must provide a model parameter"
    if not isinstance(messages, list) or not messages:
        yield "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        return
    for index, message in enumerate(messages):
        yield from _message_problems(index, message)
    yield from _pairing_problems(messages)
    for tool in body.get("tools") or ():
        yield from function_problems(tool.get("function") or {})
    yield from _format_problems(body.get("response_format") or {}, messages)


def _message_problems(index: int, message: Mapping[str, Any]) -> Iterator[str]:
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        yield f"Invalid value: '{role}'. Supported values are: {', '.join(map(repr, _ROLES))}. (messages[{index}].role)"
    is_spared = role == "assistant" and any(message.get(key) for key in ("tool_calls", "function_call", "audio"))
    if not isinstance(content, str | list) and not is_spared:
        yield f"Invalid value for 'content': expected a string, got null. (messages.[{index}].content)"
    if content == []:
        yield f"Invalid 'messages[{index}].content': empty array. Expected an array with minimum length 1."
    if message.get("name") is not None and not _NAME.fullmatch(str(message["name"])):
        yield f"Invalid 'messages[{index}].name': string does not match pattern. Expected a string that matches the pattern."


def _pairing_problems(messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A call is followed at once by a result for each of its ids, and a result follows its call."""
    waiting: list[str] = []
    for message in [*messages, {"role": "end"}]:
        if message.get("role") == "tool":
            if message.get("tool_call_id") in waiting:
                waiting.remove(message["tool_call_id"])
            else:
                yield (
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with"
                    " 'tool_calls'."
                )
            continue
        if waiting:
            yield (
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each"
                f" 'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(waiting)}"
            )
        waiting = [call.get("id") for call in message.get("tool_calls") or ()]


def function_problems(function: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a tool."""
    name = str(function.get("name") or "")
    if not _FUNCTION.fullmatch(name):
        yield "Invalid 'tools[0].function.name': string does not match pattern '^[a-zA-Z0-9_-]+$'."
    if function.get("strict"):
        yield from (f"Invalid schema for function '{name}': {one}" for one in schema_problems(function["parameters"]))


def _format_problems(form: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if form.get("type") == "json_object" and "json" not in json.dumps([m.get("content") for m in messages]).lower():
        yield "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
    if form.get("type") == "json_schema":
        yield from named_schema_problems(form["json_schema"], "response_format")


def named_schema_problems(given: Mapping[str, Any], place: str) -> Iterator[str]:
    """What is wrong with the schema that an answer must fit."""
    name = str(given.get("name") or "")
    if not _FUNCTION.fullmatch(name):
        yield f"Invalid '{place}.name': string does not match pattern '^[a-zA-Z0-9_-]+$'."
    if given.get("strict"):
        yield from (f"Invalid schema for {place} '{name}': {one}" for one in schema_problems(given["schema"]))


def schema_problems(schema: Any, context: tuple[str, ...] = ()) -> Iterator[str]:
    """What strict schemas must not hold. Defaults are among it: OpenAI took to allowing them, Azure did not."""
    if isinstance(schema, list):
        for one in schema:
            yield from schema_problems(one, context)
    if not isinstance(schema, Mapping):
        return
    if "default" in schema:
        yield f"In context={context}, 'default' is not permitted."
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            yield f"In context={context}, 'additionalProperties' is required to be supplied and to be false."
        if set(schema.get("required") or ()) != set(schema.get("properties") or ()):
            yield (
                f"In context={context}, 'required' is required to be supplied and to be an array including every key in"
                " properties."
            )
    for key, inner in schema.items():
        if key in ("properties", "$defs"):
            for name, one in inner.items():
                yield from schema_problems(one, (*context, key, name))
        elif key in ("items", "anyOf"):
            yield from schema_problems(inner, (*context, key))


def embedding_problems(body: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a request for vectors."""
    given = body.get("input")
    texts = given if isinstance(given, list) else [given]
    if not texts or any(not isinstance(text, str | list) or not text for text in texts):
        yield "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference."
    if len(texts) > MOST_TEXTS:
        yield f"Invalid 'input': array too long. Expected an array with maximum length {MOST_TEXTS}."
