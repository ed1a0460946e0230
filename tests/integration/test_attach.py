"""`attach` on real graphs: whatever the way to the node, memory is there, and the node stays what it was."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Any, Literal, TypedDict

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph, add_messages
from langgraph.store.base import SearchOp
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, RetryPolicy, Send, interrupt
from pydantic import BaseModel

from graph_memory import BufferMemory, ConfigurationError, MemoryState, VectorMemory, attach
from tests.fakes import MODES, Assistant, BrokenStore, call, in_thread, words_counter

pytestmark = pytest.mark.parametrize("mode", MODES)


def plain(node: Any, memories: Any = None, schema: Any = MemoryState, **options: Any) -> StateGraph[Any, Any, Any, Any]:
    """START → assistant → END, with memory; over MemoryState, so that the context is part of the result."""
    builder = StateGraph(schema)
    builder.add_node("assistant", node)
    builder.add_edge(START, "assistant")
    builder.add_edge("assistant", END)
    attach(builder, "assistant", memories or [BufferMemory(), VectorMemory()], **{"budget_tokens": 1000, **options})
    return builder


def said(text: str, **more: Any) -> dict[str, Any]:
    """The input of a turn."""
    return {"messages": [HumanMessage(text)], **more}


def test_the_node_is_handed_its_history(mode: str) -> None:
    """The second turn sees the first, in order, and its own question last."""
    node = Assistant()
    graph = plain(node).compile(checkpointer=InMemorySaver())

    call(graph, mode, said("I live in Ghent"), in_thread())
    call(graph, mode, said("Where do I live?"), in_thread())

    assert [m.content for m in node.messages] == ["I live in Ghent", "answer 1", "Where do I live?"]


def test_another_thread_of_the_same_user_is_recalled(mode: str) -> None:
    """What was said in one thread reaches the next, quoted with its date, before the question."""
    node = Assistant()
    graph = plain(node).compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    [question] = node.messages
    assert "User: My sister lives in Ghent" in question.text
    assert question.text.endswith("Where does my sister live?")


def test_another_user_is_not_recalled(mode: str) -> None:
    """No memory crosses users."""
    node = Assistant()
    graph = plain(node).compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("The vault code is 7731"), in_thread("one", user_id="ada"))
    call(graph, mode, said("What is the vault code?"), in_thread("two", user_id="ad"))

    assert "7731" not in node.text


def test_no_key_of_ours_is_needed_in_the_schema(mode: str) -> None:
    """Over plain MessagesState the context is in the node's state and in what is streamed, not in the result."""
    node = Assistant()
    graph = plain(node, schema=MessagesState).compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    result = call(graph, mode, said("hello"), in_thread())
    [*_, last] = graph.stream(said("again"), in_thread(), stream_mode="values")

    assert set(result) == {"messages"}
    assert node.seen[0]["memory_context"].messages
    assert last["memory_context"].messages


def test_without_store_and_checkpointer_the_node_still_answers(mode: str) -> None:
    """Memory has nothing to give, says why, and the call goes on."""
    node = Assistant()
    graph = plain(node).compile()

    result = call(graph, mode, said("hello"))

    assert result["messages"][-1].content == "answer 1"
    assert "vector" in result["memory_context"].degradations


def test_without_checkpointer_history_comes_from_the_archive(mode: str) -> None:
    """A graph that keeps no state still has its thread's newest turns, from the store."""
    node = Assistant()
    graph = plain(node, [BufferMemory()]).compile(store=InMemoryStore())

    call(graph, mode, said("I live in Ghent"), in_thread())
    call(graph, mode, said("Where do I live?"), in_thread())

    assert [m.content for m in node.messages] == ["I live in Ghent", "answer 1", "Where do I live?"]


