"""`attach` on real graphs: history, recall, remembering, degradation."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.base import SearchOp
from langgraph.store.memory import InMemoryStore
from langgraph.types import RetryPolicy

from graph_memory import BufferMemory, VectorMemory, attach
from tests.fakes import MODES, Assistant, BrokenStore, call, in_thread, words_counter
from tests.graphs import plain, remembered, said

pytestmark = pytest.mark.parametrize("mode", MODES)


def test_the_node_is_handed_its_history(mode: str) -> None:
    """The second turn sees the first, in order, and its own question last."""
    node = Assistant()
    graph = plain(node).compile(checkpointer=InMemorySaver())

    call(graph, mode, said("I live in Ghent"), in_thread())
    call(graph, mode, said("Where do I live?"), in_thread())

    assert [m.content for m in node.messages] == ["I live in Ghent", "answer 1", "Where do I live?"]


def test_another_thread_of_the_same_user_is_recalled(mode: str) -> None:
    """What was said in one thread reaches the next, quoted with its date, before the question."""
    node = Assistant()
    graph = plain(node).compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    [question] = node.messages
    assert "User: My sister lives in Ghent" in question.text
    assert question.text.endswith("Where does my sister live?")


def test_another_user_is_not_recalled(mode: str) -> None:
    """No memory crosses users."""
    node = Assistant()
    graph = plain(node).compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("The vault code is 7731"), in_thread("one", user_id="ada"))
    call(graph, mode, said("What is the vault code?"), in_thread("two", user_id="ad"))

    assert "7731" not in node.text


def test_no_key_of_ours_is_needed_in_the_schema(mode: str) -> None:
    """Over plain MessagesState the context is in the node's state and in what is streamed, not in the result."""
    node = Assistant()
    graph = plain(node, schema=MessagesState).compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    result = call(graph, mode, said("hello"), in_thread())
    [*_, last] = graph.stream(said("again"), in_thread(), stream_mode="values")

    assert set(result) == {"messages"}
    assert node.seen[0]["memory_context"].messages
    assert last["memory_context"].messages


def test_without_store_and_checkpointer_the_node_still_answers(mode: str) -> None:
    """Memory has nothing to give, says why, and the call goes on."""
    node = Assistant()
    graph = plain(node).compile()

    result = call(graph, mode, said("hello"))

    assert result["messages"][-1].content == "answer 1"
    assert "vector" in result["memory_context"].degradations


def test_without_checkpointer_history_comes_from_the_archive(mode: str) -> None:
    """A graph that keeps no state still has its thread's newest turns, from the store."""
    node = Assistant()
    graph = plain(node, [BufferMemory()]).compile(store=InMemoryStore())

    call(graph, mode, said("I live in Ghent"), in_thread())
    call(graph, mode, said("Where do I live?"), in_thread())

    assert [m.content for m in node.messages] == ["I live in Ghent", "answer 1", "Where do I live?"]


def test_the_explained_context_is_in_the_state_of_the_node(mode: str) -> None:
    """`memory_context` says what each memory cost; its tokens add up and stay within the budget."""
    node = Assistant()
    graph = plain(node).compile(checkpointer=InMemorySaver(), store=InMemoryStore())
    call(graph, mode, said("I live in Ghent"), in_thread())

    result = call(graph, mode, said("Where do I live?"), in_thread())

    context = node.seen[-1]["memory_context"]
    assert result["memory_context"].total_tokens == context.total_tokens == sum(context.tokens.values()) <= 1000
    assert context.node == "assistant"
    assert any(line.memory == "buffer" and line.kept for line in context.lines)


def test_the_context_is_not_checkpointed(mode: str) -> None:
    """What can be recalled again is not written into every checkpoint."""
    graph = plain(Assistant()).compile(checkpointer=InMemorySaver())
    call(graph, mode, said("hello"), in_thread())

    assert "memory_context" not in graph.get_state(in_thread()).values


