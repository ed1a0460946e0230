"""LangChain's message histories: tables in SQLite and Postgres, lists and documents in Redis, files.

They know sessions and no users: a template says how a session's name holds them, or one user is named for all.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from graph_memory.errors import ConfigurationError
from graph_memory.migration.foreign import Tables, moment_of, opened
from graph_memory.migration.messages import content_digest, decoded, said
from graph_memory.migration.records import TOO_DEEP, Fault, Records, Said
from graph_memory.migration.templates import SessionTemplate, Whose
from graph_memory.urls import parse

TABLE = "message_store"
"""The table that LangChain's histories make unless they are told otherwise."""


class Stored(NamedTuple):
    """One message as a history keeps it.

    Attributes:
        session: the session's name.
        place: where it stands in its session, the same on every reading.
        value: the JSON of the message, decoded or as a text.
        at: when it was written, where the history says so.
    """

    session: str
    place: str
    value: Any
    at: datetime | None = None


Histories: TypeAlias = Generator[Stored | Fault, None, None]


@dataclass(frozen=True, slots=True)
class ChatHistory:
    """The messages of `SQLChatMessageHistory`, `PostgresChatMessageHistory`, `RedisChatMessageHistory`, `FileChatMessageHistory`.

    Each session becomes a thread. Instructions to a model are left out.

    Attributes:
        place: a url (sqlite, postgresql, redis); or a JSON file, or a folder of them, each of which is a session by its name.
        sessions: how a session's name holds user and thread, such as "{user_id}:{thread_id}"; by itself the name is the thread's.
        user: whose memory sessions become whose template names no user.
        table: of a database, the table.
        prefix: of a Redis, what the keys of histories begin with; None looks for both of LangChain's.
    """

    place: str | Path
    sessions: str | SessionTemplate = "{thread_id}"
    user: str = ""
    table: str = TABLE
    prefix: str | None = None

    def records(self) -> Records:
        """The messages, session by session.

        Raises:
            ConfigurationError: nothing is there, or nobody is named.
            StoreError: it cannot be read.
        """
        template = self.sessions if isinstance(self.sessions, SessionTemplate) else SessionTemplate(self.sessions)
        if not self.user and not template.names_user:
            raise ConfigurationError(
                "whose memory are these sessions? say how their names hold the user, such as {user_id}:{thread_id}, "
                "or name a user"
            )
        with closing(self._stored()) as found:
            for one in found:
                record = one if isinstance(one, Fault) else self._said(one, template)
                if record is not None:
                    yield record

    def _said(self, stored: Stored, template: SessionTemplate) -> Said | Fault | None:
        where = f"session {stored.session}, message {stored.place}"
        try:
            whose: Whose = template.read(stored.session)
            message = decoded(json.loads(stored.value) if isinstance(stored.value, str | bytes) else stored.value)
        except json.JSONDecodeError:
            return Fault(where, "it is not JSON")
        except RecursionError:
            return Fault(where, TOO_DEEP)
        except ValueError as exc:
            return Fault(where, str(exc))
        if message.type == "system":
            return None
        thread, user = whose.thread or stored.session, whose.user or self.user
        own = f"{stored.place}-{content_digest(message)}"
        return Said(where, user, thread, thread, said(message, stored.at, own))

    def _stored(self) -> Histories:
        if isinstance(self.place, Path) or "://" not in self.place:
            yield from _files(Path(self.place))
            return
        where = parse(self.place)
        if where.scheme in ("sqlite", "postgresql"):
            with opened(where) as tables:
                yield from _rows(tables, self.table)
        elif where.scheme == "redis":
            from graph_memory.migration.redis_history import histories

            yield from histories(where.url, self.prefix)
        else:
            raise ConfigurationError("message histories are read from sqlite, postgresql, redis and files")


def _rows(tables: Tables, table: str) -> Histories:
    columns = tables.columns(table)
    if not {"id", "session_id", "message"} <= columns:
        there = ", ".join(sorted(tables.names())) or "none"
        raise ConfigurationError(
            f"{tables.where} has no table {table!r} of message histories (id, session_id, message): its tables are {there}"
        )
    dated = ["created_at"] if "created_at" in columns else []
    for row in tables.rows(table, ["id", "session_id", "message", *dated], ["session_id", "id"]):
        if row[1] is None:
            yield Fault(f"message {row[0]}", "it has no session")
            continue
        yield Stored(str(row[1]), str(row[0]), row[2], moment_of(row[3]) if dated else None)


def _files(path: Path) -> Histories:
    try:
        names = sorted(path.glob("*.json")) if path.is_dir() else [path]
        for name in names:
            yield from _file(name)
    except OSError as exc:
        raise ConfigurationError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    if not names:
        raise ConfigurationError(f"the folder {path} has no files of message histories (*.json)")


def _file(path: Path) -> Iterator[Stored | Fault]:
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list):
        yield Fault(f"file {path.name}", "it is no JSON list of messages")
        return
    for number, value in enumerate(values, 1):
        yield Stored(path.stem, str(number), value)