def test_the_explained_context_is_in_the_state_of_the_node(mode: str) -> None:
    """`memory_context` says what each memory cost; its tokens add up and stay within the budget."""
    node = Assistant()
    graph = plain(node).compile(checkpointer=InMemorySaver(), store=InMemoryStore())
    call(graph, mode, said("I live in Ghent"), in_thread())

    result = call(graph, mode, said("Where do I live?"), in_thread())

    context = node.seen[-1]["memory_context"]
    assert result["memory_context"].total_tokens == context.total_tokens == sum(context.tokens.values()) <= 1000
    assert context.node == "assistant"
    assert any(line.memory == "buffer" and line.kept for line in context.lines)


def test_the_context_is_not_checkpointed(mode: str) -> None:
    """What can be recalled again is not written into every checkpoint."""
    graph = plain(Assistant()).compile(checkpointer=InMemorySaver())
    call(graph, mode, said("hello"), in_thread())

    assert "memory_context" not in graph.get_state(in_thread()).values


def remembered(store: InMemoryStore) -> list[str]:
    """The texts of all memos."""
    return [item.value["text"] for item in store.search(("graph_memory",), limit=100) if "text" in item.value]


class Searches(InMemoryStore):
    """Counts searches."""

    def __init__(self) -> None:
        super().__init__()
        self.searches = 0
        self.puts = 0

    def _note(self, ops: list[Any]) -> None:
        self.searches += sum(isinstance(op, SearchOp) for op in ops)
        self.puts += sum(type(op).__name__ == "PutOp" and "memory:vector:" in op.namespace for op in ops)

    def batch(self, ops: Any) -> Any:
        """Notes and goes on."""
        self._note(list(ops))
        return super().batch(ops)

    async def abatch(self, ops: Any) -> Any:
        """Notes and goes on."""
        self._note(list(ops))
        return await super().abatch(ops)


def tool_call(name: str, number: int) -> AIMessage:
    """An assistant's message that calls a tool."""
    return AIMessage("", tool_calls=[{"name": name, "args": {}, "id": f"call-{number}"}])


def looped(node: Any, **options: Any) -> StateGraph[Any, Any, Any, Any]:
    """An assistant with a tool loop, by conditional edges."""

    def tools(state: MessagesState) -> dict[str, Any]:
        return {"messages": [ToolMessage("42", tool_call_id=c["id"]) for c in state["messages"][-1].tool_calls]}

    def route(state: MessagesState) -> Literal["tools", "__end__"]:
        return "tools" if state["messages"][-1].tool_calls else END

    builder = StateGraph(MessagesState)
    builder.add_node("assistant", node)
    builder.add_node("tools", tools)
    builder.add_edge(START, "assistant")
    builder.add_conditional_edges("assistant", route)
    builder.add_edge("tools", "assistant")
    attach(builder, "assistant", [BufferMemory(), VectorMemory()], **{"budget_tokens": 1000, **options})
    return builder


def test_a_tool_loop_retrieves_once_and_remembers_once(mode: str) -> None:
    """Three calls of the model in one turn: one search, and the turn is remembered when it is over."""
    store = Searches()
    node = Assistant([tool_call("a", 1), tool_call("b", 2), "it is 42"])
    graph = looped(node).compile(checkpointer=InMemorySaver(), store=store)

    call(graph, mode, said("what is it?"), in_thread())

    assert store.searches == 1
    assert [type(m).__name__ for m in node.messages] == [
        "HumanMessage", "AIMessage", "ToolMessage", "AIMessage", "ToolMessage",
    ]  # fmt: skip
    assert store.puts == 2


def test_command_goto_does_not_bypass_memory(mode: str) -> None:
    """A jump straight to the node recalls inline."""
    node = Assistant()

    def router(state: MessagesState) -> Command[Literal["assistant"]]:
        return Command(goto="assistant")

    builder = StateGraph(MemoryState)
    builder.add_node("router", router)
    builder.add_node("assistant", node)
    builder.add_edge(START, "router")
    attach(builder, "assistant", [BufferMemory(), VectorMemory()], budget_tokens=1000)
    graph = builder.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    result = call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    assert "My sister lives in Ghent" in node.text
    assert result["memory_context"].turn_id == node.messages[-1].id


