"""The shapes that chat exports come in: what one JSON value says, as entries. Knows no files and no LangChain.

A message is an object with a text and either a role or a speaker, whatever its keys are called; a conversation is a
list of messages, an object that holds one, or ChatGPT's tree of them. What is neither is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from graph_memory.types import utc

EXPECTED = 'a message such as {"role": "user", "content": "..."} or {"speaker": "Ada", "text": "..."}'
FACT = "fact"  # the role of a line that nobody said

_TEXT = ("text", "content", "message", "body", "value")
_SPEAKER = ("speaker", "name", "from", "sender", "author", "username", "user", "from_id", "bot_id")
_WHO = ("role", "speaker", "from", "sender", "author", "user")
_TIME = ("said_at", "date_unixtime", "timestamp", "ts", "create_time", "created_at", "date", "time")
_ID = ("id", "message_id", "uuid", "client_msg_id")
_LISTS = ("messages", "turns", "chat_messages", "conversation", "history", "dialogue")
_NAMES = ("id", "conversation_id", "uuid", "title", "name")
_ROLES = {
    **dict.fromkeys(("human", "user", "humanmessage", "humanmessagechunk"), "human"),
    **dict.fromkeys(("ai", "assistant", "bot", "model", "chatbot", "aimessage", "aimessagechunk"), "ai"),
    **dict.fromkeys(("system", "developer", "systemmessage"), "system"),
    **dict.fromkeys(("tool", "function", "toolmessage", "functionmessage"), "tool"),
}
_MILLISECONDS = 1e11  # as seconds this is the year 5138, as milliseconds 1973
_EARLIEST = 1e8  # smaller numbers in quotes are dates such as "20230508", not seconds


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of a transcript.

    Attributes:
        number: its line in the file, or its position in the conversation, from 1.
        text: what was said; "" when there was nothing but a picture, a tool call or a notice.
        role: "human", "ai", "system", "tool", "fact", or "" when only a speaker is named.
        speaker: who said it, "" when only the role is known.
        id: the export's own id, "" when it has none.
        said_at: in UTC; None when the export does not say.
        session: the part of the conversation that it belongs to, by the export.
        conversation: name of the conversation, "" when the file holds just one without a name.
        user, thread: what stands under `user_id` and `thread_id`, as text; "" where nothing does, None where that is no id.
        where: what it is called in reports, such as "line 12".
    """

    number: int
    text: str
    role: str = ""
    speaker: str = ""
    id: str = ""
    said_at: datetime | None = None
    session: str = ""
    conversation: str = ""
    user: str | None = ""
    thread: str | None = ""
    where: str = ""


class Conversation(NamedTuple):
    """The raw messages of one conversation, oldest first.

    Attributes:
        name: "" when it has none.
        messages: as they stand there.
        user, thread: as in `Entry`, of those messages that name none of their own.
    """

    name: str
    messages: list[Any]
    user: str | None = ""
    thread: str | None = ""

    def entry(self, raw: object, number: int, where: str) -> Entry:
        """What one of its messages says, and whose it is.

        Raises:
            ValueError: as `entry`.
        """
        own = entry(raw, number, self.name)
        user, thread = _nearer(own.user, self.user), _nearer(own.thread, self.thread)
        return replace(own, user=user, thread=thread, where=where)


def entry(raw: object, number: int, conversation: str = "") -> Entry:
    """What one raw message says.

    Raises:
        ValueError: it is no message; the text says what is missing.
    """
    if not isinstance(raw, Mapping):
        raise ValueError(f"this is a JSON {_json_name(raw)}; expected {EXPECTED}")
    raw = _unwrapped(raw)
    text, role, speaker = _text(raw), _role(raw), _speaker(raw)
    if text and not role and not speaker:
        raise ValueError(f"nobody is named as speaking (no role, speaker, user or from); expected {EXPECTED}")
    return Entry(
        number=number,
        text=text,
        role=role,
        speaker=speaker,
        id=_first_text(raw, _ID),
        said_at=_said_at(raw),
        session=_first_text(raw, ("session", "session_id")),
        conversation=conversation,
        user=_given_id(raw, "user_id"),
        thread=_given_id(raw, "thread_id"),
    )


def conversations(value: object, user: str | None = "", thread: str | None = "") -> Iterator[Conversation]:
    """The conversations that a JSON value holds: one message, a list, an object around a list, or a list of those.

    Args:
        value: any JSON.
        user, thread: whose they are where neither they nor what they stand in say so.

    Raises:
        ValueError: nothing in it looks like a conversation.
    """
    if isinstance(value, list):
        yield from _of_list(value, user, thread)
        return
    if not isinstance(value, Mapping) or not (_is_container(value) or _is_message(value)):
        raise ValueError(f"this JSON {_json_name(value)} holds no conversation; expected {EXPECTED}, or a list of them")
    user, thread = _nearer(_given_id(value, "user_id"), user), _nearer(_given_id(value, "thread_id"), thread)
    if isinstance(inner := _inner(value), list):
        yield from conversations(inner, user, thread)
    elif isinstance(nodes := value.get("mapping"), Mapping):
        yield Conversation(_first_text(value, _NAMES), _branch(nodes, value.get("current_node")), user, thread)
    elif key := _list_key(value):
        yield Conversation(_first_text(value, _NAMES), _oldest_first(value[key]), user, thread)
    else:
        yield Conversation("", [value], user, thread)


def _of_list(values: list[Any], user: str | None, thread: str | None) -> Iterator[Conversation]:
    if values and isinstance(values[0], Mapping) and _is_container(values[0]):
        for value in values:
            yield from conversations(value, user, thread)
    else:
        yield Conversation("", _oldest_first(values), user, thread)


