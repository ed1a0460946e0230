"""Reading LangChain messages: their text, their time, who spoke, and an id for those that have none. Pure.

This is the one place that knows the shapes of message content; nothing here changes a message in place.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Any, TypeGuard

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    BaseMessageChunk,
    HumanMessage,
    convert_to_messages,
    message_chunk_to_message,
    message_to_dict,
)

from graph_memory.types import utc

SAID_AT = "said_at"
"""Key of `additional_kwargs` that holds when a message was said, ISO 8601; without it the present counts."""

DERIVED = "derived-"
"""What ids begin with that were derived because a message had none."""

_ERROR = re.compile(
    r"\A\W*(?:traceback \(most recent call"
    r"|(?:fatal |internal |http )?[\w.]*(?:error|exception)\b\s*(?:code|status)?\s*(?:[:(\d]|\Z)"
    r"|(?:the )?request (?:timed out|failed)|rate limit (?:exceeded|reached)|service unavailable|too many requests)",
    re.IGNORECASE,
)

_SPEAKERS = {"human": "User", "ai": "Assistant", "tool": "Tool", "system": "System"}


def text_of(message: BaseMessage) -> str:
    """The message's text: its text blocks joined by line breaks, everything else left out."""
    content = message.content
    if isinstance(content, str):
        return content
    texts = (block if isinstance(block, str) else block.get("text", "") for block in content)
    return "\n".join(text for text in texts if isinstance(text, str) and text)


def with_refusal_told(message: BaseMessage) -> BaseMessage:
    """The message with a refusal, for which OpenAI has a place of its own, as text: without it others see an empty message."""
    if not isinstance(message, AIMessage):
        return message
    content, refusal = message.content, message.additional_kwargs.get("refusal")
    if not content:
        return message.model_copy(update={"content": refusal}) if refusal and isinstance(refusal, str) else message
    if isinstance(content, str) or not any(map(_is_refusal, content)):
        return message
    told = [
        {"type": "text", "text": str(block.get("refusal") or "")} if _is_refusal(block) else block for block in content
    ]
    return message.model_copy(update={"content": told})


def _is_refusal(block: str | dict[Any, Any]) -> TypeGuard[dict[Any, Any]]:
    return isinstance(block, dict) and block.get("type") == "refusal"


def speaker_of(message: BaseMessage) -> str:
    """The message's name, else what its role is called."""
    return message.name or _SPEAKERS.get(message.type, message.type.capitalize())


def said_at(message: BaseMessage, default: datetime) -> datetime:
    """When the message was said, in UTC; `default` when it does not say or says nonsense."""
    stamp = message.additional_kwargs.get(SAID_AT)
    try:
        moment = datetime.fromisoformat(stamp) if isinstance(stamp, str) else stamp
    except ValueError:
        return default
    # At the ends of the calendar there is no room for time zones, and none for what follows a moment later.
    if isinstance(moment, datetime) and MINYEAR < moment.year < MAXYEAR:
        return utc(moment)
    return default


def metadata_of(message: BaseMessage) -> dict[str, Any]:
    """What application code says of a message in `additional_kwargs["metadata"]`, if it is a mapping, as JSON."""
    given = message.additional_kwargs.get("metadata")
    return _as_json(given) if isinstance(given, Mapping) else {}


def message_value(message: BaseMessage) -> dict[str, Any]:
    """The message as a store keeps it: what `messages_from_dict` reads. What JSON lacks, such as NaN, is a text there."""
    value: dict[str, Any] = _as_json(message_to_dict(message))
    return value


def _as_json(value: Any) -> Any:
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _as_json(one) for key, one in value.items()}
    return [_as_json(one) for one in value] if isinstance(value, list | tuple) else str(value)


def is_final_answer(message: BaseMessage) -> bool:
    """Whether the message ends a turn: the assistant's, without tool calls."""
    return isinstance(message, AIMessage) and not message.tool_calls and not message.invalid_tool_calls


def is_spoken(message: BaseMessage) -> bool:
    """Whether somebody said something: a human's or the assistant's message with text; not tools, not the system."""
    return isinstance(message, HumanMessage | AIMessage) and bool(text_of(message).strip())


def is_error_text(text: str) -> bool:
    """Whether a text is what a program says when it fails: a traceback, or a line that begins with the name of an error."""
    return bool(_ERROR.match(text))


def newest_human(messages: Sequence[BaseMessage]) -> int:
    """Index of the newest human message, or -1."""
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].type == "human":
            return index
    return -1


def with_ids(messages: Sequence[Any]) -> list[BaseMessage]:
    """The messages as LangChain messages that all have ids.

    A missing id is derived from position, role and content, so the same thread gives the same ids again.

    Args:
        messages: LangChain messages, or anything that `convert_to_messages` takes.
    """
    if not all(isinstance(message, BaseMessage) for message in messages):
        messages = convert_to_messages(messages)
    if any(isinstance(message, BaseMessageChunk) for message in messages):
        messages = [message_chunk_to_message(m) if isinstance(m, BaseMessageChunk) else m for m in messages]
    return [m if m.id else m.model_copy(update={"id": _derived_id(i, m)}) for i, m in enumerate(messages)]


def _derived_id(position: int, message: BaseMessage) -> str:
    raw = json.dumps([position, message.type, message.name, message.content], default=str, sort_keys=True)
    return f"{DERIVED}{hashlib.blake2b(raw.encode('utf-8', 'surrogatepass'), digest_size=12).hexdigest()}"


def state_messages(state: Any, key: str) -> list[BaseMessage]:
    """The messages of a graph's state, whatever the state is: a dict, a pydantic model or a dataclass."""
    found = state.get(key) if isinstance(state, Mapping) else getattr(state, key, None)
    return with_ids((found if isinstance(found, list | tuple) else [found]) if found else [])
