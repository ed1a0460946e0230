"""What can be recorded: a context that was assembled, a model call, a compression; and the figures each adds to the totals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from graph_memory.context.costs import Cost, Usage
from graph_memory.types import Context, Scope

Purpose = Literal["answer", "memory"]
"""Whose model call it was: the LLM node's, or memory's own (summaries, extraction, reranking)."""

PURPOSES: tuple[Purpose, ...] = ("answer", "memory")

Path: TypeAlias = tuple[str, ...]
"""The name of a figure, such as ("memory", "buffer", "tokens")."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What a memory or a tier used of what it was allowed.

    Attributes:
        tokens: what it has in the context.
        allowed_tokens: its share of the budget, before it got what others left unused; 0 when it has no share.
    """

    tokens: int
    allowed_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """One assembled context, without its text.

    Attributes:
        at: when it was assembled.
        scope, workspace: whose it was, and by which workspace's rules.
        node, turn_id, complexity, counter, budget_tokens, total_tokens, elapsed_ms, degradations: as in `Context`.
        full_tokens: what the whole history would have cost instead; None when nobody counted it.
        memories: by memory; "thread" and "frame" stand for what is no memory's. They add up to `total_tokens`.
        tiers: by tier, where tiers are used.
        kept, dropped: how many candidates the context holds, and how many were left out.
    """

    at: datetime
    scope: Scope
    workspace: str
    node: str
    turn_id: str
    complexity: str
    counter: str
    budget_tokens: int
    total_tokens: int
    full_tokens: int | None
    memories: Mapping[str, Granted]
    tiers: Mapping[str, Granted]
    elapsed_ms: Mapping[str, float]
    degradations: Mapping[str, str]
    kept: int
    dropped: int

    def figures(self) -> Iterator[tuple[Path, float]]:
        """What it adds to the totals."""
        yield ("contexts",), 1
        yield ("context_tokens",), self.total_tokens
        yield ("budget_tokens",), self.budget_tokens
        if self.full_tokens is not None:
            yield ("full_tokens",), self.full_tokens
            yield ("saved_tokens",), self.full_tokens - self.total_tokens
        for kind, granted in (("memory", self.memories), ("tier", self.tiers)):
            for name, one in granted.items():
                yield (kind, name, "contexts"), 1
                yield (kind, name, "tokens"), one.tokens
                yield (kind, name, "allowed_tokens"), one.allowed_tokens
        for name, milliseconds in self.elapsed_ms.items():
            yield ("memory", name, "elapsed_ms"), milliseconds
        yield from ((("degradations", name), 1) for name in self.degradations)
        if self.complexity:
            yield ("complexity", self.complexity), 1


@dataclass(frozen=True, slots=True)
class Call:
    """One model call: its tokens and what they cost."""

    at: datetime
    scope: Scope
    workspace: str
    purpose: Purpose
    usage: Usage
    cost: Cost

    def figures(self) -> Iterator[tuple[Path, float]]:
        """What it adds to the totals."""
        for group in (("purpose", self.purpose), ("model", self.usage.model)):
            yield (*group, "calls"), 1
            yield (*group, "input_tokens"), self.usage.input_tokens
            yield (*group, "output_tokens"), self.usage.output_tokens
            yield (*group, "cached_tokens"), self.usage.cached_tokens
            yield (*group, "input_dollars"), self.cost.input_dollars
            yield (*group, "output_dollars"), self.cost.output_dollars
        if self.usage.is_estimated:
            yield ("estimated", self.usage.model), 1
        if not self.cost.is_known:
            yield ("unpriced", self.usage.model), 1


@dataclass(frozen=True, slots=True)
class CompressionFigures:
    """What one compression did: a summary in the place of messages, or messages that were left out.

    Attributes:
        tokens_before: tokens of what was compressed.
        tokens_after: tokens of what stands in its place.
        messages: how many messages were compressed.
        strategy: such as "sliding_window"; "" when there is one way only.
        usages: the model calls that it took; `Stats` counts them as memory's own.
    """

    tokens_before: int
    tokens_after: int
    messages: int = 0
    strategy: str = ""
    usages: tuple[Usage, ...] = ()

    @property
    def ratio(self) -> float:
        """What is left of the tokens, as a fraction; 1.0 when there were none."""
        return self.tokens_after / self.tokens_before if self.tokens_before else 1.0


@dataclass(frozen=True, slots=True)
class Compressed:
    """A compression, when it was made and for whom."""

    at: datetime
    scope: Scope
    workspace: str
    compression: CompressionFigures
    dollars: float = 0.0

    def figures(self) -> Iterator[tuple[Path, float]]:
        """What it adds to the totals; its model calls are recorded by themselves."""
        yield ("compressions",), 1
        yield ("compressed_tokens_before",), self.compression.tokens_before
        yield ("compressed_tokens_after",), self.compression.tokens_after
        yield ("compressed_messages",), self.compression.messages


Event: TypeAlias = Decision | Call | Compressed


def decision_of(
    context: Context,
    *,
    at: datetime,
    scope: Scope,
    workspace: str,
    full_tokens: int | None,
    tiers: Mapping[str, Granted],
) -> Decision:
    """The figures of a context; its text is left behind."""
    kept = sum(line.kept for line in context.lines)
    return Decision(
        at=at,
        scope=scope,
        workspace=workspace,
        node=context.node,
        turn_id=context.turn_id,
        complexity=context.complexity,
        counter=context.counter,
        budget_tokens=context.budget_tokens,
        total_tokens=context.total_tokens,
        full_tokens=full_tokens,
        memories=granted_by(context),
        tiers=dict(tiers),
        elapsed_ms=dict(context.elapsed_ms),
        degradations=dict(context.degradations),
        kept=kept,
        dropped=len(context.lines) - kept,
    )


def granted_by(context: Context) -> dict[str, Granted]:
    """What each memory used of its share: weight over the sum of weights, within its bounds, of the whole budget."""
    weights = sum(section.weight for section in context.sections)
    allowed = {}
    for section in context.sections:
        share = section.weight / weights if weights else 0.0
        share = min(max(share, section.min_share), section.max_share)
        allowed[section.memory] = int(context.budget_tokens * share)
    names = dict.fromkeys([*context.tokens, *allowed])
    return {name: Granted(context.tokens.get(name, 0), allowed.get(name, 0)) for name in names}


def event_value(event: Event) -> dict[str, Any]:
    """An event as a JSON object; times as ISO 8601."""
    return {**asdict(event), "at": event.at.isoformat()}
