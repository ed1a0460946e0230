"""Records into memory, as if they had been remembered here: told to the memories, or written as these would.

Every id depends on the source alone, and what is there already is left as it is. So an import that was killed is run again, and
goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

from langgraph.store.base import GetOp, PutOp

from graph_memory.errors import ConfigurationError
from graph_memory.lifecycle.writing import written
from graph_memory.memories.archive import Archive, split_turns, turn_key
from graph_memory.memories.base import Memory
from graph_memory.memories.buffer import BufferMemory
from graph_memory.memories.facts import Facts
from graph_memory.memories.key_value.memory import KeyValueMemory
from graph_memory.memories.key_value.shelf import checked_name
from graph_memory.memories.participants import Participants, place
from graph_memory.memories.records import memo_id
from graph_memory.memories.vector import VectorMemory
from graph_memory.messages import is_spoken, text_of
from graph_memory.migration.records import Exact, Fault, Kept, Noted
from graph_memory.migration.report import ImportReport, Sample
from graph_memory.migration.threads import Chunk
from graph_memory.namespaces import namespace
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Memo, Origin, Scope, Turn, utc

if TYPE_CHECKING:
    from langgraph.store.base import Item

    from graph_memory.memories.archive import Messages

_KINDS: dict[str, type[Memory]] = {"vector": VectorMemory, "buffer": BufferMemory, "key_value": KeyValueMemory}
_STEM = "import"


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Where imported memories go.

    Attributes:
        vector: takes in conversations and facts.
        buffer: archives the turns of threads.
        key_value: takes in values.
        agent: whose memories they are, where agents have their own.
        now: when what has no time of its own was said.
        report: what came of it.
    """

    vector: VectorMemory = field(default_factory=VectorMemory)
    buffer: BufferMemory = field(default_factory=BufferMemory)
    key_value: KeyValueMemory = field(default_factory=KeyValueMemory)
    agent: str | None = None
    now: datetime = field(default_factory=_utc_now)
    report: ImportReport = field(default_factory=ImportReport)

    @classmethod
    def to(cls, memories: Sequence[Memory], agent: str | None, report: ImportReport) -> Writer:
        """The writer into these memories, and into one with its own defaults for each kind that is not among them.

        Raises:
            ConfigurationError: two are of one kind, or one takes in nothing of what is imported.
        """
        given: dict[str, Any] = {}
        for memory in memories:
            names = [name for name, kind in _KINDS.items() if isinstance(memory, kind) and name not in given]
            if not names:
                raise ConfigurationError(
                    f"nothing can be imported into memory {memory.name!r}: give one buffer, one vector and one key-value memory "
                    "at most"
                )
            given[names[0]] = memory
        return cls(**given, agent=agent, report=report)

    def turns(self, chunk: Chunk) -> Steps[None]:
        """Tells the memories of the turns that they do not know."""
        turns, scope = split_turns(chunk.messages), Scope(chunk.user, chunk.thread, self.agent)
        if chunk.thread is not None:
            self.report.threads.add((chunk.user, chunk.thread))
        gets = [self._gets(turn, chunk, scope) for turn in turns]
        found = iter((yield StoreOps(list(chain.from_iterable(gets)))))
        there = [
            _Taken(turn, [next(found) for _ in part], chunk.thread) for turn, part in zip(turns, gets, strict=True)
        ]
        for taken in there:
            self._count_turn(taken, chunk)
        if self.report.dry_run:
            return
        seq, previous = chunk.seq, chunk.previous
        for needs, group in groupby(there, key=lambda taken: (taken.needs_memos, taken.needs_archive)):
            told = tuple(chain.from_iterable(taken.turn for taken in group))
            turn = Turn(scope, told, chunk.root, self.now, previous, {"seq": seq})
            for memory, is_needed in zip((self.vector, self.buffer), needs, strict=True):
                if is_needed:
                    yield from memory.remember(turn)
            seq, previous = seq + sum(map(is_spoken, told)), told[-1]

    def facts(self, user: str, noted: Sequence[Noted]) -> Steps[None]:
        """Keeps the facts that are not there, or were changed at their source after what is there was said."""
        scope, kept = Scope(user, agent=self.agent), self.vector.ttl_minutes
        facts = Facts(scope, self.vector.name, tier=self.vector.tier, ttl_minutes=kept)
        memos = [self._fact(facts, one) for one in noted]
        where, key = place(facts.scope, self.vector.name)
        about, *found = yield StoreOps([_get(where, key), *(_get(facts.where, memo.id) for memo in memos)])
        new = dict[str, Memo]()
        for one, memo, item in zip(noted, memos, found, strict=True):
            is_known = not _is_later(one.at, item.value if item is not None else None)
            self.report.count("fact", Sample(one.where, user, one.text), is_known=is_known)
            if not is_known and _is_later(one.at, new[memo.id].to_value() if memo.id in new else None):
                new[memo.id] = memo
        if new and not self.report.dry_run:
            yield from written(facts.puts(list(new.values()), Participants.of(about)))

    def values(self, user: str, kept: Sequence[Kept]) -> Steps[None]:
        """Sets the values that are not there, or were changed at their source after what is there was said."""
        puts = [(one, made[-1]) for one in kept if (made := self._value(one))]
        found = yield StoreOps([_get(put.namespace, put.key) for _, put in puts])
        new = dict[str, PutOp]()
        for (one, put), item in zip(puts, found, strict=True):
            is_known = not _is_later(one.at, item.value if item is not None else None)
            self.report.count("value", Sample(one.where, user, str((put.value or {})["text"])), is_known=is_known)
            if not is_known and _is_later(one.at, new[put.key].value if put.key in new else None):
                new[put.key] = put
        if new and not self.report.dry_run:
            yield from written(list(new.values()))

    def items(self, exact: Sequence[Exact]) -> Steps[None]:
        """Writes the items of an export that are not there, or otherwise there."""
        found = yield StoreOps([_get(one.put.namespace, one.put.key) for one in exact])
        new = []
        for one, item in zip(exact, found, strict=True):
            is_known = item is not None and item.value == one.put.value
            text = (one.put.value or {}).get("text")
            self.report.count("item", Sample(one.where, one.user, str(text or "")), is_known=is_known)
            new += [] if is_known else [one.put]
        if new and not self.report.dry_run:
            yield from written(new)

    def _gets(self, turn: Messages, chunk: Chunk, scope: Scope) -> list[GetOp]:
        """What is there when the turn was taken in: the memos of what was said, and last the archived turn."""
        where, archive = namespace(scope, self.vector.name), Archive.of(scope, self.buffer.name, None)
        said = [_get(where, memo_id(chunk.root, m.id or "", self.vector.name)) for m in turn if self._is_said(m)]
        return [*said, *([_get(archive.where, turn_key(turn))] if archive is not None else [])]

    def _count_turn(self, taken: _Taken, chunk: Chunk) -> None:
        """Counts each message; what is not searched for is there when its turn is archived."""
        memos = iter(taken.memos)
        place = "a conversation" if chunk.thread is None else f"thread {chunk.thread}"
        for message in taken.turn:
            is_known = next(memos) is not None if self._is_said(message) else not taken.needs_archive
            sample = Sample(f"{place}, {message.type}", chunk.user, text_of(message))
            self.report.count("message", sample, is_known=is_known)

    def _is_said(self, message: Any) -> bool:
        return is_spoken(message) and message.type in self.vector.roles

    def _fact(self, facts: Facts, noted: Noted) -> Memo:
        memo = facts.made(noted.text, f"{_STEM}/{noted.key}", Origin(""), noted.at or self.now)
        return replace(memo, metadata=dict(noted.metadata), source=noted.key)

    def _value(self, kept: Kept) -> list[PutOp]:
        """The operation that sets a value; none, and a fault, when it cannot be kept."""
        shelf = self.key_value.shelf(Scope(kept.user, agent=self.agent))
        origin = Origin("", turn_id=kept.key, memory=self.key_value.name)
        try:
            name = checked_name(kept.name, "key")
            return shelf.puts(name, kept.value, origin, kept.at or self.now, source=kept.key, stem=_STEM)
        except ConfigurationError as exc:
            self.report.skip(Fault(kept.where, str(exc)))
            return []