def test_routes_without_a_map_do_not_bypass_memory(mode: str) -> None:
    """A conditional edge that names nodes at run time is drawn past memory, and reaches it all the same."""
    node = Assistant()

    def route(state):  # type: ignore[no-untyped-def]  # a Literal return type would be a map
        return "assistant"

    builder = StateGraph(MessagesState)
    builder.add_node("assistant", node)
    builder.add_conditional_edges(START, route)
    attach(builder, "assistant", [BufferMemory(), VectorMemory()], budget_tokens=1000)
    graph = builder.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    assert "My sister lives in Ghent" in node.text


def test_edges_may_come_before_or_after(mode: str) -> None:
    """Edges that are added after attach reach memory too; a join of several nodes as well."""
    node = Assistant()
    builder = StateGraph(MessagesState)
    builder.add_node("assistant", node)
    for name in ("left", "right"):
        builder.add_node(name, lambda state: {})
        builder.add_edge(START, name)
    attach(builder, "assistant", [VectorMemory()], budget_tokens=1000)
    builder.add_edge(["left", "right"], "assistant")
    builder.add_edge("assistant", END)
    graph = builder.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    assert "My sister lives in Ghent" in node.text
    assert len(node.seen) == 2


def test_the_node_may_be_a_subgraph(mode: str) -> None:
    """An agent that is a compiled graph is handed the context, is drawn, and returns only what is new."""
    inner_node = Assistant()
    inner = StateGraph(MessagesState).add_node("llm", inner_node).add_edge(START, "llm").compile(name="agent")
    graph = plain(inner).compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    result = call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    assert "My sister lives in Ghent" in inner_node.text
    assert [m.content for m in result["messages"]] == ["Where does my sister live?", "answer 2"]
    assert "assistant:llm" in graph.get_graph(xray=True).nodes
    assert "assistant" in dict(graph.get_subgraphs())


def test_the_state_of_a_thread_can_be_looked_up_with_subgraphs(mode: str) -> None:
    """The drawn twin of the recalling subgraph has no checkpoints of its own, and none are looked for in vain."""
    graph = plain(Assistant()).compile(checkpointer=InMemorySaver(), interrupt_before=["assistant"])
    call(graph, mode, said("hello"), in_thread())

    assert graph.get_state(in_thread(), subgraphs=True).next == ("assistant",)


def test_a_node_that_leaves_by_command_is_remembered(mode: str) -> None:
    """The node itself may say where to go next."""
    seen: list[Any] = []

    def assistant(state: MessagesState) -> Command[Literal["after"]]:
        seen.append(state["messages"])
        return Command(goto="after", update={"messages": [AIMessage("noted")]})

    builder = StateGraph(MessagesState)
    builder.add_node("assistant", assistant)
    builder.add_node("after", lambda state: {})
    builder.add_edge(START, "assistant")
    attach(builder, "assistant", [VectorMemory()], budget_tokens=1000)
    graph = builder.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    assert "My sister lives in Ghent" in seen[-1][-1].text


def test_a_node_that_leaves_for_the_parent_graph_is_remembered(mode: str) -> None:
    """A hand-off out of a subgraph runs no edge of it; the turn is remembered all the same."""
    seen: list[Any] = []

    def assistant(state: MessagesState) -> Command[Any]:
        seen.append(state["messages"])
        return Command(goto="after", graph=Command.PARENT, update={"messages": [AIMessage("noted", id="a1")]})

    inner = StateGraph(MessagesState)
    inner.add_node("assistant", assistant)
    inner.add_edge(START, "assistant")
    attach(inner, "assistant", [VectorMemory()], budget_tokens=1000)
    outer = StateGraph(MessagesState)
    outer.add_node("inner", inner.compile())
    outer.add_node("after", lambda state: {})
    outer.add_edge(START, "inner")
    graph = outer.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    assert "My sister lives in Ghent" in seen[-1][-1].text


