"""Lifecycle inside graphs: episodes over several turns, access counts, consolidation as a node and on a schedule, forks."""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, ConfigurationError, Scope, VectorMemory, forget, search
from graph_memory.lifecycle import (
    ConsolidationReport,
    access_node,
    aconsolidate_every,
    consolidate_every,
    consolidation_node,
    statistics,
)
from tests.fakes import MODES, Assistant, BrokenStore, call, in_thread
from tests.graphs import plain
from tests.said import ADA, STORES, items_of, said, store_of, tell

LATELY = datetime.now(UTC)


def human(text: str, **ago: float) -> dict[str, Any]:
    """The input of a turn that was said some time ago."""
    return {"messages": [HumanMessage(text, additional_kwargs={"said_at": (LATELY - timedelta(**ago)).isoformat()})]}


def answering(*ago: dict[str, float]) -> Assistant:
    """A node whose answers are as old as the questions."""
    return Assistant(
        [AIMessage("Indeed.", additional_kwargs={"said_at": (LATELY - timedelta(**step)).isoformat()}) for step in ago]
    )


def episodes(store: Any) -> list[str]:
    """The texts of ada's episodes."""
    return [one.memo.text for one in search(Scope("ada"), "", store=store, kinds=["episode"], limit=100)]


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("mode", MODES)
def test_coming_back_after_a_pause_makes_an_episode_of_what_was_before(kind: str, mode: str):
    """And a question about it is answered with the episode, however long the thread is."""
    with store_of(kind) as store:
        node = answering({"days": 9}, {"days": 9}, {"days": 2})
        graph = plain(node, [VectorMemory()]).compile(checkpointer=InMemorySaver(), store=store)
        for text, days in (("My sister lives in Ghent.", 9), ("She is called Ann.", 9), ("My dog is ill.", 2)):
            call(graph, mode, human(text, days=days), in_thread())
        made = episodes(store)
        call(graph, mode, {"messages": [HumanMessage("What did we talk about nine days ago?")]}, in_thread())

    assert len(made) == 1
    assert "Ghent" in made[0]
    assert "[session of 4 messages" in node.text


@pytest.mark.parametrize("mode", MODES)
def test_a_fork_has_the_episode_of_its_own_line(mode: str):
    """What an abandoned line said is in no episode of the line that goes on."""
    store, saver = InMemoryStore(), InMemorySaver()
    node = answering({"days": 9}, {"days": 9}, {"days": 9}, {"days": 2})
    graph = plain(node, [VectorMemory()]).compile(checkpointer=saver, store=store)
    call(graph, mode, human("My sister lives in Ghent.", days=9), in_thread())
    before = graph.get_state(in_thread()).config
    call(graph, mode, human("She sells secret cheese.", days=9), in_thread())
    forked = {"configurable": {**in_thread()["configurable"], **before["configurable"]}}
    call(graph, mode, human("She sells shoes.", days=9), forked)
    call(graph, mode, human("My dog is ill.", days=2), in_thread())

    [made] = episodes(store)
    assert "shoes" in made
    assert "cheese" not in made


@pytest.mark.parametrize("mode", MODES)
def test_an_access_node_counts_what_was_shown(mode: str):
    """After the answer, without a change of state."""
    store = InMemoryStore()
    tell(store, [[said("My sister lives in Ghent.", LATELY - timedelta(days=1), "h1")]])
    builder = plain(Assistant(), [VectorMemory()])
    builder.add_node("count", access_node())
    builder.add_edge("assistant", "count")
    graph = builder.compile(store=store)

    call(graph, mode, {"messages": [HumanMessage("Where does my sister live?")]}, in_thread("other"))

    counts = {key: value["count"] for (where, key), value in items_of(store).items() if "accesses" in where[3]}
    assert list(counts.values()) == [1]


class Reporting(MessagesState):
    """A state with room for a report."""

    report: ConsolidationReport


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize("mode", MODES)
def test_consolidation_is_a_node(mode: str, dry: bool):
    """Of the run's user, in the graph's store; a dry run unless it is told otherwise."""
    store = InMemoryStore()
    tell(store, [[said("Hello!", LATELY - timedelta(days=9 - i), f"h{i}")] for i in range(3)])
    before = items_of(store)
    builder = StateGraph(Reporting)
    builder.add_node("tidy", consolidation_node(dry_run=dry, report_key="report"))
    builder.add_edge(START, "tidy")
    builder.add_edge("tidy", END)
    graph = builder.compile(store=store)

    report = call(graph, mode, {"messages": []}, in_thread())["report"]

    assert report.counts["merged"] == 2
    assert (items_of(store) == before) is dry


