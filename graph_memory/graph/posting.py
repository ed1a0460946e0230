"""The remembering node's part of remembering in the background: the turn is written to the outbox instead of being worked on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graph_memory.graph.commits import Commit
from graph_memory.graph.lineage import Lineage
from graph_memory.graph.outbox import Entry, entry_id
from graph_memory.memories.base import Memory
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Turn


def posted(
    memory: Memory, turn: Turn, *, line: str, lineage: Lineage | None, commit: Commit | None
) -> Steps[Mapping[str, Any] | None]:
    """Posts a memory's share of a turn, in one batch; returns the state that the memory will have when it has taken it in."""
    operation = commit.operation if commit else ""
    entry = Entry(
        id=entry_id(operation, line, memory.name, turn),
        memory=memory.name,
        line=line,
        turn=turn,
        posted_at=turn.now,
        root=commit.root if commit else "",
        operation=operation,
        **_place(lineage, commit),
    )
    state = memory.state_after(turn)
    yield StoreOps(entry.puts())
    return state


def _place(lineage: Lineage | None, commit: Commit | None) -> dict[str, Any]:
    if lineage is None or commit is None:
        return {}
    return {
        "head": commit.head,
        "heads": lineage.heads,
        "is_retold": commit.is_retold,
        "is_joint": commit.is_joint,
    }
