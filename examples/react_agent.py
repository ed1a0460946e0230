"""A ReAct agent that manages its own memory by tools: it searches before it answers, and saves what it should know later.

    pip install 'graph-memory[agents]'
    python examples/react_agent.py

The "model" goes by rules, so that this runs without a key; put your own in its place, such as
`create_agent("openai:gpt-4o-mini", memory_tools(MEMORIES), ...)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from graph_memory import MemoryMiddleware, VectorMemory, WorkingMemory, memory_tools, open_memory

MEMORIES = [VectorMemory(), WorkingMemory()]
CONVERSATION = [
    ("monday", "Remember that my sister Ines moved to Ghent."),
    ("friday", "Where does my sister Ines live?"),
    ("friday", "Correct that: my sister Ines moved to Bruges."),
    ("sunday", "Where does my sister Ines live?"),
]


class Rules(BaseChatModel):
    """Calls the tool that the newest message asks for, and answers with what the tool said."""

    @property
    def _llm_type(self) -> str:
        return "rules"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        """Itself: it knows its tools by heart."""
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=_next(messages))])


def _next(messages: list[BaseMessage]) -> AIMessage:
    asked = next(message for message in reversed(messages) if message.type == "human").text
    told = [message.text for message in messages if message.type == "tool"]
    request = asked.rpartition("\n")[2]
    if request.startswith("Remember that "):
        return AIMessage(told[-1]) if told else _calling("save_memory", text=request.removeprefix("Remember that "))
    if not told:
        return _calling("search_memory", query=request.removeprefix("Correct that: "))
    if request.startswith("Correct that: ") and len(told) == 1:
        saved = next(line for line in told[0].splitlines() if line.startswith("["))
        return _calling("update_memory", id=saved[1 : saved.index("]")], text=request.removeprefix("Correct that: "))
    saved = next((line for line in told[-1].splitlines() if line.startswith("[")), told[-1])
    return AIMessage(f"My memory says: {saved}")


def _calling(tool: str, **args: str) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": tool, "args": args, "id": f"call-{tool}", "type": "tool_call"}])


def main() -> None:
    """Three threads of one user."""
    with open_memory("sqlite://") as memory:
        agent: Any = create_agent(
            Rules(),
            memory_tools(MEMORIES),
            middleware=[MemoryMiddleware(MEMORIES, budget_tokens=2000)],
            store=memory.store,
            checkpointer=memory.checkpointer,
        )
        for thread, text in CONVERSATION:
            config: Any = {"configurable": {"user_id": "ada", "thread_id": thread}}
            result = agent.invoke({"messages": [("user", text)]}, config)
            print(f"{text}\n  {result['messages'][-1].text}")


if __name__ == "__main__":
    main()
