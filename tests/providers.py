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
