"""Statistics under arbitrary records: sums are sums, windows and scopes partition them, and an export holds them all."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.context.costs import Price, Usage
from graph_memory.stats import CompressionFigures, Stats
from graph_memory.types import Context, Scope, Section

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
PRICES = {"cheap": Price(1.0, 2.0, 0.5)}

numbers = st.integers(0, 10**6)
scopes = st.builds(Scope, st.sampled_from([None, "", "ada", "a.b", "*", "\ud800"]), st.sampled_from([None, "1", "2"]))
places = st.fixed_dictionaries(
    {
        "scope": scopes,
        "workspace": st.sampled_from(["", "research"]),
        "at": st.integers(0, 48).map(lambda hours: NOW - timedelta(hours=hours)),
    }
)


def _context(tokens: dict[str, int], budget: int, complexity: str) -> Context:
    sections = tuple(Section(name) for name in tokens)
    return Context((), budget, sum(tokens.values()), tokens, sections=sections, complexity=complexity)


def _usage(plain: int, cached: int, out: int, model: str) -> Usage:
    return Usage(plain + cached, out, cached, model=model)


contexts = st.builds(
    _context,
    st.dictionaries(st.sampled_from(["buffer", "vector", "thread"]), numbers, min_size=1),
    numbers,
    st.sampled_from(["", "simple", "expert"]),
)
usages = st.builds(_usage, numbers, numbers, numbers, st.sampled_from(["cheap", "unknown", ""]))
compressions = st.builds(CompressionFigures, numbers, numbers, numbers, usages=st.lists(usages, max_size=2).map(tuple))
records = st.lists(
    st.tuples(contexts, places, st.none() | numbers)
    | st.tuples(usages, places, st.sampled_from(["answer", "memory"]))
    | st.tuples(compressions, places, st.none()),
    max_size=30,
)


def recorded(some, **options) -> Stats:
    """Statistics of the records."""
    stats = Stats(prices=PRICES, **options)
    for what, place, more in some:
        if isinstance(what, Context):
            stats.record_context(what, full_tokens=more, **place)
        elif isinstance(what, Usage):
            stats.record_usage(what, purpose=more, **place)
        else:
            stats.record_compression(what, **place)
    return stats


def of(some, kind):
    """The records of one kind."""
    return [one for one in some if isinstance(one[0], kind)]


@given(records)
def test_totals_are_the_sums_of_what_was_recorded(some):
    """However few events and scopes are kept."""
    report = recorded(some, events=3, scopes=1).get_stats()

    made, packed = of(some, Context), of(some, CompressionFigures)
    calls = [one[0] for one in of(some, Usage)] + [usage for one in packed for usage in one[0].usages]
    own = [one[0] for one in of(some, Usage) if one[2] == "memory"] + [u for one in packed for u in one[0].usages]
    saved = sum(full - one.total_tokens for one, _, full in made if full is not None)
    assert report.contexts == len(made)
    assert report.context_tokens == sum(one[0].total_tokens for one in made)
    assert sum(share.tokens for share in report.memories.values()) == report.context_tokens
    assert sum(report.complexity.values()) == sum(bool(one[0].complexity) for one in made)
    assert report.total_tokens == sum(usage.total_tokens for usage in calls)
    assert sum(model.total_tokens for model in report.models.values()) == report.total_tokens
    assert sum(model.dollars for model in report.models.values()) == pytest.approx(report.total_dollars)
    assert report.net_savings_tokens == saved - sum(usage.total_tokens for usage in own)
    assert report.compressed_tokens_before == sum(one[0].tokens_before for one in packed)
    assert 0 <= report.cache_share <= 1


@given(records)
def test_scopes_partition_the_totals(some):
    """What every user has, taken together, is what all have; nobody's figures are in another's report."""
    stats = recorded(some)

    users = {place["scope"].user_id for _, place, _ in some}
    named = {user: stats.get_stats(user_id=user) for user in users if user is not None}
    for user, report in named.items():
        assert report.context_tokens == sum(
            one.total_tokens for one, place, _ in of(some, Context) if place["scope"].user_id == user
        )
    assert (
        sum(stats.get_stats(workspace=name).total_tokens for name in ("", "research")) == stats.get_stats().total_tokens
    )


@given(records, st.integers(1, 60))
def test_a_window_is_the_sum_of_what_happened_in_it(some, hours):
    """After its start, and until now."""
    report = recorded(some).get_stats(hours=hours, now=NOW)

    inside = [one for one, place, _ in of(some, Context) if place["at"] > NOW - timedelta(hours=hours)]
    assert report.context_tokens == sum(one.total_tokens for one in inside)
    assert report.is_complete


@given(records)
def test_a_window_over_all_is_the_whole_report(some):
    """The events alone give the same figures as the running sums."""
    stats = recorded(some)

    windowed, total = stats.get_stats(hours=100, now=NOW), stats.get_stats()

    assert windowed.to_value() == total.to_value()


@given(records, st.integers(1, 10))
def test_a_window_says_whether_it_is_complete(some, kept):
    """Complete means that no event of the window was let go."""
    stats, some = recorded(some, events=kept), of(some, Context)

    report = stats.get_stats(hours=24, now=NOW)

    if report.is_complete:
        inside = [one for one, place, _ in some if place["at"] > NOW - timedelta(hours=24)]
        assert report.contexts == len(inside)


@given(records)
def test_an_export_holds_everything(some):
    """Read back, its events add up to its report, which is the report."""
    stats = recorded(some)

    value = json.loads(stats.to_json())

    assert value["report"] == json.loads(json.dumps(stats.get_stats().to_value()))
    assert value["events_are_complete"]
    assert sum(one["total_tokens"] for one in value["decisions"]) == value["report"]["context_tokens"]
    spent = sum(one["cost"]["input_dollars"] + one["cost"]["output_dollars"] for one in value["calls"])
    assert spent == pytest.approx(value["report"]["total_dollars"])
    assert len(value["compressions"]) == value["report"]["compressions"]
    assert {datetime.fromisoformat(one["at"]) for one in value["decisions"]} == {
        place["at"] for _, place, _ in of(some, Context)
    }


def test_an_export_replaces_the_file_whole(tmp_path):
    """The file is what `to_json` gives, and nothing else lies beside it."""
    stats, path = recorded([]), tmp_path / "stats.json"
    path.write_text("old")
    stats.record_usage(Usage(1, 2, model="cheap"), Scope("ada"))

    stats.export(path)

    assert path.read_text() == stats.to_json()
    assert os.listdir(tmp_path) == ["stats.json"]


def test_a_failed_export_leaves_the_old_file(tmp_path, monkeypatch):
    """A full disk costs nobody the figures of yesterday."""
    path = tmp_path / "stats.json"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        Stats().export(path)

    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["stats.json"]