def test_send_carries_its_own_state_and_is_remembered(mode: str) -> None:
    """Work that is fanned out by Send sees memory for its own message, and its exchange is remembered."""
    node = Assistant()

    def fan(state: MessagesState) -> list[Send]:
        return [Send("assistant", {"messages": [HumanMessage(state["messages"][-1].text + " (part)")]})]

    builder = StateGraph(MessagesState)
    builder.add_node("assistant", node)
    builder.add_conditional_edges(START, fan, ["assistant"])
    attach(builder, "assistant", [VectorMemory()], budget_tokens=1000)
    store = InMemoryStore()
    graph = builder.compile(checkpointer=InMemorySaver(), store=store)

    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    assert "My sister lives in Ghent (part)" in node.text
    texts = remembered(store)
    assert sorted(texts).count("My sister lives in Ghent (part)") == 1


def test_resume_after_an_interrupt_has_the_context(mode: str) -> None:
    """The context is not checkpointed; a resumed node recalls it again."""
    seen: list[Any] = []

    def assistant(state: MessagesState) -> dict[str, Any]:
        answer = interrupt("may I?")
        seen.append(state)
        return {"messages": [AIMessage(f"you said {answer}")]}

    graph = plain(assistant).compile(checkpointer=InMemorySaver(), store=InMemoryStore())
    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    call(graph, mode, Command(resume="yes"), in_thread("one"))
    call(graph, mode, said("Where does my sister live?"), in_thread("two"))
    call(graph, mode, Command(resume="no"), in_thread("two"))

    assert "My sister lives in Ghent" in seen[-1]["messages"][-1].text
    assert seen[-1]["memory_context"].turn_id


def test_interrupt_before_the_node_by_name(mode: str) -> None:
    """`interrupt_before` names the node as before, and the resumed node has its context."""
    node = Assistant()
    graph = plain(node).compile(checkpointer=InMemorySaver(), store=InMemoryStore(), interrupt_before=["assistant"])
    call(graph, mode, said("hello"), in_thread())
    assert node.seen == []

    call(graph, mode, None, in_thread())

    assert node.messages[-1].text.endswith("hello")


def test_tokens_stream_under_the_name_of_the_node(mode: str) -> None:
    """`stream_mode="messages"` gives the same tokens and node name as without memory, and nothing of the memories'."""

    def graph_with(memory: bool) -> Any:
        model = GenericFakeChatModel(messages=iter([AIMessage("one two three"), AIMessage("four five six")]))

        def sync_node(state: MessagesState) -> dict[str, Any]:
            return {"messages": [model.invoke(state["messages"])]}

        async def async_node(state: MessagesState) -> dict[str, Any]:
            return {"messages": [await model.ainvoke(state["messages"])]}

        builder = StateGraph(MessagesState)
        builder.add_node("assistant", sync_node if mode == "invoke" else async_node)
        builder.add_edge(START, "assistant")
        if memory:
            attach(builder, "assistant", [BufferMemory(), VectorMemory()], budget_tokens=1000)
        return builder.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    def streamed(graph: Any) -> list[tuple[str, str]]:
        if mode == "invoke":
            chunks = list(graph.stream(said("hi"), in_thread(), stream_mode="messages"))
        else:
            import asyncio

            async def collect() -> list[Any]:
                return [c async for c in graph.astream(said("hi"), in_thread(), stream_mode="messages")]

            chunks = asyncio.run(collect())
        return [(message.content, meta["langgraph_node"]) for message, meta in chunks]

    with_memory, without = graph_with(True), graph_with(False)

    assert streamed(with_memory) == streamed(without) != []
    assert streamed(with_memory) == streamed(without) != []


def test_a_node_that_returns_its_whole_list_writes_only_what_is_new(mode: str) -> None:
    """Our system message and the memory in the question never reach the channel."""

    def assistant(state: MessagesState) -> dict[str, Any]:
        return {"messages": [*state["messages"], AIMessage("fine")]}

    graph = plain(assistant).compile(checkpointer=InMemorySaver(), store=InMemoryStore())
    call(graph, mode, said("My sister lives in Ghent"), in_thread("one"))
    result = call(graph, mode, said("Where does my sister live?"), in_thread("two"))

    assert [m.content for m in result["messages"]] == ["Where does my sister live?", "fine"]


class Whole(TypedDict):
    """Messages without a reducer: what a node returns replaces the list."""

    messages: list[Any]


