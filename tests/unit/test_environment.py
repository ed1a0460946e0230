"""Settings from the environment: every one of them, presets, overrides of the workspace, and mistakes by variable."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_memory.context.workspaces import WORKSPACES
from graph_memory.errors import ConfigurationError
from graph_memory.settings import MemorySettings
from graph_memory.settings.environment import PREFIX, VARIABLES

COMPRESSION = ("compression_threshold", "compression_ratio", "short_term_size", "compression_strategy")


def settings(**variables: str) -> MemorySettings:
    """What the variables say; names without their prefix."""
    return MemorySettings.from_env({PREFIX + name: value for name, value in variables.items()})


def test_an_empty_environment_is_the_references_defaults():
    """Memory is on, compression as balanced, nothing is said about the rest."""
    plain = MemorySettings.from_env({"PATH": "/bin", "MEMORY_ENABLED": "false"})

    assert plain == MemorySettings()
    assert plain.model_fields_set == set()
    assert plain.enabled
    assert [getattr(plain, name) for name in COMPRESSION] == [40_000, 0.3, 20, "sliding_window"]
    assert (plain.preserve_system_prompts, plain.preserve_tool_calls) == (True, True)
    assert plain.chosen_workspace() == WORKSPACES["default"]


@pytest.mark.parametrize(
    ("preset", "values"),
    [
        ("aggressive", [30_000, 0.2, 10, "sliding_window"]),
        ("balanced", [40_000, 0.3, 20, "sliding_window"]),
        ("conservative", [60_000, 0.5, 20, "selective"]),
    ],
)
def test_a_preset_sets_compression(preset, values):
    """From the environment and from code alike."""
    assert [getattr(settings(PRESET=preset), name) for name in COMPRESSION] == values
    assert [getattr(MemorySettings(preset=preset), name) for name in COMPRESSION] == values


def test_a_variable_has_the_last_word_over_a_preset():
    """And both count as given."""
    given_settings = settings(PRESET="aggressive", SHORT_TERM_SIZE="7")

    assert [getattr(given_settings, name) for name in COMPRESSION] == [30_000, 0.2, 7, "sliding_window"]
    assert given_settings.model_fields_set == {"preset", *COMPRESSION}


@pytest.mark.parametrize(
    ("text", "enabled"), [("false", False), ("0", False), ("off", False), ("TRUE", True), ("1", True)]
)
def test_memory_is_switched_on_and_off(text, enabled):
    """However people write it."""
    assert settings(ENABLED=text).enabled is enabled


def test_every_field_has_its_variable():
    """Nothing can be set in code only."""
    fields = {PREFIX + name.upper() for name in MemorySettings.model_fields} - {PREFIX + "OVERRIDES"}

    assert fields <= set(VARIABLES)
    assert len(VARIABLES) == len(set(VARIABLES))


def test_values_are_read_by_their_type():
    """Whole numbers, fractions, names; blanks around them do not matter, and an empty variable is not set."""
    read = settings(
        TURNS=" 5 ", TTL_SECONDS="3600", THRESHOLD="0.4", LIMIT="20", EMBED="openai:x", MODEL=" ", PRUNE="no"
    )

    assert (read.turns, read.ttl_seconds, read.threshold, read.limit) == (5, 3600, 0.4, 20)
    assert (read.embed, read.model, read.prune) == ("openai:x", None, False)
    assert "model" not in read.model_fields_set


def test_the_workspace_is_chosen_and_overridden():
    """Its settings have the names of the YAML file, joined by underscores; lists and mappings are JSON."""
    chosen = settings(
        WORKSPACE="research",
        MAX_TOTAL_TOKENS="100",
        PROMOTION_THRESHOLD="0.9",
        COMPLEXITY_KEYWORDS='{"genome": 2}',
        COMPLEXITY_THRESHOLDS="[1, 2, 3]",
    ).chosen_workspace()

    research = WORKSPACES["research"]
    rules = replace(research.complexity_rules, user_keywords={"genome": 2}, thresholds=(1, 2, 3))
    moves = replace(research.tier_rules, promotion_threshold=0.9)
    assert chosen == replace(research, max_tokens=100, tier_rules=moves, complexity_rules=rules)


def test_workspaces_come_from_the_file_that_is_named(tmp_path):
    """Variables have the last word over it."""
    path = tmp_path / "ws.yaml"
    path.write_text("mine: {max_total_tokens: 100, tokens_per_char: 0.5}")

    chosen = settings(WORKSPACES=str(path), WORKSPACE="mine", MAX_TOTAL_TOKENS="200").chosen_workspace()

    assert (chosen.name, chosen.max_tokens, chosen.tokens_per_char) == ("mine", 200, 0.5)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ENABLED", "maybe", "GRAPH_MEMORY_ENABLED: 'maybe' will not do, it should be a valid boolean"),
        ("BUDGET_TOKENS", "0", "GRAPH_MEMORY_BUDGET_TOKENS: '0' will not do, it should be greater than 0"),
        ("BUDGET_TOKENS", "4k", "GRAPH_MEMORY_BUDGET_TOKENS: '4k' will not do"),
        ("PRESET", "wild", "GRAPH_MEMORY_PRESET: 'wild' will not do, it should be 'aggressive', 'balanced' or"),
        ("COMPRESSION_STRATEGY", "zip", "GRAPH_MEMORY_COMPRESSION_STRATEGY: 'zip' will not do"),
        ("COMPRESSION_RATIO", "1.5", "GRAPH_MEMORY_COMPRESSION_RATIO: '1.5' will not do"),
        ("MEMORIES", "bogus", "GRAPH_MEMORY_MEMORIES: 'bogus' will not do"),
        ("WEIGHTS", '{"bufer": 1}', "GRAPH_MEMORY_WEIGHTS: 'bufer' will not do"),
        ("THRESHOLD", "nan", "GRAPH_MEMORY_THRESHOLD: 'nan' will not do"),
        ("MAX_TOTAL_TOKENS", "-1", "GRAPH_MEMORY_MAX_TOTAL_TOKENS: '-1' will not do"),
        ("FRESHNESS_HALF_LIFE_HOURS", "0", "GRAPH_MEMORY_FRESHNESS_HALF_LIFE_HOURS: '0' will not do"),
        ("COMPLEXITY_KEYWORDS", '{"a":', "GRAPH_MEMORY_COMPLEXITY_KEYWORDS: '{\"a\":' will not do, it should be JSON"),
        ("COMPLEXITY_THRESHOLDS", "3", "GRAPH_MEMORY_COMPLEXITY_THRESHOLDS: '3' will not do"),
        ("SCORING_WEIGHTS_RELEVANCE", "0.9", "GRAPH_MEMORY_SCORING_WEIGHTS_…: scoring weights add up to 1.4"),
        ("WORKSPACE", "mine", "there is no workspace 'mine': choose from default"),
        ("WORKSPACES", "/nope/ws.yaml", "/nope/ws.yaml cannot be read"),
    ],
)
def test_a_mistake_names_its_variable(name, value, told):
    """Some of them are seen when the workspace is looked up."""
    with pytest.raises(ConfigurationError) as caught:
        settings(**{name: value}).chosen_workspace()

    assert told in str(caught.value)


def test_a_misspelt_variable_is_named_in_a_warning(caplog):
    """Others that begin alike, such as those of Kubernetes, are left alone."""
    with caplog.at_level(logging.WARNING, "graph_memory"):
        settings(BUDGET_TOKEN="100", SERVICE_HOST="10.0.0.1", PORT_80_TCP="tcp://10.0.0.1:80", SOAK="1")

    assert caplog.messages == [
        "GRAPH_MEMORY_BUDGET_TOKEN is set but not known: did you mean GRAPH_MEMORY_BUDGET_TOKENS?"
    ]


@given(environ=st.dictionaries(st.sampled_from(VARIABLES), st.text(max_size=8) | st.integers().map(str), max_size=5))
def test_any_environment_is_settings_or_one_clear_error(environ):
    """Nothing else is ever raised."""
    try:
        told = MemorySettings.from_env(environ).chosen_workspace().name
    except ConfigurationError as error:
        told = str(error)

    assert told
    assert "\n" not in told
