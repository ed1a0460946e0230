"""What our back ends have in common: a batch is planned, its texts are embedded, and the back end carries it out.

A back end says how a plan is executed; here is everything around it. Where it has no async driver, its sync side runs in a worker
thread.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from langgraph.store.base import BaseStore, Op, PutOp, Result, TTLConfig

from graph_memory.blocks import Block
from graph_memory.stores._embedding import Embedder, Vector, Vectorizer
from graph_memory.stores._options import paths, positive
from graph_memory.stores._plan import Plan, plan

Vectors = dict[str, Vector]
Known = Mapping[str, Vector | None]
"""Texts that need no embedding, each with its vector, or None where the server has it."""


class BackEnd(Block, BaseStore):
    """A `BaseStore` that takes claims, swaps, time to live and an embedder.

    Args:
        embed, dims, fields, ttl: as every store documents them.

    Raises:
        ConfigurationError: an argument is wrong.
    """

    supports_ttl = True
    takes_claims = True
    takes_swaps = True
    keeps_vectors = True
    """Whether text that is put again unchanged, without an embedder, is still found by meaning."""

    def __init__(
        self,
        *,
        embed: Embedder | None,
        dims: int | None,
        fields: Sequence[str] | None,
        ttl: TTLConfig | None,
    ) -> None:
        self.ttl_config = ttl
        self._fields = paths(fields)
        self._dims = None if dims is None else int(positive("dims", dims))
        self._vectorizer = None if embed is None else Vectorizer(embed, self._dims)

    @property
    def ranking(self) -> Literal["words", "words+meaning"]:
        """What a search with a query goes by."""
        return "words" if self._vectorizer is None else "words+meaning"

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """The operations' results, in order; the reads see the state before the writes.

        Raises:
            ConfigurationError: an operation is malformed, or the embedder's vectors have another size than the stored ones.
            ConflictError: somebody else holds a slot that the batch claims. Nothing was written.
            StoreError: a value is not JSON, or the embedder or the back end failed. Nothing was written.
            StoreUnavailableError: no answer in time. A batch whose answer was lost may have been written.
        """
        todo = plan(ops, self._fields)
        return self._execute(todo, self._documents(todo), self._queries(todo)) if todo.size else []

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """`batch`, awaiting the back end and the embedder."""
        todo = await self._planned(list(ops))
        return await self._aexecute(todo, await self._adocuments(todo), await self._aqueries(todo)) if todo.size else []

    def put_if_absent(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: Mapping[str, Any],
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | None = None,
    ) -> bool:
        """Stores an item unless there is one already; of several at once exactly one succeeds. An expired item is absent.

        Args:
            index, ttl: as in `put`, but without `ttl` the item is kept.

        Returns:
            Whether it was stored.
        """
        todo = plan([PutOp(namespace, key, value, index=index, ttl=ttl)], self._fields)
        return self._execute_if_absent(todo, self._documents(todo))

    async def aput_if_absent(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: Mapping[str, Any],
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | None = None,
    ) -> bool:
        """`put_if_absent`, awaiting the back end and the embedder."""
        todo = await self._planned([PutOp(namespace, key, value, index=index, ttl=ttl)])
        return await self._aexecute_if_absent(todo, await self._adocuments(todo))

    @abstractmethod
    def _execute(self, todo: Plan, vectors: Vectors, queries: Vectors) -> list[Result]:
        """The results of a plan that is not empty."""

    async def _aexecute(self, todo: Plan, vectors: Vectors, queries: Vectors) -> list[Result]:
        return await asyncio.to_thread(self._execute, todo, vectors, queries)

    @abstractmethod
    def _execute_if_absent(self, todo: Plan, vectors: Vectors) -> bool:
        """Carries out the one write of a plan unless its item is there; whether it did."""

    async def _aexecute_if_absent(self, todo: Plan, vectors: Vectors) -> bool:
        return await asyncio.to_thread(self._execute_if_absent, todo, vectors)

    @abstractmethod
    def _known(self, todo: Plan) -> Known:
        """Those texts of a plan that the items it writes are stored with: unchanged text is not embedded again."""

    async def _aknown(self, todo: Plan) -> Known:
        return await asyncio.to_thread(self._known, todo)

    async def _planned(self, ops: list[Op]) -> Plan:
        """The plan of a batch; finding the words of many texts takes a while and is done in a worker thread."""
        if any(isinstance(op, PutOp) for op in ops):
            return await asyncio.to_thread(plan, ops, self._fields)
        return plan(ops, self._fields)

    def _documents(self, todo: Plan) -> Vectors:
        """The vectors of what is written."""
        if self._vectorizer is None or not todo.texts:
            return {}
        known = self._known(todo)
        return _present(known) | self._vectorizer.documents(_lacking(todo, known))

    async def _adocuments(self, todo: Plan) -> Vectors:
        if self._vectorizer is None or not todo.texts:
            return {}
        known = await self._aknown(todo)
        return _present(known) | await self._vectorizer.adocuments(_lacking(todo, known))

    def _queries(self, todo: Plan) -> Vectors:
        """The vectors of what is searched for."""
        return {} if self._vectorizer is None else self._vectorizer.queries(todo.queries)

    async def _aqueries(self, todo: Plan) -> Vectors:
        return {} if self._vectorizer is None else await self._vectorizer.aqueries(todo.queries)


def _present(known: Known) -> Vectors:
    return {text: vector for text, vector in known.items() if vector is not None}


def _lacking(todo: Plan, known: Known) -> list[str]:
    return [text for text in todo.texts if text not in known]
