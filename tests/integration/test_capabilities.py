"""docs/capabilities.md is true: its names can be imported, its variables are read, its tests exist, and no setting is missing."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from graph_memory.settings.environment import VARIABLES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "capabilities.md"

SETTINGS = {
    "buffer with blocks": """
        memory_blocks name priority max_token_percentage token_limit pressure_token_limit memory_blocks_max_token_percentage
        chat_history_min_token_percentage aput aget atruncate""",
    "MemoryManager": """
        content embedding metadata timestamp source importance_score short_term working long_term episodic memory_type limit""",
    "MemoryConfig": """
        MEMORY_ENABLED MEMORY_COMPRESSION_THRESHOLD MEMORY_SHORT_TERM_SIZE MEMORY_COMPRESSION_RATIO MEMORY_COMPRESSION_STRATEGY
        MEMORY_PRESERVE_SYSTEM_PROMPTS max_context_tokens compression_threshold enable_compression max_size compression_ratio
        compression_strategy preserve_tool_calls actual_tokens PRICING current_tokens total_cost compression_count net_savings
        savings_percentage net_cost was_compressed_last_iteration last_compression_savings""",
    "MemoryBudgetAllocator": """
        workspace_id max_total_tokens working_memory_pct project_memory_pct long_term_memory_pct rag_memory_pct
        complexity_multipliers.simple complexity_multipliers.medium complexity_multipliers.complex complexity_multipliers.expert
        scoring_weights.relevance scoring_weights.importance scoring_weights.freshness relevance_weight importance_weight
        freshness_weight freshness.half_life_hours freshness_half_life_hours promotion.threshold promotion_threshold
        promotion.access_threshold promotion_access_threshold demotion.threshold demotion_threshold tokens_per_char memory_id text
        tier timestamp user_id metadata relevance_score importance_score freshness_score combined_score token_count access_count
        last_accessed promotion_score register_workspace estimate_query_complexity calculate_memory_score
        allocate_memory_budget evaluate_promotion_demotion get_allocation_statistics export_allocation_log""",
    "memory_implementations": """
        redis_url supabase_url supabase_key openai_api_key google_api_key window_size window_type ttl_seconds buffer_window_size
        summary_context_weight max_total_tokens embedding_model summarization_model similarity_threshold max_results
        capacity_limit
        eviction_policy enable_reasoning_chain namespace serialize_json entity_types relationship_tracking enabled_memories
        parallel_queries cross_memory_links default_context_priority recent_conversation summary entities vector_search
        working_memory session_id user_id query""",
}
"""The configuration keys of the five documents, by a word in the title of their table."""


def tables() -> dict[str, list[list[str]]]:
    """Title of a table to its rows of three cells."""
    found: dict[str, list[list[str]]] = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, body = part.partition("\n")
        lines = [line for line in body.splitlines() if line.startswith("|")][2:]
        found[title] = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return found


ROWS = [row for rows in tables().values() for row in rows]


def quoted(pattern: str) -> list[str]:
    """What stands in backticks in the second and third cells and begins like that, each once."""
    return sorted({name for row in ROWS for cell in row[1:] for name in re.findall(rf"`({pattern}[^`]*)`", cell)})


@cache
def names_in(path: Path) -> frozenset[str]:
    """The names of a file's tests."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def part_of(value: Any, name: str) -> Any:
    """An attribute, or a field that has no value in the class.

    Raises:
        AttributeError: there is neither.
    """
    if dataclasses.is_dataclass(value) and name in {field.name for field in dataclasses.fields(value)}:
        return None
    if inspect.isclass(value) and issubclass(value, BaseModel) and name in value.model_fields:
        return None
    return getattr(value, name)


def imported(name: str) -> Any:
    """What a dotted name leads to: modules first, then attributes.

    Raises:
        AttributeError: nothing.
    """
    parts = name.split(".")
    value: Any = import_module(parts[0])
    for end, part in enumerate(parts[1:], 2):
        try:
            value = part_of(value, part)
        except AttributeError:
            if not inspect.ismodule(value):
                raise
            value = import_module(".".join(parts[:end]))
    return value


def test_every_row_says_where_and_names_a_test():
    """No row without a proof; no heading twice in a table."""
    assert len(tables()) == len(SETTINGS)
    assert all(len(row) == 3 and all(row) for row in ROWS)
    assert all("::" in row[2] for row in ROWS)
    for rows in tables().values():
        assert len({row[0] for row in rows}) >= len(rows) - 1  # one document speaks of row-level security twice


@pytest.mark.parametrize("name", quoted("tests/"))
def test_every_named_test_exists(name: str):
    """In the file that is named."""
    path, _, test = name.partition("::")

    assert test in names_in(ROOT / path)


@pytest.mark.parametrize("name", quoted(r"graph_memory\."))
def test_every_named_object_can_be_imported(name: str):
    """Modules, classes, their options and methods."""
    imported(name)


def test_every_named_variable_is_read():
    """By `MemorySettings.from_env`."""
    named = quoted("GRAPH_MEMORY_")

    assert named
    assert set(named) <= set(VARIABLES)


@pytest.mark.parametrize("document", SETTINGS)
def test_every_setting_has_a_row(document: str):
    """Under its own name, in the table of its document."""
    [rows] = [rows for title, rows in tables().items() if document in title]
    named = {name for row in rows for name in re.findall(r"`([\w.]+)`", row[0])}

    assert set(SETTINGS[document].split()) - named == set()


@pytest.mark.parametrize("name", quoted("(?:benchmarks|examples|sql)/"))
def test_every_named_file_exists(name: str):
    """Benchmarks and examples, relative to the project."""
    assert (ROOT / name).exists()


def test_links_of_the_page_lead_somewhere():
    """Relative to the page."""
    for target in re.findall(r"\]\((?!http)([^)#]+)", PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / target).exists(), target
