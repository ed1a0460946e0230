"""The LLM nodes of these graphs: a chat model where `GRAPH_MEMORY_MODEL` names one, else the extractive reader."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, SystemMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from graph_memory import (
    BudgetError,
    BufferMemory,
    EntityMemory,
    KeyValueMemory,
    Memory,
    MemorySettings,
    SummaryMemory,
    VectorMemory,
    WorkingMemory,
    attach,
    extractive_node,
    said_preferences,
    token_counter,
)
from graphs.context import PROMPT, RunContext, context_for

NODE = "assistant"

SETTINGS = MemorySettings.from_env(os.environ)
BUDGET_TOKENS = SETTINGS.budget_tokens or 4000
PROMPT_TOKENS = BUDGET_TOKENS // 4 if SETTINGS.reserve_tokens is None else SETTINGS.reserve_tokens
"""Of the budget, what is left free for the prompt, which each run may write anew."""

COUNTER = token_counter()


def model_or_none() -> BaseChatModel | None:
    """The chat model that the environment names, or None."""
    if SETTINGS.model is None:
        return None
    from langchain.chat_models import init_chat_model

    found: BaseChatModel = init_chat_model(SETTINGS.model)
    return found


MODEL = model_or_none()


def answering_node() -> Any:
    """Answers with the model, or without one with quotes that say what they are."""
    if MODEL is None:
        return extractive_node()
    model = MODEL

    async def answer(state: MessagesState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        prompt = runtime.context.system_prompt if runtime.context is not None else PROMPT
        return {"messages": [await model.ainvoke(within_budget(with_prompt(prompt, state["messages"])))]}

    return answer


def preferences(**options: Any) -> KeyValueMemory:
    """Preferences that the model, or without one a few rules, read from what people say."""
    return KeyValueMemory(model=MODEL, extract=said_preferences if MODEL is None else None, **options)


def searched(**options: Any) -> VectorMemory:
    """Search through what was said; the extractive reader's own lines are not, for it would quote its quotes."""
    return VectorMemory(roles=("human",) if MODEL is None else ("human", "ai"), **options)


def all_memories() -> list[Memory]:
    """One of each kind, with its share of the budget."""
    return [
        BufferMemory(weight=0.4),
        SummaryMemory(MODEL, weight=0.2),
        searched(weight=0.15),
        EntityMemory(MODEL, weight=0.15),
        preferences(weight=0.1),
        WorkingMemory(weight=0.1),
    ]


def with_prompt(prompt: str, messages: list[Any]) -> list[BaseMessage]:
    """The messages with the prompt at the head of their one system message: some providers take no second one."""
    if messages and isinstance(messages[0], SystemMessage):
        return [SystemMessage(f"{prompt}\n\n{messages[0].text}"), *messages[1:]]
    return [SystemMessage(prompt), *messages]


def within_budget(messages: list[BaseMessage]) -> list[BaseMessage]:
    """The messages, before a model is called with them.

    Raises:
        BudgetError: with the prompt they are more than allowed.
    """
    needed = COUNTER.overhead + sum(COUNTER.count_message(message) for message in messages)
    if needed <= BUDGET_TOKENS:
        return messages
    raise BudgetError(
        f"with the prompt the model would receive {needed} tokens, of {BUDGET_TOKENS} that are allowed, {PROMPT_TOKENS} for the"
        " prompt: shorten it, or raise GRAPH_MEMORY_BUDGET_TOKENS or GRAPH_MEMORY_RESERVE_TOKENS",
        needed_tokens=needed,
        budget_tokens=BUDGET_TOKENS,
    )


def give_memory(builder: StateGraph[Any, Any, Any, Any], node: str, memories: Iterable[Memory]) -> None:
    """Attaches memories within the budget, with room for the prompt where a model answers."""
    room = 0 if MODEL is None else PROMPT_TOKENS
    attach(builder, node, memories, budget_tokens=BUDGET_TOKENS, reserve_tokens=room, counter=COUNTER)


def remembering(*memories: Memory) -> CompiledStateGraph[Any, Any, Any, Any]:
    """A graph of one LLM node with these memories."""
    builder = StateGraph(MessagesState, context_schema=context_for([NODE]))
    builder.add_node(NODE, answering_node())
    builder.add_edge(START, NODE)
    builder.add_edge(NODE, END)
    give_memory(builder, NODE, memories)
    return builder.compile()
