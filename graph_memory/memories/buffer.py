"""Buffer memory: the newest turns, word for word.

The window is a FIFO over whole turns. When it overflows, the oldest turns leave in one batch of `flush_tokens`, so that its
start stays put for many turns and providers' prompt caches hit (law 8). Every turn is archived in the store when it is over,
and anything older that is not (a thread that was there before its memory) is archived before it leaves (law 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict
from langgraph.store.base import GetOp, Item, PutOp

from graph_memory.context.turns import history_section
from graph_memory.errors import ConfigurationError
from graph_memory.memories.base import Memory
from graph_memory.memories.records import memo_id
from graph_memory.messages import newest_human
from graph_memory.namespaces import label, namespace
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Placement, Query, Scope, Section, Turn

_HEAD = "head"
_RECENT = 256


@dataclass(frozen=True, kw_only=True)
class BufferMemory(Memory):
    """Keeps the newest turns in the context verbatim.

    Attributes:
        turns: how many turns stay, the newest included; None does not limit them.
        tokens: how many tokens stay; None takes this memory's share of the budget.
        seconds: how old a turn may be; None does not limit it.
        flush_tokens: how much leaves at once when the window overflows; None takes a fifth of its limit.
        prune: removes from the `messages` channel what left the window and is archived, so that checkpoints stay small.
            Needs ids on messages, a reducer that understands `RemoveMessage`, and a store.
        ttl_seconds: how long the archive keeps a message; None keeps it. Needs a store with TTL.
    """

    kind: ClassVar[str] = "buffer"

    name: str = "buffer"
    placement: Placement = "history"
    turns: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    flush_tokens: int | None = None
    prune: bool = False
    ttl_seconds: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        limits = {"turns": self.turns, "tokens": self.tokens, "seconds": self.seconds, "ttl_seconds": self.ttl_seconds}
        for name, value in limits.items():
            if value is not None and not value > 0:
                raise ConfigurationError(f"memory {self.name!r} has {name}={value}: give a number above 0, or None")
        if self.flush_tokens is not None and self.flush_tokens < 0:
            raise ConfigurationError(
                f"memory {self.name!r} has flush_tokens={self.flush_tokens}: give 0 or more, or None"
            )

    @property
    def prunes(self) -> bool:
        """As the option `prune` says."""
        return self.prune

    def recall(self, query: Query) -> Steps[Section]:
        """The window over the thread; over the archive when no checkpointer keeps the thread."""
        archives = query.has_store and query.scope.thread_id is not None
        earlier: tuple[BaseMessage, ...] = ()
        if archives and not query.is_whole and _is_one_turn(query.messages):
            earlier = yield from self._archived(query)
        messages = (*earlier, *query.messages)
        limit = self.tokens if self.tokens is not None else query.history_tokens
        window, start = history_section(
            messages,
            memory=self.name,
            limit_tokens=limit,
            turns=self.turns,
            seconds=self.seconds,
            flush_tokens=limit // 5 if self.flush_tokens is None else self.flush_tokens,
            counter=query.counter,
            now=query.now,
        )
        section = self.section(window.snippets)
        leaving = [m for m in messages[len(earlier) : start] if m.type != "system"]
        if not leaving:
            return section
        if not archives:
            return replace(section, degraded=_WHY_NOT_PRUNED) if self.prune else section
        yield from self._archive_leaving(query.scope, leaving)
        return replace(section, leaving=tuple(m.id or "" for m in leaving)) if self.prune else section

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Archives the turn."""
        if turn.scope.thread_id is None:
            return None
        where = self._namespace(turn.scope)
        [head] = yield StoreOps([GetOp(where, _HEAD, refresh_ttl=False)])
        keys = list(head.value["recent"]) if head is not None else []
        fresh = [m for m in turn.messages if _key(m) not in keys]
        recent = {"recent": [*keys, *map(_key, fresh)][-_RECENT:]}
        yield StoreOps([*self._puts(where, turn.messages), PutOp(where, _HEAD, recent, index=False)])
        return None

    def _archive_leaving(self, scope: Scope, leaving: Sequence[BaseMessage]) -> Steps[None]:
        """Archives what leaves unless its last message is there already: turns are archived in order."""
        where = self._namespace(scope)
        [last] = yield StoreOps([GetOp(where, _key(leaving[-1]), refresh_ttl=False)])
        if last is None:
            yield StoreOps(self._puts(where, leaving))

    def _archived(self, query: Query) -> Steps[tuple[BaseMessage, ...]]:
        """The archive's newest messages, oldest first, without those that the thread holds itself."""
        where = self._namespace(query.scope)
        [head] = yield StoreOps([GetOp(where, _HEAD)])
        if head is None:
            return ()
        known = {_key(m) for m in query.messages}
        keys = [key for key in head.value["recent"] if key not in known]
        items: list[Item | None] = yield StoreOps([GetOp(where, key) for key in keys])
        return tuple(messages_from_dict([item.value["message"] for item in items if item is not None]))

    def _puts(self, where: tuple[str, ...], messages: Sequence[BaseMessage]) -> list[PutOp]:
        ttl = None if self.ttl_seconds is None else self.ttl_seconds / 60
        return [PutOp(where, _key(m), {"message": message_to_dict(m)}, index=False, ttl=ttl) for m in messages]

    def _namespace(self, scope: Scope) -> tuple[str, ...]:
        return (*namespace(scope, self.name), label("thread", scope.thread_id or ""))


_WHY_NOT_PRUNED = "nothing is pruned: without a store and a thread_id there is no archive to move messages to"


def _key(message: BaseMessage) -> str:
    return memo_id("", message.id or "", "archive")


def _is_one_turn(messages: Sequence[BaseMessage]) -> bool:
    """Whether nothing but the newest turn is there; a caller who passes earlier turns keeps the history by himself."""
    return newest_human(messages[: max(0, newest_human(messages))]) < 0