def test_a_channel_without_reducer_keeps_its_history(mode: str) -> None:
    """There the node's whole list is the new state: the original messages are put back in place of the handed ones."""

    def assistant(state: Whole) -> dict[str, Any]:
        return {"messages": [*state["messages"], AIMessage("fine", id="a")]}

    builder = StateGraph(Whole)
    builder.add_node("assistant", assistant)
    builder.add_edge(START, "assistant")
    attach(builder, "assistant", [BufferMemory(turns=1)], budget_tokens=1000)
    thread = [HumanMessage("one", id="1"), AIMessage("two", id="2"), HumanMessage("three", id="3")]

    result = call(builder.compile(), mode, {"messages": thread})

    assert [m.content for m in result["messages"]] == ["one", "two", "three", "fine"]


class Model(BaseModel):
    """A pydantic state."""

    messages: Annotated[list[AnyMessage], add_messages] = []
    mood: str = "calm"


@dataclass
class Data:
    """A dataclass state."""

    messages: Annotated[list[AnyMessage], add_messages] = field(default_factory=list)
    mood: str = "calm"


@pytest.mark.parametrize("schema", [Model, Data])
def test_states_may_be_models_or_dataclasses(mode: str, schema: type[Any]) -> None:
    """The node is handed its own type, with the assembled messages in it."""
    node = Assistant()
    builder = StateGraph(schema)
    builder.add_node("assistant", node, input_schema=schema)
    builder.add_edge(START, "assistant")
    attach(builder, "assistant", [BufferMemory(), VectorMemory()], budget_tokens=1000)
    graph = builder.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("I live in Ghent", mood="glad"), in_thread())
    call(graph, mode, said("Where do I live?"), in_thread())

    assert isinstance(node.seen[-1], schema)
    assert node.seen[-1].mood == "glad"
    assert [m.content for m in node.messages] == ["I live in Ghent", "answer 1", "Where do I live?"]


def test_two_nodes_have_memories_of_their_own(mode: str) -> None:
    """Two LLM nodes of one graph, each with its own budget, window and agent."""
    first, second = Assistant(), Assistant()
    builder = StateGraph(MessagesState)
    builder.add_node("first", first)
    builder.add_node("second", second)
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    attach(builder, "first", [BufferMemory(turns=1)], budget_tokens=500, agent="first")
    attach(builder, "second", [BufferMemory(), VectorMemory()], budget_tokens=1000, agent="second")
    graph = builder.compile(checkpointer=InMemorySaver(), store=InMemoryStore())

    call(graph, mode, said("I live in Ghent"), in_thread())
    call(graph, mode, said("Where do I live?"), in_thread())

    assert [m.content for m in first.messages] == ["Where do I live?"]
    assert [m.content for m in second.messages][:2] == ["I live in Ghent", "answer 1"]


def test_a_failed_turn_is_made_up_for(mode: str) -> None:
    """When the model fails, what the user said is remembered with the next turn."""
    failing = [True]

    def assistant(state: MessagesState) -> dict[str, Any]:
        if failing.pop() if failing else False:
            raise RuntimeError("the model is down")
        return {"messages": [AIMessage("here")]}

    store = InMemoryStore()
    graph = plain(assistant, [VectorMemory()]).compile(checkpointer=InMemorySaver(), store=store)
    call(graph, mode, said("hello"), in_thread()) if not failing else None
    with pytest.raises(RuntimeError):
        call(graph, mode, said("I live in Ghent"), in_thread())
    call(graph, mode, said("are you there?"), in_thread())
    failing.append(True)
    with pytest.raises(RuntimeError):
        call(graph, mode, said("I work in Bruges"), in_thread())
    call(graph, mode, said("and now?"), in_thread())

    texts = set(remembered(store))
    assert {"are you there?", "I work in Bruges", "and now?"} <= texts


