"""Stand-ins for a model that summarises: a good one, and every kind of bad one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

TOOL_CALL = AIMessage("", tool_calls=[{"name": "search", "args": {}, "id": "1"}])


class Summariser:
    """Answers from a list, then with the last of it; an exception in the list is raised. Notes what it was asked."""

    profile: dict[str, Any] | None = None

    def __init__(self, *answers: str | AIMessage | Exception) -> None:
        self.answers = list(answers) or ["They talked."]
        self.asked: list[str] = []

    def invoke(self, messages: Iterable[BaseMessage], config: Any = None) -> AIMessage:
        """The next answer."""
        self.asked.append("\n".join(str(message.content) for message in messages))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, AIMessage) else AIMessage(answer)

    async def ainvoke(self, messages: Iterable[BaseMessage], config: Any = None) -> AIMessage:
        """As `invoke`."""
        return self.invoke(messages, config)


class SlowSummariser(Summariser):
    """Answers too late."""

    def invoke(self, messages: Iterable[BaseMessage], config: Any = None) -> AIMessage:
        """After half a second."""
        time.sleep(0.5)
        return super().invoke(messages, config)

    async def ainvoke(self, messages: Iterable[BaseMessage], config: Any = None) -> AIMessage:
        """After half a second."""
        await asyncio.sleep(0.5)
        return super().invoke(messages, config)


BAD: dict[str, Callable[[], Summariser]] = {
    "raises": lambda: Summariser(RuntimeError("quota")),
    "is late": SlowSummariser,
    "says nothing": lambda: Summariser("  "),
    "says nothing but tags": lambda: Summariser("<summary></summary>"),
    "apologises": lambda: Summariser("I'm sorry, but I cannot help with that."),
    "calls a tool": lambda: Summariser(TOOL_CALL),
}
"""Models that do not answer."""
