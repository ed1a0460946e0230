"""`attach`: one line gives an LLM node of an existing graph memory.

A drawn subgraph recalls before the node, a side branch remembers after it, and the node itself is wrapped to find the
assembled context as its messages. The node keeps its code, its name and its place in streams. Edges and branches that lead to
the node are led through the recalling node; ways in that no edge shows (`Command(goto=...)`, `Send`, a resume after an
interrupt, a replay) reach the wrapper without a context, which then recalls inline.

Only public parts of LangGraph are used: `StateGraph.nodes`, `.edges`, `.waiting_edges`, `.branches` and `.channels`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, get_type_hints
from uuid import uuid4

from langchain_core.messages import HumanMessage, RemoveMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import StateGraph
from langgraph.store.base import BaseStore
from langgraph.types import CachePolicy

from graph_memory.context.complexity import ComplexityEstimator
from graph_memory.context.workspaces import Workspace, workspace_named
from graph_memory.errors import ConfigurationError
from graph_memory.graph.lineage import lineage_value
from graph_memory.graph.node import MemoryNode, turn_is_over
from graph_memory.graph.orchestrator import Mode, check_mode, recall_graph
from graph_memory.graph.recalling import Desk, channel_of, check_desk, told
from graph_memory.graph.remembering import aremember, remember
from graph_memory.graph.runnables import GraphStep
from graph_memory.graph.state import (
    CONTEXT,
    MEMORY,
    ContextChannel,
    MemoryChannel,
    MemoryState,
    merge_memory,
    state_schema,
)
from graph_memory.graph.updating import after_recall
from graph_memory.memories.base import Memory
from graph_memory.memories.checking import checked
from graph_memory.memories.planning import Settings, counter_of
from graph_memory.stats import Stats
from graph_memory.types import Context, TokenCounter

_DURABILITY = "__pregel_durability"


def attach(
    builder: StateGraph[Any, Any, Any, Any],
    node: str,
    memories: Iterable[Memory],
    *,
    budget_tokens: int,
    reserve_tokens: int = 0,
    counter: TokenCounter | None = None,
    messages_key: str = "messages",
    agent: str | None = None,
    store: BaseStore | None = None,
    mode: Mode = "parallel",
    workspace: Workspace | str | None = None,
    estimator: ComplexityEstimator | None = None,
    stats: Stats | None = None,
) -> None:
    """Attaches memories to an LLM node of a graph that is being built.

    Call it when the node and its edges are there; edges that are added later reach memory too, but are drawn past it. Each
    call of the node takes one superstep more, and each turn one more for remembering: raise `recursion_limit` for long
    tool loops.

    Args:
        builder: the graph, before `compile()`. Its state needs a key that holds messages, nothing else.
        node: name of the LLM node, which finds the context as its messages and explained in `state["memory_context"]`.
        memories: what to ask and to tell, each under its own name.
        budget_tokens: tokens of everything that the node receives.
        reserve_tokens: tokens of the budget that are left free for what the node adds by itself, such as its prompt.
        counter: how tokens are counted; tiktoken where it can load, else an estimate that says so.
        messages_key: the state key that holds the conversation.
        agent: whose memories they are when several nodes serve one user and shall not share; None shares them.
        store: used when the graph is compiled without one.
        mode: "parallel", or "sequential" to have the drawn memories asked one after the other.
        workspace: whose policy shares out the budget by tiers and scales it with the question's complexity, or the name of a
            preset; None shares it by the memories' weights alone.
        estimator: estimates a question's complexity for the workspace; by its rules when left out.
        stats: takes in what is sent, what it costs and what memory saves.

    Raises:
        ConfigurationError: the node is unknown or has memory already, the state has no messages, two memories share a name,
            or the budget is below the fixed overhead. The builder is unchanged.
    """
    policy = workspace_named(workspace) if isinstance(workspace, str) else workspace
    settings = Settings(budget_tokens, reserve_tokens, counter_of(counter, policy), node, agent, policy, estimator)
    desk = Desk(checked(memories, settings), settings, messages_key, store, stats)
    check_mode(mode)
    _check(builder, desk)
    schema = _input_schema(builder, desk)
    recall_name, remember_name = f"{node}_memory", f"{node}_remember"
    _redirect(builder, node, recall_name)
    builder.add_node(recall_name, _recall_step(desk, recall_name, mode), input_schema=schema, cache_policy=_never())
    builder.add_node(remember_name, _remember_step(desk, remember_name), input_schema=schema, cache_policy=_never())
    spec = builder.nodes[node]
    inner: Any = spec.runnable
    wrapped = MemoryNode(desk, inner, spec.input_schema)
    builder.nodes[node] = replace(spec, runnable=wrapped, input_schema=schema)
    builder.add_edge(recall_name, node)
    builder.add_conditional_edges(node, turn_is_over(desk, _branch_name(node)), {"remember": remember_name})


def _check(builder: StateGraph[Any, Any, Any, Any], desk: Desk) -> None:
    """Everything that can be wrong, before anything is changed."""
    if not isinstance(builder, StateGraph):
        raise ConfigurationError(f"attach takes a StateGraph before compile(), not a {type(builder).__name__}")
    if builder.compiled:
        raise ConfigurationError(
            "the graph has been compiled already, without this memory: call attach before compile()"
        )
    check_desk(desk)
    node, key = desk.node, desk.messages_key
    if node not in builder.nodes:
        there = ", ".join(repr(name) for name in builder.nodes) or "none"
        raise ConfigurationError(f"the graph has no node {node!r}: add it before attach (there are: {there})")
    spec = builder.nodes[node]
    if isinstance(spec.runnable, MemoryNode):
        raise ConfigurationError(f"node {node!r} has memory already: pass all its memories to one attach call")
    if key not in builder.channels or key not in builder.schemas[spec.input_schema]:
        raise ConfigurationError(
            f"node {node!r} does not read a state key {key!r}: add one to its schema, for example by"
            " StateGraph(MessagesState), or name yours with messages_key="
        )
    for name in (f"{node}_memory", f"{node}_remember"):
        if name in builder.nodes:
            raise ConfigurationError(f"the graph has a node {name!r}, which attach wants to add: rename yours")
    if _branch_name(node) in builder.branches[node]:
        raise ConfigurationError(
            f"node {node!r} has a branch {_branch_name(node)!r}, which attach wants to add: rename yours"
        )
    _check_own_channels(builder)
    _check_pruning(builder, desk)


def _check_own_channels(builder: StateGraph[Any, Any, Any, Any]) -> None:
    ours: StateGraph[Any, Any, Any, Any] = StateGraph(MemoryState)
    for key in (MEMORY, CONTEXT):
        if key in builder.managed or (key in builder.channels and builder.channels[key] != ours.channels[key]):
            raise ConfigurationError(
                f"your state has a key {key!r} of its own, which memory needs: rename it, or take it from"
                " graph_memory.MemoryState"
            )


def _check_pruning(builder: StateGraph[Any, Any, Any, Any], desk: Desk) -> None:
    others = [spec.runnable for spec in builder.nodes.values() if isinstance(spec.runnable, MemoryNode)]
    pruned = [m for m in desk.memories if m.prunes]
    if others and (pruned or any(m.prunes for other in others for m in other.desk.memories)):
        raise ConfigurationError(
            "prune=True cannot be used when several nodes of a graph have memory: one would remove messages that the other"
            " still shows"
        )
    if pruned and not _understands_removal(builder.channels[desk.messages_key]):
        raise ConfigurationError(
            f"memory {pruned[0].name!r} has prune=True, but the reducer of {desk.messages_key!r} does not understand"
            " RemoveMessage: use add_messages"
        )


def _understands_removal(channel: Any) -> bool:
    """Whether the channel's reducer takes a message away, by trying it."""
    reducer = _reducer(channel)
    if reducer is None:
        return False
    try:
        return not reducer([HumanMessage("x", id="1")], [RemoveMessage(id="1")])
    except (TypeError, ValueError, AttributeError):
        return False


