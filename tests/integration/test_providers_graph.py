"""Graphs whose LLM node asks OpenAI or Gemini through their own clients: streams, usage, budgets, and what the APIs accept."""

from __future__ import annotations

import asyncio
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, CalibratedCounter, KeyValueMemory, MemoryMiddleware, SummaryMemory, VectorMemory
from graph_memory.context.merge import merge
from graph_memory.context.tokens import token_counter
from graph_memory.context.turns import history_section
from graph_memory.messages import text_of
from graph_memory.stats import Stats
from graph_memory.testing.models import Answer, Asked, ModelServer, Reply, ToolCall
from graph_memory.types import Section, Snippet
from tests.fakes import MODES, call, in_thread
from tests.graphs import said
from tests.providers import CHATS, chats, chatting
from tests.strategies import threads

both = pytest.mark.parametrize("mode", MODES)
LONG = "Whales are large animals that live in the sea and sing to each other over great distances. " * 6


def streamed(graph: Any, mode: str, value: Any) -> list[AIMessageChunk]:
    """What a client sees of the answer, piece by piece."""
    if mode == "invoke":
        pieces = list(graph.stream(value, in_thread(), stream_mode="messages"))
    else:

        async def collect() -> list[Any]:
            return [piece async for piece in graph.astream(value, in_thread(), stream_mode="messages")]

        pieces = asyncio.run(collect())
    return [message for message, _ in pieces if isinstance(message, AIMessageChunk)]


# The openai package dumps a parsed answer into a field that it declares as empty, when it streams one.
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@both
@chats
def test_tokens_stream_and_their_usage_is_recorded(chat: str, mode: str):
    """Pieces of the node's answer alone; the figures are what the provider counted, memory's own calls apart."""
    stats = Stats()
    with ModelServer(lambda asked: {"preferences": []} if asked.method else "Hello there, dear Ada.") as server:
        model = CHATS[chat](server)
        memories = [BufferMemory(), KeyValueMemory(model=model)]
        graph = chatting(model, mode, memories, stats=stats).compile(
            store=InMemoryStore(), checkpointer=InMemorySaver()
        )
        pieces = streamed(graph, mode, said("I am Ada."))

    report = stats.get_stats()
    answer, memory = server.requests
    assert [piece.text for piece in pieces if piece.text] == ["Hello ", "there, ", "dear ", "Ada."]
    assert (answer.is_streamed, memory.method == "") == (True, False)
    assert (report.answers.calls, report.answers.input_tokens) == (1, answer.prompt_tokens)
    assert report.answers.output_tokens == len("Hello there, dear Ada.") // 4 + 1
    assert (report.memory.calls, report.memory.input_tokens) == (1, memory.prompt_tokens)
    assert report.total_dollars > 0
    assert report.estimated_models == ()


