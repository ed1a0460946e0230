"""What a store's conformance checks are written in: a store's operations in either mode, and the checks themselves."""

from __future__ import annotations

import asyncio
import time
import unittest
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from langgraph.store.base import BaseStore, GetOp, ListNamespacesOp, MatchCondition, Op, PutOp, SearchOp

from graph_memory.errors import GraphMemoryError

Mode: TypeAlias = Literal["sync", "async"]
Body: TypeAlias = Callable[["Calls"], Coroutine[Any, Any, None]]

_MEANINGS = (
    ("cat", "kitten", "feline"),
    ("car", "vehicle", "truck"),
    ("tea", "drink", "beverage"),
    ("sea", "ocean", "wave"),
)


class Unsupported(unittest.SkipTest):
    """The store lacks what a check needs."""


@dataclass(frozen=True, slots=True)
class Calls:
    """A store's operations, awaited by checks in either mode.

    Attributes:
        store: the store under test.
        mode: whether `batch` or `abatch` answers.
        embedded: every text that the store had embedded so far, in order.
    """

    store: BaseStore
    mode: Mode
    embedded: list[str]

    async def batch(self, *ops: Op) -> list[Any]:
        """The operations' results."""
        return self.store.batch(ops) if self.mode == "sync" else await self.store.abatch(ops)

    async def wait(self, seconds: float) -> None:
        """Some time passes."""
        if self.mode == "async":
            await asyncio.sleep(seconds)
        else:
            _block(seconds)

    async def get(self, namespace: tuple[str, ...], key: str, *, refresh: bool = True) -> Any:
        """The item, or None."""
        return (await self.batch(GetOp(namespace, key, refresh)))[0]

    async def put(self, namespace: tuple[str, ...], key: str, value: Mapping[str, Any] | None, **options: Any) -> None:
        """Stores an item, or deletes it when the value is None."""
        await self.batch(PutOp(namespace, key, value, **options))

    async def search(self, prefix: tuple[str, ...], query: str | None = None, **options: Any) -> list[Any]:
        """The hits."""
        return list((await self.batch(SearchOp(prefix, query=query, **options)))[0])

    async def keys(self, prefix: tuple[str, ...], query: str | None = None, **options: Any) -> list[str]:
        """The hits' keys, in order."""
        return [hit.key for hit in await self.search(prefix, query, **options)]

    async def namespaces(self, *conditions: MatchCondition, **options: Any) -> list[tuple[str, ...]]:
        """The namespaces that match."""
        return list((await self.batch(ListNamespacesOp(match_conditions=conditions, **options)))[0])

    async def put_if_absent(self, namespace: tuple[str, ...], key: str, value: Mapping[str, Any]) -> bool:
        """Stores an item unless there is one; whether it did."""
        store: Any = self.store
        if self.mode == "sync":
            return bool(store.put_if_absent(namespace, key, value))
        return bool(await store.aput_if_absent(namespace, key, value))

    async def refused(self, *ops: Op) -> bool:
        """Whether the store raised one of the errors that say "this operation is wrong"."""
        try:
            await self.batch(*ops)
        except (GraphMemoryError, ValueError, TypeError):
            return True
        return False


@dataclass(frozen=True, slots=True)
class Check:
    """One behaviour that stores must have.

    Attributes:
        run: raises AssertionError when the store behaves otherwise.
        needs: capabilities without which the check does not apply.
        embeds: whether the store is opened with an embedder.
    """

    run: Body
    needs: frozenset[str] = frozenset()
    embeds: bool = False

    def __str__(self) -> str:
        return self.run.__name__


def embed_concepts(texts: Sequence[str]) -> list[list[float]]:
    """A tiny embedder that knows that a kitten is a cat: one dimension per meaning and one for everything else."""
    return [[float(sum(word in text.lower() for word in words)) for words in _MEANINGS] + [0.1] for text in texts]


def checker(checks: list[Check]) -> Callable[..., Callable[[Body], Body]]:
    """A decorator that adds its function to `checks`."""

    def check(*, needs: Sequence[str] = (), embeds: bool = False) -> Callable[[Body], Body]:
        def add(body: Body) -> Body:
            checks.append(Check(body, frozenset(needs), embeds))
            return body

        return add

    return check


def _block(seconds: float) -> None:
    time.sleep(seconds)
