"""A node body with a sync and an async side. LangChain's public `RunnableLambda`, without a trace run of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda

Call = Callable[[Any, RunnableConfig], Any]
AsyncCall = Callable[[Any, RunnableConfig], Awaitable[Any]]


class GraphStep(RunnableLambda[Any, Any]):
    """Calls `call` or awaits `acall` with the state and the config.

    Args:
        call: the synchronous side.
        acall: the asynchronous side.
        name: the node's name.
        shows: a runnable that LangGraph is to find inside (a subgraph to draw, to stream from, to look up state in).
        is_async: what LangGraph is told when it asks whether the step can be cancelled by a node timeout.
    """

    def __init__(
        self, call: Call, acall: AsyncCall, *, name: str, shows: Runnable[Any, Any] | None = None, is_async: bool = True
    ) -> None:
        if is_async:
            super().__init__(call, acall, name=name)
        else:
            super().__init__(call, name=name)
        self._call = call
        self._acall = acall
        self._shows = shows

    # A RunnableLambda streams through a trace run of its own; LangGraph calls these when it streams.
    stream = Runnable.stream
    astream = Runnable.astream
    transform = Runnable.transform
    atransform = Runnable.atransform

    @property
    def deps(self) -> Sequence[Runnable[Any, Any]]:  # type: ignore[override]  # a cached property there, never set
        """What LangGraph looks through for subgraphs."""
        return [] if self._shows is None else [self._shows]

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """The synchronous side."""
        return self._call(input, config or {})

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """The asynchronous side."""
        return await self._acall(input, config or {})