def test_a_retried_node_remembers_once(mode: str) -> None:
    """A retry policy on the node leaves the records of one run."""
    failures = [True, True]

    def assistant(state: MessagesState) -> dict[str, Any]:
        if failures:
            failures.pop()
            raise ConnectionError("again")
        return {"messages": [AIMessage("done", id="a")]}

    builder = StateGraph(MessagesState)
    policy = RetryPolicy(initial_interval=0.001, max_attempts=5, jitter=False)
    builder.add_node("assistant", assistant, retry_policy=policy)
    builder.add_edge(START, "assistant")
    attach(builder, "assistant", [VectorMemory()], budget_tokens=1000)
    store = InMemoryStore()

    call(builder.compile(checkpointer=InMemorySaver(), store=store), mode, said("hi there"), in_thread())

    assert sorted(remembered(store)) == ["done", "hi there"]


def test_a_store_that_fails_never_fails_the_call(mode: str) -> None:
    """Law 7: the section is empty, the reason stands in the context, the stream goes on."""
    node = Assistant()
    store = BrokenStore(lambda op: isinstance(op, SearchOp))
    graph = plain(node).compile(checkpointer=InMemorySaver(), store=store)

    call(graph, mode, said("I live in Ghent"), in_thread())
    result = call(graph, mode, said("Where do I live?"), in_thread())

    assert result["memory_context"].degradations["vector"] == "the store failed: RuntimeError"
    assert "I live in Ghent" in node.text


def test_a_required_memory_that_fails_fails_the_call(mode: str) -> None:
    """`required=True` turns the degradation into the error."""
    store = BrokenStore(lambda op: isinstance(op, SearchOp))
    graph = plain(Assistant(), [VectorMemory(required=True)]).compile(store=store)

    with pytest.raises(Exception, match="the store failed"):
        call(graph, mode, said("hello"), in_thread())


def archived(store: InMemoryStore) -> list[str]:
    """Ids of the messages in the archive."""
    items = [item for item in store.search(("graph_memory",), limit=100) if "messages" in item.value]
    return [message["data"]["id"] for item in items for message in item.value["messages"]]


def test_pruning_keeps_the_channel_small_and_loses_nothing(mode: str) -> None:
    """With prune=True the channel holds the newest turns, the node its window, and the archive everything."""
    pruning, plainly = Assistant(), Assistant()
    store = InMemoryStore()
    options: dict[str, Any] = {"budget_tokens": 120, "counter": words_counter()}
    graph = plain(pruning, [BufferMemory(prune=True)], **options).compile(checkpointer=InMemorySaver(), store=store)
    whole = plain(plainly, [BufferMemory()], **options).compile(checkpointer=InMemorySaver())

    for turn in range(12):
        call(graph, mode, said(f"turn {turn} " + "word " * 10), in_thread())
        call(whole, mode, said(f"turn {turn} " + "word " * 10), in_thread())

    assert len(graph.get_state(in_thread()).values["messages"]) == 4
    assert len(set(archived(store))) == len(archived(store)) == 24
    assert [m.content for m in pruning.messages] == [m.content for m in plainly.messages]
    assert len(pruning.messages) > 5


def test_a_pruned_thread_forked_in_the_past_has_the_window_of_then(mode: str) -> None:
    """The window's keys are checkpointed: an abandoned future is not in the history of a fork."""
    node = Assistant()
    graph = plain(node, [BufferMemory(prune=True)]).compile(checkpointer=InMemorySaver(), store=InMemoryStore())
    for turn in range(4):
        call(graph, mode, said(f"turn {turn}"), in_thread())
    past = next(
        s for s in graph.get_state_history(in_thread()) if not s.next and s.values["messages"][-2].text == "turn 1"
    )

    call(graph, mode, said("another turn 2"), in_thread(**past.config["configurable"]))

    assert [m.content for m in node.messages] == ["turn 0", "answer 1", "turn 1", "answer 2", "another turn 2"]


