"""The remembering node's part of remembering in the background: the turn is written to the outbox instead of being worked on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graph_memory.graph.commits import Commit
from graph_memory.graph.lineage import Lineage
from graph_memory.graph.outbox import Entry, entry_id
from graph_memory.graph.positions import Position
from graph_memory.memories.base import Memory
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Turn


def posted(
    memory: Memory, turn: Turn, *, node: str, lineage: Lineage | None, commit: Commit | None
) -> Steps[Mapping[str, Any] | None]:
    """Posts a memory's share of a turn, in one batch; returns the state that the memory will have when it has taken it in."""
    entry = Entry(
        id=entry_id(commit.operation if commit else "", node, memory.name, turn),
        memory=memory.name,
        node=node,
        turn=turn,
        posted_at=turn.now,
        position=Position.of(commit, lineage) if commit and lineage else None,
    )
    state = memory.state_after(turn)
    yield StoreOps(entry.puts())
    return state
