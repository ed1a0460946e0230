"""How often memos were shown, counted beside them: one small item per memo, so that a memo itself never changes by being read.

Counting is no part of recalling: it is done after an answer, from the lines that the context had. The same turn counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from langgraph.store.base import GetOp, Item, PutOp

from graph_memory.memories.listing import listed
from graph_memory.namespaces import label, namespace
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Line, Memo, Scope, utc


@dataclass(frozen=True, slots=True)
class Access:
    """How a memo was used.

    Attributes:
        count: in how many contexts it stood.
        last_at: when it last did; None when it never did.
        relevance: its score in the last of them, 0–1.
        turn_id: the turn that the last of them was made for.
        moved_at: when the memo last changed its tier.
    """

    count: int = 0
    last_at: datetime | None = None
    relevance: float = 0.0
    turn_id: str = ""
    moved_at: datetime | None = None

    @classmethod
    def of(cls, item: Item | None) -> Access:
        """What is stored; never used when nothing is."""
        if item is None:
            return cls()
        value = item.value
        last_at, moved_at = (_moment(value.get(name)) for name in ("last_at", "moved_at"))
        return cls(int(value["count"]), last_at, float(value["relevance"]), str(value["turn"]), moved_at)

    def again(self, line: Line, turn_id: str, now: datetime) -> Access:
        """With one more context; the same when it is the one that was counted last."""
        if turn_id and turn_id == self.turn_id:
            return self
        return replace(self, count=self.count + 1, last_at=now, relevance=line.score, turn_id=turn_id)

    def to_value(self) -> dict[str, Any]:
        """As it is stored."""
        moments = {"last_at": self.last_at, "moved_at": self.moved_at}
        stamps = {name: at.isoformat() for name, at in moments.items() if at is not None}
        return {"count": self.count, "relevance": self.relevance, "turn": self.turn_id, **stamps}

    def known_to(self, memo: Memo) -> Memo:
        """The memo with its accesses."""
        return replace(memo, access_count=self.count, last_accessed_at=self.last_at)


@dataclass(frozen=True, slots=True)
class Accesses:
    """The lines that a context showed, to be counted: `gets` asks for what is known of them, `puts` writes it with one more.

    Attributes:
        lines: those of stored memos.
        places: the namespace of each one's count.
        turn_id: the turn that the context was made for.
        now: the time of the access.
    """

    lines: tuple[Line, ...]
    places: tuple[tuple[str, ...], ...]
    turn_id: str
    now: datetime

    @classmethod
    def of(cls, scope: Scope, lines: Iterable[Line], turn_id: str, now: datetime) -> Accesses:
        """The lines that show a memo, each once; others are passed over.

        Raises:
            ConfigurationError: the scope names neither a user nor a thread.
        """
        shown = tuple({(line.memory, line.memo_id): line for line in lines if line.memo_id}.values())
        places = tuple(accesses_beside(namespace(scope, line.memory), line.memory) for line in shown)
        return cls(shown, places, turn_id, now)

    def gets(self) -> list[GetOp]:
        """Operations that ask what is known, one for each line."""
        return [
            GetOp(where, line.memo_id, refresh_ttl=False) for where, line in zip(self.places, self.lines, strict=True)
        ]

    def puts(self, items: Sequence[Item | None]) -> list[PutOp]:
        """Operations that count, from the answers to `gets`; what was counted for this turn already needs none."""
        found = []
        for where, line, item in zip(self.places, self.lines, items, strict=True):
            before = Access.of(item)
            after = before.again(line, self.turn_id, self.now)
            if after != before:
                found.append(PutOp(where, line.memo_id, after.to_value(), index=False))
        return found

    def counted(self) -> Steps[int]:
        """Counts in two round trips; how many memos were."""
        puts = self.puts((yield StoreOps(self.gets())))
        yield StoreOps(puts)
        return len(puts)


def accesses_beside(where: tuple[str, ...], memory: str) -> tuple[str, ...]:
    """The namespace of the counts of a memory's memos, beside its own."""
    return (*where[:-1], label("memory", f"{memory}/accesses"))


def accesses_in(where: tuple[str, ...], memory: str) -> Steps[dict[str, Access]]:
    """Memo id to how it was used, for all memos of one namespace that were."""
    items = yield from listed(accesses_beside(where, memory))
    return {item.key: Access.of(item) for item in items}


def _moment(stamp: Any) -> datetime | None:
    return utc(datetime.fromisoformat(stamp)) if stamp else None