def test_a_thread_that_was_there_before_its_memory_is_archived_before_it_is_pruned(mode: str) -> None:
    """Nothing lost: old messages that no memory ever saw are archived first."""
    saver, store = InMemorySaver(), InMemoryStore()
    bare = StateGraph(MessagesState).add_node("assistant", Assistant()).add_edge(START, "assistant")
    for turn in range(12):
        call(bare.compile(checkpointer=saver), mode, said(f"turn {turn} " + "word " * 10), in_thread())
    graph = plain(Assistant(), [BufferMemory(prune=True)], budget_tokens=120, counter=words_counter()).compile(
        checkpointer=saver, store=store
    )

    for text in ("and now", "and then"):
        call(graph, mode, said(text), in_thread())

    kept = {m.id for m in graph.get_state(in_thread()).values["messages"]}
    assert len(kept) == 4
    assert len(kept | set(archived(store))) == 28


def test_pruning_keeps_the_neighbours_of_memos(mode: str) -> None:
    """What is remembered next still knows what came before it."""
    store = InMemoryStore()
    graph = plain(Assistant(), [BufferMemory(prune=True), VectorMemory()]).compile(
        checkpointer=InMemorySaver(), store=store
    )
    for turn in range(5):
        call(graph, mode, said(f"turn {turn}"), in_thread())

    memos = {i.value["text"]: i.value for i in store.search(("graph_memory",), limit=100) if "text" in i.value}
    assert [memos[f"turn {turn}"]["before"] for turn in range(5)] == [
        "",
        "answer 1",
        "answer 2",
        "answer 3",
        "answer 4",
    ]
    assert [memos[f"answer {turn}"]["after"] for turn in range(1, 5)] == ["turn 1", "turn 2", "turn 3", "turn 4"]


def test_what_a_memory_has_not_taken_in_is_not_pruned(mode: str) -> None:
    """While one memory fails to remember, the messages stay for it to catch up."""
    broken = [True]
    store = BrokenStore(lambda op: bool(broken) and "memory:vector:" in getattr(op, "namespace", ()))
    graph = plain(Assistant(), [BufferMemory(prune=True), VectorMemory()]).compile(
        checkpointer=InMemorySaver(), store=store
    )
    for turn in range(3):
        call(graph, mode, said(f"turn {turn}"), in_thread())
    assert len(graph.get_state(in_thread()).values["messages"]) == 6

    broken.clear()
    for turn in range(3, 5):
        call(graph, mode, said(f"turn {turn}"), in_thread())

    assert len(graph.get_state(in_thread()).values["messages"]) == 4
    remembered = {item.value.get("text") for item in store.search(("graph_memory",), limit=100)}
    assert {f"turn {turn}" for turn in range(5)} <= remembered


def test_without_a_store_nothing_is_pruned(mode: str) -> None:
    """There is no archive to move messages to, and the context says so."""
    graph = plain(Assistant(), [BufferMemory(prune=True)], budget_tokens=120, counter=words_counter()).compile(
        checkpointer=InMemorySaver()
    )

    for turn in range(8):
        result = call(graph, mode, said(f"turn {turn} " + "word " * 10), in_thread())

    assert len(result["messages"]) == 16
    assert "nothing is pruned" in result["memory_context"].degradations["buffer"]


def test_a_budget_that_cannot_hold_the_question_fails_before_the_model(mode: str) -> None:
    """Law 1: the error names the sizes, and the node was not called."""
    node = Assistant()
    graph = plain(node, budget_tokens=20, counter=words_counter()).compile()

    with pytest.raises(ValueError, match="20"):
        call(graph, mode, said("word " * 50))

    assert node.seen == []


def test_the_messages_before_the_tail_stay_the_same(mode: str) -> None:
    """Law 8: from turn to turn, what came before the newest question is a prefix of what comes before the next."""
    node = Assistant()
    memories = [BufferMemory(flush_tokens=90), VectorMemory()]
    graph = plain(node, memories, budget_tokens=400, counter=words_counter()).compile(
        checkpointer=InMemorySaver(), store=InMemoryStore()
    )
    start = [SystemMessage("be kind", id="s")]
    prefixes = []
    for turn in range(30):
        call(graph, mode, {"messages": [*start, HumanMessage(f"question {turn} " + "word " * (turn % 7))]}, in_thread())
        prefixes.append([(m.type, m.content) for m in node.messages[:-1]])

    moved = sum(new[: len(old)] != old for old, new in pairwise(prefixes))
    assert moved <= 3


