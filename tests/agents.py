"""A chat model that agents of `create_agent` can be tested with: it notes what it is handed and says what it was told to say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field, PrivateAttr


class Scripted(BaseChatModel):
    """Says its answers one after the other, then "answer N"; tools that are bound to it are noted.

    Attributes:
        answers: what it says; an exception is raised.
    """

    answers: list[Any] = Field(default_factory=list)
    _handed: list[list[BaseMessage]] = PrivateAttr(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def handed(self) -> list[list[BaseMessage]]:
        """What it was handed, call by call."""
        return self._handed

    @property
    def text(self) -> str:
        """All that the newest call could read."""
        return "\n".join(str(message.content) for message in self._handed[-1])

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        """Itself: what it says does not depend on tools."""
        return self

    def _next(self, messages: list[BaseMessage]) -> AIMessage:
        self._handed.append(messages)
        answer = self.answers.pop(0) if self.answers else f"answer {len(self._handed)}"
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, AIMessage) else AIMessage(answer)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._next(messages))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        answer = self._next(messages)
        for token in str(answer.content).split(" "):
            chunk = ChatGenerationChunk(message=AIMessageChunk(f"{token} "))
            if run_manager is not None:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk
        if answer.tool_calls:
            calls = [
                {"name": call["name"], "args": str(call["args"]).replace("'", '"'), "id": call["id"], "index": i}
                for i, call in enumerate(answer.tool_calls)
            ]
            yield ChatGenerationChunk(message=AIMessageChunk("", tool_call_chunks=calls))  # type: ignore[arg-type]


def calling(tool: str, **args: Any) -> AIMessage:
    """An answer that calls one tool."""
    return AIMessage("", tool_calls=[{"name": tool, "args": args, "id": f"call-{tool}", "type": "tool_call"}])
