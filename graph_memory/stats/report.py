"""The report on what was recorded: totals, averages and savings, as values, as JSON and as the text printed after a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from graph_memory.stats.events import PURPOSES, Decision, Path


@dataclass(frozen=True, slots=True)
class UsageTotals:
    """Model calls added up: tokens as providers report them (cached tokens are part of the input), and US dollars."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    input_dollars: float = 0.0
    output_dollars: float = 0.0

    @property
    def total_tokens(self) -> int:
        """Input and output."""
        return self.input_tokens + self.output_tokens

    @property
    def dollars(self) -> float:
        """Input and output."""
        return self.input_dollars + self.output_dollars


@dataclass(frozen=True, slots=True)
class ShareTotals:
    """What a memory or a tier got over all contexts.

    Attributes:
        contexts: contexts that it was asked for.
        tokens: tokens that it had in them.
        allowed_tokens: tokens of its share, before it got what others left unused; 0 for what has no share.
        utilisation: the former by the latter; above 1 when it got more than its share, 0 when it has none.
        average_ms: milliseconds that it took to recall; 0 for what recalls nothing.
    """

    contexts: int = 0
    tokens: int = 0
    allowed_tokens: int = 0
    utilisation: float = 0.0
    average_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class StatsReport:
    """What was used, saved and paid, of everything or of the part that was asked for.

    Savings are measured where a context was recorded with `full_tokens`: what the whole history would have cost, less the
    context, less all tokens of memory's own model calls. They may be negative. Their dollars are an estimate: the tokens at
    the average price that answers paid for their input, less the dollars of memory's calls.

    Attributes:
        current_tokens, current_budget_tokens: of the newest context.
        contexts, context_tokens: contexts assembled, and the sum of their tokens.
        average_context_tokens: tokens of a context on average.
        budget_utilisation: tokens of all contexts by their budgets, 0–1.
        full_tokens: what whole histories would have cost, where it was counted.
        net_savings_tokens, net_savings_percent, net_savings_dollars: as above, percent of `full_tokens`.
        total_tokens, total_dollars: of all model calls.
        cache_share: the part of the input that providers read from their prompt caches, 0–1.
        answers, memory: the LLM node's calls, and memory's own.
        models: the calls by model.
        compressions, compressed_messages, compressed_tokens_before, compressed_tokens_after: what compressions did.
        complexity: contexts by the estimated complexity of their question.
        memories, tiers: by name; among the memories also "thread" and "frame".
        degradations: how often a memory had nothing to give because it failed or was late.
        estimated_models: models with calls that reported no usage, so that their tokens are estimates.
        unpriced_models: models whose price is unknown, so that the default one was taken.
        is_complete: False when older records that belong to this report have made room for newer ones.
    """

    current_tokens: int = 0
    current_budget_tokens: int = 0
    contexts: int = 0
    context_tokens: int = 0
    average_context_tokens: float = 0.0
    budget_utilisation: float = 0.0
    full_tokens: int = 0
    net_savings_tokens: int = 0
    net_savings_percent: float = 0.0
    net_savings_dollars: float = 0.0
    total_tokens: int = 0
    total_dollars: float = 0.0
    cache_share: float = 0.0
    answers: UsageTotals = UsageTotals()
    memory: UsageTotals = UsageTotals()
    models: Mapping[str, UsageTotals] = field(default_factory=dict)
    compressions: int = 0
    compressed_messages: int = 0
    compressed_tokens_before: int = 0
    compressed_tokens_after: int = 0
    complexity: Mapping[str, int] = field(default_factory=dict)
    memories: Mapping[str, ShareTotals] = field(default_factory=dict)
    tiers: Mapping[str, ShareTotals] = field(default_factory=dict)
    degradations: Mapping[str, int] = field(default_factory=dict)
    estimated_models: tuple[str, ...] = ()
    unpriced_models: tuple[str, ...] = ()
    is_complete: bool = True

    def to_value(self) -> dict[str, Any]:
        """This report as a JSON object."""
        return asdict(self)

    def render(self) -> str:
        """The text that is printed at the end of a run."""
        return "\n".join(["--- Memory statistics ---", *_lines(self)])


