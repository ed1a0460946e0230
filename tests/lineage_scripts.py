"""What the LLM nodes of a life say and do: words that occur once, tool calls, questions to a human, failures."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langgraph.types import interrupt

NUMBERS = itertools.count()


class FlakyError(Exception):
    """What a node raises that a retry policy tries again."""


def word() -> str:
    """A word that occurs once, and sorts by when it was made."""
    return f"w{next(NUMBERS)}"


def number_of(text: str) -> int:
    """The number of a text's own word, the first of its words that has one."""
    return next(int(w[1:]) for w in text.split() if w[0] == "w" and w[1:].isdigit())


@dataclass
class Script:
    """What the nodes of one thread do, and what they were handed.

    Attributes:
        handed: node and messages, call by call.
        flaky: how many of the next calls of LLM nodes fail.
        rough: how many of the next calls of the node that comes after an LLM node and its remembering fail.
        asks: whether a node interrupts a turn, for a human's approval.
        tools: how many tool calls precede the answer.
    """

    handed: list[tuple[str, Sequence[BaseMessage]]] = field(default_factory=list)
    flaky: int = 0
    rough: int = 0
    asks: bool = False
    tools: int = 0

    def stumble(self) -> None:
        """Fails as often as it was told to."""
        if self.flaky > 0:
            self.flaky -= 1
            raise FlakyError("try again")

    def llm(self, name: str) -> Callable[[Any], dict[str, Any]]:
        """An LLM node: it notes what it is handed, and answers."""

        def node(state: Any) -> dict[str, Any]:
            self.handed.append((name, state["messages"]))
            if self.asks and interrupt("may I?") != "yes":
                return {}
            self.stumble()
            called = _tools_called(state["messages"])
            if called < self.tools:
                return {"messages": [AIMessage(f"looking {word()} about everything", tool_calls=[_tool_call(called)])]}
            return {"messages": [AIMessage(f"reply {word()} about everything", additional_kwargs={"by": name})]}

        return node

    def polish(self, state: Any) -> dict[str, Any]:
        """A node after an LLM node, which may fail."""
        if self.rough > 0:
            self.rough -= 1
            raise FlakyError("try again")
        return {}


def _tools_called(messages: Sequence[BaseMessage]) -> int:
    """How many tool results the running turn has."""
    turn = itertools.takewhile(lambda message: message.type != "human", reversed(messages))
    return sum(message.type == "tool" for message in turn)


def _tool_call(n: int) -> Any:
    return {"name": "look", "args": {}, "id": f"call-{n}", "type": "tool_call"}
