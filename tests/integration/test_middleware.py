"""`MemoryMiddleware`: an agent of `create_agent` with the same context, laws and lineage as a node with `attach`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware, SummarizationMiddleware
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.base import BaseStore
from langgraph.types import Command
from pydantic import BaseModel

from graph_memory import (
    BudgetError,
    BufferMemory,
    ConfigurationError,
    MemoryMiddleware,
    SummaryMemory,
    VectorMemory,
    open_store,
)
from tests.agents import Scripted, calling
from tests.fakes import MODES, call, in_thread, words_counter

pytestmark = pytest.mark.parametrize("mode", MODES)


@pytest.fixture
def store() -> Iterator[BaseStore]:
    """Our store, in memory."""
    with open_store("sqlite://") as opened:
        yield opened


@tool
def look_up(city: str) -> str:
    """Looks up a city."""
    return f"{city} has 260,000 people"


def memory(**options: Any) -> MemoryMiddleware:
    """A window and a search."""
    settings = {"budget_tokens": 2000, **options}
    return MemoryMiddleware(settings.pop("memories", [BufferMemory(), VectorMemory()]), **settings)


def agent(model: Scripted, store: BaseStore, *middleware: Any, **options: Any) -> Any:
    """An agent with a window, a search and one tool."""
    return create_agent(
        model,
        [look_up],
        middleware=middleware or [memory()],
        store=store,
        **{"checkpointer": InMemorySaver(), "system_prompt": "Be brief.", **options},
    )


def said(text: str) -> dict[str, Any]:
    """One turn."""
    return {"messages": [HumanMessage(text)]}


def test_what_was_said_in_one_thread_is_known_in_another(store: BaseStore, mode: str) -> None:
    """The system prompt stays what it is, the memory stands before the question, and the state keeps the thread's own."""
    model = Scripted()
    graph = agent(model, store)
    call(graph, mode, said("My sister Ines lives in Ghent."), in_thread("monday"))

    result = call(graph, mode, said("Where does my sister live?"), in_thread("friday"))

    system, question = model.handed[-1]
    assert isinstance(system, SystemMessage)
    assert system.content == "Be brief."
    assert "Ines lives in Ghent" in str(question.content)
    assert [message.content for message in result["messages"]] == ["Where does my sister live?", "answer 2"]
    assert result["memory_context"].tokens["vector"] > 0


def test_the_system_prompt_counts_against_the_budget(store: BaseStore, mode: str) -> None:
    """Whatever else is there, the model never receives more; what cannot fit is refused before it is asked."""
    model, counter = Scripted(), words_counter()
    graph = agent(model, store, memory(budget_tokens=120, counter=counter), system_prompt="word " * 40)
    for number in range(12):
        call(graph, mode, said(f"My sister number {number} lives in a town of which I tell you here."), in_thread())

    for handed in model.handed:
        assert counter.overhead + sum(counter.count_messages(handed)) <= 120
    longer = agent(model, store, memory(budget_tokens=120, counter=counter), system_prompt="word " * 140)
    with pytest.raises(BudgetError, match="120"):
        call(longer, mode, said("hi"), in_thread("other"))
    assert len(model.handed) == 12


def test_a_tool_loop_retrieves_once_and_remembers_once(store: BaseStore, mode: str) -> None:
    """The second call has the tool's result, and the same memory before the question."""
    model = Scripted(answers=["Noted.", calling("look_up", city="Ghent"), "It has many people."])
    graph = agent(model, store)
    call(graph, mode, said("My sister Ines lives in Ghent."), in_thread("monday"))

    call(graph, mode, said("How large is the town of my sister?"), in_thread("friday"))

    first, second = model.handed[1:]
    assert [message.type for message in second] == ["system", "human", "ai", "tool"]
    assert first[1].content == second[1].content
    texts = [item.value["text"] for item in store.search(("graph_memory",), limit=100) if "text" in item.value]
    assert texts.count("How large is the town of my sister?") == 1
    assert texts.count("It has many people.") == 1


def test_a_fork_sees_its_own_past_only(store: BaseStore, mode: str) -> None:
    """What was remembered after the moment that is gone back to is not known there."""
    model = Scripted()
    graph = agent(model, store)
    call(graph, mode, said("We plan a trip to Norway."), in_thread())
    moment = graph.get_state(in_thread()).config["configurable"]
    call(graph, mode, said("We take the train."), in_thread())

    call(graph, mode, said("How do we travel?"), in_thread(**{k: v for k, v in moment.items() if k != "thread_id"}))

    assert "Norway" in model.text
    assert "train" not in model.text


