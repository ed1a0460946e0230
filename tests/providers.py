"""The real clients of OpenAI and Gemini, pointed at the stand-in; each in every form that people use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.genai import _api_client
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_google_genai import ChatGoogleGenerativeAI, GoogleGenerativeAIEmbeddings
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy

from graph_memory import MemoryState, attach
from graph_memory.testing.models import ModelServer


def _openai(model: str) -> Callable[..., BaseChatModel]:
    def make(server: ModelServer, *, retries: int = 0, **options: Any) -> BaseChatModel:
        return ChatOpenAI(
            model=model,
            base_url=server.openai_url,
            api_key=server.key,
            max_retries=retries,
            stream_usage=True,
            **options,
        )

    return make


def _gemini(model: str) -> Callable[..., BaseChatModel]:
    def make(server: ModelServer, *, retries: int = 0, **options: Any) -> BaseChatModel:
        return ChatGoogleGenerativeAI(
            model=model, base_url=server.gemini_url, api_key=server.key, max_retries=retries + 1, **options
        )

    return make


CHATS: dict[str, Callable[..., BaseChatModel]] = {
    "chat completions": _openai("gpt-4o-mini"),
    "responses": _openai("gpt-5-pro"),
    "gemini 2.5": _gemini("gemini-2.5-flash"),
    "gemini 3": _gemini("gemini-3-flash-preview"),
}
"""Chat models: OpenAI's two APIs; Gemini with answers that are texts and with answers that are blocks and signed calls."""

EMBEDDERS: dict[str, Callable[[ModelServer], Embeddings]] = {
    "openai": lambda server: OpenAIEmbeddings(
        model="text-embedding-3-small",
        base_url=server.openai_url,
        api_key=server.key,
        max_retries=0,
        check_embedding_ctx_length=False,
    ),
    "gemini": lambda server: GoogleGenerativeAIEmbeddings(
        model="gemini-embedding-001", base_url=server.gemini_url, api_key=server.key
    ),
}

NAMES = {"openai": "openai:gpt-4o-mini", "gemini": "google_genai:gemini-2.5-flash"}
"""What `init_chat_model` calls them."""

chats = pytest.mark.parametrize("chat", CHATS)
embedders = pytest.mark.parametrize("embedder", EMBEDDERS)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gemini's client waits a second and more before it tries again; not here."""
    monkeypatch.setattr(_api_client, "_RETRY_INITIAL_DELAY", 0.01)
    monkeypatch.setattr(_api_client, "_RETRY_JITTER", 0)


def at_home(monkeypatch: pytest.MonkeyPatch, server: ModelServer) -> None:
    """Sets the environment by which clients find the stand-in."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)


class OneModel:
    """A chat node that asks its model for each answer, sync or async."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def sync(self, state: MemoryState) -> dict[str, Any]:
        """Answers."""
        return {"messages": [self.model.invoke(state["messages"])]}

    async def later(self, state: MemoryState) -> dict[str, Any]:
        """Answers."""
        return {"messages": [await self.model.ainvoke(state["messages"])]}


def chatting(
    model: Any, mode: str, memories: Any, *, retry_policy: RetryPolicy | None = None, **options: Any
) -> StateGraph[Any, Any, Any, Any]:
    """START → assistant → END, where the assistant is the model; options are those of `attach`."""
    node = OneModel(model)
    builder = StateGraph(MemoryState)
    builder.add_node("assistant", node.sync if mode == "invoke" else node.later, retry_policy=retry_policy)
    builder.add_edge(START, "assistant")
    builder.add_edge("assistant", END)
    attach(builder, "assistant", memories, **{"budget_tokens": 2000, **options})
    return builder
