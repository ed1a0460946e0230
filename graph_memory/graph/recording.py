"""What a run tells the statistics: the contexts that were sent, what the answers cost, and what memory's own models cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableConfig

from graph_memory.context.calibration import CalibratedCounter, current_counter
from graph_memory.context.costs import usage_of
from graph_memory.context.tokens import ledger_of
from graph_memory.graph.recalling import Desk
from graph_memory.stats import CompressionFigures, Granted
from graph_memory.types import Context, Scope


def record_sent(desk: Desk, context: Context, messages: Sequence[BaseMessage], config: RunnableConfig) -> None:
    """One call of the LLM node: its context, and what the whole thread would have cost instead."""
    if desk.stats is None:
        return
    counter = current_counter(desk.settings.counter)
    system = sum(counter.count_message(message) for message in messages if message.type == "system")
    desk.stats.record_context(
        context,
        desk.scope(config),
        workspace=context.workspace,
        full_tokens=counter.overhead + system + ledger_of(messages, counter).sums[-1],
        tiers={tier: Granted(use.tokens, use.budget_tokens) for tier, use in context.tiers.items()},
    )


def record_answers(desk: Desk, new: Iterable[BaseMessage], config: RunnableConfig) -> None:
    """What the LLM node's answers report that they cost; a counter that learns learns from them."""
    counter = desk.settings.counter
    if desk.stats is None and not isinstance(counter, CalibratedCounter):
        return
    for answer in (message for message in new if isinstance(message, AIMessage)):
        if isinstance(counter, CalibratedCounter):
            counter.learn(answer)
        if desk.stats is not None and (usage := usage_of(answer)) is not None:
            desk.stats.record_usage(usage, desk.scope(config), workspace=_workspace(desk))


def record_event(desk: Desk, event: Mapping[str, Any], scope: Scope) -> None:
    """A compression among the events of a memory; what its model cost is recorded with its calls."""
    if desk.stats is None or event.get("event") != "compressed":
        return
    figures = CompressionFigures(
        event["tokens_before"], event["tokens_after"], event.get("messages", 0), event.get("strategy", "")
    )
    desk.stats.record_compression(figures, scope, workspace=_workspace(desk))


@contextmanager
def memory_calls(desk: Desk, config: RunnableConfig) -> Iterator[None]:
    """Records what the memories' own model calls inside cost."""
    if desk.stats is None:
        yield
        return
    with get_usage_metadata_callback() as calls:
        yield
    for model, reported in calls.usage_metadata.items():
        answer = AIMessage("", usage_metadata=reported, response_metadata={"model_name": model})
        if (usage := usage_of(answer)) is not None:
            desk.stats.record_usage(usage, desk.scope(config), purpose="memory", workspace=_workspace(desk))


def _workspace(desk: Desk) -> str:
    return desk.settings.workspace.name if desk.settings.workspace else ""
