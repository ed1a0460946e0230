"""RedisSaver under graphs: both ways to run, forks, encryption, time to live, delta channels, deletions that leave nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import pytest
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from graph_memory.checkpoints.redis import RedisSaver
from graph_memory.errors import ConfigurationError
from graph_memory.opening import open_memory
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import Said, echo, plain, said
from tests.redis_servers import Running, wait_until


def extended(state: list[str] | None, writes: Sequence[list[str]]) -> list[str]:
    """A reducer of a delta channel."""
    return [*(state or []), *(one for some in writes for one in some)]


class Delta(TypedDict):
    """The same, kept as what was added."""

    said: Annotated[list[str], DeltaChannel(extended, list, snapshot_frequency=4)]


@pytest.fixture
def prefix() -> str:
    """Keys of this test alone."""
    return uuid4().hex


def names(server: Running, prefix: str) -> list[bytes]:
    """The keys of one test."""
    with server.client() as client:
        return sorted(client.keys(f"{{{prefix}:*"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("schema", [Said, Delta])
def test_a_thread_goes_on_and_forks(mode: str, schema: Any, redis_server: Running, prefix: str):
    """In another saver too, as in another process."""
    for n in range(6):
        graph = echo(RedisSaver(redis_server.url, prefix=prefix), schema)
        result = call(graph, mode, {"said": [str(n)]}, in_thread())
        assert result["said"] == [text for at in range(n + 1) for text in (str(at), f"re {at}")]
    early = next(one for one in graph.get_state_history(in_thread()) if len(one.values["said"]) == 4)
    assert call(graph, mode, {"said": ["fork"]}, early.config)["said"] == ["0", "re 0", "1", "re 1", "fork", "re fork"]
    assert len(graph.get_state(in_thread()).values["said"]) == 6
    saver = graph.checkpointer
    saver.prune(["t"])
    assert len(graph.get_state(in_thread()).values["said"]) == 6
    assert call(graph, mode, {"said": ["on"]}, in_thread())["said"][-3:] == ["re fork", "on", "re on"]
    saver.delete_thread("t")
    assert names(redis_server, prefix) == []
    saver.close()


@pytest.mark.parametrize("mode", MODES)
def test_an_interrupted_run_is_resumed(mode: str, redis_server: Running, prefix: str):
    """From what is in Redis."""

    def ask(state: Said) -> Any:
        return {"said": [interrupt("name?")]}

    with RedisSaver(redis_server.url, prefix=prefix) as saver:
        builder: Any = StateGraph(Said)
        builder.add_node("ask", ask)
        builder.add_edge(START, "ask")
        graph = builder.compile(checkpointer=saver)
        call(graph, mode, {"said": []}, in_thread())
        assert call(graph, mode, Command(resume="Ada"), in_thread())["said"] == ["Ada"]


class Rot:
    """A cipher for tests."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """Every byte the other way round."""
        return "rot", bytes(255 - byte for byte in plaintext)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """And back."""
        return self.encrypt(ciphertext)[1]


def test_encrypted_values_are_not_seen_by_redis(redis_server: Running, prefix: str):
    """Neither in blobs nor in writes nor in metadata."""
    with RedisSaver(redis_server.url, prefix=prefix, serde=EncryptedSerializer(Rot())) as saver:
        config = {**in_thread(), "metadata": {"note": "sesame-in-metadata"}}
        assert echo(saver).invoke({"said": ["sesame"]}, config)["said"] == ["sesame", "re sesame"]
        assert echo(saver).get_state(in_thread()).values["said"] == ["sesame", "re sesame"]
    with redis_server.client() as client:
        kept = b"".join(client.dump(key) for key in names(redis_server, prefix))
        texts = [
            value for key in names(redis_server, prefix) if client.type(key) == b"hash" for value in client.hvals(key)
        ]
    assert b"sesame" not in kept + b"".join(texts)


@dataclass(frozen=True)
class Note:
    """A class that a strict serializer was not told of."""

    text: str


@pytest.mark.parametrize("mode", MODES)
def test_a_strict_serializer_makes_no_objects_it_was_not_told_of(mode: str, redis_server: Running, prefix: str):
    """What is in Redis decides about data, never about code: neither classes nor pickles."""
    told = JsonPlusSerializer(allowed_msgpack_modules=[(Note.__module__, "Note")])
    for serde, is_made in ((told, True), (JsonPlusSerializer(allowed_msgpack_modules=None), False)):
        with RedisSaver(redis_server.url, prefix=prefix, serde=serde) as saver:
            call(echo(saver), mode, {"said": [Note("tea")]}, in_thread(str(is_made)))
            found = saver.get_tuple(in_thread(str(is_made))).checkpoint["channel_values"]["said"]
            assert isinstance(found[0], Note) is is_made
            assert found[1] == "re Note(text='tea')"
            with pytest.raises(TypeError, match="not msgpack serializable"):
                call(echo(saver), mode, {"said": [object()]}, in_thread("other"))


def test_a_thread_is_gone_after_its_time(redis_server: Running, prefix: str):
    """Which every write starts anew; the directories forget it with later writes."""
    with RedisSaver(redis_server.url, prefix=prefix, ttl_seconds=60) as saver, redis_server.client() as client:
        graph = echo(saver)
        for n in range(3):
            graph.invoke({"said": [str(n)]}, in_thread())
            kept = [key for key in names(redis_server, prefix) if b"thread-" in key]
            assert all(client.pttl(key) > 20_000 for key in kept)
            for key in kept:
                client.pexpire(key, 20_000)  # most of it is over
        assert len(graph.get_state(in_thread()).values["said"]) == 6
        echo(RedisSaver(redis_server.url, prefix=prefix, ttl_seconds=0.05)).invoke({"said": ["last"]}, in_thread())
        wait_until(lambda: not [key for key in names(redis_server, prefix) if b"thread-" in key])
        assert graph.get_state(in_thread()).values == {}
        assert list(saver.list(None)) == []


def test_a_copied_thread_goes_its_own_way(redis_cluster: list[Running], prefix: str):
    """On a cluster, where the two may be on different nodes."""
    with RedisSaver(redis_cluster[0].url, prefix=prefix) as saver:
        graph = echo(saver)
        graph.invoke({"said": ["a"]}, in_thread("t"))
        for target in ("u", "v", "w"):
            saver.copy_thread("t", target)
            graph.invoke({"said": [target]}, in_thread(target))
        assert graph.get_state(in_thread("t")).values["said"] == ["a", "re a"]
        assert graph.get_state(in_thread("v")).values["said"] == ["a", "re a", "v", "re v"]


@pytest.mark.parametrize("options", [{"ttl_seconds": 0}, {"prefix": "a{b}"}, {"prefix": ""}, {"timeout_seconds": 0}])
def test_wrong_options_are_refused(options: dict[str, Any]):
    """Before anything is tried."""
    with pytest.raises(ConfigurationError):
        RedisSaver("redis://localhost", **options)


@pytest.mark.parametrize("mode", MODES)
def test_store_and_checkpoints_share_one_redis(mode: str, redis_server: Running, prefix: str):
    """A graph with memory remembers across openings."""
    url, seen = redis_server.url, Assistant(["noted", "tea"])
    for text in ("I drink green tea", "what do I drink?"):
        with open_memory(url, prefix=prefix) as memory:
            graph = plain(seen).compile(store=memory.store, checkpointer=memory.checkpointer)
            call(graph, mode, said(text), in_thread())
    assert "I drink green tea" in seen.text
