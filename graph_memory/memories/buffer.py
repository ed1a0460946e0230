"""Buffer memory: the newest turns, word for word.

The window is a FIFO over whole turns. When it overflows, the oldest turns leave in one batch of `flush_tokens`, so that its
start stays put for many turns and providers' prompt caches hit (law 8). Every turn is archived in the store when it is over,
and anything older that is not (a thread that was there before its memory) is archived before it leaves (law 3).

With `prune`, all turns but the last two leave the `messages` channel for the archive even while they are in the window; the
checkpointed state then holds their keys instead of their text, so that a checkpoint stays small, and a fork still finds its own
window.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from langchain_core.messages import BaseMessage

from graph_memory.context.tiers import Tier
from graph_memory.context.turns import history_section, window_from
from graph_memory.errors import ConfigurationError
from graph_memory.memories.archive import Archive, Messages, split_turns, turn_key
from graph_memory.memories.base import Memory
from graph_memory.memories.planning import is_one_turn
from graph_memory.messages import SAID_AT, newest_human
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Placement, Query, Section, Turn

AHEAD = 10
"""A tenth of the window is kept free for the next turn, where memories feed on what overflows."""

_WINDOW = "window"
"""Key of the state that lists the archived turns of the window, oldest first."""

_DATES = "dates"
"""Key of the state that lists when turns were remembered, as [id of the first message, ISO 8601], for a window of seconds."""

_MOST_DATES = 200

_BEFORE = "before"
"""Key of the state that names the channel's message which the window stands before."""

_NOT_PRUNED = "nothing is pruned: without a store and a thread_id there is no archive to move messages to"
_MISSING = (
    "{} earlier turns are missing, because the archive of this thread does not hold them: they were forgotten, have expired, or"
    " are in another store or thread"
)
_EMPTIED = "{} archived turns are left out, because the messages that came after them were removed from the channel"


