"""The orchestrator: a subgraph that plans, asks every memory, and merges what they found.

`orchestrator(...)` is for graphs that place it themselves; `attach` places one before an LLM node. Its drawing is its code:
plan → one node per memory → merge. The memories are asked in parallel or, in the sequential mode, one after the other: for stores
and models that a burst of requests would be too much for. What they find is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from langchain_core.runnables import RunnableConfig
from langgraph.channels import UntrackedValue
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore

from graph_memory.context.complexity import ComplexityEstimator
from graph_memory.context.workspaces import Workspace, workspace_named
from graph_memory.errors import ConfigurationError
from graph_memory.graph.recalling import Desk, check_desk, told
from graph_memory.graph.recording import record_sent
from graph_memory.graph.runnables import GraphStep
from graph_memory.graph.state import CONTEXT, MEMORY, ContextChannel, MemoryChannel, MergedUntracked, state_schema
from graph_memory.memories.assembly import arecall_all, assemble, recall_all
from graph_memory.memories.base import Memory
from graph_memory.memories.checking import checked
from graph_memory.memories.planning import Plan, Settings, counter_of
from graph_memory.stats import Stats
from graph_memory.types import Context, Section, TokenCounter

PLAN, MERGE = "plan", "merge"

Mode = Literal["parallel", "sequential"]
"""Whether memories are asked at once or one after the other, in their order."""


def orchestrator(
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
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """A compiled subgraph that turns `messages` into `memory_context`.

    Add it as a node of a graph over `MemoryState`, or invoke it by itself; the node after it reads
    `state["memory_context"].messages`.

    Args:
        memories: what to ask, each under its own name.
        budget_tokens: tokens of everything that the LLM node receives.
        reserve_tokens: tokens of the budget that are left free for what the node adds by itself.
        counter: how tokens are counted; tiktoken where it can load, else an estimate that says so.
        messages_key: the state key that holds the conversation.
        agent: whose memories they are when several agents serve one user; None shares them.
        store: used when the graph around it has none.
        mode: "parallel", or "sequential" to ask one memory after the other; each then takes a superstep.
        workspace: whose policy shares out the budget by tiers and scales it with the question's complexity, or the name of a
            preset; None shares it by the memories' weights alone.
        estimator: estimates a question's complexity for the workspace; by its rules when left out.
        stats: takes in the contexts that are made.

    Raises:
        ConfigurationError: no memories, two of one name, a budget below the fixed overhead, or an unknown mode.
    """
    policy = workspace_named(workspace) if isinstance(workspace, str) else workspace
    settings = Settings(budget_tokens, reserve_tokens, counter_of(counter, policy), "", agent, policy, estimator)
    desk = Desk(checked(memories, settings), settings, messages_key, store, stats)
    check_desk(desk)
    return recall_graph(desk, checkpointer=None, mode=mode)


def recall_graph(
    desk: Desk, *, checkpointer: bool | None, mode: Mode = "parallel"
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The subgraph for one desk. `checkpointer=False` keeps its steps out of the parent's checkpoints.

    Raises:
        ConfigurationError: the mode is unknown.
    """
    check_mode(mode)
    ours = {MEMORY: MemoryChannel, CONTEXT: ContextChannel}
    asked = {desk.messages_key: list, **ours}
    inner = {
        PLAN: Annotated[Plan, UntrackedValue(Plan, guard=False)],
        "sections": Annotated[dict[str, Section], MergedUntracked],
    }
    builder = StateGraph(
        state_schema("RecallState", {**asked, **inner}),
        input_schema=state_schema("RecallInput", asked),
        output_schema=state_schema("RecallOutput", ours),
    )
    names = [memory.name for memory in desk.memories]
    builder.add_node(PLAN, _plan_step(desk))
    builder.add_node(MERGE, _merge_step(desk))
    for memory in desk.memories:
        builder.add_node(memory.name, _recall_step(desk, memory), metadata={"memory": memory.kind})
    for name, following in pairwise([*names, MERGE]):
        builder.add_edge(name, following if mode == "sequential" else MERGE)
    first = names[:1] if mode == "sequential" else names
    builder.add_edge(START, PLAN)
    builder.add_conditional_edges(PLAN, _fan_out(first), [*first, END])
    builder.add_edge(MERGE, END)
    return builder.compile(checkpointer=checkpointer, name="memory")


def check_mode(mode: str) -> None:
    """Refuses a mode that does not exist.

    Raises:
        ConfigurationError: the mode is unknown.
    """
    if mode not in get_args(Mode):
        raise ConfigurationError(f"mode is {mode!r}: choose 'parallel' or 'sequential'")


def _fan_out(names: Sequence[str]) -> Any:
    def fan_out(state: dict[str, Any]) -> list[str]:
        return list(names) if PLAN in state else [END]

    return fan_out


def _plan_step(desk: Desk) -> GraphStep:
    """Nothing to do when the context in the state is for the newest human message already: a tool loop comes by here."""

    def call(state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return {} if desk.current(state) is not None else {PLAN: desk.plan(state, config), "sections": {}}

    async def acall(state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return call(state, config)

    return GraphStep(call, acall, name=PLAN)


def _recall_step(desk: Desk, memory: Memory) -> GraphStep:
    def call(state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        [section] = recall_all(_planned(desk, state, config), [memory], desk.seen_store(state, config), desk.settings)
        return {"sections": {memory.name: section}}

    async def acall(state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        [section] = await arecall_all(
            _planned(desk, state, config), [memory], desk.seen_store(state, config), desk.settings
        )
        return {"sections": {memory.name: section}}

    return GraphStep(call, acall, name=memory.name)


def _merge_step(desk: Desk) -> GraphStep:
    """What a crash and resume lost of the untracked sections is recalled again here."""

    def call(state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        made, found = _planned(desk, state, config), dict(state.get("sections") or {})
        missing = [memory for memory in desk.memories if memory.name not in found]
        if missing:
            again = recall_all(made, missing, desk.seen_store(state, config), desk.settings)
            found |= {section.memory: section for section in again}
        return {CONTEXT: _context(desk, made, found, config)}

    async def acall(state: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        made, found = _planned(desk, state, config), dict(state.get("sections") or {})
        missing = [memory for memory in desk.memories if memory.name not in found]
        if missing:
            again = await arecall_all(made, missing, desk.seen_store(state, config), desk.settings)
            found |= {section.memory: section for section in again}
        return {CONTEXT: _context(desk, made, found, config)}

    return GraphStep(call, acall, name=MERGE)


def _context(desk: Desk, made: Plan, found: Mapping[str, Section], config: RunnableConfig) -> Context:
    context = assemble(made, [found[memory.name] for memory in desk.memories], desk.settings, desk.memories)
    if not desk.node:  # an LLM node with memory records what it is sent, and tells of it, by itself
        record_sent(desk, context, made.messages, config)
        told(context)
    return context


def _planned(desk: Desk, state: dict[str, Any], config: RunnableConfig) -> Plan:
    planned = state.get(PLAN)
    return planned if isinstance(planned, Plan) else desk.plan(state, config)
