"""What our stores return beyond LangGraph's items: a search's hit with the signals of its score, an item that tells whether it
expires."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from langgraph.store.base import Item, SearchItem


class Kept(Item):
    """An item that says whether it has a time to live."""

    __slots__ = ("is_mortal",)

    def __init__(self, *, is_mortal: bool, **fields: Any) -> None:
        super().__init__(**fields)
        self.is_mortal = is_mortal


def is_mortal(item: Item, *, otherwise: bool) -> bool:
    """Whether an item has a time to live; `otherwise` where it does not say."""
    return bool(getattr(item, "is_mortal", otherwise))


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

    Its value may be given as JSON text, which is decoded when somebody asks for it: of two hundred candidates a caller that
    knows their texts already reads ten.

    Attributes:
        score: relevance in 0–1, higher is closer; None when the search had no query.
        parts: signal name to value: "words" and "meaning" scaled to 0–1 within this search, "words_raw" (BM25) and
            "meaning_raw" (cosine) as they were. A signal that the item lacks is absent.
    """

    __slots__ = ("_json", "_value", "parts")

    def __init__(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: dict[str, Any] | str,
        created_at: datetime,
        updated_at: datetime,
        score: float | None = None,
        parts: dict[str, float] | None = None,
    ) -> None:
        self._json: str | None = value if isinstance(value, str) else None
        self._value: dict[str, Any] = {} if isinstance(value, str) else value
        self.namespace, self.key, self.score = namespace, key, score
        self.created_at, self.updated_at = created_at, updated_at
        self.parts = parts or {}

    @property
    def json(self) -> str | None:
        """The value's JSON text until the value is read; then None, because whoever reads it may change it."""
        return self._json

    @property
    def value(self) -> dict[str, Any]:
        """The stored value."""
        if (text := self._json) is not None:
            self._value, self._json = json.loads(text), None
        return self._value

    @value.setter
    def value(self, value: dict[str, Any]) -> None:
        self._json, self._value = None, value