class _Taken:
    """A turn, and what is there of it.

    The archive is written last, so where it is missing memos may lack what is made after them, and are told again. Not so those
    that a graph remembered: they belong to the lineage of its thread.
    """

    def __init__(self, turn: Messages, found: Sequence[Item | None], thread: str | None) -> None:
        self.turn = turn
        self.memos = found if thread is None else found[:-1]
        self.needs_archive = thread is not None and found[-1] is None
        is_graphs = any(one is not None and one.value["origin"].get("branch") is not None for one in self.memos)
        self.needs_memos = not is_graphs and (self.needs_archive or None in self.memos)


def by_user(records: Iterable[Any], write: Callable[[str, Sequence[Any]], Steps[None]]) -> Steps[None]:
    """Has the records of each user written for themselves."""
    users: dict[str, list[Any]] = {}
    for one in records:
        users.setdefault(one.user, []).append(one)
    for user, theirs in users.items():
        yield from write(user, theirs)


def _get(where: tuple[str, ...], key: str) -> GetOp:
    return GetOp(where, key, refresh_ttl=False)


def _is_later(at: datetime | None, there: Mapping[str, Any] | None) -> bool:
    """Whether what its source changed `at` some time replaces what is there; without a time it replaces nothing."""
    if there is None:
        return True
    return at is not None and utc(at) > utc(datetime.fromisoformat(there["said_at"]))
