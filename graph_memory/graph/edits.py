"""Turns that were edited after memory had been told of them: how they are noticed, and told again as another version. Pure.

For the newest turns of each line, the checkpointed state keeps what their texts came to when they were told. A turn whose texts
are others now is told again under ids of its own, and the state notes which commit holds that version: this line does not see the
one before any more (`Lineage.edited`), while a fork from before the edit still does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from langchain_core.messages import BaseMessage

from graph_memory.graph.lineage import LINEAGE, Head
from graph_memory.graph.telling import Told
from graph_memory.memories.archive import Messages, split_turns
from graph_memory.memories.planning import REMEMBERED, Plan, start_after
from graph_memory.messages import SAID_AT, said_at, speaker_of, text_of
from graph_memory.types import Turn

TOLD, EDITED = "told", "edited"
"""Keys of the lineage: what turns came to when they were told, and where the versions of edited ones are, by line."""

KEPT_TURNS = 8
"""How many of the newest turns may be edited and told again; every checkpoint holds a row of each."""


@dataclass(frozen=True, slots=True)
class Known:
    """A turn as it was told.

    Attributes:
        key: of its first message.
        count: how many messages it had.
        digest: of their texts.
        at: when it was told, in seconds.
    """

    key: str
    count: int
    digest: str
    at: int

    @classmethod
    def of(cls, turn: Messages, at: datetime) -> Known:
        """The turn as it is now."""
        return cls(_key(turn), len(turn), _digest(turn), int(at.timestamp()))

    def is_edited(self, turn: Messages) -> bool:
        """Whether the messages that were told have other texts now; a turn that has only grown is none."""
        return len(turn) >= self.count and _digest(turn[: self.count]) != self.digest


def known_turns(channel: Mapping[str, Any], line: str) -> dict[str, Known]:
    """The newest turns of a line as they were told, by their keys."""
    rows = ((channel.get(LINEAGE) or {}).get(TOLD) or {}).get(line) or ()
    return {row[0]: Known(*row) for row in rows}


def edited_turns(messages: Sequence[BaseMessage], known: Mapping[str, Known]) -> list[Messages]:
    """The turns that were told and have other texts now."""
    turns = split_turns(messages)[-KEPT_TURNS:] if known else []
    return [turn for turn in turns if (told := known.get(_key(turn))) is not None and told.is_edited(turn)]


def with_edits(
    told: Sequence[Told], plan: Plan, edited: Sequence[Messages], known: Mapping[str, Known], root: str
) -> list[Told]:
    """What is told, with the edited turns for those that are told turns, have heard them and can hear them again.

    A memory that keeps what it knows in the thread's state cannot: its state is what all turns made of it.
    """
    places = {message.id: index for index, message in enumerate(plan.messages)} if edited else {}

    def again(one: Told) -> Iterator[Told]:
        memory, state = one.memory, one.turn.state
        heard = start_after(plan.messages, state.get(REMEMBERED)) or 0
        if memory.feeds == "turn" and (memory.defers or memory.placement == "history"):
            for turn in edited:
                if places[turn[-1].id] < heard:
                    made = _turn(plan, turn, places[turn[0].id], state, known, root)
                    yield Told(memory, made, "", "", is_again=False, is_edit=True)

    return [replace(one, again=tuple(again(one))) for one in told] if edited else list(told)


def edits_value(
    line: str,
    plan: Plan,
    known: Mapping[str, Known],
    edited: Sequence[Messages],
    memories: Sequence[str],
    place: Head | None,
) -> dict[str, Any]:
    """The part of the `memory` channel that keeps how turns were told, and where edited ones are now.

    Args:
        line: whose.
        plan: the thread.
        known: as it was.
        edited: the turns that were told again.
        memories: who was told.
        place: the commit that holds them; None when a memory failed, so that they are told again.
    """
    rows, again = list[list[Any]](), set(map(_key, edited))
    for turn in split_turns(plan.messages)[-KEPT_TURNS:]:
        old, new = known.get(_key(turn)), Known.of(turn, plan.now)
        if old is not None:
            new = old if place is None and new.key in again else replace(new, at=old.at)
        rows.append([new.key, new.count, new.digest, new.at])
    value: dict[str, Any] = {TOLD: {line: rows}}
    if edited and memories and place is not None:
        version = [place.branch, place.commit, list(memories)]
        value[EDITED] = {line: {message.id: version for turn in edited for message in turn}}
    return {LINEAGE: value}


def _turn(
    plan: Plan, turn: Messages, start: int, state: Mapping[str, Any], known: Mapping[str, Known], root: str
) -> Turn:
    """The turn as it now reads, said when it was."""
    at = datetime.fromtimestamp(known[_key(turn)].at, UTC)
    return Turn(
        plan.scope,
        tuple(_said(message, at) for message in turn),
        root,
        plan.now,
        previous=plan.messages[start - 1] if start else None,
        state=state,
        counter=plan.counter,
        turn_id=turn[0].id or "",
    )


def _said(message: BaseMessage, at: datetime) -> BaseMessage:
    extra = {**message.additional_kwargs, SAID_AT: said_at(message, at).isoformat()}
    return message.model_copy(update={"additional_kwargs": extra})


def _key(turn: Messages) -> str:
    """Short, because it stands in every checkpoint."""
    return hashlib.blake2b((turn[0].id or "").encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def _digest(turn: Messages) -> str:
    texts = "\x1f".join(f"{message.id}\x1e{speaker_of(message)}\x1e{text_of(message)}" for message in turn)
    return hashlib.blake2b(texts.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
