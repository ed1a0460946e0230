"""How messages become memos: deterministic ids, clipped neighbours, and the text that a recalled memo is shown as. Pure.

A memo's id is a hash of the thread's root, the message's id, the memory's name and an ordinal, so that a node that runs again
writes the same records again (law 4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.store.base import Item

from graph_memory.context.notes import note_value, to_embed
from graph_memory.extract.importance import importance
from graph_memory.messages import metadata_of, said_at, speaker_of, text_of
from graph_memory.types import Memo, Origin, Turn

NEIGHBOUR_WORDS = 32
"""Words of a neighbouring message that a memo keeps."""


def memo_id(root: str, message_id: str, memory: str, ordinal: int = 0) -> str:
    """The id under which `memory` keeps what it made of a message: 32 hexadecimal digits."""
    raw = "\x1f".join((root, message_id, memory, str(ordinal)))
    return hashlib.blake2b(raw.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def clip_end(text: str, words: int = NEIGHBOUR_WORDS) -> str:
    """The last words of a text: what stands nearest to the message after it."""
    return " ".join(text.split()[-words:])


def clip_start(text: str, words: int = NEIGHBOUR_WORDS) -> str:
    """The first words of a text: what stands nearest to the message before it."""
    return " ".join(text.split(maxsplit=words)[:words])


def memos_of(
    turn: Turn, spoken: Sequence[BaseMessage], *, memory: str, first_seq: int, tier: str = "long_term"
) -> list[Memo]:
    """One memo per message, each with its neighbours clipped beside it and its importance estimated by rules."""
    texts = [text_of(message) for message in spoken]
    before = [text_of(turn.previous) if turn.previous else "", *texts]
    after = [*texts[1:], ""]
    made, turn_id = [], ""
    for i, message in enumerate(spoken):
        turn_id = message.id or "" if message.type == "human" else turn_id
        extra = message.additional_kwargs
        made.append(
            Memo(
                id=memo_id(turn.stem, message.id or "", memory),
                text=texts[i],
                origin=Origin(root=turn.root, seq=first_seq + i, turn_id=turn_id, memory=memory, ordinal=i),
                said_at=said_at(message, turn.now),
                speaker=speaker_of(message),
                role=str(extra.get("role") or message.type),
                session=str(extra.get("session") or turn.scope.thread_id or ""),
                source=message.id or "",
                before=clip_end(before[i]),
                after=clip_start(after[i]),
                metadata=metadata_of(message),
                importance=importance(texts[i], message.type),
                tier=tier,
            )
        )
    return made


def memos_in(items: Iterable[Item]) -> list[tuple[Item, Memo]]:
    """The items that are memos, decoded; other items in the namespace are passed over."""
    found = []
    for item in items:
        try:
            found.append((item, Memo.from_value(item.value)))
        except (KeyError, TypeError, ValueError):
            continue
    return found


def is_valid_at(memo: Memo, now: datetime) -> bool:
    """Whether what the memo says holds at `now`."""
    return (memo.valid_from is None or memo.valid_from <= now) and (memo.valid_to is None or now < memo.valid_to)


def line_of(memo: Memo) -> str:
    """How a recalled memo is shown, under its date: "Ada: text"."""
    return f"{memo.speaker}: {memo.text}" if memo.speaker else memo.text


def stored(memo: Memo, participants: Iterable[str], *, previous: str = "", following: str = "") -> dict[str, Any]:
    """The memo as the store keeps it.

    Beside it stand what it is searched by (`search`), its note for ranking, the day as a number, and the keys of the memos
    before and after it in the thread.
    """
    return {
        **memo.to_value(),
        "search": to_embed(memo, participants),
        "note": note_value(memo),
        "day": memo.day,
        "previous": previous,
        "next": following,
    }
