"""The conformance suite over Redis: one server, and a cluster of three."""

from __future__ import annotations

from uuid import uuid4

import pytest

from graph_memory.stores.redis import RedisStore
from graph_memory.testing.stores import CHECKS, MODES, Check, Mode, run_check
from tests.redis_servers import Running


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_one_server(check: Check, mode: Mode, redis_server: Running) -> None:
    """Our store on one Redis behaves as memories rely on."""
    run_check(check, lambda embed: RedisStore(redis_server.url, embed=embed, prefix=uuid4().hex), mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_cluster(check: Check, mode: Mode, redis_cluster: list[Running]) -> None:
    """Our store on a Redis Cluster behaves as memories rely on."""
    run_check(check, lambda embed: RedisStore(redis_cluster[0].url, embed=embed, prefix=uuid4().hex), mode)
