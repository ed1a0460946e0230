"""Statistics: what was recorded adds up, by scope and window of time; the report reads as at the end of a run."""

from __future__ import annotations

import copy
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, Context, Line, Scope, Section, VectorMemory, get_context
from graph_memory.context.costs import Price, Usage
from graph_memory.errors import ConfigurationError
from graph_memory.stats import CompressionFigures, Granted, ShareTotals, Stats, StatsReport

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
ADA, BOB = Scope("ada", "t1"), Scope("bob", "t2", "planner")
DOLLAR = {"dollar": Price(1.0, 1.0), "free": Price(0.0, 0.0)}


def context(total: int = 300, budget: int = 1000, **more) -> Context:
    """A context of two memories, weighted 3 to 1."""
    sections = (Section("buffer", weight=3.0), Section("vector", weight=1.0))
    tokens = {"buffer": total - 60, "vector": 40, "thread": 15, "frame": 5}
    lines = (Line("buffer", "1", "secret", 10, True, "newest"), Line("vector", "2", "secret", 10, False, "over budget"))
    return Context((), budget, total, tokens, lines, sections, **more)


def test_the_report_of_nothing_is_all_zeros():
    """No division by zero, and nothing to alarm anybody."""
    assert Stats().get_stats() == StatsReport()
    assert "Net savings: 0 tokens (0.0%)" in Stats().get_stats().render()


def test_totals_of_the_log_equal_the_contexts():
    """Tokens by memory add up to the contexts' totals."""
    stats = Stats()
    for total in (200, 300, 400):
        stats.record_context(context(total), ADA)

    report = stats.get_stats()

    assert (report.contexts, report.context_tokens, report.average_context_tokens) == (3, 900, 300.0)
    assert sum(share.tokens for share in report.memories.values()) == 900
    assert report.budget_utilisation == pytest.approx(0.3)
    assert (report.current_tokens, report.current_budget_tokens) == (400, 1000)


def test_totals_equal_a_real_context():
    """What `get_context` made is taken in as it is."""
    made = get_context(
        [BufferMemory(), VectorMemory()],
        ADA,
        "and now?",
        store=InMemoryStore(),
        messages=[HumanMessage("hello"), AIMessage("good day")],
        budget_tokens=500,
    )
    stats = Stats()

    decision = stats.record_context(made, ADA)

    assert sum(one.tokens for one in decision.memories.values()) == made.total_tokens
    assert decision.kept + decision.dropped == len(made.lines)
    assert decision.memories["buffer"].allowed_tokens + decision.memories["vector"].allowed_tokens == 500


def test_utilisation_is_of_a_memorys_share():
    """A share is weight over the sum of weights; what is no memory has none."""
    stats = Stats()
    stats.record_context(context(300, elapsed_ms={"vector": 4.0}, degradations={"vector": "late"}, complexity="simple"))
    stats.record_context(context(300, elapsed_ms={"vector": 2.0}, complexity="expert"))

    report = stats.get_stats()

    assert report.memories["buffer"] == ShareTotals(2, 480, 1500, 0.32, 0.0)
    assert report.memories["vector"] == ShareTotals(2, 80, 500, 0.16, 3.0)
    assert report.memories["thread"].allowed_tokens == 0
    assert report.degradations == {"vector": 1}
    assert report.complexity == {"expert": 1, "simple": 1}


def test_tiers_have_their_own_figures():
    """Used of allowed, as the memories."""
    stats = Stats()
    stats.record_context(context(), tiers={"working": Granted(83, 100), "rag": Granted(300, 200)})

    assert stats.get_stats().tiers["working"].utilisation == pytest.approx(0.83)
    assert stats.get_stats().tiers["rag"].utilisation == pytest.approx(1.5)


