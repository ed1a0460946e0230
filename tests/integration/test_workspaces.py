"""A workspace's policy in a graph: the budget follows the question, tiers share it, statistics add up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, ConfigurationError, VectorMemory, orchestrator
from graph_memory.context.calibration import CalibratedCounter
from graph_memory.context.complexity import ComplexityEstimate
from graph_memory.context.workspaces import WORKSPACES, Multipliers, TierShares, Workspace
from graph_memory.memories.tiering import by_workspace
from graph_memory.stats import Stats
from graph_memory.types import Section, Snippet
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import plain, said

both = pytest.mark.parametrize("mode", MODES)
SMALL = Workspace(name="small", max_tokens=200)
NOW = datetime(2025, 5, 1, tzinfo=UTC)


def reporting(text: str, tokens: int = 100) -> AIMessage:
    """An answer that says what it cost."""
    usage: Any = {"input_tokens": 10 * tokens, "output_tokens": tokens, "total_tokens": 11 * tokens}
    return AIMessage(text, usage_metadata=usage, response_metadata={"model_name": "gpt-4o-mini"})


@both
@pytest.mark.parametrize(
    ("question", "complexity", "budget"),
    [("Hi", "simple", 100), ("How do I use the parser in this code?", "medium", 200), ("x " * 40, "medium", 200)],
)
def test_the_budget_follows_the_question(mode: str, question: str, complexity: str, budget: int):
    """A greeting gets half of the workspace's tokens, a usual question all of them."""
    graph = plain(Assistant(), workspace=SMALL).compile(store=InMemoryStore())

    context = call(graph, mode, said(question), in_thread())["memory_context"]

    assert (context.complexity, context.budget_tokens, context.workspace) == (complexity, budget, "small")
    assert context.total_tokens <= budget


def test_the_hard_budget_caps_the_workspace():
    """An expert's question does not raise what the caller allowed."""
    expert = plain(
        Assistant(),
        workspace="research",
        estimator=lambda query, *, turns, needs_retrieval: ComplexityEstimate("expert"),
    )

    context = call(expert.compile(), "invoke", said("anything"), in_thread())["memory_context"]

    assert (context.complexity, context.budget_tokens) == ("expert", 1000)


def test_what_must_be_shown_may_take_up_to_the_hard_budget():
    """A long question does not fail because it looked simple."""
    tiny = Workspace(name="tiny", max_tokens=40, multipliers=Multipliers(simple=1))
    graph = plain(Assistant(), workspace=tiny).compile()

    context = call(graph, "invoke", said("word " * 200), in_thread())["memory_context"]

    assert 40 < context.total_tokens <= context.budget_tokens == 1000


def test_the_window_stays_when_the_questions_complexity_changes():
    """The history's share is reckoned from what every question gets, so providers' prompt caches hit (law 8)."""
    assistant = Assistant()
    graph = plain(assistant, [BufferMemory(), VectorMemory()], workspace="conversation", budget_tokens=4000)
    compiled = graph.compile(store=InMemoryStore(), checkpointer=InMemorySaver())
    starts = []
    for text in ["Hi", "Explain and compare the architecture, and analyze why it differs", "Thanks"]:
        call(compiled, "invoke", said(text), in_thread())
        starts.append(assistant.messages[0].content)

    assert starts == ["Hi"] * 3


def test_an_unknown_workspace_is_refused_by_name():
    """A mistyped preset names those that there are."""
    with pytest.raises(ConfigurationError, match="choose from default, development"):
        plain(Assistant(), workspace="reserch")


def test_scores_weigh_importance_and_freshness():
    """The policy, not the search alone, says what is shown first."""
    old = Snippet("old", score=0.9, said_at=datetime(2020, 1, 1, tzinfo=UTC), importance=0.2)
    new = Snippet("new", score=0.5, said_at=NOW, importance=0.9)

    [section] = by_workspace([Section("vector", (old, new))], [VectorMemory()], WORKSPACES["default"], NOW)

    scores = {snippet.text: round(snippet.score, 3) for snippet in section.snippets}
    assert scores == {"old": round(0.9 * 0.5 + 0.2 * 0.3, 3), "new": round(0.5 * 0.5 + 0.9 * 0.3 + 0.2, 3)}
    assert section.snippets[1].parts == {"relevance": 0.5, "importance": 0.9, "freshness": 1.0}


def test_a_section_is_split_by_its_memos_tiers():
    """A memo that was promoted draws on the share of its tier."""
    snippets = (Snippet("a", tier="project"), Snippet("b", tier="long_term"), Snippet("c"))
    shares = TierShares(working=0.4, project=0.3, long_term=0.2, rag=0.1)

    sections = by_workspace(
        [Section("vector", snippets)], [VectorMemory()], Workspace(name="w", tier_shares=shares), NOW
    )

    assert [([s.text for s in one.snippets], round(one.weight, 3)) for one in sections] == [
        (["a"], 0.3),
        (["b", "c"], 0.2),
    ]


@both
def test_statistics_add_up(mode: str):
    """Every call's context, what the answers cost, and the tiers."""
    stats = Stats()
    graph = plain(Assistant([reporting("one"), reporting("two")]), workspace="default", stats=stats)
    compiled = graph.compile(store=InMemoryStore(), checkpointer=InMemorySaver())

    contexts = [call(compiled, mode, said(text), in_thread())["memory_context"] for text in ("Hello you", "And now?")]

    report = stats.get_stats(user_id="ada", workspace="default")
    assert report.contexts == 2
    assert report.context_tokens == sum(context.total_tokens for context in contexts)
    assert report.answers.output_tokens == 200
    assert report.total_dollars > 0
    assert set(contexts[-1].tiers) == {"rag", "long_term", "project", "working"}
    assert contexts[-1].tiers["working"].tokens == contexts[-1].tokens["buffer"]


@both
def test_an_orchestrator_by_itself_keeps_statistics_too(mode: str):
    """Whoever places it hands it the recorder."""
    stats = Stats()
    graph = orchestrator([BufferMemory(), VectorMemory()], budget_tokens=500, stats=stats, store=InMemoryStore())

    call(graph, mode, said("Hello"), in_thread())

    assert stats.get_stats().contexts == 1


@both
def test_a_counter_learns_from_what_answers_report(mode: str):
    """Estimates for a provider without a tokenizer get better while the graph runs."""
    counter = CalibratedCounter("gemini-2.5-flash")
    answer = "some words of an answer " * 40
    graph = plain(Assistant([reporting(answer, len(answer) // 3)] * 12), counter=counter).compile()

    for _ in range(12):
        call(graph, mode, said("Hello"), in_thread())

    assert counter.calibration.characters_per_token("gemini-2.5-flash") < 4
