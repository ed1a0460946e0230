"""One user's memory as JSON Lines: a head, one line for each item, and an end that says how many there were.

The lines hold namespaces without the user, so that a file can be taken over by another one, if that is asked for. Times of
writing, TTL and embeddings are the store's and are not exported; an import embeds again.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from langgraph.store.base import Item

from graph_memory.graph.pointers import BOX
from graph_memory.memories.listing import listed_page
from graph_memory.namespaces import label, user_prefix
from graph_memory.steps import arun, run

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

FORMAT = "graph_memory"
VERSION = 1

_OUTBOX = label("memory", BOX)

Target = str | os.PathLike[str] | TextIO
"""A path, or a text file that is open for writing."""


def export_user(store: BaseStore, user_id: str, target: Target) -> int:
    """Writes everything that is remembered of one user, of every agent and thread.

    Turns that still wait in the outbox are left out: let a worker take them in first.

    A path is written beside itself first and appears when it is whole; an interrupted export leaves what was there. A link stays
    one and what it names is replaced; what is no regular file, such as a device or a pipe, is written to as it is.

    Returns:
        How many items were written.

    Raises:
        StoreError: the store failed.
        OSError: the file cannot be written.
    """
    with _opened(target) as file:
        lines = _Lines(file, user_id)
        while page := run(listed_page(user_prefix(user_id), lines.read), store=store):
            lines.add(page)
        return lines.end()


async def aexport_user(store: BaseStore, user_id: str, target: Target) -> int:
    """`export_user`, awaiting the store; the file is written in a worker thread."""
    opened = _opened(target)
    file = await asyncio.to_thread(opened.__enter__)
    try:
        lines = await asyncio.to_thread(_Lines, file, user_id)
        while page := await arun(listed_page(user_prefix(user_id), lines.read), store=store):
            await asyncio.to_thread(lines.add, page)
        count = await asyncio.to_thread(lines.end)
    except BaseException as exc:
        opened.__exit__(type(exc), exc, exc.__traceback__)
        raise
    await asyncio.to_thread(opened.__exit__, None, None, None)
    return count


def is_exportable(store: BaseStore, user_id: str) -> bool:
    """Whether anything is remembered of a user that an export would hold.

    Raises:
        StoreError: the store failed.
    """
    prefix, read = user_prefix(user_id), 0
    while page := run(listed_page(prefix, read), store=store):
        if any(_belongs(item, prefix) for item in page):
            return True
        read += len(page)
    return False


def _belongs(item: Item, prefix: tuple[str, ...]) -> bool:
    """Whether an item is the user's and does not wait in the outbox."""
    return item.namespace[:2] == prefix and item.namespace[3:4] != (_OUTBOX,)


class _Lines:
    """The lines of one export. An item that moved to another page while it was read is written once."""

    def __init__(self, file: TextIO, user_id: str) -> None:
        self.read = 0
        self._file = file
        self._prefix = user_prefix(user_id)
        self._seen: set[tuple[tuple[str, ...], str]] = set()
        self._write({FORMAT: VERSION, "user": user_id, "exported_at": datetime.now(UTC).isoformat()})

    def add(self, page: Iterable[Item]) -> None:
        """One page of items."""
        for item in page:
            self.read += 1
            place = (item.namespace, item.key)
            if _belongs(item, self._prefix) and place not in self._seen:
                self._seen.add(place)
                self._write({"namespace": list(item.namespace[2:]), "key": item.key, "value": item.value})

    def end(self) -> int:
        """The last line."""
        self._write({"items": len(self._seen)})
        return len(self._seen)

    def _write(self, line: Mapping[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        if any("\ud800" <= character <= "\udfff" for character in text):
            text = json.dumps(line, allow_nan=False, separators=(",", ":"))  # half of a surrogate pair has no UTF-8
        self._file.write(text + "\n")


@contextmanager
def _opened(target: Target) -> Iterator[TextIO]:
    if not isinstance(target, str | os.PathLike):
        yield target
        return
    path = Path(target)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        return
    whole = path.resolve()
    beside = whole.with_name(whole.name + ".part")
    try:
        file = beside.open("w", encoding="utf-8", newline="\n")
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, str(path)) from exc
    try:
        with file:
            yield file
        beside.replace(whole)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
