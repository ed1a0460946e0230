"""What a call asks of all memories: the settings that stay, and the plan made of a thread's newest question. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain_core.messages import BaseMessage, HumanMessage

from graph_memory.context.tokens import token_counter
from graph_memory.errors import ConfigurationError
from graph_memory.messages import newest_human, text_of
from graph_memory.types import Query, Scope, TokenCounter

if TYPE_CHECKING:
    from graph_memory.memories.base import Memory

REMEMBERED = "remembered"
"""Key of a memory's thread-scoped state: id of the last message that it has taken in."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What stays the same from call to call.

    Attributes:
        budget_tokens: tokens of everything that the LLM node receives.
        reserve_tokens: tokens of the budget that are left free for what the node adds by itself, such as its prompt.
        counter: how tokens are counted.
        node: the LLM node.
        agent: whose memories they are when several agents serve one user; None shares them.
        key: tells these settings from any other's, within one process.
    """

    budget_tokens: int
    reserve_tokens: int = 0
    counter: TokenCounter = field(default_factory=token_counter)
    node: str = ""
    agent: str | None = None
    key: str = field(default_factory=lambda: uuid4().hex)

    def made_for(self, messages: Sequence[BaseMessage]) -> str:
        """What marks a context that these settings gave for the newest human message, as it now reads."""
        human = newest_human(messages)
        asked = repr((messages[human].id, messages[human].content)) if human >= 0 else ""
        return f"{self.key}:{hashlib.blake2b(asked.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What one call asks of all memories: `Query` without the part that differs between them.

    Attributes:
        states: each memory's own part of the thread's `memory` channel, by name.
        history_tokens: tokens that history may fill, the newest turn included. It depends on settings and on the system
            messages only, never on what else was found, so that the window's start does not wander (law 8).
        overflowed: how many of the first messages every memory that feeds on overflow has taken in; None without one.
    """

    scope: Scope
    messages: tuple[BaseMessage, ...]
    turn_id: str
    text: str
    history_tokens: int
    now: datetime
    has_store: bool = True
    is_whole: bool = True
    states: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settled: str | None = None
    filter: Mapping[str, Any] | None = None
    overflowed: int | None = None

    def query(self, memory: Memory, settings: Settings) -> Query:
        """What `memory` is asked."""
        return Query(
            scope=self.scope,
            text=self.text,
            messages=self.messages,
            turn_id=self.turn_id,
            budget_tokens=settings.budget_tokens,
            counter=settings.counter,
            now=self.now,
            has_store=self.has_store,
            is_whole=self.is_whole,
            state=self.states.get(memory.name, {}),
            settled=self.settled,
            history_tokens=self.history_tokens,
            filter=self.filter,
            overflowed=self.overflowed,
        )


def checked(memories: Iterable[Memory], settings: Settings) -> tuple[Memory, ...]:
    """The memories, after the checks that concern them together.

    Raises:
        ConfigurationError: there are none, two share a name, or the budget is below the fixed overhead.
    """
    try:
        found = tuple(memories)
    except TypeError:
        raise ConfigurationError(
            f"memories must be a list, got {type(memories).__name__}: put it in brackets"
        ) from None
    for memory in found:
        if isinstance(memory, type) or not callable(getattr(memory, "recall", None)):
            named = getattr(memory, "__name__", type(memory).__name__)
            raise ConfigurationError(f"{named} is no memory: pass an instance, for example {named}()")
    if not found:
        raise ConfigurationError("no memories were given: pass at least one, for example [BufferMemory()]")
    names = [memory.name for memory in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"two memories are named {name!r}: give each its own, for example name='{name}_2'")
    counter = settings.counter
    if not hasattr(counter, "count_message"):
        raise ConfigurationError("counter must be a TokenCounter: wrap a function of texts with counter_from(function)")
    if not isinstance(settings.budget_tokens, int) or not isinstance(settings.reserve_tokens, int):
        raise ConfigurationError("budget_tokens and reserve_tokens must be whole numbers of tokens")
    floor = counter.overhead + counter.count_message(HumanMessage("")) + settings.reserve_tokens
    if settings.budget_tokens <= floor:
        raise ConfigurationError(
            f"budget_tokens={settings.budget_tokens} leaves no room: framing and reserve alone take {floor} tokens"
            f" ({counter.name})"
        )
    return found


def plan(
    memories: Sequence[Memory],
    messages: Sequence[BaseMessage],
    *,
    scope: Scope,
    settings: Settings,
    has_store: bool,
    is_whole: bool = True,
    states: Mapping[str, Mapping[str, Any]] | None = None,
    filter: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> Plan:
    """What to ask the memories for the newest human message of `messages` (all of which have ids)."""
    human = newest_human(messages)
    newest = messages[human] if human >= 0 else None
    return Plan(
        scope=scope,
        messages=tuple(messages),
        turn_id=(newest.id or "") if newest else "",
        text=text_of(newest) if newest else "",
        history_tokens=_history_tokens(memories, messages, settings),
        now=now or datetime.now(UTC),
        has_store=has_store,
        is_whole=is_whole,
        states=states or {},
        settled=_settled(memories, messages, states or {}),
        filter=filter,
        overflowed=_overflowed(memories, messages, states or {}),
    )


def overflow_of(plan: Plan, memories: Sequence[Memory], settings: Settings) -> int:
    """How many of the first messages are to leave the window: as many as the memory says that wants the fewest shown."""
    if plan.overflowed is None:
        return 0
    return max(memory.overflow(plan.query(memory, settings)) for memory in memories)


def start_after(messages: Sequence[BaseMessage], last: str | None) -> int | None:
    """Index after the message with id `last`, looked for from the end, where it usually is; None when it is not there."""
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].id == last:
            return index + 1
    return None


def _overflowed(
    memories: Sequence[Memory], messages: Sequence[BaseMessage], states: Mapping[str, Mapping[str, Any]]
) -> int | None:
    """Where the slowest of the memories that feed on overflow has got to: what it has not taken in stays in the window."""
    fed = [memory.name for memory in memories if memory.feeds == "overflow"]
    if not fed:
        return None
    return min(start_after(messages, states.get(name, {}).get(REMEMBERED)) or 0 for name in fed)


def _settled(
    memories: Sequence[Memory], messages: Sequence[BaseMessage], states: Mapping[str, Mapping[str, Any]]
) -> str | None:
    """Id of the last message that every memory has taken in; looked for from the end, where it usually is."""
    behind = {states.get(memory.name, {}).get(REMEMBERED) for memory in memories}
    if None in behind:
        return None
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].id in behind:
            behind.discard(messages[index].id)
            if not behind:
                return messages[index].id
    return None


def _history_tokens(memories: Sequence[Memory], messages: Sequence[BaseMessage], settings: Settings) -> int:
    """The budget less system messages and reserve, times the share of the memories that place history."""
    fixed = settings.counter.overhead + sum(settings.counter.count_message(m) for m in messages if m.type == "system")
    free = max(0, settings.budget_tokens - settings.reserve_tokens - fixed)
    of_history = [memory for memory in memories if memory.placement == "history"]
    share = sum(m.weight for m in of_history) / sum(m.weight for m in memories)
    share = min(max(share, sum(m.min_share for m in of_history)), sum(m.max_share for m in of_history))
    # The rest pays for headings and delimiters, so that the merge need not cut what the window let in.
    return int(free * share) if len(of_history) == len(memories) else int(free * share * 0.95)
