"""The public API as a user's type checker sees it. Checked by pyright, never run."""

from __future__ import annotations

from typing import assert_type

from langchain_core.tools import BaseTool
from langgraph.graph import MessagesState, StateGraph
from langgraph.store.base import BaseStore

from graph_memory import (
    BufferMemory,
    Context,
    Found,
    Scope,
    VectorMemory,
    aget_context,
    attach,
    forget,
    get_context,
    memory_tools,
    open_store,
    search,
)


def sync_use(builder: StateGraph[MessagesState, None, MessagesState, MessagesState], store: BaseStore) -> None:
    """What an application with `invoke` writes."""
    attach(builder, "assistant", [BufferMemory(weight=0.4), VectorMemory(threshold=0.2)], budget_tokens=4000)
    assert_type(get_context([VectorMemory()], Scope(user_id="ada"), "hi", store=store), Context)
    assert_type(VectorMemory().get_context(Scope(user_id="ada"), "hi", store=store), Context)
    assert_type(search(Scope(user_id="ada"), "hi", store=store), list[Found])
    assert_type(forget(store, "ada"), int)
    assert_type(memory_tools([VectorMemory()], prefix="my_"), list[BaseTool])


async def async_use(store: BaseStore) -> None:
    """What an application with `ainvoke` writes."""
    assert_type(await aget_context([VectorMemory()], Scope(user_id="ada"), "hi", store=store), Context)


def opening() -> None:
    """A store is a LangGraph store."""
    with open_store("sqlite://") as store:
        kept: BaseStore = store
        kept.put(("a",), "k", {"x": 1})
