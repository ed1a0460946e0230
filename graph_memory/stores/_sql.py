"""A store over the SQL functions of `sql/`: which of them carries out what. How they are called is the back end's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from langgraph.store.base import Result, TTLConfig

from graph_memory.context.fusion import FusionWeights
from graph_memory.sql_files import check_version
from graph_memory.stores._base import BackEnd, Known, Vectors
from graph_memory.stores._embedding import Embedder, size_mismatch
from graph_memory.stores._index import digest
from graph_memory.stores._plan import Plan
from graph_memory.stores._postgres_plan import Batch, written

Rows = Sequence[Sequence[Any]]
_SWEEP = 1000  # expired items per transaction


class SqlBackEnd(BackEnd):
    """Carries out a plan by one call of `graph_memory.batch`.

    Args:
        embed, dims, fields, ttl, weights: as every store documents them.
    """

    def __init__(
        self,
        *,
        embed: Embedder | None,
        dims: int | None,
        fields: Sequence[str] | None,
        ttl: TTLConfig | None,
        weights: FusionWeights | None,
    ) -> None:
        super().__init__(embed=embed, dims=dims, fields=fields, ttl=ttl)
        self._weights = weights or FusionWeights()

    def sweep_ttl(self) -> int:
        """Deletes all expired items now; returns how many there were."""
        total = 0
        while swept := self._ask("sweep", _SWEEP)[0][0]:
            total += swept
        return total

    @abstractmethod
    def _ask(self, function: str, argument: Any, *, is_repeatable: bool = True) -> Rows:
        """The rows that a function of one argument gives. What is not repeatable is tried again only where it was undone."""

    @abstractmethod
    async def _aask(self, function: str, argument: Any, *, is_repeatable: bool = True) -> Rows:
        """`_ask`, awaited."""

    def _check(self, version: int, dimension: int | None, where: str) -> None:
        """Makes sure that the database fits this version and the embedder."""
        check_version(version, where)
        if self._vectorizer and self._dims and dimension not in (None, self._dims):
            raise size_mismatch(self._dims, dimension, where)

    def _execute(self, todo: Plan, vectors: Vectors, queries: Vectors) -> list[Result]:
        asked = Batch(todo, queries, self._weights)
        return asked.results(self._ask("batch", asked.payload(vectors)))

    async def _aexecute(self, todo: Plan, vectors: Vectors, queries: Vectors) -> list[Result]:
        asked = Batch(todo, queries, self._weights)
        return asked.results(await self._aask("batch", asked.payload(vectors)))

    def _execute_if_absent(self, todo: Plan, vectors: Vectors) -> bool:
        return bool(self._ask("put_if_absent", written(todo.writes, vectors), is_repeatable=False)[0][0])

    async def _aexecute_if_absent(self, todo: Plan, vectors: Vectors) -> bool:
        return bool((await self._aask("put_if_absent", written(todo.writes, vectors), is_repeatable=False))[0][0])

    def _known(self, todo: Plan) -> Known:
        return _held(todo, self._ask("missing", _places(todo)))

    async def _aknown(self, todo: Plan) -> Known:
        return _held(todo, await self._aask("missing", _places(todo)))


def _places(todo: Plan) -> list[dict[str, Any]]:
    """The places and digests of what a plan writes, as `graph_memory.missing` takes them."""
    fields = ("path", "key", "digests")
    return [{name: write[name] for name in fields} for write in written(todo.writes, {}) if write["value"]]


def _held(todo: Plan, missing: Rows) -> Known:
    """The texts whose vectors the server has."""
    digests = {row[0] for row in missing}
    return {text: None for text in todo.texts if digest(text).hex() not in digests}