@dataclass(frozen=True, slots=True)
class _Earlier:
    """What of the window is not in the channel.

    Attributes:
        turns: archived turns, the oldest first.
        keys: what the state lists of the window, the oldest first.
        missing: those of them that cannot be had.
        reason: why; "" when there is none.
    """

    turns: Sequence[Messages] = ()
    keys: Sequence[str] = ()
    missing: Collection[str] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class BufferMemory(Memory):
    """Keeps the newest turns in the context verbatim.

    Attributes:
        turns: how many turns stay at most, the newest included; None does not limit them. Where memories feed on what overflows,
            a third of them leaves at once.
        tokens: how many tokens stay; None takes this memory's share of the budget.
        seconds: how old a turn may be; None does not limit it.
        flush_tokens: how much leaves at once when the window overflows; None takes a fifth of its limit.
        prune: moves all turns but the last two from the `messages` channel to the archive once they are remembered, so that
            checkpoints stay small; the node is handed the same window. Needs a reducer that understands `RemoveMessage`, and
            a store.
        ttl_seconds: how long the archive keeps a message; None keeps it.
    """

    kind: ClassVar[str] = "buffer"

    name: str = "buffer"
    placement: Placement = "history"
    tier: Tier = "working"
    turns: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    flush_tokens: int | None = None
    prune: bool = False
    ttl_seconds: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.placement != "history":
            raise ConfigurationError(
                f"memory {self.name!r} has placement {self.placement!r}: 'history' is the only place of whole turns, leave"
                " placement= out"
            )
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
        """The window over the archive's turns and the channel's."""
        archive = Archive.of(query.scope, self.name, self.ttl_seconds) if query.has_store else None
        earlier = yield from self._earlier(query, archive)
        gone = query.overflowed or 0
        messages = [*(message for turn in earlier.turns for message in turn), *query.messages[gone:]]
        window, start = self._window(messages, query)
        if any(message.type != "system" for message in messages[:start]):  # what is missing would have left by now
            earlier = replace(earlier, missing=(), reason="")
        section = self.section(window.snippets, degraded=earlier.reason)
        if archive is None:
            reasons = [reason for reason in (_NOT_PRUNED if self.prune else "", earlier.reason) if reason]
            return replace(section, degraded="; ".join(reasons))
        if self.prune:
            return (yield from self._pruned(query, archive, section, earlier, split_turns(messages[start:])))
        first = start - (len(messages) - len(query.messages))
        yield from archive.ensure(split_turns(query.messages[: max(0, first)]))
        return section

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Archives the turn."""
        archive, turns = Archive.of(turn.scope, self.name, self.ttl_seconds), split_turns(turn.messages)
        if archive is not None:
            yield from archive.append(turns)
        if self.seconds is None:
            return None
        dates = {**_dates(turn.state), **{told[0].id or "": turn.now.isoformat() for told in turns}}
        return {_DATES: [[key, at] for key, at in dates.items()][-_MOST_DATES:]}

    def overflow(self, query: Query) -> int:
        """What a batch of `flush_tokens` takes out of the window once it is too long.

        It leaves room for the next turn, so that nothing drops out of the window before a memory has taken it in.
        """
        gone = query.overflowed or 0
        limit = self._limit(query)
        turns = None if self.turns is None else max(1, self.turns - 1)
        return gone + window_from(
            self._dated(query.messages[gone:], query),
            limit_tokens=limit - limit // AHEAD,
            turns=turns,
            seconds=self.seconds,
            flush_tokens=self._flush(limit),
            flush_turns=1 if turns is None else max(1, turns // 3),
            counter=query.counter,
            now=query.now,
        )

    def _window(self, messages: Sequence[BaseMessage], query: Query) -> tuple[Section, int]:
        """The window by this memory's limits.

        Where memories feed on overflow, only they empty it: what they have not taken in stays as long as the budget has room.
        """
        limit, is_theirs = self._limit(query), query.overflowed is not None
        window, start = history_section(
            self._dated(messages, query),
            memory=self.name,
            limit_tokens=max(limit, query.history_tokens) if is_theirs else limit,
            turns=None if is_theirs else self.turns,
            seconds=None if is_theirs else self.seconds,
            flush_tokens=0 if is_theirs else self._flush(limit),
            counter=query.counter,
            now=query.now,
        )
        if self.seconds is None:
            return window, start
        own = {message.id: message for message in messages}
        return replace(window, snippets=tuple(replace(s, message=own[s.memo_id]) for s in window.snippets)), start

    def _dated(self, messages: Sequence[BaseMessage], query: Query) -> Sequence[BaseMessage]:
        """The messages, the first of each turn with the time when it was remembered, where it does not say its own."""
        dates = _dates(query.state) if self.seconds is not None else {}
        return [_stamped(message, dates[message.id]) if message.id in dates else message for message in messages]

    def _limit(self, query: Query) -> int:
        return self.tokens if self.tokens is not None else query.history_tokens

    def _flush(self, limit: int) -> int:
        return limit // 5 if self.flush_tokens is None else self.flush_tokens

    def _earlier(self, query: Query, archive: Archive | None) -> Steps[_Earlier]:
        """Archived turns that may be in the window: those that were pruned, or all when no checkpointer keeps the thread."""
        here = {turn_key(turn) for turn in split_turns(query.messages)}
        if archive is not None and not query.is_whole and is_one_turn(query.messages):
            keys = yield from archive.recent()
            found = yield from archive.read([key for key in keys if key not in here])
            return _Earlier(tuple(found.values()))
        # Where memories have taken in what overflowed, these turns are older than that.
        listed = () if query.overflowed else query.state.get(_WINDOW, ())
        keys = [key for key in listed if key not in here]
        if keys and query.state.get(_BEFORE) not in {message.id for message in query.messages}:
            return _Earlier(reason=_EMPTIED.format(len(keys)))
        found = (yield from archive.read(keys)) if archive is not None and keys else {}
        missing = [key for key in keys if key not in found]
        return _Earlier(tuple(found.values()), listed, missing, _MISSING.format(len(missing)) if missing else "")

    def _pruned(
        self, query: Query, archive: Archive, section: Section, earlier: _Earlier, window: Sequence[Messages]
    ) -> Steps[Section]:
        """The section, with what leaves the channel and the keys of the archived turns that stay in the window."""
        leaving = _remembered_turns(query.messages, query.settled)
        if leaving:
            yield StoreOps(archive.puts(leaving))  # as they read now: somebody may have edited one since
        archived = {turn_key(turn) for turn in (*earlier.turns, *leaving)}
        inside = [key for key in map(turn_key, window) if key in archived]
        kept = [key for key in earlier.keys if key in earlier.missing or key in inside]
        ids = tuple(message.id or "" for turn in leaving for message in turn)
        first = next((message.id for message in query.messages if message.id not in ids), None)
        keys = [*kept, *(key for key in inside if key not in kept)]
        return replace(section, leaving=ids, state={_WINDOW: keys, _BEFORE: first})


def _dates(state: Mapping[str, Any]) -> dict[str, str]:
    return dict(state.get(_DATES, ()))


def _stamped(message: BaseMessage, at: str) -> BaseMessage:
    extra = message.additional_kwargs
    return message if SAID_AT in extra else message.model_copy(update={"additional_kwargs": {**extra, SAID_AT: at}})


def _remembered_turns(messages: Sequence[BaseMessage], last: str | None) -> list[Messages]:
    """The turns before the last two, up to the message with id `last`: what no memory has to be told any more.

    The last turn but one stays, because what is remembered next is understood beside it.
    """
    running = max(0, newest_human(messages))
    earlier = messages[: max(0, newest_human(messages[:running]))]
    known = next((i + 1 for i in range(running - 1, -1, -1) if last is not None and messages[i].id == last), 0)
    return split_turns(earlier[:known])
