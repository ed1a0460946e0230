"""Conformance suite for any LangGraph `BaseStore`: what memories rely on, checked over `batch` and over `abatch`.

A back end's tests run every check in both modes:

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("check", CHECKS, ids=str)
    def test_my_store(check, mode):
        run_check(check, lambda embed: open_store("mystore://…", embed=embed), mode)

A check is written once, as a coroutine over `Calls`; the synchronous mode drives it without an event loop. A check that needs
what a store does not have (see `capabilities`) raises `Unsupported`, which pytest reports as a skip. For pytest to explain what
an assertion saw, call `pytest.register_assert_rewrite("graph_memory.testing")` in a conftest before the first import.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeAlias

from langgraph.store.base import BaseStore, PutOp, SearchOp

from graph_memory.testing import _item_checks, _search_checks, _time_checks
from graph_memory.testing._calls import Calls, Check, Mode, Unsupported, embed_concepts
from graph_memory.urls import Opening

__all__ = [
    "CHECKS",
    "MODES",
    "Calls",
    "Check",
    "Embed",
    "Factory",
    "Mode",
    "Unsupported",
    "capabilities",
    "embed_concepts",
    "run_check",
]

Embed: TypeAlias = Callable[[Sequence[str]], list[list[float]]]
Factory: TypeAlias = Callable[[Embed | None], Opening[BaseStore]]
"""Opens a new, empty store with an embedder or without, for one `with` or `async with` block."""

MODES: tuple[Mode, ...] = ("sync", "async")
CHECKS: tuple[Check, ...] = (*_item_checks.CHECKS, *_time_checks.CHECKS, *_search_checks.CHECKS)
"""Every behaviour, in the order in which a new back end is best built."""


def run_check(check: Check, factory: Factory, mode: Mode) -> None:
    """Runs one check on a new store.

    Raises:
        AssertionError: the store does not behave as it must.
        Unsupported: the store lacks what the check needs.
    """
    embedded: list[str] = []

    def embed(texts: Sequence[str]) -> list[list[float]]:
        embedded.extend(texts)
        return embed_concepts(texts)

    opening = factory(embed if check.embeds else None)
    if mode == "async":
        asyncio.run(_arun(check, opening, embedded))
        return
    with opening as store:
        _finish(_checked(check, Calls(store, mode, embedded)))


async def capabilities(calls: Calls) -> frozenset[str]:
    """What a store can do beyond the minimum, found by trying: "ttl", "filter", "words", "meaning", "put_if_absent"."""
    found = {"ttl"} if calls.store.supports_ttl else set()
    found |= {"put_if_absent"} if hasattr(calls.store, "put_if_absent") else set()
    place = ("capabilities",)
    await calls.batch(PutOp(place, "a", {"text": "the kitten sleeps"}), PutOp(place, "b", {"text": "the cat dreams"}))
    found |= set() if await calls.refused(SearchOp(place, filter={"any": 1})) else {"filter"}
    is_searched = not await calls.refused(SearchOp(place, query="feline"))
    found |= {"meaning"} if is_searched and any(hit.score for hit in await calls.search(place, "feline")) else set()
    scores = {hit.key: hit.score or 0.0 for hit in await calls.search(place, "sleeps")} if is_searched else {}
    found |= (
        {"words"} if scores.get("a", 0.0) > scores.get("b", 0.0) + 1e-6 else set()
    )  # both mean the same to the embedder
    await calls.batch(PutOp(place, "a", None), PutOp(place, "b", None))
    calls.embedded.clear()
    return frozenset(found)


async def _arun(check: Check, opening: Opening[BaseStore], embedded: list[str]) -> None:
    async with opening as store:
        await _checked(check, Calls(store, "async", embedded))


async def _checked(check: Check, calls: Calls) -> None:
    if check.needs and (missing := check.needs - await capabilities(calls)):
        raise Unsupported(f"the store has no {', '.join(sorted(missing))}")
    await check.run(calls)


def _finish(body: Coroutine[Any, Any, None]) -> None:
    """Drives a coroutine that never waits for anything."""
    try:
        body.send(None)
    except StopIteration:
        return
    body.close()
    raise RuntimeError("a check in sync mode waited for an event loop")
