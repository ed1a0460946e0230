"""A thread as turns, and the window over them: which earlier turns are still shown word for word.

A turn is a human message and everything up to the next one. The window is replayed from the thread's start each time, so
it depends on nothing but the thread: whenever it overflows, the oldest turns leave in a batch, and between two batches its
start stays where it is, which is what providers' prompt caches need (law 8).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise

from langchain_core.messages import BaseMessage

from graph_memory.context.exchanges import is_empty
from graph_memory.context.ledger import role_of, role_of_class, roles_of
from graph_memory.context.tokens import ledger_of, message_tokens
from graph_memory.errors import ConfigurationError
from graph_memory.messages import said_at, text_of, with_refusal_told
from graph_memory.types import Section, Snippet, TokenCounter


@dataclass(frozen=True, slots=True)
class Thread:
    """The parts of a thread that the context always holds.

    Attributes:
        system: system messages from anywhere in the thread, in order, except those that say nothing.
        human: the newest human message; None when there is none.
        rest: what follows it, refusals told in words; the whole thread when there is no human message.
    """

    system: tuple[BaseMessage, ...]
    human: BaseMessage | None
    rest: tuple[BaseMessage, ...]

    @property
    def running(self) -> tuple[BaseMessage, ...]:
        """The running turn: the newest human message and what follows it."""
        return self.rest if self.human is None else (self.human, *self.rest)


def split_thread(messages: Sequence[BaseMessage]) -> Thread:
    """System messages apart, and the running turn; earlier turns are a memory's business."""
    has_system = "system" in {role_of_class(kind) for kind in set(map(type, messages))}
    system = tuple(m for m in messages if role_of(m) == "system" and not is_empty(m)) if has_system else ()
    newest = next((i for i in range(len(messages) - 1, -1, -1) if role_of(messages[i]) == "human"), -1)
    rest = tuple(with_refusal_told(m) for m in messages[newest + 1 :] if role_of(m) not in ("system", "remove"))
    return Thread(system, messages[newest] if newest >= 0 else None, rest)


def window_start(turn_tokens: Sequence[int], limit_tokens: int, flush_tokens: int = 0) -> int:
    """Index of the first turn of the window, replayed turn by turn from the first.

    Whenever the window exceeds `limit_tokens`, the oldest turns leave until it holds at most
    `limit_tokens - flush_tokens`. The newest turn always stays.

    Args:
        turn_tokens: tokens of each turn, oldest first.
        limit_tokens: tokens that the window may hold.
        flush_tokens: how far below the limit an overflow empties it.
    """
    return _replayed(list(accumulate(turn_tokens, initial=0)), limit_tokens, flush_tokens)


def _replayed(sums: Sequence[int], limit_tokens: int, flush_tokens: int) -> int:
    """`window_start` for `sums[i]`, the tokens of the first `i` turns: it looks at overflows only."""
    rest = max(0, limit_tokens - flush_tokens)
    start, newest = 0, -1
    while True:
        newest = max(newest + 1, bisect_right(sums, sums[start] + limit_tokens) - 1)
        if newest >= len(sums) - 1:
            return start
        start = min(newest, bisect_left(sums, sums[newest + 1] - rest, lo=start))


