"""Alerts on spending: each is told once in its window, whatever its callback does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.errors import GraphInterrupt

from graph_memory.context.costs import Price, Usage
from graph_memory.errors import ConfigurationError
from graph_memory.stats import BudgetAlert, Stats

PRICES = {"dollar": Price(1.0, 1.0)}
MIDNIGHT = datetime(2026, 1, 2, tzinfo=UTC)
MILLION = Usage(1_000_000, 0, model="dollar")


def test_an_alert_is_told_once(caplog):
    """At the call that reaches the threshold, and not again."""
    told = []
    stats = Stats(prices=PRICES, alerts=[BudgetAlert(dollars=2.0, callback=told.append, name="daily")])
    for _ in range(4):
        stats.record_usage(MILLION)

    assert [(one.dollars, one.tokens, one.since) for one in told] == [(2.0, 2_000_000, None)]
    assert caplog.text.count("alert 'daily': models have cost $2.0000 and 2000000 tokens") == 1


def test_tokens_have_thresholds_too():
    """Memory's own calls count as well."""
    told = []
    stats = Stats(prices=PRICES, alerts=[BudgetAlert(tokens=100, callback=told.append)])
    stats.record_usage(Usage(50, 49, model="dollar"))
    stats.record_usage(Usage(1, 0, model="dollar"), purpose="memory")

    assert [one.tokens for one in told] == [100]


def test_a_new_window_begins_anew():
    """A day's spending is told once a day, and counted from midnight."""
    told = []
    stats = Stats(prices=PRICES, alerts=[BudgetAlert(dollars=2.0, hours=24, callback=told.append)])
    for hours in (1, 2, 3, 23, 25, 26, 49):
        stats.record_usage(MILLION, at=MIDNIGHT + timedelta(hours=hours))

    assert [one.since for one in told] == [MIDNIGHT, MIDNIGHT + timedelta(days=1)]
    assert [one.dollars for one in told] == [2.0, 2.0]


def test_a_clock_that_goes_back_opens_no_old_window():
    """A call that comes late counts in the window that is open."""
    told = []
    stats = Stats(prices=PRICES, alerts=[BudgetAlert(dollars=2.0, hours=24, callback=told.append)])
    stats.record_usage(MILLION, at=MIDNIGHT + timedelta(hours=1))
    stats.record_usage(MILLION, at=MIDNIGHT - timedelta(hours=1))
    stats.record_usage(MILLION, at=MIDNIGHT + timedelta(hours=2))

    assert [one.since for one in told] == [MIDNIGHT]


def test_several_alerts_watch_by_themselves():
    """Each has its threshold and its window."""
    told = []
    alerts = [BudgetAlert(dollars=n, name=str(n), callback=lambda spent: told.append(spent.alert.name)) for n in (3, 1)]
    stats = Stats(prices=PRICES, alerts=alerts)
    for _ in range(3):
        stats.record_usage(MILLION)

    assert told == ["1", "3"]


def test_a_broken_callback_costs_nobody_the_answer(caplog):
    """Its error is logged and goes no further."""

    def broken(_: object) -> None:
        raise RuntimeError("no mail today")

    stats = Stats(prices=PRICES, alerts=[BudgetAlert(tokens=1, callback=broken)])
    stats.record_usage(MILLION)

    assert stats.get_stats().total_tokens == 1_000_000
    assert "the callback of alert 'budget' failed" in caplog.text


def test_an_interrupt_passes_through():
    """A callback may stop the graph as LangGraph's nodes do."""

    def stop(_: object) -> None:
        raise GraphInterrupt

    stats = Stats(prices=PRICES, alerts=[BudgetAlert(tokens=1, callback=stop)])
    with pytest.raises(GraphInterrupt):
        stats.record_usage(MILLION)


def test_a_callback_may_ask_the_statistics():
    """No lock is held while it runs."""
    seen = []
    stats = Stats(prices=PRICES, alerts=[BudgetAlert(tokens=1, callback=lambda _: seen.append(stats.get_stats()))])
    worker = threading.Thread(target=stats.record_usage, args=(MILLION,), daemon=True)
    worker.start()
    worker.join(timeout=10)

    assert [report.total_tokens for report in seen] == [1_000_000]


def test_threads_are_told_once():
    """A hundred calls at once, one alert."""
    told = []
    stats = Stats(prices=PRICES, alerts=[BudgetAlert(dollars=50, callback=told.append)])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: stats.record_usage(MILLION), range(100)))

    assert len(told) == 1


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 1_000)), max_size=40), st.integers(1, 2_000))
def test_a_window_is_told_exactly_when_it_was_reached(calls, threshold):
    """In order of time: once for every window whose sum reaches the threshold."""
    told = []
    stats = Stats(prices=PRICES, alerts=[BudgetAlert(tokens=threshold, hours=10, callback=told.append)])
    sums: dict[int, int] = {}
    for hour, tokens in sorted(calls):
        sums[hour // 10] = sums.get(hour // 10, 0) + tokens
        stats.record_usage(Usage(tokens, 0, model="dollar"), at=datetime.fromtimestamp(0, UTC) + timedelta(hours=hour))

    assert len(told) == sum(total >= threshold for total in sums.values())


@pytest.mark.parametrize(
    "wrong", [{}, {"dollars": 0}, {"tokens": -1}, {"dollars": 1, "hours": 0}, {"dollars": float("nan")}]
)
def test_mistakes_are_told(wrong):
    """An alert without a threshold, or with one that is always crossed."""
    with pytest.raises(ConfigurationError, match="alert 'budget' has"):
        BudgetAlert(**wrong)
