"""What a search finds, and how its metadata filter is checked; every memory's search and the one over everything share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langgraph.store.base import Item

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


def carries(item: Item, wanted: Mapping[str, Any] | None) -> bool:
    """Whether the item's metadata holds every wanted key with an equal value."""
    if not wanted:  # then the value need not be decoded
        return True
    metadata = item.value.get("metadata") or {}
    return all(metadata.get(key) == value for key, value in wanted.items())
