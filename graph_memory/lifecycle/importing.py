"""An exported file back into a store: each line checked before it is written, and never into another user's memory unasked.

Items keep their keys, so an import that was interrupted is run again and changes nothing of what is there already.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from langgraph.store.base import PutOp

from graph_memory.errors import ConfigurationError
from graph_memory.lifecycle.exporting import FORMAT, VERSION
from graph_memory.lifecycle.writing import written
from graph_memory.memories.ranked import forget_notes
from graph_memory.namespaces import user_prefix
from graph_memory.steps import arun, run

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

Source = str | os.PathLike[str] | TextIO
"""A path, or a text file that is open for reading."""

_BATCH = 200
_ITEM = {"namespace", "key", "value"}


def import_user(store: BaseStore, user_id: str, source: Source, *, from_user: str | None = None) -> int:
    """Writes what `export_user` wrote; items that are there under the same keys are replaced.

    Args:
        store: where to.
        user_id: whose memory it becomes.
        source: the file.
        from_user: whose memory the file holds, when it is another user's that is to be taken over.

    Returns:
        How many items were written.

    Raises:
        ConfigurationError: the file is of another user, or a line is wrong; says which. What stands before it is imported.
        StoreError: the store failed.
        OSError: the file cannot be read.
    """
    count = 0
    with _opened(source) as file:
        for batch in exported(file, user_id, from_user):
            run(written(batch), store=store)
            count += len(batch)
    forget_notes()
    return count


async def aimport_user(store: BaseStore, user_id: str, source: Source, *, from_user: str | None = None) -> int:
    """`import_user`, awaiting the store; the file is read in a worker thread."""
    count, opened = 0, _opened(source)
    file = await asyncio.to_thread(opened.__enter__)
    try:
        batches = exported(file, user_id, from_user)
        while batch := await asyncio.to_thread(_next, batches):
            await arun(written(batch), store=store)
            count += len(batch)
    finally:
        opened.__exit__(None, None, None)
    forget_notes()
    return count


def _next(batches: Iterator[list[PutOp]]) -> list[PutOp]:
    return next(batches, [])


def exported(file: Iterable[str], user_id: str, from_user: str | None = None) -> Iterator[list[PutOp]]:
    """The operations that bring an export back, in batches; the last one is handed over before a wrong line is complained of.

    Raises:
        ConfigurationError: as in `import_user`.
    """
    prefix, count, is_whole = user_prefix(user_id), 0, False
    batch: list[PutOp] = []
    try:
        for number, line in _lines(file):
            if is_whole:
                raise _wrong(number, "it stands after the end of the export: one file holds one export")
            if number == 1:
                _check_head(line, user_id, from_user)
            elif set(line) == {"items"}:
                _check_end(number, line["items"], count)
                is_whole = True
            else:
                batch.append(_put(number, line, prefix))
                count += 1
                if len(batch) == _BATCH:
                    yield batch
                    batch = []
        if not is_whole:
            raise ConfigurationError(
                f"the export ends after {count} items without its last line: it was cut short, export again"
            )
    except (ConfigurationError, UnicodeDecodeError) as exc:
        if batch:
            yield batch
        if isinstance(exc, UnicodeDecodeError):
            raise ConfigurationError("the export is not UTF-8 text: export again") from exc
        raise
    if batch:
        yield batch


def _lines(file: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    for number, text in enumerate(file, 1):
        try:
            line = json.loads(text, parse_constant=_refused)
        except (ValueError, RecursionError) as exc:
            raise _wrong(number, "it is not JSON") from exc
        if not isinstance(line, dict):
            raise _wrong(number, "it is no JSON object")
        yield number, line
    if not number:
        raise ConfigurationError("the export is empty")


def _check_head(line: dict[str, Any], user_id: str, from_user: str | None) -> None:
    if FORMAT not in line or not isinstance(line.get("user"), str):
        raise _wrong(1, f"an export begins with {{{FORMAT!r}: {VERSION}, 'user': ...}}")
    if line[FORMAT] != VERSION:
        raise _wrong(1, f"the export has version {line[FORMAT]!r}, this graph_memory reads version {VERSION}")
    if line["user"] != (from_user if from_user is not None else user_id):
        raise ConfigurationError(
            f"the export holds the memory of {line['user']!r}: name that user as from_user (--from-user) "
            f"to give it to {user_id!r}"
        )


def _check_end(number: int, items: Any, count: int) -> None:
    if items != count:
        raise _wrong(number, f"it says that {items!r} items stand before it, but there are {count}: export again")


def _put(number: int, line: dict[str, Any], prefix: tuple[str, ...]) -> PutOp:
    if set(line) != _ITEM:
        raise _wrong(number, "an item has a namespace, a key and a value, and nothing else")
    where, key, value = line["namespace"], line["key"], line["value"]
    if not isinstance(where, list) or not where or not all(isinstance(one, str) and one for one in where):
        raise _wrong(number, "its namespace must be a list of labels that are not empty")
    if not isinstance(key, str) or not isinstance(value, dict):
        raise _wrong(number, "its key must be text and its value a JSON object")
    return PutOp((*prefix, *where), key, value, index=index_of(value))


def index_of(value: dict[str, Any]) -> Any:
    """What is searched by: a memo's own text for it; the store's default for texts of other memories; nothing of the rest."""
    if isinstance(value.get("search"), str):
        return ["search"]
    return None if isinstance(value.get("text"), str) else False


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _wrong(number: int, why: str) -> ConfigurationError:
    return ConfigurationError(f"line {number} of the export cannot be used: {why}")


@contextmanager
def _opened(source: Source) -> Iterator[TextIO]:
    if not isinstance(source, str | os.PathLike):
        yield source
        return
    with Path(source).open(encoding="utf-8") as file:
        yield file