def _never() -> CachePolicy[Any]:
    """A cache policy under which nothing is found again: a cache's key knows nothing of users (law 6)."""
    return CachePolicy(key_func=lambda *args, **kwargs: uuid4().hex, ttl=1)


def _branch_name(node: str) -> str:
    return f"{node}_turn_is_over"


def _reducer(channel: Any) -> Any:
    return getattr(channel, "operator", None) or getattr(channel, "reducer", None)


def _input_schema(builder: StateGraph[Any, Any, Any, Any], desk: Desk) -> Any:
    """What the node read before, and the two keys of memory; its keys bring the channels into the graph."""
    theirs = builder.nodes[desk.node].input_schema
    hints = get_type_hints(theirs, include_extras=True)
    known = {name: hint for name, hint in hints.items() if name in builder.schemas[theirs]}
    return state_schema(f"{desk.node}_input", {**known, MEMORY: MemoryChannel, CONTEXT: ContextChannel})


def _redirect(builder: StateGraph[Any, Any, Any, Any], node: str, entry: str) -> None:
    """Leads every drawn way to `node` through `entry`."""
    builder.edges = {(start, entry if end == node else end) for start, end in builder.edges}
    builder.waiting_edges = {(starts, entry if end == node else end) for starts, end in builder.waiting_edges}
    for branches in builder.branches.values():
        for name, branch in branches.items():
            if branch.ends is not None:
                ends = {label: entry if end == node else end for label, end in branch.ends.items()}
                branches[name] = branch._replace(ends=ends)


def _recall_step(desk: Desk, name: str, mode: Mode) -> GraphStep:
    """Runs the subgraph without checkpoints; drawings and streams see its twin, which LangGraph would draw only with them."""
    quiet, drawn = (recall_graph(desk, checkpointer=kept, mode=mode) for kept in (False, None))

    def call(state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        if desk.current(state) is not None:
            return {}
        return update(quiet.invoke(asked(state, config), _undurable(config))[CONTEXT], state, config)

    async def acall(state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        if desk.current(state) is not None:
            return {}
        return update((await quiet.ainvoke(asked(state, config), _undurable(config)))[CONTEXT], state, config)

    def asked(state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        lineage = desk.lineage(state, config)  # inside the subgraph nobody could tell where the thread begins
        root = lineage_value(lineage.root, {}) if lineage else {}
        return {
            **{k: state[k] for k in (desk.messages_key,) if k in state},
            MEMORY: merge_memory(channel_of(state), root),
        }

    def update(context: Context, state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return after_recall(desk, told(context), state, config)

    return GraphStep(call, acall, name=name, shows=drawn)


def _undurable(config: RunnableConfig) -> RunnableConfig:
    """The config without the run's durability, which LangGraph 1.2.22 would wait for in a subgraph that has no checkpoints."""
    return {**config, "configurable": {k: v for k, v in (config.get("configurable") or {}).items() if k != _DURABILITY}}


def _remember_step(desk: Desk, name: str) -> GraphStep:
    def call(state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return remember(desk, state, config)

    async def acall(state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return await aremember(desk, state, config)

    return GraphStep(call, acall, name=name)
