"""Transcript files as LangChain messages: JSON Lines, JSON documents and the usual chat exports, gzipped or not.

Reading is lazy and never raises over a single bad message: what cannot be used comes out as a `Fault` in its place, so
that the caller decides to stop or to go on, and nothing before it is lost. Only a file that cannot be read is an error.
The same file always gives the same ids, so that reading it twice remembers it once.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from graph_memory.errors import ConfigurationError
from graph_memory.extract.shapes import EXPECTED, FACT, Conversation, Entry, conversations

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

CONVERSATION = "conversation"
"""Key of `additional_kwargs` that names the conversation of a file that holds several."""

_GZIP_MAGIC = b"\x1f\x8b"
_LINE_SUFFIXES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_UNSPOKEN = ("tool", FACT)
_Place = tuple[str | None, ...]
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Fault(NamedTuple):
    """A message that could not be used: where it stands ("line 12") and why."""

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


def read(path: Path, *, conversation: int | None = None) -> Iterator[Entry | Fault]:
    """The messages of a transcript in order, lazily.

    Args:
        path: JSON Lines with one message or conversation a line, or one JSON document; gzip is recognised by itself.
        conversation: which one to read, from 1, where there are several; None reads all.

    Raises:
        ConfigurationError: the file is empty, is no JSON at all, or has fewer conversations.
        OSError: it cannot be opened.
    """
    found = False
    for item in _numbered(path, conversation):
        found = True
        yield item
    if not found and conversation is not None:
        raise ConfigurationError(f"{path.name} has no conversation {conversation}; they are counted from 1")
    if not found:
        raise ConfigurationError(f"{path.name} is empty; expected {EXPECTED} on each line")


def messages(entries: Iterable[Entry], *, human: str = "") -> Iterator[BaseMessage]:
    """The entries of one user's transcript, whatever `user_id` and `thread_id` mean in it, as LangChain messages.

    They have `id`, `name` and, in `additional_kwargs`, `said_at` (ISO 8601), `session`, `conversation` where there is one, and
    `role` "person" where people speak whom no role is given.

    Entries without text, what tools wrote and facts are left out: a conversation is what was said.

    Args:
        human: the speaker who is the human where no roles are given; "" takes whoever speaks first in a conversation.
            All others are answering.
    """
    voices = Voices(human)
    for item in entries:
        own = replace(item, user="", thread="") if item.user != "" or item.thread != "" else item
        if (message := voices.message(own)) is not None:
            yield message


class Voices:
    """Makes messages of entries of several users and threads; who is human and which ids are taken is each thread's own."""

    def __init__(self, human: str = "") -> None:
        self._human = human
        self._firsts = dict[_Place, str]()
        self._seen = dict[tuple[_Place, str], str]()

    def message(self, item: Entry) -> BaseMessage | None:
        """As in `messages`; None for what is left out."""
        if not item.text or item.role in _UNSPOKEN:
            return None
        place = (item.user, item.thread, item.conversation)
        first = self._human or (self._firsts.setdefault(place, item.speaker) if not item.role else "")
        role = item.role or ("human" if item.speaker == first else "ai")
        return _message(item, role, _unique(_identity(item), item, self._seen))


def _message(item: Entry, role: str, message_id: str) -> BaseMessage:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    kinds: dict[str, type[BaseMessage]] = {"human": HumanMessage, "ai": AIMessage, "system": SystemMessage}
    kwargs = {"session": _session(item)}
    if not item.role:
        kwargs["role"] = "person"  # people among themselves: none of them is an assistant
    if item.conversation:
        kwargs[CONVERSATION] = item.conversation
    if item.said_at is not None:
        kwargs["said_at"] = item.said_at.isoformat()
    return kinds[role](content=item.text, id=message_id, name=item.speaker or None, additional_kwargs=kwargs)


def _session(item: Entry) -> str:
    """The export's session, else the day; thread and conversation go before it, as each of them counts from one."""
    part = item.session or (item.said_at.date().isoformat() if item.said_at else "")
    return "/".join(p for p in (item.thread, item.conversation, part) if p)


