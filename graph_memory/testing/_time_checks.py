"""Checks of how long a store keeps what has a time to live. They wait, and expect nothing of how fast a machine is."""

from __future__ import annotations

import time

from langgraph.store.base import GetOp, PutOp, SearchOp

from graph_memory.testing._calls import Calls, Check, checker

CHECKS: list[Check] = []
check = checker(CHECKS)

PLACE = ("users", "ada")
_SHORT = 0.002  # minutes: 0.12 s
_LIFE = 0.006  # minutes: 0.36 s
_PAUSE = 0.4  # of a life: three are longer than one
_TRIES = 8  # each with twice the life of the one before, until the machine is fast enough for it


@check(needs=["ttl"])
async def an_expired_item_is_never_returned(calls: Calls) -> None:
    await calls.put(PLACE, "short", {"text": "tea"}, ttl=_SHORT)
    await calls.put(PLACE, "long", {"text": "tea"}, ttl=60)
    await calls.put(("other",), "short", {"text": "tea"}, ttl=_SHORT)
    await calls.wait(0.2)
    assert await calls.get(PLACE, "short") is None
    assert await calls.keys(()) == ["long"]
    assert await calls.namespaces() == [PLACE]


@check(needs=["ttl", "words"])
async def an_expired_item_is_never_found(calls: Calls) -> None:
    await calls.put(PLACE, "short", {"text": "tea"}, ttl=_SHORT)
    await calls.put(PLACE, "long", {"text": "tea"}, ttl=60)
    await calls.wait(0.2)
    assert await calls.keys((), "tea") == ["long"]


@check(needs=["ttl"])
async def reading_starts_the_time_to_live_anew(calls: Calls) -> None:
    for attempt in range(_TRIES):
        life = _LIFE * 2**attempt
        found, longest = await _read_again_and_again(calls, life)
        if (
            longest < life * 60
        ):  # else the machine paused for longer than an item lives, which says nothing of the store
            break
    assert found == [True, True, False]


async def _read_again_and_again(calls: Calls, life: float) -> tuple[list[bool], float]:
    """Which of three items are there after longer than they live, and the most seconds in which two of them were not read."""
    longest, began = 0.0, time.monotonic()
    keys = ("read", "searched", "peeked")
    await calls.batch(*(PutOp((key,), key, {"text": "tea"}, ttl=life) for key in keys))
    for _ in range(3):
        await calls.wait(life * 60 * _PAUSE)
        before, began = began, time.monotonic()
        await calls.batch(
            GetOp(("read",), "read"), SearchOp(("searched",)), GetOp(("peeked",), "peeked", refresh_ttl=False)
        )
        longest = max(longest, time.monotonic() - before)
    found = await calls.batch(*(GetOp((key,), key) for key in keys))
    return [item is not None for item in found], max(longest, time.monotonic() - began)


@check(needs=["ttl"])
async def a_put_without_ttl_keeps_the_item(calls: Calls) -> None:
    await calls.put(PLACE, "k", {"n": 1}, ttl=_SHORT)
    await calls.put(PLACE, "k", {"n": 2})
    await calls.wait(0.2)
    assert (await calls.get(PLACE, "k")).value == {"n": 2}


@check(needs=["put_if_absent", "ttl"])
async def an_expired_item_is_absent(calls: Calls) -> None:
    await calls.put(PLACE, "k", {"n": 1}, ttl=_SHORT)
    await calls.wait(0.2)
    assert await calls.put_if_absent(PLACE, "k", {"n": 2})
