"""The search over everything that is remembered in a scope, whichever memory keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from langgraph.store.base import SearchOp

from graph_memory.context.question import Corpus, read_question
from graph_memory.context.ranking import RankingWeights
from graph_memory.memories.ranked import corpus_of, note_in, ranked
from graph_memory.memories.searching import QUERY_CHARACTERS, Found, carries, searching
from graph_memory.namespaces import namespace
from graph_memory.steps import Steps, StoreOps, arun, run
from graph_memory.types import Scope

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

_POOL = 100


def search(
    scope: Scope,
    query: str,
    *,
    store: BaseStore,
    kinds: Iterable[str] | None = None,
    filter: Mapping[str, Any] | None = None,
    limit: int = 10,
) -> list[Found]:
    """Looks through everything that is remembered in a scope, whichever memory keeps it.

    Args:
        scope: whose memory.
        query: what to look for; the empty string lists.
        store: where the memos are.
        kinds: kinds of memo, such as "message" or "fact"; None takes all.
        filter: metadata that a memo must carry.
        limit: how many at most.

    Raises:
        ConfigurationError: the scope names neither a user nor a thread.
        StoreError: the store failed.
    """
    return run(_looking(scope, query, limit=limit, filter=filter, kinds=kinds), store=store)


async def asearch(
    scope: Scope,
    query: str,
    *,
    store: BaseStore,
    kinds: Iterable[str] | None = None,
    filter: Mapping[str, Any] | None = None,
    limit: int = 10,
) -> list[Found]:
    """`search`, awaiting the store."""
    return await arun(_looking(scope, query, limit=limit, filter=filter, kinds=kinds), store=store)


def _looking(
    scope: Scope, text: str, *, limit: int, filter: Mapping[str, Any] | None, kinds: Iterable[str] | None
) -> Steps[list[Found]]:
    prefix = namespace(scope, "any")[:3]
    if not text.strip():
        return (yield from searching(prefix, "", limit=limit, filter=filter, kinds=kinds))
    text, wanted = text[:QUERY_CHARACTERS], None if kinds is None else set(kinds)
    condition = {"metadata": dict(filter)} if filter else None
    search = SearchOp(prefix, filter=condition, limit=max(limit, _POOL), query=text, refresh_ttl=False)
    [items] = yield StoreOps([search])
    inside = [item for item in items if item.namespace[: len(prefix)] == prefix and carries(item, filter)]
    noted = [(item, note) for item in inside if (note := note_in(item)) is not None]
    noted = [(item, note) for item, note in noted if wanted is None or item.value.get("kind") in wanted]
    if not noted:
        return []
    asked = read_question(text, Corpus())
    corpus = corpus_of(Corpus(), getattr(items, "statistics", None), asked, [note for _, note in noted])
    return ranked(noted, text, corpus, RankingWeights(), limit)
