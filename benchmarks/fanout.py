"""Six memories that each wait 50 ms, recalled for one context: the subgraph and the inline mode against the slowest alone.

python -m benchmarks.fanout
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import HumanMessage

from graph_memory import Memory, Query, Scope, Section, Snippet, aget_context, orchestrator
from graph_memory.steps import Generate, Steps

WAIT_SECONDS = 0.05
ROUNDS = 20


class SlowModel(FakeListChatModel):
    """A chat model that takes 50 ms."""

    async def _acall(self, *args: Any, **kwargs: Any) -> str:
        await asyncio.sleep(WAIT_SECONDS)
        return "a fact"

    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(WAIT_SECONDS)
        return self._generate([HumanMessage("x")])


@dataclass(frozen=True, kw_only=True)
class SlowMemory(Memory):
    """A memory that asks a slow model."""

    def recall(self, query: Query) -> Steps[Section]:
        """One snippet, after 50 ms."""
        answer = yield Generate(SlowModel(responses=["a fact"]), [HumanMessage(query.text)])
        return self.section([Snippet(f"{self.name}: {answer.text}")])


async def timed(call: Callable[[], Awaitable[Any]]) -> float:
    """Median milliseconds."""
    await call()
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await call()
        took.append((time.perf_counter() - started) * 1e3)
    return statistics.median(took)


async def main() -> None:
    """Prints a line per mode."""
    six = [SlowMemory(name=f"slow{i}") for i in range(6)]
    graph = orchestrator(six, budget_tokens=1000)
    slowest = await timed(lambda: SlowModel(responses=["a fact"]).ainvoke("x"))
    modes = {
        "slowest alone": lambda: SlowModel(responses=["a fact"]).ainvoke("x"),
        "inline": lambda: aget_context(six, Scope(user_id="u"), "what?", budget_tokens=1000),
        "subgraph": lambda: graph.ainvoke({"messages": [HumanMessage("what?", id="1")]}),
    }
    for name, call in modes.items():
        took = await timed(call)
        print(f"{name:<14}{took:>8.1f} ms{took / slowest:>7.2f} times the slowest")


if __name__ == "__main__":
    asyncio.run(main())
