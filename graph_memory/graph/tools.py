"""Memory as tools, for agents that decide themselves what to look up and what to keep.

A tool runs as a task of a tools node, beside others of the same answer. What they write is one commit of a line of its own, each
call a part of it (`graph_memory.graph.commits`), and the new head comes back with the tool's message: so a tools node that runs
again writes the same records again, and a fork does not see them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from langgraph.prebuilt import ToolRuntime
from langgraph.types import Command

from graph_memory.errors import ModelError, StoreError
from graph_memory.graph.commits import Commit, ForkedError
from graph_memory.graph.lineage import (
    LINEAGE,
    Lineage,
    has_checkpointer,
    lineage_of,
    lineage_value,
    node_of,
    operation_id,
    root_of,
    task_id,
    tools_line,
)
from graph_memory.graph.recalling import channel_of
from graph_memory.graph.scope import scope_of
from graph_memory.graph.state import MEMORY, merge_memory, next_version
from graph_memory.graph.tool_bodies import Answer, Call, RefusedError
from graph_memory.graph.toolbox import Tool, mistake_in, sentence_of, tools_of
from graph_memory.graph.view import LineageView, seen_by
from graph_memory.memories.base import Memory
from graph_memory.messages import newest_human, state_messages
from graph_memory.namespaces import label, namespace
from graph_memory.steps import Steps, StoreOps, arun, run
from graph_memory.types import Origin

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langgraph.store.base import BaseStore

_DEADLINE_SECONDS = 30.0


def memory_tools(
    memories: Iterable[Memory],
    *,
    prefix: str = "",
    node: str = "model",
    agent: str | None = None,
    store: BaseStore | None = None,
    messages_key: str = "messages",
) -> list[BaseTool]:
    """Tools for an agent that manages its own memory, to be given to `create_agent` or a `ToolNode`.

    `VectorMemory` and `KeyValueMemory` give `search_memory`, `save_memory`, `update_memory`, `forget_memory` and `list_memories`,
    `EntityMemory` gives `look_up_entity`, `WorkingMemory` gives `note` and `read_notes`. Whose memory it is comes from the run,
    never from what the model writes. They go together with `MemoryMiddleware` and `attach` over the same memories.

    Where the graph's state has the key `memory` (`MemoryState`, or an agent with `MemoryMiddleware`) and a checkpointer, a fork
    knows only what its own line saved. Without that key what is saved is outside of lineage: seen from every fork, and changed
    in place; so is what an agent that is a subgraph saves before the thread has a root. Notes of a `WorkingMemory` that is not
    shared need the key.

    Args:
        memories: at most one of each of the four kinds; others are passed over.
        prefix: put before each tool's name.
        node: the LLM node that the memories are attached to, whose context shows the notes; that of an agent is "model".
        agent: the agent whose memory it is, as in `attach`.
        store: used when the graph has none of its own.
        messages_key: the state key of the conversation.

    Raises:
        ConfigurationError: two memories are of one kind, none has tools, or providers would refuse the names.
    """
    bench = _Bench(node, agent, store, messages_key)
    return [_structured(tool, bench) for tool in tools_of(memories, prefix)]


@dataclass(frozen=True, slots=True)
class _Bench:
    """Where tools work; the attributes are those of `memory_tools`."""

    node: str
    agent: str | None
    store: BaseStore | None
    messages_key: str


@dataclass(frozen=True)
class _Job:
    """One call of a tool: where it stands, what it writes to, and the root of a thread that has no lineage yet."""

    call: Call
    store: Any
    lineage: Lineage | None = None
    commit: Commit | None = None
    begins: str = ""

    def on_a_branch(self) -> _Job:
        """The same, to be written on a branch of this operation's own."""
        assert self.commit is not None
        assert self.lineage is not None
        commit = self.commit.on_a_branch()
        view = LineageView(self.store.store, self.lineage, commit)
        return replace(self, commit=commit, store=view, call=replace(self.call, stem=_stem(commit)))

    def body(self, tool: Tool, arguments: Mapping[str, Any]) -> Steps[Answer]:
        """What the tool does, and then the deletion of what an earlier try wrote and this one did not."""
        answer = yield from tool.body(self.call, **arguments)
        if self.commit is not None and (left := self.commit.leftover()):
            yield StoreOps(left)
        return answer

    def update(self, answer: Answer) -> dict[str, Any]:
        """What of the graph's state changes: notes, and the head of what was written."""
        notes = answer.update.get(MEMORY, {})
        if self.commit is None or not self.commit.is_taken:
            return merge_memory(lineage_value(self.begins, {}) if self.begins else {}, notes)
        commit = self.commit
        head = lineage_value(commit.root, {commit.line: commit.head.next()})
        version = next_version(channel_of(self.call.state), node_of(commit.line))
        return merge_memory(merge_memory(head, version), notes)


