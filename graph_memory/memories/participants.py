"""Who takes part in what one user remembers, and in which years: one item for each memory and scope.

It is derived from the memos alone and only grows, so writing it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from langgraph.store.base import Item

from graph_memory.namespaces import namespace
from graph_memory.types import Memo, Scope

_KEY = "participants"


def place(scope: Scope, memory: str) -> tuple[tuple[str, ...], str]:
    """Namespace and key of the item: beside the memory's own namespace, where no search for memos meets it."""
    return namespace(scope, f"{memory}/{_KEY}"), _KEY


@dataclass(frozen=True, slots=True)
class Participants:
    """Participant to role ("human", "ai" for an assistant, "person" for people among themselves), and the years."""

    speakers: Mapping[str, str] = field(default_factory=dict)
    years: tuple[int, ...] = ()

    @classmethod
    def of(cls, item: Item | None) -> Participants:
        """What is stored; nobody when nothing is."""
        if item is None:
            return cls()
        return cls(dict(item.value["speakers"]), tuple(item.value["years"]))

    def with_memos(self, memos: Iterable[Memo]) -> Participants:
        """These and whoever speaks in the memos; a role that is known stays."""
        memos = list(memos)
        speakers = {**{memo.speaker: memo.role for memo in memos if memo.speaker}, **self.speakers}
        return Participants(speakers, tuple(sorted({*self.years, *(memo.said_at.year for memo in memos)})))

    def to_value(self) -> dict[str, Any]:
        """As it is stored."""
        return {"speakers": dict(self.speakers), "years": list(self.years)}
