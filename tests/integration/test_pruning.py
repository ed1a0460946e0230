"""Pruning: the channel stays small, the node's window the same, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import RemoveMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, VectorMemory, forget
from tests.fakes import MODES, Assistant, BrokenStore, call, in_thread, words_counter
from tests.graphs import archived, plain, said

pytestmark = pytest.mark.parametrize("mode", MODES)


def test_pruning_keeps_the_channel_small_and_loses_nothing(mode: str) -> None:
    """With prune=True the channel holds the newest turns, the node its window, and the archive everything."""
    pruning, plainly = Assistant(), Assistant()
    store = InMemoryStore()
    options: dict[str, Any] = {"budget_tokens": 120, "counter": words_counter()}
    graph = plain(pruning, [BufferMemory(prune=True)], **options).compile(checkpointer=InMemorySaver(), store=store)
    whole = plain(plainly, [BufferMemory()], **options).compile(checkpointer=InMemorySaver())

    for turn in range(12):
        call(graph, mode, said(f"turn {turn} " + "word " * 10), in_thread())
        call(whole, mode, said(f"turn {turn} " + "word " * 10), in_thread())

    assert len(graph.get_state(in_thread()).values["messages"]) == 4
    assert len(set(archived(store))) == len(archived(store)) == 24
    assert [m.content for m in pruning.messages] == [m.content for m in plainly.messages]
    assert len(pruning.messages) > 5


def test_a_pruned_thread_forked_in_the_past_has_the_window_of_then(mode: str) -> None:
    """The window's keys are checkpointed: an abandoned future is not in the history of a fork."""
    node = Assistant()
    graph = plain(node, [BufferMemory(prune=True)]).compile(checkpointer=InMemorySaver(), store=InMemoryStore())
    for turn in range(4):
        call(graph, mode, said(f"turn {turn}"), in_thread())
    past = next(
        s for s in graph.get_state_history(in_thread()) if not s.next and s.values["messages"][-2].text == "turn 1"
    )

    call(graph, mode, said("another turn 2"), in_thread(**past.config["configurable"]))

    assert [m.content for m in node.messages] == ["turn 0", "answer 1", "turn 1", "answer 2", "another turn 2"]


def test_a_thread_that_was_there_before_its_memory_is_archived_before_it_is_pruned(mode: str) -> None:
    """Nothing lost: old messages that no memory ever saw are archived first."""
    saver, store = InMemorySaver(), InMemoryStore()
    bare = StateGraph(MessagesState).add_node("assistant", Assistant()).add_edge(START, "assistant")
    for turn in range(12):
        call(bare.compile(checkpointer=saver), mode, said(f"turn {turn} " + "word " * 10), in_thread())
    graph = plain(Assistant(), [BufferMemory(prune=True)], budget_tokens=120, counter=words_counter()).compile(
        checkpointer=saver, store=store
    )

    for text in ("and now", "and then"):
        call(graph, mode, said(text), in_thread())

    kept = {m.id for m in graph.get_state(in_thread()).values["messages"]}
    assert len(kept) == 4
    assert len(kept | set(archived(store))) == 28


def test_pruning_keeps_the_neighbours_of_memos(mode: str) -> None:
    """What is remembered next still knows what came before it."""
    store = InMemoryStore()
    graph = plain(Assistant(), [BufferMemory(prune=True), VectorMemory()]).compile(
        checkpointer=InMemorySaver(), store=store
    )
    for turn in range(5):
        call(graph, mode, said(f"turn {turn}"), in_thread())

    memos = {i.value["text"]: i.value for i in store.search(("graph_memory",), limit=100) if "text" in i.value}
    assert [memos[f"turn {turn}"]["before"] for turn in range(5)] == [
        "",
        "answer 1",
        "answer 2",
        "answer 3",
        "answer 4",
    ]
    assert [memos[f"answer {turn}"]["after"] for turn in range(1, 5)] == ["turn 1", "turn 2", "turn 3", "turn 4"]


def test_what_a_memory_has_not_taken_in_is_not_pruned(mode: str) -> None:
    """While one memory fails to remember, the messages stay for it to catch up."""
    broken = [True]
    store = BrokenStore(lambda op: bool(broken) and "memory:vector:" in getattr(op, "namespace", ()))
    graph = plain(Assistant(), [BufferMemory(prune=True), VectorMemory()]).compile(
        checkpointer=InMemorySaver(), store=store
    )
    for turn in range(3):
        call(graph, mode, said(f"turn {turn}"), in_thread())
    assert len(graph.get_state(in_thread()).values["messages"]) == 6

    broken.clear()
    for turn in range(3, 5):
        call(graph, mode, said(f"turn {turn}"), in_thread())

    assert len(graph.get_state(in_thread()).values["messages"]) == 4
    remembered = {item.value.get("text") for item in store.search(("graph_memory",), limit=100)}
    assert {f"turn {turn}" for turn in range(5)} <= remembered


