"""Stores that search by OpenAI's and Gemini's embeddings, made by their own clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
import tiktoken
from langchain_openai import OpenAIEmbeddings
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from graph_memory import BufferMemory, VectorMemory, open_memory, open_store
from graph_memory.errors import ConfigurationError, StoreError
from graph_memory.testing.models import Failure, Hang, Malformed, ModelServer
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import plain, remembered, said
from tests.providers import EMBEDDERS, at_home, embedders

both = pytest.mark.parametrize("mode", MODES)
NAMES = {"openai": "openai:text-embedding-3-small", "gemini": "google_genai:gemini-embedding-001"}
PLACE = ("notes",)
TROUBLE = {
    "an error": Failure(500, message="the elephant in the machine"),
    "too many requests": Failure(429, message="the elephant has no quota"),
    "a broken body": Malformed(b'{"data": [{"embedding": "elephant'),
    "no vectors": Malformed(b'{"object": "list", "data": [], "embeddings": []}'),
    "vectors of nothing": Malformed(json.dumps(
        {"object": "list", "data": [{"embedding": [], "index": 0}], "embeddings": [{"values": []}]}).encode()),
}  # fmt: skip
"""What an embedding API may answer instead of vectors."""


@pytest.fixture
def bytes_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoding of one token a byte, for machines that cannot fetch OpenAI's."""
    ranks = {bytes([value]): value for value in range(256)}
    encoding = tiktoken.Encoding("bytes", pat_str=".|\n", mergeable_ranks=ranks, special_tokens={})
    monkeypatch.setattr(tiktoken, "encoding_for_model", lambda _: encoding)


@pytest.fixture
def no_encodings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """tiktoken has nothing, and cannot fetch anything."""

    def away(*_: Any, **__: Any) -> None:
        raise ConnectionError("no network")

    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    monkeypatch.setattr(tiktoken.load, "read_file", away)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """One without trouble."""
    with ModelServer() as running:
        yield running


def put(store: Any, is_async: bool) -> None:
    """Stores a text by either method."""
    if is_async:
        asyncio.run(store.aput(PLACE, "1", {"text": "a cello"}))
    else:
        store.put(PLACE, "1", {"text": "a cello"})


@both
@embedders
def test_what_was_said_is_found_by_meaning(embedder: str, mode: str, server: ModelServer, tmp_path: Path):
    """Another thread's turn comes up in the context; what is stored and what is asked for are embedded each in its way."""
    with open_memory(f"sqlite:///{tmp_path}/m.db", embed=EMBEDDERS[embedder](server)) as memory:
        node = Assistant()
        graph = plain(node, [BufferMemory(), VectorMemory()]).compile(store=memory.store)
        call(graph, mode, said("My sister Ines plays the cello."), in_thread("one"))
        call(graph, mode, said("What does my sister play?"), in_thread("two"))

    assert "My sister Ines plays the cello." in node.text
    assert server.refused == []
    assert all(text.strip() for asked in server.requests for text in asked.texts)
    if embedder == "gemini":
        kinds = {request["taskType"] for asked in server.requests for request in asked.body["requests"]}
        assert kinds == {"RETRIEVAL_DOCUMENT", "RETRIEVAL_QUERY"}


@embedders
def test_a_foreign_store_embeds_with_them_too(embedder: str, server: ModelServer):
    """LangGraph's own store, by its own index."""
    node = Assistant()
    store = InMemoryStore(index={"dims": 64, "embed": EMBEDDERS[embedder](server), "fields": ["text"]})
    graph = plain(node, [VectorMemory()]).compile(store=store)
    call(graph, "invoke", said("My sister Ines plays the cello."), in_thread("one"))
    call(graph, "invoke", said("What does my sister play?"), in_thread("two"))

    assert "My sister Ines plays the cello." in node.text


@pytest.mark.usefixtures("bytes_encoding")
@pytest.mark.parametrize("provider", NAMES)
def test_a_name_and_a_key_are_enough(provider: str, server: ModelServer, monkeypatch: pytest.MonkeyPatch):
    """`init_embeddings` finds the client, which finds its key in the environment."""
    at_home(monkeypatch, server)
    with open_store("sqlite://", embed=NAMES[provider]) as store:
        store.put(PLACE, "1", {"text": "a cello"})
        [found] = store.search(PLACE, query="a cello")

    assert found.key == "1"
    assert server.requests[0].model == NAMES[provider].partition(":")[2]