def test_the_drawing_shows_each_memory_as_a_node(mode: str) -> None:
    """With xray the orchestrator is a subgraph; the LLM node keeps its name and stays a leaf."""
    drawn = plain(Assistant()).compile(checkpointer=InMemorySaver()).get_graph(xray=True)

    assert {
        "assistant",
        "assistant_remember",
        "assistant_memory:plan",
        "assistant_memory:buffer",
        "assistant_memory:vector",
        "assistant_memory:merge",
    } <= set(drawn.nodes)


def test_custom_events_tell_what_each_memory_gave(mode: str) -> None:
    """Whoever streams "custom" sees what was recalled and remembered."""
    graph = plain(Assistant()).compile(checkpointer=InMemorySaver(), store=InMemoryStore())
    if mode == "invoke":
        events = list(graph.stream(said("hi"), in_thread(), stream_mode="custom"))
    else:
        import asyncio

        async def collect() -> list[Any]:
            return [e async for e in graph.astream(said("hi"), in_thread(), stream_mode="custom")]

        events = asyncio.run(collect())

    told = {(e["graph_memory"]["event"], e["graph_memory"]["memory"]) for e in events}
    assert told == {(e, m) for e in ("recalled", "remembered") for m in ("buffer", "vector")}


def unknown_node() -> None:
    builder = StateGraph(MessagesState).add_node("assistant", Assistant())
    attach(builder, "asistant", [BufferMemory()], budget_tokens=1000)


def twice() -> None:
    builder = plain(Assistant())
    attach(builder, "assistant", [BufferMemory()], budget_tokens=1000)


def compiled() -> None:
    attach(plain(Assistant()).compile(), "assistant", [BufferMemory()], budget_tokens=1000)  # type: ignore[arg-type]


def no_messages() -> None:
    class Bare(TypedDict):
        text: str

    builder = StateGraph(Bare).add_node("assistant", lambda state: {})
    attach(builder, "assistant", [BufferMemory()], budget_tokens=1000)


def own_memory_key() -> None:
    class Mine(MessagesState):
        memory: Annotated[list[str], operator.add]

    builder = StateGraph(Mine).add_node("assistant", Assistant())
    attach(builder, "assistant", [BufferMemory()], budget_tokens=1000)


def prune_by_addition() -> None:
    class Added(TypedDict):
        messages: Annotated[list[Any], operator.add]

    builder = StateGraph(Added).add_node("assistant", Assistant(), input_schema=Added)
    attach(builder, "assistant", [BufferMemory(prune=True)], budget_tokens=1000)


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (unknown_node, "no node 'asistant'.*'assistant'"),
        (twice, "has memory already"),
        (compiled, "before compile"),
        (no_messages, "does not read a state key 'messages'"),
        (own_memory_key, "a key 'memory' of its own"),
        (prune_by_addition, "does not understand RemoveMessage"),
        (lambda: plain(Assistant(), [BufferMemory(), BufferMemory()]), "two memories are named 'buffer'"),
        (lambda: plain(Assistant(), [BufferMemory(weight=0)]), "weight is a number above zero"),
        (lambda: plain(Assistant(), [BufferMemory(weight=-1)]), "weight is a number above zero"),
        (lambda: plain(Assistant(), [BufferMemory(name="plan")]), "cannot be named 'plan'"),
        (lambda: plain(Assistant(), [BufferMemory]), r"BufferMemory is no memory: pass an instance"),
        (lambda: plain(Assistant(), BufferMemory()), "put it in brackets"),
        (lambda: plain(Assistant(), counter=len), "counter_from"),
        (lambda: plain(Assistant(), budget_tokens=5), "leaves no room"),
    ],
)
def test_mistakes_get_one_clear_sentence(mode: str, mistake: Any, sentence: str) -> None:
    """What, where, and what to do; at attach time, not in the middle of a run."""
    with pytest.raises(ConfigurationError, match=sentence):
        mistake()
