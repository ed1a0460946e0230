"""The LLM node with memory: the user's own runnable, handed the assembled context as its messages.

What was handed in is stripped from what comes out, so a node that returns its whole message list does not write our system
message into the channel. A node that leaves by `Command(graph=PARENT)`, or that was sent its own state by `Send`, is
remembered here, because no edge leads from it to the remembering node.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import run_in_executor
from langgraph.types import Command
from pydantic import BaseModel

from graph_memory.graph.recalling import Desk
from graph_memory.graph.remembering import aremember, remember
from graph_memory.graph.runnables import GraphStep
from graph_memory.graph.state import CONTEXT, MEMORY
from graph_memory.messages import is_final_answer, state_messages, with_ids
from graph_memory.types import Context


class MemoryNode(GraphStep):
    """Wraps the user's node.

    Args:
        desk: the node's memories.
        inner: the user's runnable.
        schema: what the user's node takes: a TypedDict, a pydantic model or a dataclass.
        has_reducer: whether the channel of messages appends; without, what the node returns replaces the whole list.
    """

    def __init__(self, desk: Desk, inner: Runnable[Any, Any], schema: type[Any], *, has_reducer: bool) -> None:
        super().__init__(self._run, self._arun, name=desk.node, shows=inner, is_async=_has_native_async(inner))
        self.desk = desk
        self.inner = inner
        self._schema = schema
        self._has_reducer = has_reducer

    def _run(self, state: Any, config: RunnableConfig) -> Any:
        messages = state_messages(state, self.desk.messages_key)
        if not messages:
            return self.inner.invoke(self._handed(state, config, None), config)
        current = self.desk.current(state)
        context = self.desk.recall(state, config) if current is None else self._grown(current, messages, state, config)
        out = self._stripped(self.inner.invoke(self._handed(state, config, context), config), messages, context)
        if current is None:
            out = _also(out, {CONTEXT: context})
        if _was_sent(config) or _leaves(out):
            out, after = self._told(out, state, messages)
            out = _also(out, remember(self.desk, after, config))
        return out

    async def _arun(self, state: Any, config: RunnableConfig) -> Any:
        messages = state_messages(state, self.desk.messages_key)
        if not messages:
            return await self.inner.ainvoke(self._handed(state, config, None), config)
        current = self.desk.current(state)
        if current is None:
            context = await self.desk.arecall(state, config)
        else:
            context = self._grown(current, messages, state, config)
        out = self._stripped(await self.inner.ainvoke(self._handed(state, config, context), config), messages, context)
        if current is None:
            out = _also(out, {CONTEXT: context})
        if _was_sent(config) or _leaves(out):
            out, after = self._told(out, state, messages)
            out = _also(out, await aremember(self.desk, after, config))
        return out

    def _grown(self, context: Context, messages: Sequence[BaseMessage], state: Any, config: RunnableConfig) -> Context:
        """The context as it is, or assembled again when the turn has grown since (a tool loop)."""
        return context if messages[-1].id == context.turn_id else self.desk.again(context, state, config)

    def _handed(self, state: Any, config: RunnableConfig, context: Context | None) -> Any:
        """The state as the user's node expects it, with the context's messages in place of the channel's."""
        changed: dict[str, Any] = {}
        if context is not None:
            changed = {self.desk.messages_key: list(context.messages), CONTEXT: context}
        if _was_sent(config):
            return _copied(state, changed)
        known = self._known(state)
        if isinstance(self._schema, type) and (issubclass(self._schema, BaseModel) or is_dataclass(self._schema)):
            return self._schema(**{**known, **{k: v for k, v in changed.items() if k in self._keys}})
        return {**known, **changed}

    @functools.cached_property
    def _keys(self) -> frozenset[str]:
        from typing import get_type_hints

        return frozenset(get_type_hints(self._schema))

    def _known(self, state: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in state.items() if key in self._keys}

    def _stripped(self, out: Any, messages: Sequence[BaseMessage], context: Context) -> Any:
        key, given = self.desk.messages_key, {message.id: message for message in context.messages}

        def strip(update: Mapping[str, Any]) -> Mapping[str, Any]:
            returned = update.get(key)
            if not isinstance(returned, list | tuple):
                return update
            new = [m for m in returned if not (isinstance(m, BaseMessage) and m.id in given and m == given[m.id])]
            if len(new) == len(returned):
                return update
            return {**update, key: new if self._has_reducer else [*messages, *new]}

        return _mapped(out, strip)

    def _told(self, out: Any, state: Any, messages: Sequence[BaseMessage]) -> tuple[Any, dict[str, Any]]:
        """The output with ids on its new messages, and the state after it."""
        key, new = self.desk.messages_key, list[BaseMessage]()

        def named(update: Mapping[str, Any]) -> Mapping[str, Any]:
            returned = update.get(key)
            if returned is None:
                return update
            whole = with_ids([*messages, *(returned if isinstance(returned, list | tuple) else [returned])])
            new.extend(whole[len(messages) :])
            return {**update, key: whole[len(messages) :]}

        out = _mapped(out, named)
        memory = state.get(MEMORY) if isinstance(state, Mapping) else None
        return out, {key: [*messages, *new], MEMORY: memory}


