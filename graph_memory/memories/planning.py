"""What a call asks of all memories: the settings that stay, and the plan made of a thread's newest question. Pure."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain_core.messages import BaseMessage

from graph_memory.context.budget import weight_shares
from graph_memory.context.calibration import current_counter
from graph_memory.context.complexity import (
    COMPLEXITIES,
    Complexity,
    ComplexityEstimator,
    estimate_complexity,
    refers_back,
)
from graph_memory.context.tokens import estimating_counter, token_counter
from graph_memory.context.workspaces import Workspace
from graph_memory.messages import newest_human, text_of
from graph_memory.types import Query, Scope, TokenCounter

if TYPE_CHECKING:
    from graph_memory.memories.base import Memory

logger = logging.getLogger("graph_memory")

_LINES = 0.9
"""The rest pays for quoting and delimiters."""

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
        workspace: whose policy shares out the budget; None shares it by the memories' weights alone.
        estimator: estimates the complexity of a question for the workspace; None goes by the workspace's rules.
        key: tells these settings from any other's, within one process.
    """

    budget_tokens: int
    reserve_tokens: int = 0
    counter: TokenCounter = field(default_factory=token_counter)
    node: str = ""
    agent: str | None = None
    workspace: Workspace | None = None
    estimator: ComplexityEstimator | None = None
    key: str = field(default_factory=lambda: uuid4().hex)

    def complexity(self, text: str, turns: int) -> Complexity | None:
        """How complex the question is; None without a workspace, because then nothing depends on it."""
        if self.workspace is None:
            return None
        rules = partial(estimate_complexity, rules=self.workspace.complexity_rules)
        back = refers_back(text)
        try:
            return (self.estimator or rules)(text, turns=turns, needs_retrieval=back).level
        except Exception as exc:  # noqa: BLE001 - an estimator of the user's own must not fail the call (law 7)
            logger.warning("the estimator of complexity failed, the workspace's rules serve: %s", type(exc).__name__)
            return rules(text, turns=turns, needs_retrieval=back).level

    def budget_for(self, complexity: Complexity | None) -> int:
        """Tokens of a context for a question of that complexity."""
        if self.workspace is None or complexity is None:
            return self.budget_tokens
        return self.workspace.budget(complexity, self.budget_tokens)

    @property
    def steady_budget(self) -> int:
        """Tokens that a context has whatever the question; what comes before the question is reckoned from them (law 8)."""
        return min(map(self.budget_for, COMPLEXITIES))

    def made_for(self, messages: Sequence[BaseMessage]) -> str:
        """What marks a context that these settings gave for the newest human message, as it now reads."""
        human = newest_human(messages)
        asked = repr((messages[human].id, messages[human].content)) if human >= 0 else ""
        return f"{self.key}:{hashlib.blake2b(asked.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What one call asks of all memories: `Query` without the part that differs between them.

    Attributes:
        counter: the counter of this call; one that learns gives another one later.
        budget_tokens: tokens of this call's context.
        complexity: of the question; None without a workspace.
        states: each memory's own part of the thread's `memory` channel, by name.
        free_tokens: tokens that memories share, whatever the question: of the budget, without reserve and system messages.
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
    counter: TokenCounter
    budget_tokens: int
    complexity: Complexity | None = None
    free_tokens: int = 0
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
            budget_tokens=self.budget_tokens,
            counter=self.counter,
            now=self.now,
            has_store=self.has_store,
            is_whole=self.is_whole,
            state=self.states.get(memory.name, {}),
            settled=self.settled,
            history_tokens=self.history_tokens,
            filter=self.filter,
            overflowed=self.overflowed,
        )


def counter_of(given: TokenCounter | None, workspace: Workspace | None) -> TokenCounter:
    """The counter that was given, else the best that works here; where that one estimates, the workspace's estimate."""
    if given is not None:
        return given
    found = token_counter()
    if workspace is None or found.exact:
        return found
    return estimating_counter(1 / workspace.tokens_per_char)


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
    text, counter = text_of(newest) if newest else "", current_counter(settings.counter)
    complexity = settings.complexity(text, sum(message.type == "human" for message in messages))
    free = _free_tokens(messages, settings, counter)
    return Plan(
        scope=scope,
        messages=tuple(messages),
        turn_id=(newest.id or "") if newest else "",
        text=text,
        history_tokens=_history_tokens(memories, free),
        now=now or datetime.now(UTC),
        counter=counter,
        budget_tokens=settings.budget_for(complexity),
        complexity=complexity,
        free_tokens=free,
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
    if not any(memory.placement == "history" for memory in memories):
        return len(plan.messages)  # nothing shows a window, so everything that is over has left it
    return max(_overflow(memory, plan.query(memory, settings)) for memory in memories)


def _overflow(memory: Memory, query: Query) -> int:
    try:
        return memory.overflow(query)
    except Exception as exc:  # noqa: BLE001 - one memory's bug must not take the others with it (law 7)
        logger.warning("memory %r could not say what leaves the window: %s", memory.name, type(exc).__name__)
        return query.overflowed or 0


def shares_of(memories: Sequence[Memory]) -> dict[str, float]:
    """The fraction of the budget that each memory has by its weight and bounds, when all the others want theirs."""
    return weight_shares(
        {memory.name: memory.weight for memory in memories},
        min_shares={memory.name: memory.min_share for memory in memories},
        max_shares={memory.name: memory.max_share for memory in memories},
    )


def share_tokens(plan: Plan, memory: Memory, memories: Sequence[Memory]) -> int:
    """Tokens of the budget that a memory's lines can have by its share.

    It depends on settings and system messages alone, so that it stays the same for the whole of a thread.
    """
    heading = plan.counter.count_text(memory.heading)
    return max(0, int(plan.free_tokens * shares_of(memories)[memory.name] * _LINES) - heading)


def is_one_turn(messages: Sequence[BaseMessage]) -> bool:
    """Whether nothing but the newest turn is there; a caller who passes earlier turns keeps the history by himself."""
    return newest_human(messages[: max(0, newest_human(messages))]) < 0


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


def _free_tokens(messages: Sequence[BaseMessage], settings: Settings, counter: TokenCounter) -> int:
    fixed = counter.overhead + sum(counter.count_message(m) for m in messages if m.type == "system")
    return max(0, settings.steady_budget - settings.reserve_tokens - fixed)


def _history_tokens(memories: Sequence[Memory], free: int) -> int:
    """What is free, times the share of the memories that place history."""
    of_history = [memory for memory in memories if memory.placement == "history"]
    share = sum(m.weight for m in of_history) / sum(m.weight for m in memories)
    share = min(max(share, sum(m.min_share for m in of_history)), sum(m.max_share for m in of_history))
    # The rest pays for headings and delimiters, so that the merge need not cut what the window let in.
    return int(free * share) if len(of_history) == len(memories) else int(free * share * 0.95)
