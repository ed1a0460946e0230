"""The LLM node with memory: the user's own runnable, handed the assembled context as its messages.

A node that leaves for the parent graph, or that was sent a state of its own by `Send`, is remembered here, because no edge leads
from it to the remembering node.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import Any, get_type_hints
from uuid import uuid4

from langchain_core.messages import BaseMessage, convert_to_messages
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import run_in_executor
from langgraph.errors import ParentCommand
from langgraph.types import Command
from pydantic import BaseModel

from graph_memory.graph.lineage import was_sent
from graph_memory.graph.recalling import Desk, channel_of
from graph_memory.graph.recording import record_answers, record_sent
from graph_memory.graph.remembering import aremember, remember
from graph_memory.graph.runnables import GraphStep
from graph_memory.graph.state import CONTEXT, MEMORY
from graph_memory.graph.stripping import Stripping, also, mapped
from graph_memory.messages import is_final_answer, state_messages
from graph_memory.types import Context


class MemoryNode(GraphStep):
    """Wraps the user's node.

    Args:
        desk: the node's memories.
        inner: the user's runnable.
        schema: what the user's node takes: a TypedDict, a pydantic model or a dataclass.
    """

    def __init__(self, desk: Desk, inner: Runnable[Any, Any], schema: type[Any]) -> None:
        super().__init__(self._run, self._arun, name=desk.node, shows=inner, is_async=_has_native_async(inner))
        self.desk = desk
        self.inner = inner
        self._schema = schema

    def _run(self, state: Any, config: RunnableConfig) -> Any:
        messages = state_messages(state, self.desk.messages_key)
        if not messages:
            return self.inner.invoke(self._handed(state, config, None), config)
        current = self.desk.current(state)
        context = self._grown(current, messages, state, config) if current else self.desk.recall(state, config)
        strip = Stripping(self.desk.messages_key, messages, context.messages)
        record_sent(self.desk, context, messages, config)
        try:
            out = strip(self.inner.invoke(self._handed(state, config, context), config))
            record_answers(self.desk, strip.new_in(out), config)
        except ParentCommand as left:
            command = mapped(strip(left.args[0]), self._named)
            record_answers(self.desk, strip.new_in(command), config)
            if (after := self._after(strip.thread_after(command), state, context)) is not None:
                command = also(command, remember(self.desk, after, config, aside=True), leaving=True)
            raise ParentCommand(command) from left
        if current is None:
            out = also(out, {CONTEXT: context})
        if was_sent(config) or _leaves(out):
            out = mapped(out, self._named)
            if (after := self._after(strip.thread_after(out), state, context)) is not None:
                out = also(out, remember(self.desk, after, config, aside=True), leaving=True)
        return out

    async def _arun(self, state: Any, config: RunnableConfig) -> Any:
        messages = state_messages(state, self.desk.messages_key)
        if not messages:
            return await self.inner.ainvoke(self._handed(state, config, None), config)
        current = self.desk.current(state)
        context = self._grown(current, messages, state, config) if current else await self.desk.arecall(state, config)
        strip = Stripping(self.desk.messages_key, messages, context.messages)
        record_sent(self.desk, context, messages, config)
        try:
            out = strip(await self.inner.ainvoke(self._handed(state, config, context), config))
            record_answers(self.desk, strip.new_in(out), config)
        except ParentCommand as left:
            command = mapped(strip(left.args[0]), self._named)
            record_answers(self.desk, strip.new_in(command), config)
            if (after := self._after(strip.thread_after(command), state, context)) is not None:
                command = also(command, await aremember(self.desk, after, config, aside=True), leaving=True)
            raise ParentCommand(command) from left
        if current is None:
            out = also(out, {CONTEXT: context})
        if was_sent(config) or _leaves(out):
            out = mapped(out, self._named)
            if (after := self._after(strip.thread_after(out), state, context)) is not None:
                out = also(out, await aremember(self.desk, after, config, aside=True), leaving=True)
        return out

    def _grown(self, context: Context, messages: Sequence[BaseMessage], state: Any, config: RunnableConfig) -> Context:
        """The context as it is, or assembled again when the turn has grown since (a tool loop)."""
        return context if messages[-1].id == context.turn_id else self.desk.again(context, state, config)

    def _handed(self, state: Any, config: RunnableConfig, context: Context | None) -> Any:
        """The state as the user's node expects it, with the context's messages in place of the channel's."""
        changed: dict[str, Any] = {}
        if context is not None:
            changed = {self.desk.messages_key: list(context.messages), CONTEXT: context}
        if was_sent(config):
            return _copied(state, changed)
        known = {key: value for key, value in state.items() if key in self._keys}
        if isinstance(self._schema, type) and (issubclass(self._schema, BaseModel) or is_dataclass(self._schema)):
            return self._schema(**{**known, **{k: v for k, v in changed.items() if k in self._keys}})
        return {**known, **changed}

    @functools.cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(get_type_hints(self._schema))

    def _named(self, update: Mapping[str, Any]) -> Mapping[str, Any]:
        """The update with ids on its new messages, so that the channel and the memories know them by the same."""
        returned = update.get(self.desk.messages_key)
        if not isinstance(returned, list | tuple | BaseMessage):
            return update
        messages = convert_to_messages(returned if isinstance(returned, list | tuple) else [returned])
        named = [m if m.id else m.model_copy(update={"id": str(uuid4())}) for m in messages]
        return {**update, self.desk.messages_key: named}

    def _after(self, thread: Sequence[BaseMessage], state: Any, context: Context) -> dict[str, Any] | None:
        """The state after the node, when the turn is over, with what is known of the thread."""
        if not is_final_answer(thread[-1]):
            return None
        return {self.desk.messages_key: list(thread), MEMORY: channel_of(state), CONTEXT: context}


def turn_is_over(desk: Desk, name: str) -> Any:
    """The branch after an LLM node: to the remembering node once the assistant has answered without calling tools."""

    def path(state: Any) -> list[str]:
        messages = state_messages(state, desk.messages_key)[-1:]
        return ["remember"] if messages and is_final_answer(messages[0]) else []

    path.__name__ = name
    return path


def _copied(state: Any, changed: Mapping[str, Any]) -> Any:
    """A copy of a state that somebody sent, in its own type; what is no state is passed on."""
    if isinstance(state, Mapping):
        return {**state, **changed}
    fitting = {key: value for key, value in changed.items() if hasattr(state, key)}
    if isinstance(state, BaseModel):
        return state.model_copy(update=fitting)
    return replace(state, **fitting) if is_dataclass(state) and not isinstance(state, type) else state


def _leaves(out: Any) -> bool:
    commands = out if isinstance(out, list | tuple) else [out]
    return any(isinstance(one, Command) and one.graph == Command.PARENT for one in commands)


def _has_native_async(inner: Runnable[Any, Any]) -> bool:
    """Whether awaiting the node awaits the user's own coroutine, and not their function in a thread."""
    acall = getattr(inner, "afunc", None)
    if acall is not None or hasattr(inner, "afunc"):
        return acall is not None and not (isinstance(acall, functools.partial) and acall.func is run_in_executor)
    return type(inner).ainvoke is not Runnable.ainvoke