def test_savings_are_net_of_what_memory_cost():
    """1,000 tokens would have been sent, 300 were, and a summary took 150."""
    stats = Stats(prices=DOLLAR)
    stats.record_context(context(300), full_tokens=1000)
    stats.record_context(context(500))
    stats.record_usage(Usage(1_000_000, 0, model="dollar"))
    stats.record_usage(Usage(100, 50, model="dollar"), purpose="memory")

    report = stats.get_stats()

    assert report.net_savings_tokens == 700 - 150
    assert report.net_savings_percent == pytest.approx(55.0)
    assert report.net_savings_dollars == pytest.approx((700 - 150) / 1e6)
    assert report.full_tokens == 1000


def test_compressions_are_counted_with_their_calls():
    """A compression's model calls are memory's own, and counted once."""
    stats = Stats(prices=DOLLAR)
    stats.record_compression(CompressionFigures(10_000, 3_000, 30, "selective", (Usage(100, 20, model="dollar"),)), ADA)

    report = stats.get_stats(user_id="ada")

    assert (report.compressions, report.compressed_messages) == (1, 30)
    assert (report.compressed_tokens_before, report.compressed_tokens_after) == (10_000, 3_000)
    assert (report.memory.calls, report.memory.total_tokens, report.total_tokens) == (1, 120, 120)
    assert CompressionFigures(10_000, 3_000).ratio == 0.3
    assert CompressionFigures(0, 0).ratio == 1.0


def test_costs_are_kept_by_model_and_purpose():
    """Cached input, estimates and unknown prices are told."""
    stats = Stats(prices=DOLLAR)
    stats.record_usage(Usage(100, 10, 40, model="dollar"))
    stats.record_usage(Usage(100, 10, model="nobody-knows-me", is_estimated=True), purpose="memory")

    report = stats.get_stats()

    assert report.cache_share == pytest.approx(0.2)
    assert report.answers.total_tokens == report.models["dollar"].total_tokens == 110
    assert report.total_dollars == pytest.approx(110e-6 + (100 * 0.55 + 10 * 2.19) / 1e6)
    assert report.unpriced_models == report.estimated_models == ("nobody-knows-me",)


def test_a_report_is_of_the_part_that_was_asked_for():
    """By workspace, user, agent and thread; nobody else's figures are in it."""
    stats = Stats(prices=DOLLAR)
    stats.record_context(context(100), ADA, workspace="research")
    stats.record_context(context(200), BOB)
    stats.record_context(context(400), Scope("ada", "t3"))

    totals = [
        stats.get_stats(**part).context_tokens
        for part in (
            {},
            {"user_id": "ada"},
            {"user_id": "bob"},
            {"thread_id": "t1"},
            {"agent": "planner"},
            {"workspace": "research"},
            {"workspace": ""},
            {"user_id": "ada", "thread_id": "t2"},
        )
    ]

    assert totals == [700, 500, 200, 100, 200, 100, 600, 0]
    assert stats.get_stats(user_id="ada").current_tokens == 400


def test_a_window_holds_what_happened_in_it():
    """The last hours up to `now`, and all time without."""
    stats = Stats()
    for hours in (30, 23, 1):
        stats.record_context(context(100 + hours), ADA, at=NOW - timedelta(hours=hours))

    assert stats.get_stats(hours=24, now=NOW).context_tokens == 123 + 101
    assert stats.get_stats(hours=24, now=NOW, user_id="bob").contexts == 0
    assert stats.get_stats().contexts == 3
    assert stats.get_stats(hours=1).contexts == 0


def test_what_was_let_go_is_said():
    """Totals stay; a window that reaches behind the kept events is not complete, a shorter one is."""
    stats = Stats(events=2)
    for hours in (3, 2, 1):
        stats.record_context(context(100), ADA, at=NOW - timedelta(hours=hours))

    assert (stats.get_stats().contexts, stats.get_stats().is_complete) == (3, True)
    assert (stats.get_stats(hours=4, now=NOW).contexts, stats.get_stats(hours=4, now=NOW).is_complete) == (2, False)
    assert stats.get_stats(hours=2.5, now=NOW).is_complete
    assert "are a part" in stats.get_stats(hours=4, now=NOW).render()


