"""Consolidation without being asked: as a node of a graph, or again and again in a process.

On a LangGraph server, put `consolidation_node` into a graph of its own, name that graph in `langgraph.json`, and let the server
run it by a cron of its SDK, with the user in the config:
`client.crons.create("consolidation", schedule="0 3 * * *", input={}, config={"configurable": {"user_id": "ada"}})`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import get_runtime

from graph_memory.errors import ConfigurationError, GraphMemoryError
from graph_memory.graph.recalling import tell
from graph_memory.graph.runnables import GraphStep
from graph_memory.graph.scope import scope_of
from graph_memory.lifecycle.consolidation import consolidating
from graph_memory.lifecycle.rules import ConsolidationReport, ConsolidationRules
from graph_memory.memories.vector import VectorMemory
from graph_memory.steps import Steps, arun, run

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

logger = logging.getLogger("graph_memory")

Users = Iterable[str] | Callable[[], Iterable[str]]
"""User ids, or what gives them anew each time."""


def consolidation_node(
    *,
    dry_run: bool = True,
    memory: VectorMemory | None = None,
    rules: ConsolidationRules | None = None,
    report_key: str | None = None,
) -> GraphStep:
    """A graph's node that consolidates the memory of the run's user in the graph's store.

    What it did is told to whoever streams "custom".

    Args:
        dry_run: whether to change nothing.
        memory: the vector memory; the default one when left out.
        rules: what may be done.
        report_key: the state key that takes the `ConsolidationReport`; None leaves the state alone.

    Raises:
        ConfigurationError: when it runs, without a user id.
    """

    def steps(config: RunnableConfig) -> Steps[ConsolidationReport]:
        user_id = scope_of(config, get_runtime()).user_id
        if user_id is None:
            raise ConfigurationError(
                'whose memory is to be consolidated? give a user_id: config={"configurable": {"user_id": ...}}'
            )
        return _body(user_id, dry_run, memory, rules)

    def update(report: ConsolidationReport) -> dict[str, Any]:
        tell({"event": "consolidated", "is_dry": report.is_dry, "memos": report.memos, **report.counts})
        return {report_key: report} if report_key else {}

    def call(state: Any, config: RunnableConfig) -> dict[str, Any]:
        return update(run(steps(config), store=get_runtime().store))

    async def acall(state: Any, config: RunnableConfig) -> dict[str, Any]:
        return update(await arun(steps(config), store=get_runtime().store))

    return GraphStep(call, acall, name="consolidate")


def consolidate_every(
    store: BaseStore,
    users: Users,
    *,
    every_seconds: float,
    dry_run: bool = True,
    memory: VectorMemory | None = None,
    rules: ConsolidationRules | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Consolidates these users' memory now and every `every_seconds`, until `stop` is set; run it in a thread.

    A user whose memory fails is logged, and tried again the next time.

    Raises:
        ConfigurationError: `every_seconds` is not above 0.
    """
    _check(every_seconds)
    stop = stop or threading.Event()
    while not stop.is_set():
        for user_id in _ids(users):
            if stop.is_set():
                return
            try:
                _told(run(_body(user_id, dry_run, memory, rules), store=store))
            except GraphMemoryError as exc:
                logger.warning("consolidation failed, it is tried again later: %s", exc)
        stop.wait(every_seconds)


async def aconsolidate_every(
    store: BaseStore,
    users: Users,
    *,
    every_seconds: float,
    dry_run: bool = True,
    memory: VectorMemory | None = None,
    rules: ConsolidationRules | None = None,
) -> None:
    """`consolidate_every` as a task, until it is cancelled.

    Raises:
        ConfigurationError: `every_seconds` is not above 0.
    """
    _check(every_seconds)
    while True:
        for user_id in _ids(users):
            try:
                _told(await arun(_body(user_id, dry_run, memory, rules), store=store))
            except GraphMemoryError as exc:
                logger.warning("consolidation failed, it is tried again later: %s", exc)
        await asyncio.sleep(every_seconds)


def _body(
    user_id: str, dry_run: bool, memory: VectorMemory | None, rules: ConsolidationRules | None
) -> Steps[ConsolidationReport]:
    return consolidating(user_id, dry_run, memory or VectorMemory(), rules or ConsolidationRules(), datetime.now(UTC))


def _ids(users: Users) -> list[str]:
    return list(users() if callable(users) else users)


def _told(report: ConsolidationReport) -> None:
    logger.info("consolidated %s memos: %s", report.memos, report.counts)


def _check(every_seconds: float) -> None:
    if not every_seconds > 0:
        raise ConfigurationError(f"every_seconds is {every_seconds}: give seconds above 0")