@both
@pytest.mark.parametrize("chat", ["gemini 2.5", "gemini 3"])
def test_the_estimate_learns_how_the_provider_counts(chat: str, mode: str):
    """Three characters a token where four were estimated; thoughts that nobody sees are not counted as words."""
    counter = CalibratedCounter("gemini-2.5-flash")
    with ModelServer(lambda _: Reply(LONG, thought_tokens=500), count=lambda text: -(-len(text) // 3)) as server:
        graph = chatting(CHATS[chat](server), mode, [BufferMemory(turns=1)], counter=counter).compile()
        for _ in range(8):
            call(graph, mode, said("Hello"), in_thread())

    assert 3 <= counter.calibration.characters_per_token("gemini-2.5-flash") < 3.6
    assert counter.name.endswith("calibrated")


@both
@chats
def test_what_the_provider_counts_is_within_the_budget(chat: str, mode: str):
    """Law 1, by the provider's own count: it refuses what is longer, and refuses nothing."""
    with ModelServer(
        lambda asked: LONG if asked.text.count("running summary") == 0 else "Whales.", context_tokens=600
    ) as server:
        model = CHATS[chat](server)
        memories = [BufferMemory(), SummaryMemory(threshold_tokens=200, keep_recent=2), VectorMemory()]
        graph = chatting(model, mode, memories, budget_tokens=600, counter=token_counter("gemini"))
        app = graph.compile(store=InMemoryStore(), checkpointer=InMemorySaver())
        for number in range(8):
            call(app, mode, said(f"Tell me about whale {number}. " * 10), in_thread())

    assert server.refused == []
    assert max(asked.prompt_tokens for asked in server.requests) > 400


def look_up(topic: str) -> str:
    """Looks a topic up."""
    return f"{topic} is large."


def calling(asked: Asked) -> Answer:
    """Looks two things up at once, then a third one, before it answers."""
    newest = max(index for index, message in enumerate(asked.messages) if message.role == "user")
    made = sum(len(message.calls) for message in asked.messages[newest:])
    if made == 0:
        return Reply(
            "Let me see.", calls=(ToolCall("look_up", {"topic": "whale"}), ToolCall("look_up", {"topic": "sea"}))
        )
    return Reply(calls=(ToolCall("look_up", {"topic": "ship"}),)) if made == 2 else "Large."


@both
@chats
def test_an_agent_with_tools_is_never_refused(chat: str, mode: str):
    """Law 2 in a tool loop of several turns, with a budget that cuts into it."""
    with ModelServer(calling) as server:
        agent = create_agent(
            CHATS[chat](server),
            [look_up],
            middleware=[MemoryMiddleware([BufferMemory(), VectorMemory()], budget_tokens=260)],
            store=InMemoryStore(),
            checkpointer=InMemorySaver(),
        )
        for number in range(4):
            result = call(
                agent, mode, said(f"What is large, number {number}? " * 3), {**in_thread(), "recursion_limit": 40}
            )

    assert result["messages"][-1].text == "Large."
    assert server.refused == []


@pytest.mark.parametrize(("before", "after"), list(permutations(CHATS, 2)))
def test_a_thread_goes_on_with_another_provider(before: str, after: str):
    """Law 2 when an agent changes its model: calls, results, answers, a refusal and a blocked answer of the other one's."""
    ends = iter(["Large.", Reply(refusal="I must not say."), Reply(finish="blocked"), "Large.", "Large."])

    def script(asked: Asked) -> Answer:
        answer = calling(asked)
        return next(ends) if answer == "Large." else answer

    store, saver = InMemoryStore(), InMemorySaver()
    with ModelServer(script) as server:
        for number, chat in enumerate([before, before, before, after, before]):
            memory = MemoryMiddleware([BufferMemory(), VectorMemory()], budget_tokens=4000)
            agent = create_agent(CHATS[chat](server), [look_up], middleware=[memory], store=store, checkpointer=saver)
            result = call(
                agent, "invoke", said(f"What is large, number {number}?"), {**in_thread(), "recursion_limit": 40}
            )

    assert result["messages"][-1].text == "Large."
    assert server.refused == []


@chats
@given(st.data())
def test_no_thread_makes_a_context_that_the_api_refuses(chat: str, data: st.DataObject):
    """Law 2 against both APIs' rules: whatever a crash has left in a thread, and whatever memories say."""
    thread: list[BaseMessage] = [
        message.model_copy(update={"content": text_of(message)}) for message in data.draw(threads())
    ]
    thread.append(HumanMessage("And now?", id="now"))
    counter = token_counter("gemini")
    history, _ = history_section(thread, memory="buffer", counter=counter)
    notes = Section("notes", (Snippet("She is Ada."),), data.draw(st.sampled_from(["system", "tail"])), "Notes")
    context = merge(thread, [history, notes], budget_tokens=data.draw(st.sampled_from([4000, 20_000])), counter=counter)

    with ModelServer() as server:
        CHATS[chat](server).invoke(list(context.messages))

    assert server.refused == []
