"""Our checkpointers, each over a place of its own, and what the tests of all of them share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import pytest
from langgraph.channels.delta import DeltaChannel

from graph_memory.checkpoints.redis import RedisSaver
from graph_memory.checkpoints.supabase import SupabaseSaver

Make = Callable[..., Any]
"""From options to a checkpointer; all that one of them makes are over the same place."""


def redis(request: pytest.FixtureRequest) -> Make:
    """One server."""
    url, prefix = request.getfixturevalue("redis_server").url, uuid4().hex
    return lambda **options: RedisSaver(url, prefix=prefix, **options)


def cluster(request: pytest.FixtureRequest) -> Make:
    """Three masters."""
    url, prefix = request.getfixturevalue("redis_cluster")[1].url, uuid4().hex
    return lambda **options: RedisSaver(url, prefix=prefix, **options)


def supabase(request: pytest.FixtureRequest) -> Make:
    """As a user who has just signed up."""
    project = request.getfixturevalue("supabase_project")
    as_user = project.signed_in(uuid4().hex)
    return lambda **options: SupabaseSaver(project.url, **as_user, **options)


def each(*places: Callable[[pytest.FixtureRequest], Make]) -> Any:
    """Over some of them."""
    return pytest.mark.parametrize("place", places, ids=lambda place: place.__name__)


def extended(state: list[str] | None, writes: Sequence[list[str]]) -> list[str]:
    """A reducer of a delta channel."""
    return [*(state or []), *(one for some in writes for one in some)]


class Delta(TypedDict):
    """What `Said` is, kept as what was added."""

    said: Annotated[list[str], DeltaChannel(extended, list, snapshot_frequency=4)]


class Rot:
    """A cipher for tests."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """Every byte the other way round."""
        return "rot", bytes(255 - byte for byte in plaintext)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """And back."""
        return self.encrypt(ciphertext)[1]