def _identity(item: Entry) -> str:
    own = item.id or _digest(f"{item.number}\0{item.role}\0{item.speaker}\0{item.text}")
    return f"{item.conversation}/{own}" if item.conversation else own


def _unique(message_id: str, item: Entry, seen: dict[tuple[_Place, str], str]) -> str:
    """`message_id`, or a variant of it when an earlier message said something else under the same id of the export's."""
    if not item.id:
        return message_id
    digest = _digest(item.text)
    if seen.setdefault(((item.user, item.thread), message_id), digest) == digest:
        return message_id
    return f"{message_id}#{digest}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _numbered(path: Path, wanted: int | None) -> Iterator[Entry | Fault]:
    """Every message of the wanted conversations; messages that stand on lines of their own are one conversation."""
    count = 0
    for line, value in _values(path):
        try:
            parts = [] if isinstance(value, Fault) else list(conversations(value))
        except ValueError as exc:
            value = Fault(f"line {line or 1}", str(exc))
        if isinstance(value, Fault):
            yield value
        elif parts and parts[0].messages[:1] == [value]:
            if wanted in (None, 1):
                yield _entry(parts[0], value, line or 1, f"line {line or 1}")
        else:
            for one in parts:
                count += 1
                if wanted in (None, count):
                    name = one.name or (str(count) if line or len(parts) > 1 else "")
                    place = f"line {line}" if line else f"conversation {name}" if name else ""
                    yield from _of_conversation(one._replace(name=name), place)


def _of_conversation(whole: Conversation, place: str) -> Iterator[Entry | Fault]:
    for number, value in enumerate(whole.messages, 1):
        yield _entry(whole, value, number, f"{place}, message {number}" if place else f"message {number}")


def _entry(whole: Conversation, value: object, number: int, where: str) -> Entry | Fault:
    try:
        return whole.entry(value, number, where)
    except ValueError as exc:
        return Fault(where, str(exc))


def _values(path: Path) -> Iterator[tuple[int, object]]:
    """The JSON values of a file, each with its line; line 0 is a document that fills the file."""
    with _opened(path) as file:
        by_line = path.name.lower().endswith(_LINE_SUFFIXES) or _is_lines(file)
        file.seek(0)
        if by_line:
            yield from _lines(file)
        elif (document := file.read()).strip():
            yield 0, _document(document, path.name)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        try:
            yield cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw
        except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
            raise ConfigurationError(
                f"{path.name} is a damaged gzip file; what comes before the damage was read"
            ) from exc


def _is_lines(file: IO[bytes]) -> bool:
    """Whether each line is a value of its own. One broken line must not make a document of the file."""
    first, second = [*islice((text for line in file if (text := line.strip())), 2), b"", b""][:2]
    if second and _is_json(first.removeprefix(_BYTE_ORDER_MARK)):
        return True
    return not first.startswith(b"[") and second.startswith(b"{") and _is_json(second)


def _is_json(text: bytes) -> bool:
    try:
        _parsed(text)
    except ValueError:
        return False
    return True


def _lines(file: IO[bytes]) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(file, 1):
        if text := line.removeprefix(_BYTE_ORDER_MARK).strip():
            try:
                yield number, _parsed(text)
            except ValueError as exc:
                yield number, Fault(f"line {number}", f"{exc}; expected {EXPECTED}")


def _document(text: bytes, name: str) -> object:
    try:
        return _parsed(text.removeprefix(_BYTE_ORDER_MARK))
    except ValueError as exc:
        raise ConfigurationError(f"{name}: {exc}; expected {EXPECTED}") from exc


def _parsed(text: bytes) -> object:
    """The JSON value of `text`; a ValueError says what is wrong without quoting what was said."""
    try:
        return json.loads(text.decode())
    except UnicodeDecodeError as exc:
        raise ValueError("this is not UTF-8 text") from exc
    except json.JSONDecodeError as exc:
        raise ValueError(f"this is not JSON ({exc.msg} at line {exc.lineno}, column {exc.colno})") from exc
    except (ValueError, RecursionError) as exc:
        raise ValueError("this JSON is nested too deeply or holds a number that is too long") from exc