@pytest.mark.parametrize("mode", MODES)
def test_a_consolidation_node_wants_to_know_whose(mode: str):
    """One sentence, not an empty report."""
    builder = StateGraph(MessagesState).add_node("tidy", consolidation_node()).add_edge(START, "tidy")

    with pytest.raises(ConfigurationError, match="give a user_id"):
        call(builder.compile(store=InMemoryStore()), mode, {"messages": []}, in_thread(user_id=None))


def test_a_process_consolidates_again_and_again_until_it_is_stopped(caplog: pytest.LogCaptureFixture):
    """A failure is logged, and the next round tries again."""
    failures, stop = iter([True, False]), threading.Event()
    store = BrokenStore(lambda op: False)
    tell(store, [[said("Hello!", LATELY - timedelta(days=9 - i), f"h{i}")] for i in range(3)])
    store.breaks = lambda op: next(failures, False)
    rounds = iter(range(3))

    def users() -> list[str]:
        if next(rounds) == 2:
            stop.set()
        return ["ada"]

    with caplog.at_level(logging.WARNING, logger="graph_memory"):
        consolidate_every(store, users, every_seconds=0.01, dry_run=False, stop=stop)

    assert len(search(ADA, "", store=store, kinds=["message"])) == 1
    assert "tried again later" in caplog.text


def test_a_task_consolidates_until_it_is_cancelled():
    """The same, awaiting."""
    store = InMemoryStore()
    tell(store, [[said("Hello!", LATELY - timedelta(days=9 - i), f"h{i}")] for i in range(3)])

    async def for_a_while() -> None:
        task = asyncio.create_task(aconsolidate_every(store, ["ada"], every_seconds=60, dry_run=False))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(for_a_while())
    assert len(search(ADA, "", store=store, kinds=["message"])) == 1
    with pytest.raises(ConfigurationError, match="every_seconds is 0"):
        consolidate_every(store, ["ada"], every_seconds=0)


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("mode", MODES)
def test_forgetting_leaves_nothing_of_all_this(kind: str, mode: str):
    """Memos, episodes, archives, access counts, slots of commits, and more than a page of them."""
    with store_of(kind) as store:
        builder = plain(Assistant(), [BufferMemory(), VectorMemory()])
        builder.add_node("count", access_node())
        builder.add_edge("assistant", "count")
        graph = builder.compile(checkpointer=InMemorySaver(), store=store)
        for user in ("ada", "ad"):
            for days in (9, 2):
                call(graph, mode, human("My sister lives in Ghent.", days=days), in_thread(user, user_id=user))
        tell(store, [[said(f"Line {i}.", LATELY, f"m{i}")] for i in range(600)])
        everything, theirs = len(store.search((), limit=10_000)), len(items_of(store))
        counted = statistics(store, "ada")

        assert forget(store, "ada") == theirs == counted.items
        assert not items_of(store)
        assert statistics(store, "ada").items == 0
        assert len(store.search((), limit=10_000)) == everything - theirs
        if kind == "sqlite":
            assert not store.list_namespaces(prefix=("graph_memory", "user:ada:"))


def test_statistics_count_by_kind_memory_session_and_namespace():
    """With the oldest and the newest."""
    store = InMemoryStore()
    old, new = LATELY - timedelta(days=9), LATELY - timedelta(days=2)
    tell(store, [[said("Hello!", old, "h1", session="s1")], [said("Hello again!", new, "h2", session="s2")]])

    counted = statistics(store, "ada")

    assert (counted.items, counted.memos, counted.archived_turns) == (4, 3, 0)
    assert counted.kinds == {"message": 2, "episode": 1}
    assert counted.memories == {"vector": 3}
    assert {name: one.memos for name, one in counted.sessions.items()} == {"s1": 2, "s2": 1}
    assert (counted.oldest, counted.newest) == (old, new)
    assert sum(counted.namespaces.values()) == 4
    assert statistics(store, "nobody").oldest is None


@pytest.mark.parametrize("mode", MODES)
def test_statistics_count_the_turns_of_each_thread(mode: str):
    """Those that the buffer archived."""
    store = InMemoryStore()
    graph = plain(Assistant(), [BufferMemory()]).compile(store=store, checkpointer=InMemorySaver())
    for thread in ("one", "two", "one"):
        call(graph, mode, {"messages": [HumanMessage("Hello!")]}, in_thread(thread))

    counted = statistics(store, "ada")

    assert (counted.threads, counted.archived_turns) == ({"one": 2, "two": 1}, 3)