def test_without_a_store_nothing_is_pruned(mode: str) -> None:
    """There is no archive to move messages to, and the context says so."""
    graph = plain(Assistant(), [BufferMemory(prune=True)], budget_tokens=120, counter=words_counter()).compile(
        checkpointer=InMemorySaver()
    )

    for turn in range(8):
        result = call(graph, mode, said(f"turn {turn} " + "word " * 10), in_thread())

    assert len(result["messages"]) == 16
    assert "nothing is pruned" in result["memory_context"].degradations["buffer"]


def pruned_graph(node: Any, store: Any, saver: Any, **options: Any) -> Any:
    """A graph whose buffer prunes."""
    return plain(node, [BufferMemory(prune=True)], **options).compile(checkpointer=saver, store=store)


def test_a_window_whose_archive_is_gone_says_so(mode: str) -> None:
    """Laws 7 and 9: forgotten, or the store of another environment; until what came later fills the window."""
    store, saver, node = InMemoryStore(), InMemorySaver(), Assistant()
    options: dict[str, Any] = {"budget_tokens": 120, "counter": words_counter()}
    for turn in range(6):
        result = call(pruned_graph(node, store, saver, **options), mode, said(f"turn {turn}"), in_thread())
    assert result["memory_context"].degradations == {}

    empty, reasons = InMemoryStore(), list[str]()
    result = call(pruned_graph(node, empty, saver, **options), mode, said("elsewhere"), in_thread())
    assert (
        result["memory_context"].degradations["buffer"].startswith("4 earlier turns are missing, because the archive")
    )
    back = call(pruned_graph(node, store, saver, **options), mode, said("back"), in_thread())
    assert back["memory_context"].degradations == {}
    assert [m.content for m in node.messages][:3] == ["turn 0", "answer 1", "turn 1"]

    forget(store, "ada")
    for turn in range(8):
        result = call(pruned_graph(node, store, saver, **options), mode, said(f"{turn} " + "word " * 12), in_thread())
        reasons.append(result["memory_context"].degradations.get("buffer", ""))
    assert reasons[0].startswith("6 earlier turns are missing")
    assert reasons[-1] == ""


def test_a_copied_thread_says_that_its_window_is_shorter(mode: str) -> None:
    """The archive is the thread's that it was copied from."""
    store, saver, node = InMemoryStore(), InMemorySaver(), Assistant()
    graph = pruned_graph(node, store, saver)
    for turn in range(5):
        call(graph, mode, said(f"turn {turn}"), in_thread())

    graph.update_state(in_thread("copy"), graph.get_state(in_thread()).values)
    result = call(graph, mode, said("and now?"), in_thread("copy"))

    assert result["memory_context"].degradations["buffer"].startswith("3 earlier turns are missing")
    assert "turn 4" in node.text


def test_a_thread_that_was_emptied_says_what_it_leaves_out(mode: str) -> None:
    """Somebody removed what the pruned turns stood before."""
    graph = pruned_graph(Assistant(), InMemoryStore(), InMemorySaver())
    for turn in range(5):
        call(graph, mode, said(f"turn {turn}"), in_thread())

    graph.update_state(in_thread(), {"messages": [RemoveMessage(id=REMOVE_ALL_MESSAGES)]}, as_node="assistant")
    first = call(graph, mode, said("and now?"), in_thread())
    second = call(graph, mode, said("and then?"), in_thread())

    assert first["memory_context"].degradations["buffer"].startswith("3 archived turns are left out")
    assert second["memory_context"].degradations == {}


def test_a_pruned_thread_without_its_store_says_what_is_missing(mode: str) -> None:
    """The earlier turns are as much missing there."""
    store, saver = InMemoryStore(), InMemorySaver()
    for turn in range(4):
        call(pruned_graph(Assistant(), store, saver), mode, said(f"turn {turn}"), in_thread())

    result = call(pruned_graph(Assistant(), None, saver), mode, said("and now?"), in_thread())

    assert "2 earlier turns are missing" in result["memory_context"].degradations["buffer"]
