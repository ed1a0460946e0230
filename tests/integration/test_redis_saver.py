"""RedisSaver by itself: what Redis sees of what is encrypted, and what is left in it after time and deletions."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from graph_memory.checkpoints.redis import RedisSaver
from graph_memory.errors import ConfigurationError
from graph_memory.opening import open_memory
from tests.fakes import MODES, Assistant, call, in_thread
from tests.graphs import echo, plain, said
from tests.redis_servers import Running, wait_until
from tests.savers import Rot


@pytest.fixture
def prefix() -> str:
    """Keys of this test alone."""
    return uuid4().hex


def names(server: Running, prefix: str) -> list[bytes]:
    """The keys of one test."""
    with server.client() as client:
        return sorted(client.keys(f"{{{prefix}:*"))


def test_a_deleted_thread_leaves_nothing(redis_server: Running, prefix: str):
    """Neither its keys nor its entry in a directory."""
    with RedisSaver(redis_server.url, prefix=prefix) as saver:
        echo(saver).invoke({"said": ["a"]}, {**in_thread(), "metadata": {"run_id": "run"}})
        saver.delete_thread("t")
    assert names(redis_server, prefix) == []


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


@pytest.mark.parametrize("options", [{"prefix": "a{b}"}, {"prefix": ""}])
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
