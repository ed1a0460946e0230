"""Stand-ins that the tests share: an LLM node that notes what it sees, counters, stores that fail, ways to call a graph."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langgraph.store.base import Op
from langgraph.store.memory import InMemoryStore

from graph_memory.context.tokens import counter_from
from graph_memory.types import TokenCounter

MODES = ("invoke", "ainvoke")


def call(graph: Any, mode: str, value: Any, config: Mapping[str, Any] | None = None, **kwargs: Any) -> Any:
    """Runs a graph by its sync or its async method."""
    if mode == "invoke":
        return graph.invoke(value, config, **kwargs)
    return asyncio.run(graph.ainvoke(value, config, **kwargs))


def in_thread(thread_id: str = "t", *, user_id: str | None = "ada", **more: Any) -> dict[str, Any]:
    """A config that names a thread and a user."""
    named = {"thread_id": thread_id, **({} if user_id is None else {"user_id": user_id}), **more}
    return {"configurable": named}


def words_counter() -> TokenCounter:
    """One token a word: easy to reckon with."""
    return counter_from(lambda text: len(text.split()))


@dataclass
class Assistant:
    """An LLM node that answers from a list and notes the states that it was handed."""

    answers: Iterable[str | AIMessage] = ()
    seen: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._left = iter(self.answers)

    def __call__(self, state: Any) -> dict[str, Any]:
        """Notes the state and answers."""
        self.seen.append(state)
        answer = next(self._left, f"answer {len(self.seen)}")
        return {"messages": [answer if isinstance(answer, BaseMessage) else AIMessage(answer)]}

    @property
    def messages(self) -> list[BaseMessage]:
        """What the newest call was handed."""
        state = self.seen[-1]
        return list(state["messages"] if isinstance(state, Mapping) else state.messages)

    @property
    def text(self) -> str:
        """All that the newest call could read."""
        return "\n".join(str(message.content) for message in self.messages)


class BrokenStore(InMemoryStore):
    """A store whose operations fail when `breaks` says so."""

    def __init__(self, breaks: Callable[[Op], bool]) -> None:
        super().__init__()
        self.breaks = breaks

    def batch(self, ops: Iterable[Op]) -> list[Any]:
        """As above, or a failure."""
        ops = list(ops)
        if any(map(self.breaks, ops)):
            raise RuntimeError("the disk is gone")
        return super().batch(ops)

    async def abatch(self, ops: Iterable[Op]) -> list[Any]:
        """As `batch`."""
        ops = list(ops)
        if any(map(self.breaks, ops)):
            raise RuntimeError("the disk is gone")
        return await super().abatch(ops)
