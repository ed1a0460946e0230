"""Checks of a memory in a graph: the sample passes through an LLM node that it is attached to, and a fork of the thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph

from graph_memory.graph.attach import attach
from graph_memory.graph.state import MemoryState
from graph_memory.testing._memory_trials import COUNTER, MemoryCheck, Trial, checker, texts
from graph_memory.types import Context

CHECKS: list[MemoryCheck] = []
check = checker(CHECKS)

_BUDGET_TOKENS = 4000


@check()
async def in_a_graph_nothing_degrades(trial: Trial) -> None:
    graph, events = _graph(trial), []
    for turn in trial.sample.turns:
        events += [event["graph_memory"] for event in await _streamed(trial, graph, turn[0], _thread(trial))]
    assert {event["event"] for event in events} >= {"recalled"}
    assert [event["degraded"] for event in events if event.get("degraded")] == []


@check("learns")
async def a_fork_recalls_nothing_of_the_line_that_it_left(trial: Trial) -> None:
    graph, first = _graph(trial), trial.sample.turns[0]
    await _streamed(trial, graph, first[0], _thread(trial))
    before = await _state(trial, graph)
    for turn in trial.sample.turns[1:]:
        await _streamed(trial, graph, turn[0], _thread(trial))
    async with trial.afresh() as other:
        straight = _graph(other)
        await _streamed(other, straight, first[0], _thread(other))
        expected = await _recalled(other, straight, _thread(other))
    assert await _recalled(trial, graph, before.config) == expected


def _graph(trial: Trial) -> Any:
    """A graph whose LLM node answers as the sample does, and says "Well." after that."""
    answers: Iterator[tuple[BaseMessage, ...]] = iter([turn[1:] for turn in trial.sample.turns])
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MemoryState)
    builder.add_node("assistant", lambda _: {"messages": [*next(answers, (AIMessage("Well."),))]})
    builder.add_edge(START, "assistant")
    builder.add_edge("assistant", END)
    attach(builder, "assistant", [trial.memory], budget_tokens=_BUDGET_TOKENS, counter=COUNTER)
    return builder.compile(store=trial.store, checkpointer=InMemorySaver())


def _thread(trial: Trial) -> dict[str, Any]:
    return {"configurable": {"user_id": trial.scope.user_id, "thread_id": trial.scope.thread_id}}


async def _streamed(trial: Trial, graph: Any, human: BaseMessage, config: Mapping[str, Any]) -> list[Any]:
    """What the custom stream tells of a run."""
    given = {"messages": [human]}, config
    if trial.mode == "sync":
        return list(graph.stream(*given, stream_mode="custom"))
    return [event async for event in graph.astream(*given, stream_mode="custom")]


async def _state(trial: Trial, graph: Any) -> Any:
    return graph.get_state(_thread(trial)) if trial.mode == "sync" else await graph.aget_state(_thread(trial))


async def _recalled(trial: Trial, graph: Any, config: Mapping[str, Any]) -> list[str]:
    """What the memory offers when the sample's question is asked there."""
    user = {**config["configurable"], "user_id": trial.scope.user_id}
    given = {"messages": [HumanMessage(trial.sample.question, id="question")]}, {"configurable": user}
    result = graph.invoke(*given) if trial.mode == "sync" else await graph.ainvoke(*given)
    context: Context = result["memory_context"]
    return sorted(texts(context.sections[0]))