def _nearer(own: str | None, around: str | None) -> str | None:
    """An id, or that of what it stands in where there is none."""
    return around if own == "" else own


def _inner(value: Mapping[str, Any]) -> object:
    """The list of conversations in a data set ("conversations") or in a whole Telegram export ("chats")."""
    chats = value.get("chats")
    return value.get("conversations", chats.get("list") if isinstance(chats, Mapping) else chats)


def _list_key(value: Mapping[str, Any]) -> str:
    return next((key for key in _LISTS if isinstance(value.get(key), list)), "")


def _is_container(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("mapping"), Mapping) or bool(_list_key(value)) or isinstance(_inner(value), list)


def _is_message(value: Mapping[str, Any]) -> bool:
    return any(key in _unwrapped(value) for key in (*_TEXT, *_WHO))


def _oldest_first(messages: list[Any]) -> list[Any]:
    """Slack's interface answers newest first: turn a list around whose last message is older than its first."""
    ends = [m for m in messages[:1] + messages[-1:] if isinstance(m, Mapping)]
    try:
        times = [_said_at(_unwrapped(m)) for m in ends]
    except ValueError:
        return messages
    newest_first = len(times) == 2 and times[0] is not None and times[1] is not None and times[0] > times[1]
    return messages[::-1] if newest_first else messages


def _branch(nodes: Mapping[str, Any], leaf: object) -> list[Any]:
    """The messages of ChatGPT's tree on the way from its root to `leaf`: the branch that was last shown."""
    leaves = (key for key in reversed(list(nodes)) if not _field(nodes[key], "children"))
    key = leaf if isinstance(leaf, str) and leaf in nodes else next(leaves, "")
    path: list[Any] = []
    seen: set[str] = set()
    while key in nodes and key not in seen:
        seen.add(key)
        path.append(_field(nodes[key], "message"))
        key = _field(nodes[key], "parent")
    return [message for message in reversed(path) if message is not None]


def _field(value: object, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def _unwrapped(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """A LangChain message out of what `messages_to_dict` ("type", "data") or `dumpd` ("id", "kwargs") made of it."""
    if isinstance(data := raw.get("data"), Mapping):
        return {**_kwargs(data), "type": raw.get("type")}
    if isinstance(kwargs := raw.get("kwargs"), Mapping) and isinstance(path := raw.get("id"), list) and path:
        return {**_kwargs(kwargs), "type": path[-1]}
    return raw


def _kwargs(data: Mapping[str, Any]) -> dict[str, Any]:
    extra = data.get("additional_kwargs")
    return {**(extra if isinstance(extra, Mapping) else {}), **data}


def _text(raw: Mapping[str, Any]) -> str:
    key = next((key for key in _TEXT if key in raw), None)
    if key is None:
        raise ValueError(f"the text is missing; expected {EXPECTED}")
    caption = raw.get("caption")
    said = _flat(raw[key]).strip()
    return f"{said} [shares {caption}]".strip() if isinstance(caption, str) and caption else said


def _flat(content: object) -> str:
    """The text of a string, of content blocks, of Telegram's rich text or of ChatGPT's parts; pictures are left out."""
    if isinstance(content, str):
        return content.encode("utf-8", "replace").decode("utf-8")
    if isinstance(content, list):
        return "".join(_flat(part) for part in content)
    if isinstance(content, Mapping):
        return _flat(content["parts"] if isinstance(content.get("parts"), list) else content.get("text"))
    return ""


def _role(raw: Mapping[str, Any]) -> str:
    author = raw.get("author")
    named = (raw.get(key) for key in ("type", "sender", "from", "speaker", "user"))
    if isinstance(role := raw.get("role"), str) and role.lower() == FACT:
        return FACT
    for value in (role, _field(author, "role"), *named, author):
        if isinstance(value, str) and value.lower() in _ROLES:
            return _ROLES[value.lower()]
    return ""


def _speaker(raw: Mapping[str, Any]) -> str:
    named = _first_text({**raw, "author": _field(raw.get("author"), "name") or raw.get("author")}, _SPEAKER)
    return "" if named.lower() in _ROLES else named


def _said_at(raw: Mapping[str, Any]) -> datetime | None:
    key = next((key for key in _TIME if raw.get(key) not in (None, "")), None)
    if key is None:
        return None
    try:
        return moment(raw[key])
    except (ValueError, OverflowError, OSError) as exc:
        raise ValueError(
            f"its {key} is not a date; expected one such as 2024-05-08T13:56 or seconds since 1970"
        ) from exc


def moment(value: object) -> datetime:
    """A time as programs write it: ISO 8601, or seconds or milliseconds since 1970.

    Raises:
        ValueError, OverflowError, OSError: it is none.
    """
    if isinstance(value, str):
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if seconds < _EARLIEST:
            return utc(datetime.fromisoformat(value.strip()))
        value = seconds
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a time")
    return datetime.fromtimestamp(value / 1000 if value > _MILLISECONDS else value, UTC)


def _first_text(raw: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    """The first of `keys` that holds a name or a number, as text."""
    values = (raw.get(key) for key in keys)
    found = (v for v in values if isinstance(v, str | int) and not isinstance(v, bool) and str(v).strip())
    return _flat(str(next(found, ""))).strip()


def _given_id(raw: Mapping[str, Any], key: str) -> str | None:
    """An id exactly as it is given: ids that differ in blanks only are two."""
    value = raw.get(key)
    if value is None or isinstance(value, str):
        return value or ""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _json_name(value: object) -> str:
    names = {dict: "object", list: "list", str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "null")
