"""SqliteStore with embedders: every kind, broken ones, others than wrote the file, none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langgraph.store.base import PutOp, SearchOp

from graph_memory.errors import ConfigurationError, StoreError
from graph_memory.stores.sqlite import SqliteStore
from graph_memory.testing.stores import embed_concepts
from tests.store_helpers import ADA, keys


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A file that does not exist yet."""
    return str(tmp_path / "memory.db")


def broken(kind: str):
    """An embedder that goes wrong on the text "bad" in a given way."""

    def embed(texts: Sequence[str]):
        vectors = embed_concepts(texts)
        if "bad" not in texts:
            return vectors
        at = list(texts).index("bad")
        match kind:
            case "raises":
                raise RuntimeError("quota")
            case "short":
                return vectors[:-1]
            case "ragged":
                vectors[at] = [1.0]
            case "nan":
                vectors[at][0] = float("nan")
            case "huge":
                vectors[at][0] = 1e300
            case "text":
                vectors[at] = "no"
            case "none":
                return None
            case "empty":
                return [[] for _ in texts]
        return vectors

    return embed


@pytest.mark.parametrize("kind", ["raises", "short", "ragged", "nan", "huge", "text", "none", "empty"])
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_an_embedder_that_fails_leaves_nothing_behind(kind, mode):
    """One clear error, and none of the batch is written."""
    ops = [PutOp(ADA, "good", {"text": "a cat"}), PutOp(ADA, "old", None), PutOp(ADA, "bad", {"text": "bad"})]
    with SqliteStore(None, embed=broken(kind)) as store:
        store.put(ADA, "old", {"text": "old"})
        with pytest.raises(StoreError, match="embedder"):
            store.batch(ops) if mode == "sync" else asyncio.run(store.abatch(ops))
        assert keys(store, ADA) == ["old"]


def test_a_query_that_cannot_be_embedded_is_an_error():
    """Not a silently poorer ranking."""
    with SqliteStore(None, embed=broken("raises")) as store, pytest.raises(StoreError, match="embedder failed"):
        store.search(ADA, query="bad")


def wide(texts: Sequence[str]) -> list[list[float]]:
    """Another embedder, of 7 dimensions."""
    return [[1.0] * 7 for _ in texts]


def test_another_embedder_than_wrote_the_store_is_refused(path):
    """Both sizes are named, nothing is lost, and the right embedder still works."""
    with SqliteStore(path, embed=embed_concepts) as store:
        store.put(ADA, "a", {"text": "a cat"})
    with SqliteStore(path, embed=wide) as store:
        for call in (lambda: store.put(ADA, "b", {"text": "new"}), lambda: store.search(ADA, query="cat")):
            with pytest.raises(ConfigurationError, match=r"5 dimensions.*gives 7"):
                call()
        assert store.get(ADA, "a") is not None
    with pytest.raises(ConfigurationError, match=r"5 dimensions.*gives 7"), SqliteStore(path, embed=wide, dims=7):
        pass
    with SqliteStore(path, embed=embed_concepts, dims=5) as store:
        assert keys(store, ADA, query="feline") == ["a"]


def test_declared_dims_are_held_against_the_embedder():
    """Before anything is written."""
    with SqliteStore(None, embed=wide, dims=5) as store, pytest.raises(ConfigurationError, match="7 dimensions"):
        store.put(ADA, "a", {"text": "a cat"})


def test_a_store_whose_vectors_are_all_gone_takes_another_embedder(path):
    """There is nothing that a new size could not be compared with."""
    with SqliteStore(path, embed=embed_concepts) as store:
        store.put(ADA, "a", {"text": "a cat"})
        store.delete(ADA, "a")
    with SqliteStore(path, embed=wide, dims=7) as store:
        store.put(ADA, "b", {"text": "new"})
        assert keys(store, ADA, query="old") == ["b"]


def test_without_the_embedder_a_store_goes_by_words(path):
    """Vectors stay for later, except where the text changed meanwhile; they are made up for on the next put."""
    with SqliteStore(path, embed=embed_concepts) as store:
        store.batch([PutOp(ADA, key, {"text": "a kitten"}) for key in ("kept", "changed")])
    with SqliteStore(path) as store:
        assert keys(store, ADA, query="feline") == []
        assert sorted(keys(store, ADA, query="kitten")) == ["changed", "kept"]
        store.put(ADA, "kept", {"text": "a kitten", "n": 2})
        store.put(ADA, "changed", {"text": "a truck"})
    with SqliteStore(path, embed=embed_concepts) as store:
        assert keys(store, ADA, query="feline") == ["kept"]
        store.put(ADA, "changed", {"text": "a truck"})
        assert keys(store, ADA, query="vehicle") == ["changed", "kept"]


class Alike:
    """Has the methods of LangChain's `Embeddings` without being one."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """As LangChain has it."""
        return embed_concepts(texts)

    def embed_query(self, text: str) -> list[float]:
        """As LangChain has it."""
        return embed_concepts([text])[0]


@pytest.mark.parametrize("kind", ["langchain", "alike", "function", "async function", "numpy"])
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_every_kind_of_embedder_serves(kind, mode):
    """LangChain's and their like, plain functions and coroutines; a coroutine says so when called from sync code."""

    async def aembed(texts: Sequence[str]) -> list[list[float]]:
        await asyncio.sleep(0)
        return embed_concepts(texts)

    embed = {
        "langchain": DeterministicFakeEmbedding(size=5),
        "alike": Alike(),
        "function": embed_concepts,
        "async function": aembed,
        "numpy": lambda texts: np.array(embed_concepts(texts)),
    }[kind]
    ops = [PutOp(ADA, "a", {"text": "a cat"})], [SearchOp(ADA, query="feline")]
    with SqliteStore(None, embed=embed) as store:
        if (kind, mode) == ("async function", "sync"):
            with pytest.raises(ConfigurationError, match="asearch"):
                store.batch(ops[0])
            with pytest.raises(ConfigurationError, match="asearch"):
                store.batch(ops[1])
            return
        for batch in ops:
            results = store.batch(batch) if mode == "sync" else asyncio.run(store.abatch(batch))
        assert [hit.key for hit in results[0]] == ["a"]


def test_vectors_without_direction_are_kept():
    """A vector of zeros is close to nothing, and no division fails."""
    with SqliteStore(None, embed=lambda texts: [[0.0, 0.0] for _ in texts]) as store:
        store.put(ADA, "a", {"text": "a cat"})
        assert [(hit.key, hit.score) for hit in store.search(ADA, query="dog")] == [("a", 0.0)]
