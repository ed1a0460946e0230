"""What a search returns: LangGraph's `SearchItem` with the signals that its score was made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from langgraph.store.base import SearchItem


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a ranked search knows of everything it searched, for whoever ranks its hits further.

    Attributes:
        documents: how many indexed items there are.
        frequencies: term of the query to the number of items that hold it.
        spread: mean and standard deviation of the cosine of two random items; None without vectors.
    """

    documents: int
    frequencies: Mapping[str, int]
    spread: tuple[float, float] | None = None


class Hits(list["Hit"]):
    """The hits of one ranked search, best first, with the statistics of what was searched."""

    def __init__(self, hits: Iterable[Hit], statistics: Statistics) -> None:
        super().__init__(hits)
        self.statistics = statistics


class Hit(SearchItem):
    """A search result that can explain itself.

    Attributes:
        score: relevance in 0–1, higher is closer; None when the search had no query.
        parts: signal name to value: "words" and "meaning" scaled to 0–1 within this search, "words_raw" (BM25) and
            "meaning_raw" (cosine) as they were. A signal that the item lacks is absent.
    """

    __slots__ = ("parts",)

    def __init__(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: dict[str, Any],
        created_at: datetime,
        updated_at: datetime,
        score: float | None = None,
        parts: dict[str, float] | None = None,
    ) -> None:
        super().__init__(namespace, key, value, created_at, updated_at, score)
        self.parts = parts or {}