def test_a_failed_turn_is_made_up_for(mode: str) -> None:
    """When the model fails, what the user said is remembered with the next turn."""
    failing = [True]

    def assistant(state: MessagesState) -> dict[str, Any]:
        if failing.pop() if failing else False:
            raise RuntimeError("the model is down")
        return {"messages": [AIMessage("here")]}

    store = InMemoryStore()
    graph = plain(assistant, [VectorMemory()]).compile(checkpointer=InMemorySaver(), store=store)
    call(graph, mode, said("hello"), in_thread()) if not failing else None
    with pytest.raises(RuntimeError):
        call(graph, mode, said("I live in Ghent"), in_thread())
    call(graph, mode, said("are you there?"), in_thread())
    failing.append(True)
    with pytest.raises(RuntimeError):
        call(graph, mode, said("I work in Bruges"), in_thread())
    call(graph, mode, said("and now?"), in_thread())

    texts = set(remembered(store))
    assert {"are you there?", "I work in Bruges", "and now?"} <= texts


def test_a_retried_node_remembers_once(mode: str) -> None:
    """A retry policy on the node leaves the records of one run."""
    failures = [True, True]

    def assistant(state: MessagesState) -> dict[str, Any]:
        if failures:
            failures.pop()
            raise ConnectionError("again")
        return {"messages": [AIMessage("done", id="a")]}

    builder = StateGraph(MessagesState)
    policy = RetryPolicy(initial_interval=0.001, max_attempts=5, jitter=False)
    builder.add_node("assistant", assistant, retry_policy=policy)
    builder.add_edge(START, "assistant")
    attach(builder, "assistant", [VectorMemory()], budget_tokens=1000)
    store = InMemoryStore()

    call(builder.compile(checkpointer=InMemorySaver(), store=store), mode, said("hi there"), in_thread())

    assert sorted(remembered(store)) == ["done", "hi there"]


def test_a_store_that_fails_never_fails_the_call(mode: str) -> None:
    """Law 7: the section is empty, the reason stands in the context, the stream goes on."""
    node = Assistant()
    store = BrokenStore(lambda op: isinstance(op, SearchOp))
    graph = plain(node).compile(checkpointer=InMemorySaver(), store=store)

    call(graph, mode, said("I live in Ghent"), in_thread())
    result = call(graph, mode, said("Where do I live?"), in_thread())

    assert result["memory_context"].degradations["vector"] == "the store failed: RuntimeError"
    assert "I live in Ghent" in node.text


def test_a_required_memory_that_fails_fails_the_call(mode: str) -> None:
    """`required=True` turns the degradation into the error."""
    store = BrokenStore(lambda op: isinstance(op, SearchOp))
    graph = plain(Assistant(), [VectorMemory(required=True)]).compile(store=store)

    with pytest.raises(Exception, match="the store failed"):
        call(graph, mode, said("hello"), in_thread())


def test_a_budget_that_cannot_hold_the_question_fails_before_the_model(mode: str) -> None:
    """Law 1: the error names the sizes, and the node was not called."""
    node = Assistant()
    graph = plain(node, budget_tokens=20, counter=words_counter()).compile()

    with pytest.raises(ValueError, match="20"):
        call(graph, mode, said("word " * 50))

    assert node.seen == []


def test_the_messages_before_the_tail_stay_the_same(mode: str) -> None:
    """Law 8: from turn to turn, what came before the newest question is a prefix of what comes before the next."""
    node = Assistant()
    memories = [BufferMemory(flush_tokens=90), VectorMemory()]
    graph = plain(node, memories, budget_tokens=400, counter=words_counter()).compile(
        checkpointer=InMemorySaver(), store=InMemoryStore()
    )
    start = [SystemMessage("be kind", id="s")]
    prefixes = []
    for turn in range(30):
        call(graph, mode, {"messages": [*start, HumanMessage(f"question {turn} " + "word " * (turn % 7))]}, in_thread())
        prefixes.append([(m.type, m.content) for m in node.messages[:-1]])

    moved = sum(new[: len(old)] != old for old, new in pairwise(prefixes))
    assert moved <= 3
