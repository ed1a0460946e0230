"""Workspaces from YAML: the reference's names, what is left out, and every mistake with its line."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.context.workspaces import WORKSPACES, Workspace
from graph_memory.errors import ConfigurationError, MissingExtraError
from graph_memory.settings import load_workspaces
from graph_memory.settings.specs import Mistake, spec_of

REFERENCE = """
default:
  workspace_id: default
  max_total_tokens: 8192
  tier_allocation:
    working_memory_pct: 0.30
    project_memory_pct: 0.25
    long_term_memory_pct: 0.20
    rag_memory_pct: 0.25
  complexity_multipliers:
    simple: 0.5
    medium: 1.0
    complex: 1.5
    expert: 2.0
  scoring_weights:
    relevance: 0.5
    importance: 0.3
    freshness: 0.2
  freshness:
    half_life_hours: 168.0
  promotion:
    threshold: 0.8
    access_threshold: 3
  demotion:
    threshold: 0.3
  tokens_per_char: 0.25
"""


@pytest.fixture
def load(tmp_path: Path):
    """The workspaces of a text."""

    def loaded(text: str | bytes) -> dict[str, Workspace]:
        path = tmp_path / "ws.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_workspaces(path)

    return loaded


def test_the_reference_file_is_the_default(load):
    """Its every number is our default."""
    assert load(REFERENCE) == WORKSPACES


def test_every_setting_is_read(load):
    """Under the reference's names, and ours for what it has none."""
    mine = load("""
mine:
  max_total_tokens: 100
  tokens_per_char: 0.5
  tier_allocation: {working_memory_pct: 0.1, project_memory_pct: 0.2, long_term_memory_pct: 0.3, rag_memory_pct: 0.4}
  complexity_multipliers: {simple: 1, medium: 2, complex: 3, expert: 4}
  scoring_weights: {relevance: 0.2, importance: 0.2, freshness: 0.6}
  freshness: {half_life_hours: 9}
  promotion: {threshold: 0.9, access_threshold: 7, rest_hours: 5}
  demotion: {threshold: 0.1}
  complexity: {keywords: {genome: 2, how: 0}, length_bands: [1, 2], turn_bands: [3], thresholds: [4, 5, 6]}
""")["mine"]

    assert (mine.name, mine.max_tokens, mine.tokens_per_char) == ("mine", 100, 0.5)
    assert mine.tier_shares.by_tier() == {"rag": 0.4, "long_term": 0.3, "project": 0.2, "working": 0.1}
    assert [mine.multipliers.of(level) for level in ("simple", "medium", "complex", "expert")] == [1, 2, 3, 4]
    scoring, rules = mine.scoring, mine.tier_rules
    assert (scoring.relevance, scoring.importance, scoring.freshness, scoring.half_life_hours) == (0.2, 0.2, 0.6, 9)
    assert (rules.promotion_threshold, rules.promotion_accesses, rules.demotion_threshold) == (0.9, 7, 0.1)
    assert rules.rest_hours == 5
    complexity = mine.complexity_rules
    assert complexity.user_keywords == {"genome": 2, "how": 0}
    assert (complexity.length_bands, complexity.turn_bands, complexity.thresholds) == ((1, 2), (3,), (4, 5, 6))


def test_what_is_left_out_stays_as_in_the_preset_of_that_name(load):
    """A file need only say what differs; other presets are there as ever."""
    found = load("research: {max_total_tokens: 32768}\nmine: {tokens_per_char: 0.5, promotion: }\nbare:")

    assert found["research"] == replace(WORKSPACES["research"], max_tokens=32768)
    assert found["mine"] == replace(WORKSPACES["default"], name="mine", tokens_per_char=0.5)
    assert found["bare"] == replace(WORKSPACES["default"], name="bare")
    assert found["conversation"] == WORKSPACES["conversation"]


def test_an_empty_file_leaves_the_presets(load):
    """It says nothing."""
    assert load("") == load("# later\n") == WORKSPACES


