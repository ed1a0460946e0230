"""Alerts on spending: a threshold in dollars or tokens, told once in each window of time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from graph_memory.errors import ConfigurationError
from graph_memory.stats.events import Call
from graph_memory.steps import let_through

logger = logging.getLogger("graph_memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAlert:
    """When to tell that models have cost much, and whom. At least one threshold.

    Attributes:
        dollars: US dollars from which on it is told.
        tokens: input and output tokens from which on it is told.
        hours: length of the window, after which counting begins anew; windows are aligned to midnight UTC of 1 January 1970,
            so that 24 means days. None counts for as long as the program runs.
        callback: called once in a window, in the thread that recorded the call; what it raises is logged and goes no further.
        name: how the log calls it.

    Raises:
        ConfigurationError: there is no threshold, or a number is not above zero.
    """

    dollars: float | None = None
    tokens: int | None = None
    hours: float | None = None
    callback: Callable[[Spending], object] | None = None
    name: str = "budget"

    def __post_init__(self) -> None:
        if self.dollars is None and self.tokens is None:
            raise ConfigurationError(f"alert {self.name!r} has no threshold: give dollars= or tokens=")
        for name in ("dollars", "tokens", "hours"):
            number = getattr(self, name)
            if number is not None and not number > 0:
                raise ConfigurationError(
                    f"alert {self.name!r} has {name}={number}: give a number above 0, or leave it out"
                )


@dataclass(frozen=True, slots=True)
class Spending:
    """What an alert tells: what was spent in its window so far.

    Attributes:
        alert: the alert.
        dollars: US dollars, those of models without a known price at the default one.
        tokens: input and output tokens.
        since: when the window began; None when it has no beginning.
    """

    alert: BudgetAlert
    dollars: float
    tokens: int
    since: datetime | None = None


class Watch:
    """One alert's window as it fills. Not thread-safe: whoever owns it holds a lock."""

    __slots__ = ("_alert", "_dollars", "_is_told", "_tokens", "_window")

    def __init__(self, alert: BudgetAlert) -> None:
        self._alert = alert
        self._window = 0
        self._dollars, self._tokens, self._is_told = 0.0, 0, False

    def add(self, call: Call) -> Spending | None:
        """Counts a call; what is to be told, if it crossed the threshold. A call that comes late counts in the open window."""
        if self._alert.hours is not None:
            window = int(call.at.timestamp() // (self._alert.hours * 3600))
            if window > self._window:
                self._window = window
                self._dollars, self._tokens, self._is_told = 0.0, 0, False
        self._dollars += call.cost.dollars
        self._tokens += call.usage.total_tokens
        if self._is_told or not self._is_crossed():
            return None
        self._is_told = True
        return Spending(self._alert, self._dollars, self._tokens, self._since())

    def _is_crossed(self) -> bool:
        dollars, tokens = self._alert.dollars, self._alert.tokens
        return (dollars is not None and self._dollars >= dollars) or (tokens is not None and self._tokens >= tokens)

    def _since(self) -> datetime | None:
        hours = self._alert.hours
        return None if hours is None else datetime.fromtimestamp(self._window * hours * 3600, UTC)


def tell(spending: Spending) -> None:
    """Logs what was spent and calls the alert's callback."""
    alert = spending.alert
    since = "" if spending.since is None else f" since {spending.since:%Y-%m-%d %H:%M} UTC"
    logger.warning(
        "alert %r: models have cost $%.4f and %d tokens%s", alert.name, spending.dollars, spending.tokens, since
    )
    if alert.callback is None:
        return
    try:
        alert.callback(spending)
    except Exception as exc:  # a broken callback must not cost the user the answer that was just paid for
        logger.warning("the callback of alert %r failed", alert.name, exc_info=let_through(exc))
