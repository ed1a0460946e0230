"""The remembering node's part of the outbox: a turn is written there instead of being worked on, to wait or as a dead letter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from graph_memory.graph.commits import Commit
from graph_memory.graph.lineage import Lineage
from graph_memory.graph.outbox import Entry, entry_id
from graph_memory.graph.positions import Position
from graph_memory.graph.telling import Told
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Turn

Kept = Mapping[str, Any] | None
"""What a memory wants kept in the thread's state."""


def posted(told: Told, turn: Turn, *, node: str, lineage: Lineage | None, commit: Commit | None) -> Steps[Kept]:
    """Posts a memory's share of a turn, in one batch; returns the state that the memory will have when it has taken it in.

    What the memory failed on becomes a dead letter.
    """
    memory = told.memory
    entry = Entry(
        id=entry_id(commit.operation if commit else "", node, memory.name, turn),
        memory=memory.name,
        node=node,
        turn=turn,
        posted_at=turn.now,
        position=_position(told, commit, lineage) if commit and lineage else None,
        attempts=told.tried,
        reason=told.failed,
    )
    state = memory.state_after(turn)
    yield StoreOps(entry.buries() if told.failed else entry.puts())
    return state


def _position(told: Told, commit: Commit, lineage: Lineage) -> Position:
    """Where it was committed. A turn that is told beside the newest one must not take what that one writes for its own."""
    found = Position.of(commit, lineage)
    return replace(found, part=told.turn.turn_id) if told.is_edit or told.failed else found
