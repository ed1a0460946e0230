"""What a search returns: LangGraph's `SearchItem` with the signals that its score was made of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from langgraph.store.base import SearchItem


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
