"""Turns: so many at once, first come, first served, and a clear word for whoever has waited in vain."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from graph_memory.errors import StoreUnavailableError
from graph_memory.redis_connections import Turns


def test_whoever_has_waited_longest_is_next():
    """Threads."""
    turns, order = Turns(1, 30, "redis://x"), []

    def wait(n: int) -> None:
        with turns:
            order.append(n)

    with ThreadPoolExecutor(4) as pool, turns:
        for n in range(4):
            pool.submit(wait, n)
            while len(turns._threads._waiting) <= n:
                time.sleep(0.001)
    assert order == [0, 1, 2, 3]


def test_nobody_waits_for_ever():
    """A turn that was not given is not lost either: the next one gets it."""
    turns, text = (
        Turns(1, 0.01, "redis://x"),
        r"all 1 connections to redis://x were in use for 0\.01 s: raise max_connections",
    )

    async def tasks() -> None:
        async with turns:
            with pytest.raises(StoreUnavailableError, match=text):
                async with turns:
                    pass
        async with turns:
            pass

    with turns, pytest.raises(StoreUnavailableError, match=text), turns:
        pass
    with turns:
        asyncio.run(tasks())