def _structured(tool: Tool, bench: _Bench) -> BaseTool:
    def work(runtime: ToolRuntime, **arguments: Any) -> Any:
        job = _job(bench, runtime)
        try:
            try:
                answer = run(job.body(tool, arguments), store=job.store, deadline_seconds=_DEADLINE_SECONDS)
            except ForkedError:
                job = job.on_a_branch()
                answer = run(job.body(tool, arguments), store=job.store, deadline_seconds=_DEADLINE_SECONDS)
        except (RefusedError, StoreError, ModelError) as exc:
            raise ToolException(sentence_of(exc, tool)) from exc
        return _message(job, answer, tool, runtime, bench.messages_key)

    async def awork(runtime: ToolRuntime, **arguments: Any) -> Any:
        job = _job(bench, runtime)
        try:
            try:
                answer = await arun(job.body(tool, arguments), store=job.store, deadline_seconds=_DEADLINE_SECONDS)
            except ForkedError:
                job = job.on_a_branch()
                answer = await arun(job.body(tool, arguments), store=job.store, deadline_seconds=_DEADLINE_SECONDS)
        except (RefusedError, StoreError, ModelError) as exc:
            raise ToolException(sentence_of(exc, tool)) from exc
        return _message(job, answer, tool, runtime, bench.messages_key)

    return StructuredTool.from_function(
        func=work,
        coroutine=awork,
        name=tool.name,
        description=tool.description,
        args_schema=tool.arguments,
        handle_tool_error=True,
        handle_validation_error=mistake_in,
    )


def _job(bench: _Bench, runtime: ToolRuntime) -> _Job:
    """Where a call stands, from what LangGraph knows of it.

    Raises:
        ConfigurationError: the run names no user and no thread, or another user than the one who is signed in.
    """
    config = runtime.config
    state: Any = runtime.state
    scope = scope_of(config, runtime, bench.agent)
    where = namespace(scope, LINEAGE)
    messages = state_messages({bench.messages_key: state} if isinstance(state, list) else state, bench.messages_key)
    store = runtime.store or bench.store
    has_channel = MEMORY in state if isinstance(state, Mapping) else hasattr(state, MEMORY)
    at = newest_human(messages)
    turn_id = (messages[at].id if at >= 0 else None) or ""
    asked, number = _asked(messages, runtime.tool_call_id)
    call = Call(
        scope,
        datetime.now(UTC),
        stem=f"{scope.thread_id}/{asked or uuid4().hex}",
        origin=Origin("", turn_id=turn_id),
        state=state if has_channel else None,
        node=bench.node,
        agent=bench.agent,
    )
    lineage = lineage_of(channel_of(state), scope, messages, config, is_threads=True) if has_channel else None
    if lineage is None or store is None:
        begins = root_of(scope, messages) if has_channel and lineage is None and has_checkpointer(config) else ""
        return _Job(call, seen_by(lineage, store), begins=begins)
    line = tools_line(config, scope)
    thread = scope.thread_id or ""
    commit = Commit(
        thread=thread,
        root=lineage.root,
        line=line,
        head=lineage.head(line),
        operation=operation_id(config, line),
        place=(*where, label("root", lineage.root)),
        part=f"{task_id(config, turn_id)}/{number}",
    )
    origin = Origin(thread, turn_id=turn_id or line)
    view = LineageView(store, lineage, commit)
    return _Job(replace(call, stem=_stem(commit), origin=origin), view, lineage, commit)


def _message(job: _Job, answer: Answer, tool: Tool, runtime: ToolRuntime, messages_key: str) -> Any:
    """The answer; with the update of the state that goes with it, where there is one."""
    update = job.update(answer)
    if not update:
        return answer.text
    message = ToolMessage(answer.text, name=tool.name, tool_call_id=runtime.tool_call_id)
    return Command(update={MEMORY: update, messages_key: [message]})


def _stem(commit: Commit) -> str:
    """What the ids of a part's records are made of: a commit on another branch has others."""
    return "/".join((commit.operation, commit.head.branch, str(commit.head.commit), commit.part))


def _asked(messages: Sequence[BaseMessage], call_id: str | None) -> tuple[str, int]:
    """What tells a tool call from all others of its thread, and which of its message's calls it is; "" where none is found.

    Of the message's id, the call's, and its arguments: of models and graphs that number both anew, calls that differ stay apart.
    """
    for message in reversed(messages):
        for number, call in enumerate(message.tool_calls if isinstance(message, AIMessage) else ()):
            if call_id and call["id"] == call_id:
                return f"{message.id}/{call_id}/{call['args']!r}", number
    return "", 0
