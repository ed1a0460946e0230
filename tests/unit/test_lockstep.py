"""Several bodies at once: what an embedder may hold up holds up nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from langgraph.store.base import GetOp, Op, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore

from graph_memory.errors import StoreUnavailableError
from graph_memory.lockstep import arun_all
from graph_memory.steps import Steps, StoreOps

WHERE = ("a",)
PLAIN = {
    "a get": GetOp(WHERE, "k"),
    "a listing": SearchOp(WHERE),
    "a write without index": PutOp(WHERE, "k", {"text": "x"}, index=False),
    "a deletion": PutOp(WHERE, "k", None),
}
EMBEDDING = {
    "a search": SearchOp(WHERE, query="x"),
    "an indexed write": PutOp(WHERE, "v", {"text": "x"}, index=["text"]),
}


class Hanging(InMemoryStore):
    """Its embedder never answers; it notes how large its batches are."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    async def abatch(self, ops: Iterable[Op]) -> list[Any]:
        """Waits for ever for what needs a vector."""
        ops = list(ops)
        self.sizes.append(len(ops))
        if any(op in EMBEDDING.values() for op in ops):
            await asyncio.Event().wait()
        return await super().abatch(ops)


def asking(op: Op) -> Steps[Any]:
    """One operation."""
    return (yield StoreOps([op]))


@pytest.mark.parametrize("held", EMBEDDING)
async def test_an_embedder_that_hangs_holds_up_only_what_needs_it(held: str):
    """Everything else travels in one call beside it, and is there."""
    store = Hanging()
    bodies = {**{name: asking(op) for name, op in PLAIN.items()}, "held": asking(EMBEDDING[held])}

    outcomes = await arun_all(bodies, store=store, deadline_seconds={**dict.fromkeys(PLAIN, 30.0), "held": 0.05})

    assert isinstance(outcomes["held"].error, StoreUnavailableError)
    assert [outcomes[name].error for name in PLAIN] == [None] * len(PLAIN)
    assert sorted(store.sizes) == [1, len(PLAIN)]


async def test_what_needs_an_embedder_travels_together():
    """So that it is asked once for several memories."""
    store = InMemoryStore()
    sizes: list[int] = []

    class Noting(InMemoryStore):
        async def abatch(self, ops: Iterable[Op]) -> list[Any]:
            ops = list(ops)
            sizes.append(len(ops))
            return await store.abatch(ops)

    await arun_all({name: asking(op) for name, op in EMBEDDING.items()}, store=Noting())

    assert sizes == [len(EMBEDDING)]


async def test_without_an_embedder_everything_travels_together():
    """A store that says it goes by words is asked once."""
    sizes: list[int] = []

    class Words(InMemoryStore):
        ranking = "words"

        async def abatch(self, ops: Iterable[Op]) -> list[Any]:
            ops = list(ops)
            sizes.append(len(ops))
            return await super().abatch(ops)

    bodies = {name: asking(op) for name, op in {**PLAIN, **EMBEDDING}.items()}
    await arun_all(bodies, store=Words())

    assert sizes == [len(bodies)]
