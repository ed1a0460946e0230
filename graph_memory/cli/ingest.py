"""`graph-memory ingest`: a transcript into memory, batch by batch. A second run finds what the first one wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.messages import BaseMessage
from langgraph.store.base import GetOp

from graph_memory.cli.settings import Settings
from graph_memory.cli.show import console, counting, progress
from graph_memory.errors import ConfigurationError
from graph_memory.extract.shapes import Entry
from graph_memory.extract.transcripts import CONVERSATION, Fault, messages, read
from graph_memory.memories.records import memo_id
from graph_memory.memories.vector import VectorMemory
from graph_memory.namespaces import namespace
from graph_memory.steps import Steps, StoreOps, run
from graph_memory.types import Scope, Turn

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

    from graph_memory.memories.base import Memory

BATCH = 64
"""Messages that are embedded and written at once; what an interruption can lose."""


@dataclass(slots=True)
class Intake:
    """A transcript on its way into memory, and what has become of it.

    Attributes:
        path: the file.
        skip_bad: whether to go on after a message that cannot be used; without it the file is taken as ending there.
        conversation, human: as in `transcripts`.
        new, known: messages that were remembered now, and before.
        faults: what could not be used.
    """

    path: Path
    skip_bad: bool = False
    conversation: int | None = None
    human: str = ""
    new: int = 0
    known: int = 0
    faults: list[Fault] = field(default_factory=list)

    def batches(self) -> Iterator[list[BaseMessage]]:
        """The messages in batches, none of which spans two conversations. The last one is complete, whatever ends the file."""
        batch: list[BaseMessage] = []
        try:
            for message in messages(self._entries(), human=self.human):
                if message.type == "system":
                    continue  # instructions to a model are not what was said
                if batch and (len(batch) == BATCH or conversation_of(message) != conversation_of(batch[0])):
                    yield batch
                    batch = []
                batch.append(message)
        except (ConfigurationError, OSError):
            if batch:
                yield batch
            raise
        if batch:
            yield batch

    def check(self) -> None:
        """Says what stopped the reading.

        Raises:
            ConfigurationError: a message could not be used, and was not to be skipped.
        """
        if self.faults and not self.skip_bad:
            raise ConfigurationError(
                f"{self.path.name}, {self.faults[0]}. What stands before it is remembered; --skip-bad-lines goes on after it"
            )

    def _entries(self) -> Iterator[Entry]:
        for item in read(self.path, conversation=self.conversation):
            if isinstance(item, Entry):
                yield item
                continue
            self.faults.append(item)
            if not self.skip_bad:
                return


def ingest(settings: Settings, path: Path, *, conversation: int | None, human: str, skip_bad_lines: bool) -> None:
    """The command.

    Raises:
        ConfigurationError: the file or an option is wrong; what could be read before is remembered.
        OSError: the file cannot be opened.
        StoreError: the memory cannot be used.
    """
    path.open("rb").close()  # before a memory is made for a file that is not there
    intake = Intake(path, skip_bad_lines, conversation, human)
    total = counting(path, conversation) if console().is_terminal else None
    with settings.open(create=True) as memory, progress(f"remembering {path.name}", total) as advance:
        for batch in take_in(intake, [VectorMemory()], settings.scope(), memory.store):
            advance(len(batch))
    if skip_bad_lines or intake.new or intake.known or not intake.faults:
        console().print(summary(intake, settings))
    intake.check()


def take_in(intake: Intake, memories: Sequence[Memory], scope: Scope, store: BaseStore) -> Iterator[list[BaseMessage]]:
    """Remembers a transcript; yields each batch when it is done."""
    root, seq, previous = "", 0, None
    for batch in intake.batches():
        if previous is None or conversation_of(previous) != conversation_of(batch[0]):
            root, seq, previous = root_of(batch[0]), 0, None
        known = run(_known(batch, root, memories[-1], scope), store=store)
        for is_known, group in groupby(batch, key=lambda message: message.id in known):
            part = tuple(group)
            if is_known:
                intake.known += len(part)
            else:
                _remember(Turn(scope, part, root, datetime.now(UTC), previous, {"seq": seq}), memories, store)
                intake.new += len(part)
            seq, previous = seq + len(part), part[-1]
        yield batch


def root_of(first: BaseMessage) -> str:
    """The root of a transcript's memos: from how its conversation begins, so that it survives a renamed or grown file."""
    raw = f"{conversation_of(first)}\0{first.id}\0{first.text}"
    return f"transcript-{hashlib.sha256(raw.encode()).hexdigest()[:16]}"


def conversation_of(message: BaseMessage) -> str:
    """Which conversation of its file a message belongs to."""
    return str(message.additional_kwargs.get(CONVERSATION, ""))


def summary(intake: Intake, settings: Settings) -> str:
    """What happened, in one line."""
    parts = [f"{intake.new:,} new"] if intake.new or not intake.known else ["nothing new"]
    if intake.known:
        parts.append(f"{intake.known:,} known already")
    if intake.skip_bad and intake.faults:
        parts.append(f"{len(intake.faults):,} skipped (first: {intake.faults[0]})")
    return f"{intake.path.name}: {', '.join(parts)}; in the memory of {settings.user}"


def _remember(turn: Turn, memories: Iterable[Memory], store: BaseStore) -> None:
    """Tells the memories in order; the last one, whose memos say what is known already, last of all."""
    for memory in memories:
        run(memory.remember(turn), store=store)


def _known(batch: Sequence[BaseMessage], root: str, memory: Memory, scope: Scope) -> Steps[set[str | None]]:
    where = namespace(scope, memory.name)
    gets = [GetOp(where, memo_id(root, message.id or "", memory.name), refresh_ttl=False) for message in batch]
    items = yield StoreOps(gets)
    return {message.id for message, item in zip(batch, items, strict=True) if item is not None}
