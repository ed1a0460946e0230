"""How a context looks: quoted memory, the one system message, and the newest human message with its memory block.

What a memory says is quoted: it stands in a `<memory>` block that it cannot close, one line a snippet. The thread's own
messages are never changed, only copied.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, SystemMessage

from graph_memory.context.ledger import role_of

OPEN = "<memory>"
CLOSE = "</memory>"
SYSTEM_ID = "graph_memory-system"
"""Id of a system message that the thread did not have, so that it can be told from the thread's own messages."""

_AT_START = re.compile(r"\A<memory>\n.*?\n</memory>(?:\n\n|\Z)", re.DOTALL)
_AT_END = re.compile(r"(?:\n\n|\A)<memory>\n(?:(?!</memory>).)*\n</memory>\Z", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
_TAG = re.compile(r"<(?=[\W_]*memory)", re.IGNORECASE)


def quoted(text: str) -> str:
    """One line of a block: escaped where it could open or close the block, without control characters, further lines indented."""
    return "- " + "\n  ".join(escaped(_CONTROL.sub("", text)).splitlines())


def escaped(text: str) -> str:
    """The text, in which nothing reads as the block's delimiter."""
    return _TAG.sub("&lt;", text) if "<" in text else text


def paragraph(heading: str, lines: Iterable[tuple[str, str]]) -> str:
    """A section: its heading and one line a text, each label once above the run of texts that share it."""
    shown, above = [escaped(heading)] if heading else [], ""
    for label, text in lines:
        if label != above:
            shown.append(escaped(label or "undated"))
            above = label
        shown.append(quoted(text))
    return "\n".join(shown)


def block(paragraphs: Sequence[str]) -> str:
    """What memories say, delimited; "" when they say nothing."""
    body = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
    return f"{OPEN}\n{body}\n{CLOSE}" if body else ""


def system_message(system: Sequence[BaseMessage], memory: str) -> BaseMessage | None:
    """The thread's system messages folded into one, in order, with the memory block at its end.

    The first system message is the one that is copied, so its id and provider options stay; a single one without a memory
    block is passed on as it is. List content stays a list of blocks.
    """
    if not system:
        return SystemMessage(memory, id=SYSTEM_ID) if memory else None
    if len(system) == 1 and not memory:
        return system[0]
    contents: list[Any] = [message.content for message in system]
    return system[0].model_copy(update={"content": _joined([*contents, memory] if memory else contents)})


def with_memory(human: BaseMessage, memory: str) -> BaseMessage:
    """A copy of the human message with the memory block before its own content; itself when there is no block."""
    if not memory:
        return human
    return human.model_copy(update={"content": _joined([memory, human.content])})


def as_sent(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """The messages in a form that every provider takes, of no more tokens.

    A tool call and the answers that directly precede it, such as another agent's, are one message: Gemini refuses such a call
    alone.
    """
    sent: list[BaseMessage] = []
    for message in messages:
        if _calls(message):
            contents = [message.content]
            while sent and role_of(sent[-1]) == "ai" and not _calls(sent[-1]):
                contents = [*_as_told_by(sent.pop(), message.name), *contents]
            message = message.model_copy(update={"content": _joined(contents)}) if len(contents) > 1 else message
        sent.append(message)
    return sent


def _as_told_by(answer: BaseMessage, teller: str | None) -> list[Any]:
    """What an answer says, in a message of somebody else under its speaker's name."""
    return [answer.content] if answer.name in (None, teller) else [f"{answer.name}:", answer.content]


def _calls(message: BaseMessage) -> bool:
    return role_of(message) == "ai" and bool(message.__dict__["tool_calls"] or message.__dict__["invalid_tool_calls"])


def without_memory(content: str | list[Any]) -> str | list[Any]:
    """The content without the memory block that `with_memory` or `system_message` put at its beginning or end."""
    if isinstance(content, str):
        return _AT_END.sub("", _AT_START.sub("", content))
    blocks = [b for b in content if not (isinstance(b, dict) and _AT_START.fullmatch(str(b.get("text", ""))))]
    return blocks if len(blocks) < len(content) else content


def _joined(contents: Sequence[str | list[Any]]) -> str | list[Any]:
    """Texts joined by an empty line; a list of blocks when one of them is."""
    if all(isinstance(content, str) for content in contents):
        return "\n\n".join(content for content in contents if content)  # type: ignore[misc]
    blocks: list[Any] = []
    for content in contents:
        blocks += [{"type": "text", "text": content}] if isinstance(content, str) and content else content
    return blocks