def window_of_turns(count: int, limit_turns: int, flush_turns: int = 1) -> int:
    """Index of the first turn when `limit_turns` of `count` may stay and the oldest leave `flush_turns` at a time.

    At least the newest turn stays, and at most `limit_turns`.
    """
    excess = max(0, count - max(1, limit_turns))
    batches = -(-excess // max(1, flush_turns))
    return min(batches * max(1, flush_turns), max(0, count - 1))


def window_of_seconds(said_at: Sequence[datetime | None], limit_seconds: float, now: datetime) -> int:
    """Index of the first turn that is at most `limit_seconds` old; the newest turn always stays.

    The window ends at the first turn, going back, that is too old. A turn that does not say when it was said counts as new.
    """
    for index in range(len(said_at) - 2, -1, -1):
        said = said_at[index]
        if said is not None and (now - said).total_seconds() > limit_seconds:
            return index + 1
    return 0


def history_section(
    messages: Sequence[BaseMessage],
    *,
    memory: str,
    counter: TokenCounter,
    limit_tokens: int | None = None,
    turns: int | None = None,
    seconds: float | None = None,
    now: datetime | None = None,
    flush_tokens: int | None = None,
    flush_turns: int = 1,
    weight: float = 1.0,
    min_share: float = 0.0,
    max_share: float = 1.0,
    priority: int = 0,
    pinned: bool = False,
) -> tuple[Section, int]:
    """The window over a thread's earlier turns as a section, and the index of the first message in the window.

    The running turn counts towards every limit but is no part of the section: the merge always shows it. System messages
    count nowhere. When several limits are given, the tightest holds.

    Args:
        messages: the thread, oldest first.
        limit_tokens: tokens that the window may hold.
        turns: turns that the window may hold.
        seconds: how old a turn may be at `now`, which is then needed.
        flush_tokens: how far below its limit an overflow empties the window; a fifth of the limit when left out.
        flush_turns: how many turns leave at once when there are too many.
        memory, weight, min_share, max_share, priority, pinned: as in `Section`.

    Raises:
        ConfigurationError: `seconds` is given without `now`.
    """
    first, starts = _window(messages, limit_tokens, turns, seconds, now, flush_tokens, flush_turns, counter)
    snippets = _snippets(messages, starts[first:], counter)
    section = Section(memory, snippets, "history", "", weight, min_share, max_share, priority, pinned)
    return section, starts[first] if starts else 0


def window_from(
    messages: Sequence[BaseMessage],
    *,
    counter: TokenCounter,
    limit_tokens: int | None = None,
    turns: int | None = None,
    seconds: float | None = None,
    now: datetime | None = None,
    flush_tokens: int | None = None,
    flush_turns: int = 1,
) -> int:
    """Index of the first message in the window; the arguments are those of `history_section`.

    Raises:
        ConfigurationError: `seconds` is given without `now`.
    """
    first, starts = _window(messages, limit_tokens, turns, seconds, now, flush_tokens, flush_turns, counter)
    return starts[first] if starts else 0


def _window(
    messages: Sequence[BaseMessage],
    limit_tokens: int | None,
    turns: int | None,
    seconds: float | None,
    now: datetime | None,
    flush_tokens: int | None,
    flush_turns: int,
    counter: TokenCounter,
) -> tuple[int, Sequence[int]]:
    """Index of the first turn that is in the window, and where each turn begins."""
    ledger = ledger_of(messages, counter)
    starts, sums = ledger.starts(), ledger.sums
    first = 0
    if limit_tokens is not None:
        flush = limit_tokens // 5 if flush_tokens is None else flush_tokens
        first = _replayed([*map(sums.__getitem__, starts), sums[-1]], limit_tokens, flush)
    if turns is not None:
        first = max(first, window_of_turns(len(starts), turns, flush_turns))
    if seconds is not None:
        if now is None:
            raise ConfigurationError("a window of seconds needs to know the time: pass now")
        said = [said_at(messages[start], now) for start in starts[first:]]
        first += window_of_seconds(said, seconds, now)
    return first, starts


def _snippets(messages: Sequence[BaseMessage], starts: Sequence[int], counter: TokenCounter) -> tuple[Snippet, ...]:
    """One snippet a message of all these turns but the last, which is the running one."""
    return tuple(
        snippet
        for start, end in pairwise(starts)
        for snippet in _turn_snippets(messages[start:end], f"turn-{start}", counter)
    )


def _turn_snippets(messages: Sequence[BaseMessage], fallback: str, counter: TokenCounter) -> list[Snippet]:
    shown = [m for m, role in zip(messages, roles_of(messages), strict=True) if role not in ("system", "remove")]
    group = shown[0].id or fallback if shown else fallback
    return [history_snippet(m, tokens, group) for m, tokens in zip(shown, message_tokens(shown, counter), strict=True)]


def history_snippet(message: BaseMessage, tokens: int = -1, group: str = "") -> Snippet:
    """A message as a history section holds it."""
    return Snippet(
        text=text_of(message),
        tokens=tokens,
        memo_id=message.id or "",
        group=group,
        source_ids=(message.id,) if message.id else (),
        message=message,
    )
