"""What lineage costs: store operations and round trips of a turn, recall with and without the view, the size of a head.

    python -m benchmarks.lineage [N]           N memos in the store, 10,000 unless told otherwise

"Without" is the same graph with lineage switched off, and the same recall straight from the store. Recalls of both kinds
alternate in one run, over a thread of N messages that was forked fifty times, every other time in the other order. Times are the
process's own (CPU), so that a busy machine does not tell, and the ratio is the median of the ratios of neighbours.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterable
from statistics import median
from typing import Any
from unittest.mock import patch

from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore, Op, PutOp

from graph_memory import BufferMemory, MemoryState, Scope, VectorMemory, attach, open_store
from graph_memory.graph.lineage import Head, Lineage, lineage_value
from graph_memory.graph.view import seen_by
from graph_memory.namespaces import namespace

SCOPE = Scope(user_id="ada", thread_id="t")
CONFIG: Any = {"configurable": {"user_id": "ada", "thread_id": "t"}}
FORKS, RECALLS = 50, 120
WORDS = ("cat", "garden", "letter", "train", "winter", "kitchen", "doctor", "music", "river", "window", "bread", "rain")


class Counted(BaseStore):
    """Counts the round trips and operations of the store beneath."""

    supports_ttl = True
    takes_claims = True

    def __init__(self, store: BaseStore) -> None:
        self.store = store
        self.trips = self.operations = 0

    def _count(self, ops: Iterable[Op]) -> list[Op]:
        found = list(ops)
        self.trips, self.operations = self.trips + 1, self.operations + len(found)
        return found

    def batch(self, ops: Iterable[Op]) -> list[Any]:
        """As the store beneath."""
        return self.store.batch(self._count(ops))

    async def abatch(self, ops: Iterable[Op]) -> list[Any]:
        """As the store beneath."""
        return await self.store.abatch(self._count(ops))


def turn_cost(mode: str, *, has_lineage: bool) -> tuple[float, float]:
    """Operations and round trips of a turn, mean of the turns after the first."""
    off = patch("graph_memory.graph.recalling.lineage_of", lambda *args: None)
    with open_store("sqlite://") as store:
        counted = Counted(store)
        builder: StateGraph[Any, Any, Any, Any] = StateGraph(MemoryState)
        builder.add_node("assistant", lambda state: {"messages": [AIMessage("noted")]})
        builder.add_edge(START, "assistant")
        attach(builder, "assistant", [BufferMemory(), VectorMemory()], budget_tokens=2000)
        graph = builder.compile(checkpointer=InMemorySaver(), store=counted)
        for turn in range(11):
            if turn == 1:
                counted.trips = counted.operations = 0
            value = {"messages": [("user", f"message {turn}")]}
            if not has_lineage:
                off.start()
            if mode == "invoke":
                graph.invoke(value, CONFIG)
            else:
                asyncio.run(graph.ainvoke(value, CONFIG))
            if not has_lineage:
                off.stop()
        return counted.operations / 10, counted.trips / 10


def filled(store: BaseStore, count: int, head: Head) -> None:
    """A thread of `count` messages, spread over the branches that the head sees."""
    memory = VectorMemory()
    places = [*head.cuts, (head.branch, head.commit)]
    kept: list[PutOp] = []
    seed = open_store("sqlite://")
    with seed:
        builder: StateGraph[Any, Any, Any, Any] = StateGraph(MemoryState)
        builder.add_node("assistant", lambda state: {"messages": [AIMessage("noted, the cat is in the garden")]})
        builder.add_edge(START, "assistant")
        attach(builder, "assistant", [VectorMemory()], budget_tokens=2000)
        builder.compile(checkpointer=InMemorySaver(), store=seed).invoke(
            {"messages": [("user", "where is the cat of the garden?")]}, CONFIG
        )
        [model, *_] = seed.search(namespace(SCOPE, memory.name), limit=1)
    for number in range(count):
        branch, commit = places[number % len(places)]
        text = f"{WORDS[number % 12]} {WORDS[number // 12 % 12]} {WORDS[number * 7 % 12]} number {number}"
        origin = {**model.value["origin"], "root": "r", "line": "a~1", "branch": branch, "commit": commit}
        value = {
            **model.value,
            "id": f"{number:032x}",
            "text": text,
            "search": text,
            "origin": origin,
            "source": f"{number}",
        }
        kept.append(PutOp(model.namespace, value["id"], value, index=["search"]))
    for start in range(0, count, 1000):
        store.batch(kept[start : start + 1000])


def recall_ratio(count: int) -> tuple[float, float, float]:
    """Milliseconds of a recall with and without the view, and the median ratio of neighbours."""
    head = forked_head()
    lineage = Lineage("r", {"a~1": head})
    memory, times = VectorMemory(), {True: list[float](), False: list[float]()}
    with open_store("sqlite://") as store:
        filled(store, count, head)
        stores: dict[bool, Any] = {True: seen_by(lineage, store), False: store}
        for number in range(RECALLS):
            query = f"the {WORDS[number % 12]} in the {WORDS[number * 5 % 12]}"
            for is_seen in (True, False) if number % 2 else (False, True):
                start = time.process_time()
                memory.get_context(SCOPE, query, store=stores[is_seen], budget_tokens=4000)
                times[is_seen].append((time.process_time() - start) * 1e3)
    pairs = list(zip(times[True], times[False], strict=True))[20:]
    return median(a for a, _ in pairs), median(b for _, b in pairs), median(a / b for a, b in pairs)


def forked_head() -> Head:
    """A head after fifty forks."""
    head = Head()
    for number in range(FORKS):
        head = head.next().next().forked(f"{number:010x}")
    return head.next()


def main() -> None:
    """Prints the three tables."""
    print("a turn, BufferMemory and VectorMemory    operations    round trips")
    for mode in ("invoke", "ainvoke"):
        for has_lineage in (False, True):
            operations, trips = turn_cost(mode, has_lineage=has_lineage)
            print(f"{mode:10} {'with' if has_lineage else 'without':8} lineage {'':13} {operations:9.1f} {trips:14.1f}")
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with_view, without, ratio = recall_ratio(count)
    print(f"\nrecall at {count:,} memos: {with_view:.2f} ms with the view, {without:.2f} ms without, ratio {ratio:.3f}")
    size = len(json.dumps(lineage_value("0" * 16, {"assistant~0a1b2c": forked_head()})))
    print(f"head after {FORKS} forks: {size:,} bytes of JSON")


if __name__ == "__main__":
    main()
