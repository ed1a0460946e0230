"""The chat graph of the command line, made with the public API as a user would make it: a node, two edges, `attach`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import StreamMode

from graph_memory import BufferMemory, Memory, MemorySettings, VectorMemory, attach_from, memories_from
from graph_memory.answering import READER, question_of, reading_of, sentence_of
from graph_memory.errors import ModelError
from graph_memory.extract.reader import Reading
from graph_memory.graph.state import CONTEXT
from graph_memory.settings.environment import COMPRESSION, MemoryKind
from graph_memory.steps import Steps
from graph_memory.types import Context, Scope, Turn

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langgraph.graph.state import CompiledStateGraph

    from graph_memory.opening import Memory as OpenedMemory

NODE = "assistant"
_READING = "reading"
_MODES: list[StreamMode] = ["messages", "custom", "values"]
Node = Callable[..., dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a turn.

    Attributes:
        text: what the assistant said.
        context: what it was handed, explained.
        reading: the quotes, when the extractive reader answered.
    """

    text: str
    context: Context
    reading: Reading | None = None


class _ReadOnly:
    """Recalls and does not remember: a question that is asked of a memory is not part of it."""

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        return None
        yield


@dataclass(frozen=True, kw_only=True)
class _ReadOnlyBuffer(_ReadOnly, BufferMemory):
    pass


@dataclass(frozen=True, kw_only=True)
class _ReadOnlyVector(_ReadOnly, VectorMemory):
    required: bool = True


def memories(*, read_only: bool = False, answers: bool = True) -> list[Memory]:
    """The newest turns word for word, and everything else by search.

    Args:
        read_only: recall without remembering.
        answers: whether the assistant's lines are remembered for search. What the extractive reader says is not: it would
            quote its own quotes.
    """
    roles = ("human", "ai") if answers else ("human",)
    if read_only:
        return [_ReadOnlyBuffer(weight=0.4), _ReadOnlyVector(weight=0.6, roles=roles)]
    return [BufferMemory(weight=0.4, prune=True), VectorMemory(weight=0.6, roles=roles)]


def chat_memories(settings: MemorySettings, model: BaseChatModel | None) -> list[Memory]:
    """The same, as far as settings do not ask for others; a summary where they speak of compression."""
    weights: dict[MemoryKind, float] = {"buffer": 0.4, "vector": 0.6}
    if settings.model_fields_set.intersection(COMPRESSION):
        weights["summary"] = 0.2
    found = memories_from(settings, model=model, defaults=weights)
    return [_for_chat(memory, settings, answers=model is not None) for memory in found]


def _for_chat(memory: Memory, settings: MemorySettings, *, answers: bool) -> Memory:
    if isinstance(memory, BufferMemory) and settings.prune is None:
        return replace(memory, prune=True)
    return replace(memory, roles=("human",)) if isinstance(memory, VectorMemory) and not answers else memory


def chat_graph(
    node: Node,
    attached: list[Memory],
    *,
    budget_tokens: int,
    settings: MemorySettings = MemorySettings(),  # noqa: B008 - frozen
) -> StateGraph[Any, Any, Any, Any]:
    """A graph of one LLM node with memory, to be compiled."""
    builder = StateGraph(MessagesState)
    builder.add_node(NODE, node)
    builder.add_edge(START, NODE)
    builder.add_edge(NODE, END)
    attach_from(builder, NODE, settings, memories=attached, budget_tokens=budget_tokens)
    return builder


def model_node(model: BaseChatModel) -> Node:
    """Answers with a chat model."""

    def answer(state: MessagesState) -> dict[str, Any]:
        try:
            return {"messages": [model.invoke(state["messages"])]}
        except Exception as exc:
            raise ModelError(f"the model failed: {type(exc).__name__}") from exc

    return answer


def reader_node(scope: Scope, *, limit: int = 3) -> Node:
    """Answers with the extractive reader, which sees no more than a model in its place would see."""

    def answer(state: dict[str, Any], runtime: Runtime[Any]) -> dict[str, Any]:
        question = question_of(state[CONTEXT])
        reading = reading_of(question, state[CONTEXT], scope, runtime.store, limit=limit)
        runtime.stream_writer({_READING: reading})
        return {"messages": [AIMessage(sentence_of(question, reading), name=READER)]}

    return answer


def take_turn(
    graph: CompiledStateGraph[Any, Any, Any, Any],
    text: str,
    scope: Scope,
    *,
    on_text: Callable[[str], None] = lambda text: None,
) -> Answer:
    """Says `text` to the graph and returns its answer; `on_text` hears it piece by piece.

    Raises:
        GraphMemoryError: the model, the store or the budget did not allow an answer.
    """
    said: list[str] = []
    context, reading = Context(), None
    stream: Iterator[Any] = graph.stream({"messages": [HumanMessage(text)]}, _config(scope), stream_mode=_MODES)
    for mode, chunk in stream:
        if mode == "messages" and chunk[1].get("langgraph_node") == NODE and isinstance(chunk[0], AIMessage):
            said.append(chunk[0].text)
            on_text(said[-1])
        elif mode == "custom" and _READING in chunk:
            reading = chunk[_READING]
        elif mode == "values":
            context = chunk.get(CONTEXT) or context
    return Answer("".join(said), context, reading)


def replay(
    spoken: Sequence[BaseMessage], memory: OpenedMemory, scope: Scope, *, budget_tokens: int
) -> Iterator[Sequence[BaseMessage]]:
    """Lets the graph live through a conversation, the assistant's part read from it; yields each turn when it is over."""
    turns = _turns(spoken)
    replies = {turn[0].id: turn[1:] for turn in turns}

    def read_out(state: dict[str, Any]) -> dict[str, Any]:
        return {"messages": replies[state[CONTEXT].turn_id]}

    builder = chat_graph(read_out, memories(), budget_tokens=budget_tokens)
    graph = builder.compile(store=memory.store, checkpointer=memory.checkpointer)
    for turn in turns:
        graph.invoke({"messages": turn[:1]}, _config(scope))
        yield turn


def _turns(spoken: Sequence[BaseMessage]) -> list[list[BaseMessage]]:
    """Each human message with what follows it up to the next one; what stands before the first has no turn."""
    turns: list[list[BaseMessage]] = []
    for message in spoken:
        if message.type == "human":
            turns.append([message])
        elif turns:
            turns[-1].append(message)
    return turns


def _config(scope: Scope) -> RunnableConfig:
    return {"configurable": {"user_id": scope.user_id, "thread_id": scope.thread_id}}
