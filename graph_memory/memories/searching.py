"""Looking through what is stored, without a context: the search that every memory and the top-level `search` share.

A namespace's prefix is trusted to narrow, never to isolate: what comes back is checked label by label (law 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from langgraph.store.base import Item, SearchOp

from graph_memory.memories.records import memos_in
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Memo

QUERY_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Found:
    """A memo that a search found.

    Attributes:
        memo: what was found.
        score: 0–1, higher is closer.
        parts: the signals that the score was made of.
        terms: the question's terms by weight, where the search ranked by them.
        links: ids of the other memos found that share an entity, a name, a message or a turn with it.
    """

    memo: Memo
    score: float
    parts: Mapping[str, float]
    terms: Mapping[str, float] = field(default_factory=dict)
    links: tuple[str, ...] = ()


def searching(
    prefix: tuple[str, ...],
    text: str,
    *,
    limit: int,
    offset: int = 0,
    filter: Mapping[str, Any] | None = None,
    kinds: Iterable[str] | None = None,
) -> Steps[list[Found]]:
    """The memos under a namespace that fit `text` best; without text, any that the store lists."""
    condition: dict[str, Any] = {"metadata": dict(filter)} if filter else {}
    wanted = None if kinds is None else set(kinds)
    if wanted is not None and len(wanted) == 1:
        condition["kind"] = next(iter(wanted))
    query = text[:QUERY_CHARACTERS] or None
    operation = SearchOp(prefix, filter=condition or None, limit=limit, offset=offset, query=query, refresh_ttl=False)
    [items] = yield StoreOps([operation])
    return [
        _found(item, memo)
        for item, memo in memos_in(items)
        if item.namespace[: len(prefix)] == prefix and carries(item, filter) and (wanted is None or memo.kind in wanted)
    ]


def carries(item: Item, wanted: Mapping[str, Any] | None) -> bool:
    """Whether the item's metadata holds every wanted key with an equal value."""
    if not wanted:  # then the value need not be decoded
        return True
    metadata = item.value.get("metadata") or {}
    return all(metadata.get(key) == value for key, value in wanted.items())


def _found(item: Item, memo: Memo) -> Found:
    score = float(getattr(item, "score", None) or 0.0)
    return Found(memo, min(1.0, max(0.0, score)), dict(getattr(item, "parts", None) or {"relevance": score}))
