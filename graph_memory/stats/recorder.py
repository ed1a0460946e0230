"""The recorder: it takes in contexts, model calls and compressions from any thread, and answers with reports.

Totals are kept for ever. By workspace and scope they are kept for the newest `scopes`, and the events themselves, which
windows of time and exports are made of, for the newest `events`; a report that is no longer whole says so (`is_complete`).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from graph_memory.context.costs import Cost, Price, Usage, cost_of, default_cost
from graph_memory.errors import ConfigurationError, MissingExtraError
from graph_memory.stats.alerts import BudgetAlert, Watch, tell
from graph_memory.stats.book import EVERYTHING, Book, Filter, window_report
from graph_memory.stats.events import (
    PURPOSES,
    Call,
    Compressed,
    CompressionFigures,
    Decision,
    Event,
    Granted,
    Purpose,
    decision_of,
)
from graph_memory.stats.export import as_json, write_whole
from graph_memory.stats.report import StatsReport
from graph_memory.types import Context, Scope, utc

logger = logging.getLogger("graph_memory")

NOBODY = Scope()
_NO_TIERS: Mapping[str, Granted] = {}


class Stats:
    """Records what memory uses, saves and costs. Thread-safe. It never fails a run for want of a price list.

    Args:
        prices: prices of one's own by model; "default" is for models on no list.
        alerts: what to tell about spending.
        events: how many of the newest events are kept.
        scopes: how many workspaces × scopes have totals of their own.

    Raises:
        ConfigurationError: `events` or `scopes` is below one.
    """

    def __init__(
        self,
        *,
        prices: Mapping[str, Price] | None = None,
        alerts: Iterable[BudgetAlert] = (),
        events: int = 5_000,
        scopes: int = 1_000,
    ) -> None:
        if events < 1 or scopes < 1:
            raise ConfigurationError(f"events={events} and scopes={scopes}: statistics keep at least one of each")
        self._prices = dict(prices or {})
        self._watches = [Watch(alert) for alert in alerts]
        self._book = Book(events, scopes)
        self._is_warned = False
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: object) -> Stats:
        """Itself: figures are shared, and their lock cannot be copied (people deepcopy graph builders)."""
        return self

    def record_context(
        self,
        context: Context,
        scope: Scope = NOBODY,
        *,
        workspace: str = "",
        full_tokens: int | None = None,
        tiers: Mapping[str, Granted] = _NO_TIERS,
        at: datetime | None = None,
    ) -> Decision:
        """Takes in an assembled context.

        Args:
            context: the context; its text is not kept.
            scope: whose it is.
            workspace: by whose rules it was made.
            full_tokens: what the whole history would have cost instead, by the same counter; without it no savings.
            tiers: what each tier used, where tiers are used.
            at: when; now when left out.
        """
        decision = decision_of(
            context, at=_moment(at), scope=scope, workspace=workspace, full_tokens=full_tokens, tiers=tiers
        )
        self._record(decision)
        _log(decision)
        return decision

    def record_usage(
        self,
        usage: Usage,
        scope: Scope = NOBODY,
        *,
        purpose: Purpose = "answer",
        workspace: str = "",
        at: datetime | None = None,
    ) -> Cost:
        """Takes in a model call, and tells the alerts. Without `genai-prices` it is priced by the default.

        Args:
            usage: its tokens.
            scope, workspace, at: as for `record_context`.
            purpose: "answer" for the LLM node's calls, "memory" for memory's own.

        Raises:
            ConfigurationError: the purpose is another.
        """
        if purpose not in PURPOSES:
            raise ConfigurationError(f"purpose is {purpose!r}: choose 'answer' or 'memory'")
        moment = _moment(at)
        cost = self._cost(usage, moment)
        self._record(Call(moment, scope, workspace, purpose, usage, cost))
        return cost

    def record_compression(
        self,
        compression: CompressionFigures,
        scope: Scope = NOBODY,
        *,
        workspace: str = "",
        at: datetime | None = None,
    ) -> None:
        """Takes in a compression and its model calls; those are not to be recorded again."""
        moment = _moment(at)
        costs = [
            self.record_usage(usage, scope, purpose="memory", workspace=workspace, at=moment)
            for usage in compression.usages
        ]
        dollars = sum(cost.dollars for cost in costs)
        self._record(Compressed(moment, scope, workspace, compression, dollars))
        logger.info(
            "compression: %d messages, %d to %d tokens (%.1f %%), $%.4f",
            compression.messages,
            compression.tokens_before,
            compression.tokens_after,
            compression.ratio * 100,
            dollars,
        )

    def get_stats(
        self,
        *,
        workspace: str | None = None,
        user_id: str | None = None,
        agent: str | None = None,
        thread_id: str | None = None,
        hours: float | None = None,
        now: datetime | None = None,
    ) -> StatsReport:
        """The report on everything, or on a part.

        Args:
            workspace, user_id, agent, thread_id: only what was recorded for these; None takes all.
            hours: only what happened in the last so many hours; None: since the beginning.
            now: the end of that window; the present when left out.

        Raises:
            ConfigurationError: `hours` is not above zero.
        """
        if hours is not None and not hours > 0:
            raise ConfigurationError(f"hours={hours}: give a number above 0, or leave it out for all time")
        wanted = Filter(workspace, user_id, agent, thread_id)
        with self._lock:
            if hours is None:
                return self._book.report(wanted)
            events, lost_until = self._book.events(), self._book.lost_until
        end = _moment(now)
        return window_report(events, wanted, end - timedelta(hours=hours), end, lost_until=lost_until)

    def to_json(self) -> str:
        """Everything as JSON: the report on all time, and the events that are kept, oldest first. Ids, but no texts."""
        with self._lock:
            report, events, lost_until = self._book.report(EVERYTHING), self._book.events(), self._book.lost_until
        return as_json(report, events, is_complete=lost_until is None)

    def export(self, path: str | os.PathLike[str]) -> None:
        """Writes `to_json` to a file, whole or not at all: a reader sees the old file or the new one.

        Raises:
            OSError: the folder is missing, or cannot be written to.
        """
        write_whole(Path(path), self.to_json())

    def _cost(self, usage: Usage, at: datetime) -> Cost:
        try:
            return cost_of(usage, overrides=self._prices, at=at)
        except MissingExtraError as exc:
            if not self._is_warned:
                self._is_warned = True
                logger.warning("costs are reckoned by the default price: %s", exc)
            return default_cost(usage, overrides=self._prices)

    def _record(self, event: Event) -> None:
        with self._lock:
            self._book.add(event)
            crossed = [watch.add(event) for watch in self._watches] if isinstance(event, Call) else []
        for spending in crossed:
            if spending is not None:
                tell(spending)


def _moment(at: datetime | None) -> datetime:
    return datetime.now(UTC) if at is None else utc(at)


def _log(decision: Decision) -> None:
    logger.info(
        "context: workspace %s, complexity %s, %d of %d tokens, %d of %d candidates, slowest memory %.1f ms",
        decision.workspace or "default",
        decision.complexity or "not estimated",
        decision.total_tokens,
        decision.budget_tokens,
        decision.kept,
        decision.kept + decision.dropped,
        max(decision.elapsed_ms.values(), default=0.0),
    )
    if logger.isEnabledFor(logging.DEBUG):
        for kind, shares in (("memory", decision.memories), ("tier", decision.tiers)):
            for name, share in shares.items():
                logger.debug("%s %s: %d of %d tokens", kind, name, share.tokens, share.allowed_tokens)