def turn_is_over(desk: Desk, name: str) -> Any:
    """The branch after an LLM node: to the remembering node once the assistant has answered without calling tools."""

    def turn_is_over(state: Any) -> list[str]:
        messages = state_messages(state, desk.messages_key)[-1:]
        return ["remember"] if messages and is_final_answer(messages[0]) else []

    return turn_is_over


def _mapped(out: Any, change: Any) -> Any:
    """What a node returned, with `change` applied to every update in it: dicts, commands, lists of both, models."""
    if isinstance(out, Mapping):
        return change(out)
    if isinstance(out, Command):
        if isinstance(out.update, Mapping):
            return replace(out, update=change(out.update))
        if isinstance(out.update, list | tuple) and out.update:
            return replace(out, update=list(change(dict(out.update)).items()))
        return out
    if isinstance(out, list | tuple) and any(isinstance(one, Command) for one in out):
        return [_mapped(one, change) for one in out]
    if isinstance(out, BaseModel):
        fields = {name: getattr(out, name) for name in out.model_fields_set}
        return out.model_copy(update=dict(change(fields)))
    return out


def _copied(state: Any, changed: Mapping[str, Any]) -> Any:
    """A copy of a state that somebody sent, in its own type."""
    if isinstance(state, Mapping):
        return {**state, **changed}
    fitting = {key: value for key, value in changed.items() if hasattr(state, key)}
    return state.model_copy(update=fitting) if isinstance(state, BaseModel) else replace(state, **fitting)


def _also(out: Any, update: Mapping[str, Any]) -> Any:
    """The output with a further update, where it has room for one."""
    if out is None:
        return dict(update)
    if isinstance(out, Mapping):
        return {**out, **update}
    if isinstance(out, Command) and out.graph is None and (out.update is None or isinstance(out.update, Mapping)):
        return replace(out, update={**(out.update or {}), **update})
    return out


def _leaves(out: Any) -> bool:
    commands = out if isinstance(out, list | tuple) else [out]
    return any(isinstance(one, Command) and one.graph == Command.PARENT for one in commands)


def _was_sent(config: RunnableConfig) -> bool:
    """Whether the node runs on a state of its own, by `Send`; LangGraph says so in the run's metadata."""
    path = (config.get("metadata") or {}).get("langgraph_path") or ("",)
    return bool(path[0] == "__pregel_push")


def _has_native_async(inner: Runnable[Any, Any]) -> bool:
    """Whether awaiting the node awaits the user's own coroutine, and not their function in a thread."""
    acall = getattr(inner, "afunc", None)
    if acall is not None or hasattr(inner, "afunc"):
        return acall is not None and not (isinstance(acall, functools.partial) and acall.func is run_in_executor)
    return type(inner).ainvoke is not Runnable.ainvoke
