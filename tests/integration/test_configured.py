"""Memories as the environment asks for them: every variable changes something, and switched off the graph still works."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.store.memory import InMemoryStore

from graph_memory import (
    ConfigurationError,
    MemorySettings,
    MemoryState,
    attach_from,
    memories_from,
)
from graph_memory.graph.node import MemoryNode
from graph_memory.settings.environment import PREFIX, VARIABLES
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import said

VALUES = {
    "ENABLED": "off",
    "BUDGET_TOKENS": "1234",
    "RESERVE_TOKENS": "7",
    "WORKSPACE": "research",
    "PRESET": "aggressive",
    "COMPRESSION_THRESHOLD": "99",
    "COMPRESSION_RATIO": "0.7",
    "COMPRESSION_STRATEGY": "deletion",
    "SHORT_TERM_SIZE": "3",
    "PRESERVE_SYSTEM_PROMPTS": "off",
    "PRESERVE_TOOL_CALLS": "off",
    "MODEL": "anthropic:claude-sonnet-4-5",
    "SUMMARY_MODEL": "openai:gpt-4o-mini",
    "TURNS": "3",
    "TOKENS": "300",
    "SECONDS": "60",
    "FLUSH_TOKENS": "50",
    "PRUNE": "on",
    "LIMIT": "9",
    "CANDIDATES": "9",
    "THRESHOLD": "0.4",
    "RERANK": "9",
    "FRESHNESS_WEIGHT": "0.4",
    "HALF_LIFE_HOURS": "9",
    "TTL_SECONDS": "99",
    "COUNTS_ACCESSES": "on",
    "MEMORIES": "buffer, vector",
    "WEIGHTS": '{"vector": 0.9}',
    "HISTORY_MIN_SHARE": "0.5",
    "MEMORY_MAX_SHARE": "0.4",
    "MODE": "sequential",
    "NAMESPACE": "settings",
    "CAPACITY": "9",
    "EVICTION": "lru",
    "REASONING_CHAIN": "off",
    "WORKING_TTL_SECONDS": "9",
    "ENTITY_TYPES": "person, ship",
    "RELATIONSHIP_TRACKING": "off",
    "MAX_TOTAL_TOKENS": "777",
    "COMPLEXITY_KEYWORDS": '{"genome": 2}',
    "COMPLEXITY_LENGTH_BANDS": "[1, 2, 3]",
    "COMPLEXITY_TURN_BANDS": "[1, 2]",
    "COMPLEXITY_THRESHOLDS": "[1, 2, 3]",
    "PROMOTION_ACCESS_THRESHOLD": "9",
    "PROMOTION_REST_HOURS": "9",
    "PROMOTION_THRESHOLD": "0.9",
    "DEMOTION_THRESHOLD": "0.1",
    "FRESHNESS_HALF_LIFE_HOURS": "9",
    "TOKENS_PER_CHAR": "0.5",
    "COMPLEXITY_MULTIPLIERS_SIMPLE": "0.9",
    "COMPLEXITY_MULTIPLIERS_MEDIUM": "0.9",
    "COMPLEXITY_MULTIPLIERS_COMPLEX": "0.9",
    "COMPLEXITY_MULTIPLIERS_EXPERT": "0.9",
}
"""A value of each variable that is not what is there without it."""

SHARED = {  # what must add up is changed together
    "TIER_ALLOCATION_": {
        "WORKING_MEMORY_PCT": "0.1",
        "PROJECT_MEMORY_PCT": "0.2",
        "LONG_TERM_MEMORY_PCT": "0.3",
        "RAG_MEMORY_PCT": "0.4",
    },
    "SCORING_WEIGHTS_": {"RELEVANCE": "0.1", "IMPORTANCE": "0.2", "FRESHNESS": "0.7"},
}
GROUPS = {prefix + name: {prefix + n: v for n, v in some.items()} for prefix, some in SHARED.items() for name in some}
CLI_ONLY = ("URL", "USER", "EMBED")
"""What says where memory is and whose, before there is a graph; see `test_the_command_line_reads_its_variables`."""

both = pytest.mark.parametrize("mode", MODES)


def settings(**variables: str) -> MemorySettings:
    """What the variables say; names without their prefix."""
    return MemorySettings.from_env({PREFIX + name: value for name, value in variables.items()})


def built(found: MemorySettings, node: Any = None, **options: Any) -> StateGraph[Any, Any, Any, Any]:
    """START → assistant → END, with the memory that settings ask for."""
    builder = StateGraph(MemoryState)
    builder.add_node("assistant", node or Assistant())
    builder.add_edge(START, "assistant")
    builder.add_edge("assistant", END)
    attach_from(builder, "assistant", found, **options)
    return builder


def made(found: MemorySettings) -> str:
    """Everything that settings decide about a graph; or why there is none."""
    try:
        builder = built(found)
    except ConfigurationError as error:
        return str(error)
    node = builder.nodes["assistant"].runnable
    if not isinstance(node, MemoryNode):
        return "no memory"
    described = asdict(node.desk.settings) | {"key": "", "counter": node.desk.settings.counter.name}
    drawn = builder.compile().get_graph(xray=True)
    return repr((described, node.desk.memories, sorted((edge.source, edge.target) for edge in drawn.edges)))


@pytest.mark.parametrize("name", sorted({name.removeprefix(PREFIX) for name in VARIABLES} - set(CLI_ONLY)))
def test_every_variable_changes_something(name: str, tmp_path: Any):
    """None is read and then forgotten."""
    file = tmp_path / "workspaces.yaml"
    file.write_text("default: {max_total_tokens: 100}")
    base = {"MODEL": "anthropic:x"} if name == "TOKENS_PER_CHAR" else {}
    values = GROUPS.get(name) or {name: str(file) if name == "WORKSPACES" else VALUES[name]}

    assert made(settings(**base, **values)) != made(settings(**base))


@both
def test_the_default_memories_are_the_references(mode: str):
    """Recent turns, summary, entities, search, work in progress, with its weights; and preferences."""
    graph = built(MemorySettings()).compile(store=InMemoryStore(), checkpointer=InMemorySaver())

    context = call(graph, mode, said("My sister Ann lives in Ghent."), in_thread())["memory_context"]

    weights = {section.memory: section.weight for section in context.sections}
    assert weights == {
        "buffer": 0.4,
        "summary": 0.2,
        "entity": 0.15,
        "vector": 0.15,
        "working": 0.1,
        "key_value": 0.1,
    }
    assert context.budget_tokens == 4000
    assert context.degradations == {}


@both
def test_switched_off_the_graph_works_as_without_memory(mode: str):
    """No memories, no nodes, and the node reads the thread."""
    node, off = Assistant(), settings(ENABLED="false")
    builder = built(off, node)
    graph = builder.compile(checkpointer=InMemorySaver())

    call(graph, mode, said("Hello"), in_thread())
    call(graph, mode, said("And now?"), in_thread())

    assert memories_from(off) == []
    assert set(builder.nodes) == {"assistant"}
    assert [message.content for message in node.messages] == ["Hello", "answer 1", "And now?"]


@both
def test_a_preset_compresses(mode: str):
    """What the variables of compression say is done."""
    few = settings(COMPRESSION_THRESHOLD="60", SHORT_TERM_SIZE="2", COMPRESSION_RATIO="0.5", MEMORIES="buffer,summary")
    graph = built(few).compile(checkpointer=InMemorySaver())
    for number in range(6):
        result = call(graph, mode, said(f"Fact {number}: " + "some words of it " * 10), in_thread())

    assert result["memory"]["assistant"]["summary"]["messages"] > 0


@both
def test_the_memories_that_are_named_are_all_there_are(mode: str):
    """Without a summary nothing is compressed, however long the thread; without entities nobody is known."""
    two = settings(MEMORIES="buffer,vector", COMPRESSION_THRESHOLD="60")
    store = InMemoryStore()
    graph = built(two).compile(checkpointer=InMemorySaver(), store=store)
    for number in range(6):
        result = call(graph, mode, said(f"Fact {number} of Ann: " + "some words of it " * 10), in_thread())

    assert set(result["memory_context"].tokens) == {"buffer", "vector", "thread", "frame"}
    assert set(result["memory"]["assistant"]) == {"buffer", "vector"}
    assert not [item for item in store.search((), limit=100) if "memory:entity:" in item.namespace]


@both
@pytest.mark.parametrize("limit", [1, 3])
def test_a_search_offers_as_many_results_as_it_may(mode: str, limit: int):
    """Of five memos that answer alike."""
    graph = built(settings(MEMORIES="vector", LIMIT=str(limit))).compile(store=InMemoryStore())
    for number in range(5):
        call(graph, mode, said(f"Ship {number} lies in the harbour."), in_thread(str(number)))

    context = call(graph, mode, said("Which ship lies in the harbour?"), in_thread("last"))["memory_context"]

    assert [len(section.snippets) for section in context.sections] == [limit]


@both
def test_tokens_are_estimated_by_the_character_as_it_is_said(mode: str):
    """For a model whose tokenizer is not at hand: half a token a character is twice as many as a quarter."""

    def tokens(per_char: str) -> int:
        found = settings(MODEL="anthropic:claude-sonnet-4-5", MEMORIES="buffer", TOKENS_PER_CHAR=per_char)
        graph = built(found).compile(store=InMemoryStore())
        context = call(graph, mode, said("word " * 400), in_thread())["memory_context"]
        return context.total_tokens

    assert 1.8 < tokens("0.5") / tokens("0.25") < 2.2


def test_a_model_is_asked_by_the_memories_that_ask_one():
    """The one that is handed over, else the one that is named; a cheaper one may write summaries."""
    named = {memory.name: memory for memory in memories_from(settings(MODEL="openai:a", SUMMARY_MODEL="openai:b"))}
    handed = {memory.name: memory for memory in memories_from(settings(MODEL="openai:a"), model="openai:c")}

    assert (models(named), models(handed)) == (
        {"summary": "openai:b", "entity": "openai:a", "key_value": "openai:a", "vector": "openai:a"},
        dict.fromkeys(("summary", "entity", "key_value", "vector"), "openai:c"),
    )


def models(memories: dict[str, Any]) -> dict[str, Any]:
    """Whom each memory asks."""
    found = {name: memories[name].model for name in ("summary", "entity", "key_value")}
    return {**found, "vector": memories["vector"].episodes.model}


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"MEMORIES": "buffer,elephant"}, "GRAPH_MEMORY_MEMORIES: 'elephant' will not do"),
        ({"MEMORIES": "buffer", "WEIGHTS": '{"vector": 1}'}, "GRAPH_MEMORY_WEIGHTS names 'vector', but the memories"),
        ({"WEIGHTS": '{"vector": -1}'}, "GRAPH_MEMORY_WEIGHTS, vector: -1 will not do"),
        ({"WEIGHTS": "{"}, "GRAPH_MEMORY_WEIGHTS: '{' will not do, it should be JSON"),
        ({"MEMORIES": "buffer,buffer"}, "two memories are named 'buffer'"),
        ({"PRESERVE_SYSTEM_PROMPTS": "no"}, "system messages are always shown whole: leave it out"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(variables: dict[str, str], told: str):
    """When the variables are read, or when the graph is built."""
    with pytest.raises(ConfigurationError) as caught:
        built(settings(**variables))

    assert told in str(caught.value)


def test_the_page_names_every_variable_and_its_code_runs():
    """docs/configuration.md; a group is written once, its endings beside it."""
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(GRAPH_MEMORY_\w+)`", page))
    for start, endings in re.findall(r"`(GRAPH_MEMORY_\w+)_…` \| (.+) \|", page):
        named |= {f"{start}_{ending}" for ending in re.findall(r"`(\w+)`", endings)}
    found: dict[str, Any] = {}

    exec(page.split("```python\n")[1].split("```")[0], found)

    assert named == set(VARIABLES)
    assert isinstance(found["builder"].nodes["assistant"].runnable, MemoryNode)
