"""JSON Lines: an export of graph_memory, or conversations as lines such as

    {"role": "user", "content": "...", "timestamp": "2025-02-04T21:34:00Z", "user_id": "ada", "thread_id": "1"}

An export says so in its first line, `{"graph_memory": 1, ...}`; every other file is taken for conversations, of which
`graph-memory ingest` takes the whole as one user's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from graph_memory.errors import ConfigurationError
from graph_memory.extract.shapes import FACT, Entry
from graph_memory.extract.transcripts import Fault, Voices, read
from graph_memory.lifecycle.exporting import FORMAT
from graph_memory.lifecycle.importing import exported
from graph_memory.migration.records import Exact, Noted, Record, Records, Said

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage


@dataclass(frozen=True, slots=True)
class Export:
    """What `export_user` wrote. It is checked line by line; the first that is wrong ends the import.

    Attributes:
        file: a path, or a text file that is open for reading.
        user: whose memory it becomes.
        from_user: whose memory the file holds, when it is another user's that is to be taken over.
    """

    file: str | PathLike[str] | TextIO
    user: str
    from_user: str | None = None

    def records(self) -> Records:
        """The items of the export, as they were.

        Raises:
            ConfigurationError: the file cannot be read, is another user's, or a line is wrong.
        """
        number = 1
        with _opened(self.file) as lines:
            for batch in exported(lines, self.user, self.from_user):
                for put in batch:
                    number += 1
                    yield Exact(f"line {number}", self.user, put)


@dataclass(frozen=True, slots=True)
class Conversations:
    """A transcript: JSON Lines with a message on each, or any of the shapes that chat exports come in.

    A line, or the conversation around it, may name a `user_id` and a `thread_id`; without a thread, messages are found by search
    alone. The role "fact" is of what nobody said but somebody noted. What tools wrote, and instructions to a model, are left out.

    Attributes:
        file: the file.
        user: whose memory those lines become that name no user.
        conversation, human: as in `transcripts`.
        is_one_users: whether all of it is this user's, as one conversation or several, whatever the lines name.
    """

    file: str | PathLike[str]
    user: str = ""
    conversation: int | None = None
    human: str = ""
    is_one_users: bool = False

    def records(self) -> Records:
        """The messages in the order of the file.

        Raises:
            ConfigurationError: the file cannot be read, or is no transcript.
        """
        voices, roots = Voices(self.human), dict[tuple[str, str], str]()
        try:
            for item in read(Path(self.file), conversation=self.conversation):
                if isinstance(item, Fault):
                    yield item
                else:
                    own = replace(item, user="", thread="") if self.is_one_users else item
                    yield from self._read(own, voices, roots)
        except OSError as exc:
            raise ConfigurationError(f"{self.file} cannot be read: {exc.strerror or exc}") from exc

    def _read(self, item: Entry, voices: Voices, roots: dict[tuple[str, str], str]) -> Iterator[Record | Fault]:
        where, user = item.where, item.user or self.user
        if item.user is None or item.thread is None:
            yield Fault(where, "its user_id or thread_id is neither a text nor a number")
        elif not user:
            yield Fault(where, "it names no user_id, and no user is given for such lines")
        elif item.role == FACT and item.text:
            key = json.dumps([item.thread, item.conversation, item.id or item.text])
            yield Noted(where, user, key, item.text, item.said_at, {})
        elif (message := voices.message(item)) is not None and message.type != "system":
            root = item.thread or roots.get((user, item.conversation))
            if root is None:
                root = roots[user, item.conversation] = _root(item.conversation, message)
            yield Said(where, user, item.thread or None, root, message)


def lines_of(path: Path, user: str, from_user: str | None = None) -> Export | Conversations:
    """What a file of JSON Lines is, by its first line.

    Raises:
        ConfigurationError: it cannot be read, or `from_user` is given for what is no export.
    """
    if is_export(path):
        return Export(path, user, from_user)
    if from_user is not None:
        raise ConfigurationError(f"{path.name} is no export: only of an export can another user's memory be taken over")
    return Conversations(path, user)


def is_export(path: Path) -> bool:
    """Whether a file begins as `export_user` begins.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            first = next(islice(file, 1), b"")
    except OSError as exc:
        raise ConfigurationError(f"{path} cannot be read: {exc.strerror}") from exc
    try:
        head = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(head, dict) and FORMAT in head


def _root(conversation: str, first: BaseMessage) -> str:
    """The root of a conversation without a thread: from how it begins, so that it survives a renamed or grown file."""
    raw = f"{conversation}\0{first.id}\0{first.text}"
    return f"transcript-{hashlib.sha256(raw.encode()).hexdigest()[:16]}"


@contextmanager
def _opened(file: str | PathLike[str] | TextIO) -> Iterator[TextIO]:
    if not isinstance(file, str | PathLike):
        yield file
        return
    try:
        with Path(file).open(encoding="utf-8") as opened:
            yield opened
    except OSError as exc:
        raise ConfigurationError(f"{file} cannot be read: {exc.strerror}") from exc
