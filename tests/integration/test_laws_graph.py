"""The laws on real graphs: nothing lost, exactly once, tenants, degradation, stable prefix."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.base import Op, PutOp
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, MemoryState, VectorMemory, attach
from tests.fakes import MODES, Assistant, BrokenStore, call, in_thread, words_counter

EVENTS = st.sampled_from(["fine", "fine", "fine", "model fails", "store fails", "archive fails"])


def graph_of(node: Any, memories: list[Any], *, store: Any, saver: Any, budget_tokens: int = 120) -> Any:
    """START → assistant, with memory, counted in words."""
    builder = StateGraph(MemoryState)
    builder.add_node("assistant", node)
    builder.add_edge(START, "assistant")
    attach(builder, "assistant", memories, budget_tokens=budget_tokens, counter=words_counter())
    return builder.compile(checkpointer=saver, store=store)


@example(events=[("fine", 1), ("store fails", 1)], prune=True, budget_tokens=60)
@given(
    events=st.lists(st.tuples(EVENTS, st.integers(1, 25)), min_size=1, max_size=10),
    prune=st.booleans(),
    budget_tokens=st.sampled_from([60, 120, 400]),
)
def test_nothing_is_lost(events: list[tuple[str, int]], prune: bool, budget_tokens: int) -> None:
    """Law 3: whatever fails, every message that was said is in the channel or in the archive, and what the assistant
    answered to is remembered once the store works again."""
    now = [""]

    def breaks(op: Op) -> bool:
        there = "memory:buffer:" in getattr(op, "namespace", ())
        return now[0] == "store fails" or (now[0] == "archive fails" and there)

    def assistant(state: MessagesState) -> dict[str, Any]:
        if now[0] == "model fails":
            raise RuntimeError("the model is down")
        return {"messages": [AIMessage("yes")]}

    store, saver, said = BrokenStore(breaks), InMemorySaver(), list[str]()
    memories = [BufferMemory(prune=prune), VectorMemory()]
    graph = graph_of(assistant, memories, store=store, saver=saver, budget_tokens=budget_tokens)
    for number, (event, words) in enumerate([*events, ("fine", 1)]):
        now[0] = event
        said.append(f"{number} " + "word " * words)
        try:
            graph.invoke({"messages": [HumanMessage(said[-1])]}, in_thread())
        except RuntimeError:
            assert event == "model fails"
    now[0] = "fine"

    items = store.search(("graph_memory",), limit=500)
    archived = {m["data"]["content"] for item in items for m in item.value.get("messages", ())}
    channel = {m.content for m in graph.get_state(in_thread()).values["messages"]}
    remembered = [item.value["text"] for item in items if "text" in item.value and item.value["role"] == "human"]
    assert set(said) <= archived | channel
    assert sorted(remembered) == sorted(said)


class Dying(InMemoryStore):
    """A store whose process dies right after it wrote for the nth time."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def batch(self, ops: Iterable[Op]) -> list[Any]:
        """Writes, then dies once."""
        ops = list(ops)
        done = super().batch(ops)
        if any(isinstance(op, PutOp) for op in ops):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return done


@pytest.mark.parametrize("at", range(1, 8))
def test_a_run_that_is_resumed_remembers_once(at: int) -> None:
    """Law 4: killed after any of its writes and resumed, it leaves what an undisturbed run leaves."""

    def records(store: InMemoryStore) -> list[Any]:
        graph = graph_of(Assistant(), [BufferMemory(prune=True), VectorMemory()], store=store, saver=InMemorySaver())
        for turn in range(3):
            question = {"messages": [HumanMessage(f"question {turn}", id=f"h{turn}")]}
            try:
                graph.invoke(question, in_thread())
            except KeyboardInterrupt:
                graph.invoke(None, in_thread())
        texts = [i.value.get("text") or i.key for i in store.search(("graph_memory",), limit=100)]
        return sorted(text for text in texts if text == "head" or not text.isalnum() or len(text) != 24)

    assert records(Dying(at)) == records(InMemoryStore())


@given(
    st.sampled_from(["", "a", "A", "a.b", "a*", "%", "_", "ada", "user:ada:"]), st.sampled_from(["", "a", "ada", "b"])
)
def test_no_user_sees_another(one: str, other: str) -> None:
    """Law 6: what one user says never reaches another's context, whatever their ids look like; an empty id is nobody's."""
    node, store = Assistant(), InMemoryStore()
    graph = graph_of(node, [VectorMemory()], store=store, saver=InMemorySaver())

    graph.invoke({"messages": [HumanMessage("the code is 7731")]}, in_thread("t1", user_id=one))
    graph.invoke({"messages": [HumanMessage("what is the code?")]}, in_thread("t2", user_id=other))

    assert ("7731" in node.text) == (one == other != "")


class Late(InMemoryStore):
    """A store that takes a second to search."""

    def batch(self, ops: Iterable[Op]) -> list[Any]:
        """Searches late."""
        ops = list(ops)
        if any(type(op).__name__ == "SearchOp" for op in ops):
            time.sleep(1)
        return super().batch(ops)

    async def abatch(self, ops: Iterable[Op]) -> list[Any]:
        """Searches late."""
        import asyncio

        ops = list(ops)
        if any(type(op).__name__ == "SearchOp" for op in ops):
            await asyncio.sleep(1)
        return await super().abatch(ops)


@pytest.mark.parametrize("mode", MODES)
def test_a_late_memory_does_not_hold_up_the_call(mode: str) -> None:
    """Law 7: past its deadline a memory is left out, and the context says so."""
    memories = [BufferMemory(), VectorMemory(deadline_seconds=0.05)]
    graph = graph_of(Assistant(), memories, store=Late(), saver=InMemorySaver())

    result = call(graph, mode, {"messages": [HumanMessage("hello")]}, in_thread())

    assert "no answer within" in result["memory_context"].degradations["vector"]
    assert result["messages"][-1].content == "answer 1"


@given(st.lists(st.integers(0, 12), min_size=2, max_size=25), st.sampled_from([200, 400]))
def test_the_prefix_moves_only_when_the_window_is_flushed(lengths: list[int], budget_tokens: int) -> None:
    """Law 8: what comes before the newest question begins with what came before the last one, but for the flushes."""
    node, store = Assistant(), InMemoryStore()
    graph = graph_of(
        node, [BufferMemory(), VectorMemory()], store=store, saver=InMemorySaver(), budget_tokens=budget_tokens
    )
    prefixes = []
    for turn, words in enumerate(lengths):
        graph.invoke({"messages": [HumanMessage(f"question {turn} " + "word " * words)]}, in_thread())
        prefixes.append([(m.type, m.content) for m in node.messages[:-1]])

    limit = int((budget_tokens - 3) * 0.5 * 0.95)
    spent = sum(14 + words for words in lengths)
    flushes = max(0, spent - limit) // (limit // 5) + 1
    assert sum(new[: len(old)] != old for old, new in pairwise(prefixes)) <= flushes
