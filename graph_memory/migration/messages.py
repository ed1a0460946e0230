"""LangChain messages as other programs keep them: decoded, with the time when they were said and an id of their own. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from langchain_core.messages import messages_from_dict

from graph_memory.extract.shapes import moment
from graph_memory.messages import SAID_AT, message_value
from graph_memory.migration.records import TOO_DEEP, is_deep
from graph_memory.types import utc

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

_TIMES = ("timestamp", "created_at", "sent_at")
"""Keys of `additional_kwargs` under which applications say when a message was said."""


def decoded(value: Any) -> BaseMessage:
    """The message that LangChain's `message_to_dict` wrote: `{"type": "human", "data": {...}}`.

    Raises:
        ValueError: it is none; the text never quotes it.
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("data"), Mapping):
        raise ValueError("it is no message of LangChain, which has a type and data")
    if is_deep(value):
        raise ValueError(TOO_DEEP)
    try:
        return messages_from_dict([dict(value)])[0]
    except (KeyError, TypeError, ValueError, NotImplementedError) as exc:
        raise ValueError("it is no message that LangChain can read") from exc


def said(message: BaseMessage, at: datetime | None, message_id: str) -> BaseMessage:
    """The message under an id, with its time: its own if it names one, else `at`; None leaves it without."""
    own = message.additional_kwargs
    named = (_moment(own[key]) for key in (SAID_AT, *_TIMES) if key in own)
    when = next((one for one in named if one is not None), at)
    extra = own if when is None else {**own, SAID_AT: utc(when).isoformat()}
    return message.model_copy(update={"id": message_id, "additional_kwargs": extra})


def told_apart(messages: Sequence[BaseMessage]) -> list[str]:
    """An id for each: its own, or a variant of it where an earlier one has the same and says something else."""
    seen: dict[str, str] = {}
    ids = []
    for message in messages:
        digest, own = content_digest(message), message.id or ""
        ids.append(own if seen.setdefault(own, digest) == digest else f"{own}#{digest}")
    return ids


def content_digest(message: BaseMessage) -> str:
    """What tells a message from another in its place."""
    value = message_value(message)["data"]
    raw = f"{message.type}\0{value.get('content')}\0{value.get('tool_calls')}"
    return hashlib.blake2b(raw.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def _moment(value: Any) -> datetime | None:
    try:
        return moment(value)
    except (ValueError, OverflowError, OSError):
        return None
