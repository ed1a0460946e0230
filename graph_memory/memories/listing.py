"""Everything that a store holds under a namespace, page by page; what comes back is checked label by label (law 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.store.base import Item, SearchOp

from graph_memory.steps import Steps, StoreOps

PAGE = 500
"""Items that a store is asked for at once."""


def listed(
    prefix: tuple[str, ...], filter: Mapping[str, Any] | None = None, *, with_expired: bool = False
) -> Steps[list[Item]]:
    """Every item under a namespace, each once, whatever is written meanwhile.

    Args:
        prefix: the namespace; those beneath it count too.
        filter: as in LangGraph's `SearchOp`.
        with_expired: whether what is over is wanted too, on a store that has no TTL.
    """
    found: dict[tuple[tuple[str, ...], str], Item] = {}
    offset = 0
    while True:
        page = yield from listed_page(prefix, offset, filter, with_expired=with_expired)
        found |= {(item.namespace, item.key): item for item in page if item.namespace[: len(prefix)] == prefix}
        if len(page) < PAGE:
            return list(found.values())
        offset += PAGE


def listed_page(
    prefix: tuple[str, ...], offset: int, filter: Mapping[str, Any] | None = None, *, with_expired: bool = False
) -> Steps[list[Item]]:
    """One page of `listed`, unchecked; it is only shorter than `PAGE` when there is no more."""
    condition = dict(filter) if filter else None
    search = SearchOp(prefix, filter=condition, limit=PAGE, offset=offset, refresh_ttl=False)
    [page] = yield StoreOps([search], with_expired)
    return list(page)