def test_scopes_are_bounded():
    """The scope that was not written to for longest goes first, and reports by scope say so."""
    stats = Stats(scopes=2)
    for name in ("a", "b", "a", "c"):
        stats.record_context(context(100), Scope(name))

    contexts = {name: stats.get_stats(user_id=name).contexts for name in "abc"}

    assert contexts == {"a": 2, "b": 0, "c": 1}
    assert not stats.get_stats(user_id="a").is_complete
    assert stats.get_stats().contexts == 4


def test_threads_lose_nothing():
    """Eight threads record at once; every figure arrives."""
    stats = Stats(prices=DOLLAR, events=100)

    def work(index: int) -> None:
        stats.record_context(context(100), Scope(f"user-{index % 7}"))
        stats.record_usage(Usage(10, 1, model="dollar"), Scope(f"user-{index % 7}"))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(400)))
    finally:
        sys.setswitchinterval(before)

    assert (stats.get_stats().contexts, stats.get_stats().total_tokens) == (400, 4400)
    assert sum(stats.get_stats(user_id=f"user-{index}").contexts for index in range(7)) == 400


def test_a_run_ends_with_its_figures():
    """What is printed at the end of a run."""
    stats = Stats(prices=DOLLAR)
    stats.record_context(context(300, degradations={"vector": "late"}, complexity="medium"), full_tokens=1200)
    stats.record_usage(Usage(40_000, 5_234, 10_000, model="dollar"))
    stats.record_compression(CompressionFigures(10, 5, usages=(Usage(90, 10, model="x", is_estimated=True),)))
    stats.record_context(context(300), tiers={"working": Granted(50, 100)})

    assert stats.get_stats().render().splitlines() == [
        "--- Memory statistics ---",
        "Current tokens: 300 of 1,000",
        "Total tokens: 45,334 (estimated: counted here for x)",
        "Compressions: 1",
        "Net savings: 800 tokens (66.7%)",
        "Total cost: $0.0453 (estimated: default price for x)",
        "Memory's own cost: $0.0001 (100 tokens)",
        "Cached input: 24.9%",
        "Contexts: 2, 300 tokens on average, 30.0% of the budget",
        "Complexity: medium 1",
        "Memory buffer: 480 tokens of 1,500 (32.0%)",
        "Memory frame: 10 tokens",
        "Memory thread: 30 tokens",
        "Memory vector: 80 tokens of 500 (16.0%)",
        "Tier working: 50 tokens of 100 (50.0%)",
        "Degraded: vector 1",
    ]


def test_decisions_are_logged_without_text(caplog):
    """One line for people, more for those who debug; no word of what was remembered."""
    caplog.set_level(logging.DEBUG, logger="graph_memory")

    Stats().record_context(context(complexity="complex"), workspace="research", tiers={"rag": Granted(5, 10)})

    assert "context: workspace research, complexity complex, 300 of 1000 tokens, 1 of 2 candidates" in caplog.text
    assert "memory buffer: 240 of 750 tokens" in caplog.text
    assert "tier rag: 5 of 10 tokens" in caplog.text
    assert "secret" not in caplog.text


def test_without_a_price_list_a_run_goes_on(monkeypatch, caplog):
    """The default price is taken, flagged, and the pip command is said once."""
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    stats = Stats()
    for _ in range(3):
        stats.record_usage(Usage(1_000_000, 0, model="gpt-4o"))

    assert stats.get_stats().total_dollars == pytest.approx(1.65)
    assert stats.get_stats().unpriced_models == ("gpt-4o",)
    assert caplog.text.count("graph-memory[costs]") == 1


def test_a_copied_builder_shares_its_statistics():
    """People deepcopy graph builders."""
    stats = Stats()

    assert copy.deepcopy(stats) is stats


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Stats(events=0), "at least one"),
        (lambda: Stats(scopes=0), "at least one"),
        (lambda: Stats().get_stats(hours=0), "hours=0"),
        (lambda: Stats().record_usage(Usage(1, 1), purpose="fun"), "'answer' or 'memory'"),
    ],
)
def test_mistakes_are_told(wrong, words):
    """One clear sentence each."""
    with pytest.raises(ConfigurationError, match=words):
        wrong()