def test_a_workspace_may_be_made_of_another(load):
    """By YAML's own merge key."""
    found = load("base: &b {max_total_tokens: 100}\nother: {<<: *b, tokens_per_char: 0.5}")

    assert (found["other"].max_tokens, found["other"].tokens_per_char) == (100, 0.5)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a:\n  colour: red", "ws.yaml, line 2: a.colour: there is no such setting; known are workspace_id, max_total"),
        (
            "a:\n  freshness:\n    half: 1",
            "line 3: a.freshness.half: there is no such setting; known are half_life_hours",
        ),
        ("a:\n\n  tier_allocation:\n    rag_memory_pct: 0.5", "line 3: a.tier_allocation: tier shares add up to 1.25"),
        ("a:\n  scoring_weights: {relevance: 0.9}", "line 2: a.scoring_weights: scoring weights add up to 1.4"),
        ("a:\n  freshness:\n    half_life_hours: -1", "line 3: a.freshness.half_life_hours: -1 will not do, it should"),
        ("a:\n  freshness:\n    half_life_hours: .nan", "line 3: a.freshness.half_life_hours: nan will not do"),
        ("a:\n  max_total_tokens: 0", "line 2: a.max_total_tokens: 0 will not do"),
        ("a:\n  max_total_tokens: yes", "line 2: a.max_total_tokens: True will not do"),
        ("a:\n  max_total_tokens: '8192'", "line 2: a.max_total_tokens: '8192' will not do, it should be a valid int"),
        ("a:\n  tokens_per_char: 0", "line 2: a.tokens_per_char: 0 will not do"),
        ("a:\n  demotion: {threshold: 0.9}", "line 2: a.demotion: the demotion threshold is 0.9"),
        ("a:\n  promotion: {threshold: 0.2}", "line 2: a.promotion: the demotion threshold is 0.3"),
        ("a:\n  complexity: {thresholds: [1, x, 3]}", "line 2: a.complexity.thresholds.1: 'x' will not do"),
        ("a:\n  complexity: {thresholds: [3, 1, 2]}", "line 2: a.complexity: thresholds of complexity are"),
        ("a:\n  complexity: {keywords: {1: 2}}", "line 2: a.complexity.keywords.1: 1 will not do"),
        ("a:\n  freshness: 3", "line 2: a.freshness: expected settings below it: half_life_hours"),
        ("a: 1", "line 1: a: expected settings below it: workspace_id"),
        ("a: {}\nb: {workspace_id: c}", "line 2: b.workspace_id: it says 'c' under another name"),
        ("a: {}\n\na: {}", "ws.yaml, line 3: a is there twice"),
        ("a:\n  promotion:\n    threshold: 1\n    threshold: 1", "line 4: a.promotion.threshold is there twice"),
        ("1: {}", "line 1: 1: a workspace's name must be text"),
        ("[a, b]", "ws.yaml: expected names of workspaces"),
        ("a: {b\n", "ws.yaml is not YAML (line 2)"),
        ("a: !!python/name:os.system", "ws.yaml is not YAML (line 1)"),
        (b"\xff\xfe\x00", "ws.yaml is not YAML"),
        ("a: &a [*a]", "line 1: a: expected settings below it"),
        ("a: &a {freshness: *a}", "a.freshness"),
        ("a: " + "[" * 3000, "ws.yaml is not YAML"),
        ("? [1]\n: 3", "ws.yaml is not YAML"),
    ],
)
def test_a_mistake_is_told_with_its_line(load, text, told):
    """One sentence: the file, the line, the keys that lead there, what is wrong."""
    with pytest.raises(ConfigurationError) as caught:
        load(text)

    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_aliases_of_aliases_are_refused_in_no_time(load):
    """Nine levels of nine unfold into 387 million."""
    levels = ["a0: &a0 [x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10))]

    with pytest.raises(ConfigurationError, match="expected settings below it"):
        load("\n".join(levels))


def test_a_file_that_is_not_there_is_named(tmp_path):
    """With the path, for it came from a setting."""
    with pytest.raises(ConfigurationError, match=r"nope\.yaml cannot be read: No such file"):
        load_workspaces(tmp_path / "nope.yaml")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_workspaces(tmp_path)


def test_without_pyyaml_the_command_that_helps_is_named(load, monkeypatch):
    """It is an optional package."""
    monkeypatch.setitem(sys.modules, "yaml", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'graph-memory\[cli\]'"):
        load("a: {}")


names = st.sampled_from(
    ["max_total_tokens", "freshness", "half_life_hours", "promotion", "threshold", "complexity", "x"]
)
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
described = st.recursive(leaves, lambda inner: st.dictionaries(names, inner, max_size=4) | st.lists(inner, max_size=3))


@given(raw=st.dictionaries(names, described, max_size=4), as_text=st.booleans())
def test_any_description_is_a_workspace_or_a_mistake(raw, as_text):
    """Nothing else is ever raised, whatever somebody wrote."""
    try:
        told = spec_of(raw, as_text=as_text).over(WORKSPACES["default"]).name
    except Mistake as mistake:
        told = mistake.sentence

    assert told