def test_a_turn_that_waits_for_a_human_is_remembered_when_it_is_over(store: BaseStore, mode: str) -> None:
    """And a turn that fails is made up for by the next one."""
    model = Scripted(answers=[calling("look_up", city="Ghent"), "It is large.", ConnectionError(), "I am back."])
    graph = agent(model, store, memory(), HumanInTheLoopMiddleware(interrupt_on={"look_up": True}))

    def known() -> set[str]:
        return {item.value["text"] for item in store.search(("graph_memory",), limit=100) if "text" in item.value}

    call(graph, mode, said("How large is Ghent?"), in_thread())
    assert not known()
    call(graph, mode, Command(resume={"decisions": [{"type": "approve"}]}), in_thread())
    assert {"How large is Ghent?", "It is large."} <= known()

    with pytest.raises(ConnectionError):
        call(graph, mode, said("My dog is called Rex."), in_thread())
    call(graph, mode, said("Are you there?"), in_thread())
    assert {"My dog is called Rex.", "Are you there?", "I am back."} <= known()


def test_structured_output_is_remembered_and_handed_on(store: BaseStore, mode: str) -> None:
    """The turn ends with a tool message then."""

    class Town(BaseModel):
        """A town."""

        name: str

    model = Scripted(answers=[calling("Town", name="Ghent")])
    graph = agent(model, store, response_format=Town)

    result = call(graph, mode, said("Which town do I mean, the one of my sister?"), in_thread())

    assert result["structured_response"] == Town(name="Ghent")
    assert any("Which town" in str(item.value.get("text")) for item in store.search(("graph_memory",), limit=100))


@pytest.mark.parametrize("order", [0, 1])
def test_it_composes_with_langchains_summaries(store: BaseStore, mode: str, order: int) -> None:
    """Whichever comes first: what they take out of the state is still found."""
    model, summariser = Scripted(), Scripted(answers=["They talked about towns."] * 20)
    pair = [memory(), SummarizationMiddleware(summariser, trigger=("messages", 6), keep=("messages", 2))]
    graph = agent(model, store, *(pair if order else reversed(pair)))
    call(graph, mode, said("My sister Ines lives in Ghent."), in_thread())
    for number in range(6):
        call(graph, mode, said(f"Let us talk about the weather of day {number}."), in_thread())

    result = call(graph, mode, said("Where does my sister Ines live?"), in_thread())

    assert "Ines lives in Ghent" in model.text
    assert len(result["messages"]) < 10
    texts = [item.value["text"] for item in store.search(("graph_memory",), limit=100) if "text" in item.value]
    assert len(texts) == len(set(texts))


def test_pruning_and_summaries_work_in_an_agent(store: BaseStore, mode: str) -> None:
    """The channel stays short, and what left the window is summarised."""
    model = Scripted()
    memories = [BufferMemory(turns=4, prune=True), SummaryMemory(threshold_tokens=50, keep_recent=2)]
    graph = agent(model, store, memory(memories=memories))
    for number in range(10):
        call(graph, mode, said(f"My cousin number {number} lives in Town{number}, a place by the sea."), in_thread())

    assert len(graph.get_state(in_thread()).values["messages"]) <= 6
    assert "Town8" in model.text
    assert "Town0" in model.text


def test_tokens_stream_as_they_do_without_memory(store: BaseStore, mode: str) -> None:
    """The same tokens, and what memory did beside them."""

    def streamed(graph: Any, kind: str) -> list[Any]:
        if mode == "invoke":
            return list(graph.stream(said("Hello there."), in_thread("s" + kind), stream_mode=kind))

        async def all_of() -> list[Any]:
            return [one async for one in graph.astream(said("Hello there."), in_thread("s" + kind), stream_mode=kind)]

        return asyncio.run(all_of())

    def tokens(graph: Any) -> list[str]:
        return [message.content for message, _ in streamed(graph, "messages") if message.type == "AIMessageChunk"]

    plain = create_agent(Scripted(answers=["one two three"]), [look_up])
    graph = agent(Scripted(answers=["one two three", "four"]), store)

    assert tokens(graph) == tokens(plain)
    assert [e["graph_memory"]["event"] for e in streamed(graph, "custom")] == [
        *["recalled"] * 2,
        "assembled",
        *["remembered"] * 2,
    ]


def test_mistakes_are_told_when_it_is_made(store: BaseStore, mode: str) -> None:
    """Not when somebody speaks."""
    with pytest.raises(ConfigurationError, match="name"):
        memory(memories=[BufferMemory(), BufferMemory()])
    with pytest.raises(ConfigurationError, match="store must be a BaseStore"):
        memory(store="sqlite://")
