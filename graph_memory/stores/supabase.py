"""A LangGraph store on Supabase: the SQL functions that `PostgresStore` calls, reached over the data API as the signed-in user.

Whose memory it is says the caller's token, and Postgres's row-level security holds it to that, whatever namespace, key or filter
the application passes. A batch is one request; texts that are written with an embedder cost one more, before.

The project is prepared by `graph-memory migrate` with the url of its Postgres, and by adding `graph_memory` to the exposed
schemas (Settings, Data API).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langgraph.store.base import TTLConfig

from graph_memory.context.fusion import FusionWeights
from graph_memory.stores._embedding import Embedder
from graph_memory.stores._options import positive
from graph_memory.stores._postgres_errors import wrong_size
from graph_memory.stores._sql import Rows, SqlBackEnd
from graph_memory.supabase_api import MOST_CONNECTIONS, DataApi, Token

_CALLS = {
    "batch": ("batch_json", "ops"),
    "missing": ("missing_json", "writes"),
    "put_if_absent": ("put_if_absent", "writes"),
    "sweep": ("sweep", "most"),
}
"""What stands for a function where more than a value may be returned, see sql/0007_supabase.sql; and its argument's name."""


class SupabaseStore(SqlBackEnd):
    """A `BaseStore` in a Supabase project.

    It connects at the start of a `with` or `async with` block, which also closes it, or on first use.

    Args:
        url: `https://<project>.supabase.co`.
        key: the project's publishable (anon) key, which every request needs.
        token: the signed-in user's access token, or a function that gives the one of whoever asks (it is called for every batch,
            in the context of the caller). A project whose users sign in elsewhere may sign tokens itself; what counts is the
            claim `sub`, which is the user's id. None: the key alone, which must be a secret (service) key and then sees all.
        embed: LangChain `Embeddings`, a function (sync or async) from a list of texts to vectors, or an `init_embeddings` string.
            None: search goes by words alone.
        dims: size of the vectors, checked on opening; None takes what the database was migrated with.
        fields: paths (LangGraph's syntax) that are indexed of an item whose `PutOp` names none; see `SqliteStore`.
        ttl: LangGraph's `TTLConfig`; see `PostgresStore`.
        timeout_seconds: how long a connection, and then an answer, may take. Supabase itself gives a user 8 s.
        max_connections: how many at once.
        weights: how much words and meaning count in a search.

    Raises:
        ConfigurationError: an argument is wrong.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        token: Token | None = None,
        embed: Embedder | None = None,
        dims: int | None = None,
        fields: Sequence[str] | None = None,
        ttl: TTLConfig | None = None,
        timeout_seconds: float = 10.0,
        max_connections: int = MOST_CONNECTIONS,
        weights: FusionWeights | None = None,
    ) -> None:
        super().__init__(embed=embed, dims=dims, fields=fields, ttl=ttl, weights=weights)
        self._api = DataApi(
            url,
            key=key,
            token=token,
            timeout_seconds=positive("timeout_seconds", timeout_seconds),
            connections=int(positive("max_connections", max_connections)),
            meaning=wrong_size,
        )

    def close(self) -> None:
        """Closes the connections of threads. Later operations raise `StoreError`. May be called twice."""
        self._api.close()

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._api.aclose()

    def _open(self) -> None:
        """Makes sure that the project can be used, or says why not."""
        self._check(*self._api.about(), self._api.where)

    async def _aopen(self) -> None:
        await super()._aopen()
        await self._api.aopen()

    def _ask(self, function: str, argument: Any, *, is_repeatable: bool = True) -> Rows:
        called, name = _CALLS[function]
        return _rows(self._api.call(called, {name: argument}, is_repeatable=is_repeatable))

    async def _aask(self, function: str, argument: Any, *, is_repeatable: bool = True) -> Rows:
        called, name = _CALLS[function]
        return _rows(await self._api.acall(called, {name: argument}, is_repeatable=is_repeatable))


def _rows(data: Any) -> Rows:
    """Rows as a direct connection gives them: JSON makes an object of a row, whose columns keep their order."""
    found = data if isinstance(data, list) else [data]
    return [tuple(row.values()) if isinstance(row, dict) else (row,) for row in found]