@pytest.mark.parametrize("provider", NAMES)
def test_a_name_without_a_key_is_refused_early(provider: str, monkeypatch: pytest.MonkeyPatch):
    """When the store is opened, in one sentence."""
    for variable in ("OPENAI_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)

    with pytest.raises(ConfigurationError, match="the embedder cannot be loaded"):
        open_store("sqlite://", embed=NAMES[provider])


@embedders
@pytest.mark.parametrize("kind", TROUBLE)
@pytest.mark.parametrize("is_async", [False, True])
def test_an_embedder_in_trouble_writes_nothing(embedder: str, kind: str, is_async: bool):
    """Neither half an item nor one without its vector; the error is one sentence without the provider's words."""
    with (
        ModelServer(trouble=[TROUBLE[kind]]) as server,
        open_store("sqlite://", embed=EMBEDDERS[embedder](server)) as store,
    ):
        with pytest.raises(StoreError) as caught:
            put(store, is_async)
        assert store.get(PLACE, "1") is None
        store.put(PLACE, "1", {"text": "a cello"})
        assert [hit.key for hit in store.search(PLACE, query="a cello")] == ["1"]

    assert "elephant" not in str(caught.value)
    assert server.key not in str(caught.value)


@both
@embedders
def test_a_turn_that_could_not_be_embedded_is_made_up_for(embedder: str, mode: str, caplog: pytest.LogCaptureFixture):
    """The run goes on without what it would have found; the next turn takes both in, once."""
    trouble = [Failure(429), Failure(500)]
    with ModelServer(trouble=trouble) as server, open_store("sqlite://", embed=EMBEDDERS[embedder](server)) as store:
        graph = plain(Assistant(), [BufferMemory(), VectorMemory()]).compile(store=store, checkpointer=InMemorySaver())
        first = call(graph, mode, said("My sister Ines plays the cello."), in_thread())
        call(graph, mode, said("She lives in Ghent."), in_thread())
        texts = remembered(store)

    assert first["messages"][-1].text == "answer 1"
    assert "the embedder failed" in first["memory_context"].degradations["vector"]
    assert sorted(texts) == ["My sister Ines plays the cello.", "She lives in Ghent.", "answer 1", "answer 2"]
    assert server.key not in caplog.text


@both
@embedders
def test_an_embedder_that_hangs_is_waited_for_no_longer_than_allowed(embedder: str, mode: str):
    """The node answers without what would have been found; the reason stands in the context."""
    memory = VectorMemory(deadline_seconds=0.2, remember_deadline_seconds=0.2)
    with (
        ModelServer(trouble=repeat(Hang())) as server,
        open_store("sqlite://", embed=EMBEDDERS[embedder](server)) as store,
    ):
        graph = plain(Assistant(), [memory]).compile(store=store)
        result = call(graph, mode, said("What does my sister play?"), in_thread())

    assert result["messages"][-1].text == "answer 1"
    assert "no answer within" in result["memory_context"].degradations["vector"]


@pytest.mark.usefixtures("bytes_encoding")
def test_a_long_text_is_embedded_piece_by_piece(server: ModelServer):
    """OpenAI's client splits it by tokens and averages; the store sees one vector."""
    embedder = OpenAIEmbeddings(base_url=server.openai_url, api_key=server.key, embedding_ctx_length=100)
    with open_store("sqlite://", embed=embedder) as store:
        store.put(PLACE, "1", {"text": "whale " * 40})

        assert store.get(PLACE, "1") is not None
    assert len(server.requests[0].texts) == 3


@pytest.mark.usefixtures("no_encodings")
def test_an_encoding_that_cannot_be_fetched_is_said(server: ModelServer):
    """OpenAI's client asks tiktoken, which asks the network: the error says how to do without."""
    embedder = OpenAIEmbeddings(base_url=server.openai_url, api_key=server.key)
    with open_store("sqlite://", embed=embedder) as store:
        with pytest.raises(StoreError, match="OpenAIEmbeddings\\(check_embedding_ctx_length=False\\) does without"):
            store.put(PLACE, "1", {"text": "a cello"})
        with pytest.raises(StoreError, match="tiktoken"):
            asyncio.run(store.aput(PLACE, "1", {"text": "a cello"}))
