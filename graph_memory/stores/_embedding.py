"""Texts to unit vectors by whatever embedder the user gave, checked before anything is stored.

A vector is kept as little-endian float32 bytes of length 1, so that the dot product of two is their cosine.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings
from langgraph.store.base.embed import EmbeddingsLambda, ensure_embeddings
from numpy.typing import NDArray

from graph_memory.errors import ConfigurationError, StoreError

Vector = NDArray[np.float32]
Embedder = Embeddings | Callable[[Sequence[str]], Any] | Callable[[Sequence[str]], Awaitable[Any]] | str


class _Adapter(Embeddings):
    """An object with the methods of LangChain's `Embeddings` that does not inherit from it."""

    def __init__(self, embed: Any) -> None:
        self._embed = embed

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        found: list[list[float]] = self._embed.embed_documents(texts)
        return found

    def embed_query(self, text: str) -> list[float]:
        found: list[float] = self._embed.embed_query(text)
        return found

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        if not hasattr(self._embed, "aembed_documents"):
            return await super().aembed_documents(texts)
        found: list[list[float]] = await self._embed.aembed_documents(texts)
        return found

    async def aembed_query(self, text: str) -> list[float]:
        if not hasattr(self._embed, "aembed_query"):
            return await super().aembed_query(text)
        found: list[float] = await self._embed.aembed_query(text)
        return found


class Vectorizer:
    """The user's embedder, sync and async, giving unit vectors of one size.

    Args:
        embed: a LangChain `Embeddings` or an object with its methods, a function (sync or async) from texts to vectors, or an
            `init_embeddings` string such as "openai:text-embedding-3-small".
        dims: the size that vectors must have; None takes what comes.

    Raises:
        ConfigurationError: `embed` is none of these, or cannot be loaded.
    """

    def __init__(self, embed: Embedder, dims: int | None = None) -> None:
        if hasattr(embed, "embed_documents") and hasattr(embed, "embed_query") and not isinstance(embed, Embeddings):
            embed = _Adapter(embed)
        if not isinstance(embed, (str, Embeddings)) and not callable(embed):
            raise ConfigurationError(
                f"embed must be LangChain Embeddings, a function from texts to vectors or a name, got {type(embed).__name__}"
            )
        try:
            self._embeddings = ensure_embeddings(embed)
        except Exception as exc:  # every provider has its own; it names what is missing
            raise ConfigurationError(f"the embedder cannot be loaded: {exc}") from exc
        self._dims = dims

    def documents(self, texts: Sequence[str]) -> dict[str, Vector]:
        """Text to vector, for texts that are stored.

        Raises:
            StoreError: the embedder failed or answered nonsense.
            ConfigurationError: its vectors have another size than was declared.
        """
        if not texts:
            return {}
        self._check_sync()
        try:
            answer = self._embeddings.embed_documents(list(texts))
        except Exception as exc:
            raise _failed(exc) from exc
        return dict(zip(texts, self._checked(answer, len(texts)), strict=True))

    async def adocuments(self, texts: Sequence[str]) -> dict[str, Vector]:
        """`documents`, awaiting the embedder."""
        if not texts:
            return {}
        try:
            answer = await self._embeddings.aembed_documents(list(texts))
        except Exception as exc:
            raise _failed(exc) from exc
        return dict(zip(texts, self._checked(answer, len(texts)), strict=True))

    def queries(self, texts: Sequence[str]) -> dict[str, Vector]:
        """Text to vector, for texts that are searched for; some models embed them differently."""
        if not texts:
            return {}
        self._check_sync()
        try:
            answer = [self._embeddings.embed_query(text) for text in texts]
        except Exception as exc:
            raise _failed(exc) from exc
        return dict(zip(texts, self._checked(answer, len(texts)), strict=True))

    async def aqueries(self, texts: Sequence[str]) -> dict[str, Vector]:
        """`queries`, awaiting the embedder."""
        if not texts:
            return {}
        try:
            answer = await asyncio.gather(*(self._embeddings.aembed_query(text) for text in texts))
        except Exception as exc:
            raise _failed(exc) from exc
        return dict(zip(texts, self._checked(answer, len(texts)), strict=True))

    def _check_sync(self) -> None:
        if isinstance(self._embeddings, EmbeddingsLambda) and not hasattr(self._embeddings, "func"):
            raise ConfigurationError(
                "the embedder is an async function: use the store's async methods, such as asearch"
            )

    def _checked(self, answer: Any, count: int) -> Sequence[Vector]:
        try:
            with np.errstate(over="ignore"):  # too large for float32 becomes infinite, and is refused below
                vectors = np.asarray(answer, dtype="<f4")
        except (TypeError, ValueError) as exc:
            raise StoreError("the embedder must give one list of numbers per text, all of one size") from exc
        if vectors.ndim != 2 or len(vectors) != count or vectors.shape[1] == 0:
            raise StoreError(
                f"the embedder was given {count} texts and answered with an array of shape {vectors.shape}"
            )
        if not np.isfinite(vectors).all():
            raise StoreError("the embedder gave a vector with NaN or infinity in it")
        if self._dims not in (None, vectors.shape[1]):
            raise ConfigurationError(
                f"the embedder gives vectors of {vectors.shape[1]} dimensions where dims={self._dims} was declared: correct dims"
            )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return list(vectors / np.where(lengths > 0, lengths, 1.0).astype("<f4"))


def size_mismatch(given: int, stored: int, where: str) -> ConfigurationError:
    """What to say when the embedder is another one than wrote the store."""
    return ConfigurationError(
        f"{where} holds vectors of {stored} dimensions, the embedder gives {given}: open it with the embedder that wrote it, or "
        f"copy its items into a new store. Nothing was changed."
    )


def _failed(exc: Exception) -> StoreError:
    text = f"the embedder failed ({type(exc).__name__}); nothing was written"
    modules = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(exc.__traceback__))
    if any(name.partition(".")[0] == "tiktoken" for name in modules):
        text += (
            ". It asked tiktoken for an encoding, which is not on this machine and could not be fetched:"
            " OpenAIEmbeddings(check_embedding_ctx_length=False) does without"
        )
    return StoreError(text)
