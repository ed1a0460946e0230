"""Memories and `attach` as settings ask for them: what `MemorySettings.from_env` read becomes a graph's memory.

What settings leave open stays as the code of the memories says. Where memory is switched off, there are no memories and
`attach_from` leaves the graph as it is; `attach` itself takes an empty list for the mistake that it usually is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from graph_memory.context.complexity import ComplexityEstimator
from graph_memory.context.tokens import estimating_counter, token_counter
from graph_memory.context.workspaces import Workspace
from graph_memory.errors import ConfigurationError
from graph_memory.graph.attach import attach
from graph_memory.memories.base import Memory
from graph_memory.memories.buffer import BufferMemory
from graph_memory.memories.entity import EntityMemory
from graph_memory.memories.episodes.keeping import Episodes
from graph_memory.memories.key_value.memory import KeyValueMemory
from graph_memory.memories.summary.memory import SummaryMemory
from graph_memory.memories.summary.preserving import PreserveRules
from graph_memory.memories.vector import VectorMemory
from graph_memory.memories.working.memory import WorkingMemory
from graph_memory.models import ChatModel
from graph_memory.settings.environment import PREFIX, MemoryKind, MemorySettings
from graph_memory.stats import Stats
from graph_memory.types import TokenCounter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langgraph.graph import StateGraph
    from langgraph.store.base import BaseStore

WEIGHTS: Mapping[MemoryKind, float] = MappingProxyType(
    {"buffer": 0.4, "summary": 0.2, "entity": 0.15, "vector": 0.15, "working": 0.1, "key_value": 0.1}
)
"""The memories that there are by default, with their shares of the budget."""

BUDGET_TOKENS = 4000
"""The budget where nobody names one."""


def memories_from(
    settings: MemorySettings, *, model: ChatModel | None = None, defaults: Mapping[MemoryKind, float] = WEIGHTS
) -> list[Memory]:
    """The memories that settings ask for; none where memory is switched off.

    Args:
        settings: what was read from outside the code.
        model: writes summaries and reads entities and preferences; None takes the one of the settings, else none.
        defaults: which memories there are, with their weights, where settings do not say.

    Raises:
        ConfigurationError: settings contradict each other.
        MissingExtraError: a model is named, and `langchain` is not installed.
    """
    if not settings.enabled:
        return []
    _check(settings)
    kinds = settings.memories or tuple(defaults)
    if unused := [kind for kind in settings.weights or {} if kind not in kinds]:
        raise ConfigurationError(f"{PREFIX}WEIGHTS names {unused[0]!r}, but the memories are {', '.join(kinds)}")
    weights = {**WEIGHTS, **defaults, **(settings.weights or {})}
    asked = model if model is not None else settings.model
    return [_MAKERS[kind](settings, asked, weights[kind]) for kind in kinds]


def attach_from(
    builder: StateGraph[Any, Any, Any, Any],
    node: str,
    settings: MemorySettings,
    *,
    model: ChatModel | None = None,
    memories: Iterable[Memory] | None = None,
    budget_tokens: int | None = None,
    counter: TokenCounter | None = None,
    messages_key: str = "messages",
    agent: str | None = None,
    store: BaseStore | None = None,
    estimator: ComplexityEstimator | None = None,
    stats: Stats | None = None,
) -> None:
    """`attach`, with the memories, budget, workspace and mode that settings ask for; nothing where memory is switched off.

    Args:
        builder, node, messages_key, agent, store, estimator, stats: as in `attach`.
        settings: what was read from outside the code.
        model: as in `memories_from`.
        memories: these in place of the settings' own.
        budget_tokens: in place of the settings'; None takes theirs, else 4,000.
        counter: how tokens are counted; None counts as the settings' model does.

    Raises:
        ConfigurationError: as `memories_from` and `attach`.
    """
    if not settings.enabled:
        return
    workspace = workspace_from(settings)
    attach(
        builder,
        node,
        memories if memories is not None else memories_from(settings, model=model),
        budget_tokens=budget_tokens or settings.budget_tokens or BUDGET_TOKENS,
        reserve_tokens=settings.reserve_tokens or 0,
        counter=counter or _counter(settings),
        messages_key=messages_key,
        agent=agent,
        store=store,
        mode=settings.mode or "parallel",
        workspace=workspace,
        estimator=estimator,
        stats=stats,
    )


def workspace_from(settings: MemorySettings) -> Workspace | None:
    """The workspace, if settings speak of one.

    Raises:
        ConfigurationError: there is none of that name, or its file or an override is wrong.
        MissingExtraError: there is a file, and PyYAML is not installed.
    """
    is_asked_for = settings.model_fields_set.intersection({"workspace", "workspaces", "overrides"})
    return settings.chosen_workspace() if is_asked_for else None


def _check(settings: MemorySettings) -> None:
    if not settings.preserve_system_prompts:
        raise ConfigurationError(
            f"{PREFIX}PRESERVE_SYSTEM_PROMPTS is off, but system messages are always shown whole: leave it out"
        )


def _counter(settings: MemorySettings) -> TokenCounter | None:
    """The counter for the model that is named, by the estimate that is given; None leaves it to `attach`."""
    if settings.model is None:
        return None
    found, estimate = token_counter(settings.model), settings.overrides.tokens_per_char
    return found if found.exact or estimate is None else estimating_counter(1 / estimate)


def _given(settings: MemorySettings, *names: str) -> dict[str, Any]:
    """The settings of these names that are not left to the code; "option=setting" where the memory calls it otherwise."""
    found = {option: getattr(settings, setting or option) for option, _, setting in (n.partition("=") for n in names)}
    return {option: value for option, value in found.items() if value is not None}


def _bounds(settings: MemorySettings, weight: float) -> dict[str, Any]:
    return {"weight": weight, **_given(settings, "max_share=memory_max_share")}


def _buffer(settings: MemorySettings, model: ChatModel | None, weight: float) -> Memory:
    window = ("turns", "tokens", "seconds", "flush_tokens", "prune", "ttl_seconds")
    return BufferMemory(weight=weight, **_given(settings, *window, "min_share=history_min_share"))


def _summary(settings: MemorySettings, model: ChatModel | None, weight: float) -> Memory:
    return SummaryMemory(
        settings.summary_model or model,
        threshold_tokens=settings.compression_threshold,
        ratio=settings.compression_ratio,
        strategy=settings.compression_strategy,
        keep_recent=settings.short_term_size,
        preserve=PreserveRules(tool_calls=settings.preserve_tool_calls),
        **_bounds(settings, weight),
    )


def _vector(settings: MemorySettings, model: ChatModel | None, weight: float) -> Memory:
    ranked = ("limit", "candidates", "threshold", "rerank", "freshness_weight", "half_life_hours")
    options = _given(settings, *ranked, "ttl_seconds", "counts_accesses")
    return VectorMemory(episodes=Episodes(model=model), **options, **_bounds(settings, weight))


def _entity(settings: MemorySettings, model: ChatModel | None, weight: float) -> Memory:
    options = _given(settings, "entity_types", "relationship_tracking")
    return EntityMemory(model, **options, **_bounds(settings, weight))


def _key_value(settings: MemorySettings, model: ChatModel | None, weight: float) -> Memory:
    return KeyValueMemory(model=model, **_given(settings, "namespace"), **_bounds(settings, weight))


def _working(settings: MemorySettings, model: ChatModel | None, weight: float) -> Memory:
    options = _given(settings, "capacity", "eviction", "reasoning_chain", "ttl_seconds=working_ttl_seconds")
    return WorkingMemory(**options, **_bounds(settings, weight))


_MAKERS: Mapping[MemoryKind, Callable[[MemorySettings, ChatModel | None, float], Memory]] = MappingProxyType(
    {
        "buffer": _buffer,
        "summary": _summary,
        "vector": _vector,
        "entity": _entity,
        "key_value": _key_value,
        "working": _working,
    }
)