def report_of(sums: Mapping[Path, float], newest: Decision | None, *, is_complete: bool) -> StatsReport:
    """The report on sums of figures."""
    calls = {purpose: _usage(sums, ("purpose", purpose)) for purpose in PURPOSES}
    answers, memory = calls["answer"], calls["memory"]
    contexts, context_tokens = _whole(sums, "contexts"), _whole(sums, "context_tokens")
    full, saved = _whole(sums, "full_tokens"), _whole(sums, "saved_tokens")
    return StatsReport(
        current_tokens=newest.total_tokens if newest else 0,
        current_budget_tokens=newest.budget_tokens if newest else 0,
        contexts=contexts,
        context_tokens=context_tokens,
        average_context_tokens=_ratio(context_tokens, contexts),
        budget_utilisation=_ratio(context_tokens, _whole(sums, "budget_tokens")),
        full_tokens=full,
        net_savings_tokens=saved - memory.total_tokens,
        net_savings_percent=_ratio(saved - memory.total_tokens, full) * 100,
        net_savings_dollars=saved * _ratio(answers.input_dollars, answers.input_tokens) - memory.dollars,
        total_tokens=answers.total_tokens + memory.total_tokens,
        total_dollars=answers.dollars + memory.dollars,
        cache_share=_ratio(answers.cached_tokens + memory.cached_tokens, answers.input_tokens + memory.input_tokens),
        answers=answers,
        memory=memory,
        models={name: _usage(sums, ("model", name)) for name in _names(sums, "model")},
        compressions=_whole(sums, "compressions"),
        compressed_messages=_whole(sums, "compressed_messages"),
        compressed_tokens_before=_whole(sums, "compressed_tokens_before"),
        compressed_tokens_after=_whole(sums, "compressed_tokens_after"),
        complexity={name: _whole(sums, "complexity", name) for name in _names(sums, "complexity")},
        memories={name: _share(sums, ("memory", name)) for name in _names(sums, "memory")},
        tiers={name: _share(sums, ("tier", name)) for name in _names(sums, "tier")},
        degradations={name: _whole(sums, "degradations", name) for name in _names(sums, "degradations")},
        estimated_models=_names(sums, "estimated"),
        unpriced_models=_names(sums, "unpriced"),
        is_complete=is_complete,
    )


def _whole(sums: Mapping[Path, float], *path: str) -> int:
    return int(sums.get(path, 0))


def _names(sums: Mapping[Path, float], kind: str) -> tuple[str, ...]:
    return tuple(sorted({path[1] for path in sums if path[0] == kind and len(path) > 1}))


def _usage(sums: Mapping[Path, float], group: Path) -> UsageTotals:
    return UsageTotals(
        calls=_whole(sums, *group, "calls"),
        input_tokens=_whole(sums, *group, "input_tokens"),
        output_tokens=_whole(sums, *group, "output_tokens"),
        cached_tokens=_whole(sums, *group, "cached_tokens"),
        input_dollars=sums.get((*group, "input_dollars"), 0.0),
        output_dollars=sums.get((*group, "output_dollars"), 0.0),
    )


def _share(sums: Mapping[Path, float], group: Path) -> ShareTotals:
    contexts, tokens = _whole(sums, *group, "contexts"), _whole(sums, *group, "tokens")
    allowed = _whole(sums, *group, "allowed_tokens")
    average_ms = _ratio(sums.get((*group, "elapsed_ms"), 0.0), contexts)
    return ShareTotals(contexts, tokens, allowed, _ratio(tokens, allowed), average_ms)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _lines(report: StatsReport) -> Iterable[str]:
    yield f"Current tokens: {report.current_tokens:,} of {report.current_budget_tokens:,}"
    yield f"Total tokens: {report.total_tokens:,}{_about(report.estimated_models, 'counted here for')}"
    yield f"Compressions: {report.compressions:,}"
    yield f"Net savings: {report.net_savings_tokens:,} tokens ({report.net_savings_percent:.1f}%)"
    yield f"Total cost: ${report.total_dollars:.4f}{_about(report.unpriced_models, 'default price for')}"
    yield f"Memory's own cost: ${report.memory.dollars:.4f} ({report.memory.total_tokens:,} tokens)"
    yield f"Cached input: {report.cache_share:.1%}"
    yield (
        f"Contexts: {report.contexts:,}, {report.average_context_tokens:,.0f} tokens on average, "
        f"{report.budget_utilisation:.1%} of the budget"
    )
    if report.complexity:
        yield f"Complexity: {_counts(report.complexity)}"
    yield from (_share_line("Memory", name, share) for name, share in report.memories.items())
    yield from (_share_line("Tier", name, share) for name, share in report.tiers.items())
    if report.degradations:
        yield f"Degraded: {_counts(report.degradations)}"
    if not report.is_complete:
        yield "Older records have made room for newer ones: these figures are a part."


def _about(models: tuple[str, ...], why: str) -> str:
    return f" (estimated: {why} {', '.join(name or 'a model without a name' for name in models)})" if models else ""


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _share_line(kind: str, name: str, share: ShareTotals) -> str:
    used = f" of {share.allowed_tokens:,} ({share.utilisation:.1%})" if share.allowed_tokens else ""
    return f"{kind} {name}: {share.tokens:,} tokens{used}"
