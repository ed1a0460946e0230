"""What a thread holds word for word, as memos that a search can rank: its archived turns, and messages that are handed over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from langchain_core.messages import BaseMessage
from langgraph.store.base import Item, ListNamespacesOp, MatchCondition

from graph_memory.memories.archive import Archive
from graph_memory.memories.records import memos_of, stored
from graph_memory.messages import is_spoken, with_ids
from graph_memory.namespaces import label, namespace
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Memo, Scope, Turn

MEMORY = "thread"
"""Name of the memory that these memos are of."""

_MOST_ARCHIVES = 100


def short_term(scope: Scope, messages: Sequence[BaseMessage], now: datetime) -> Steps[list[Item]]:
    """The messages of a thread as items that are ranked like stored ones; their memos have the messages' ids.

    Args:
        scope: whose; without a thread only `messages` are there.
        messages: what is known of the thread beside the archive, such as the state's messages.
        now: the time of messages that do not say theirs.
    """
    archived = (yield from _archived(scope)) if scope.thread_id is not None else []
    known = {message.id: message for message in [*archived, *with_ids(messages)] if message.type != "system"}
    spoken = [message for message in known.values() if is_spoken(message)]
    turn = Turn(scope, tuple(spoken), scope.thread_id or "", now)
    memos = memos_of(turn, spoken, memory=MEMORY, first_seq=0)
    return [_item(scope, replace(memo, id=memo.source), now) for memo in memos]


def _archived(scope: Scope) -> Steps[list[BaseMessage]]:
    """The newest turns of the thread's archives, whatever their buffers are called."""
    prefix = namespace(scope, "any")[:3]
    thread = label("thread", scope.thread_id or "")
    conditions = (MatchCondition("prefix", prefix), MatchCondition("suffix", (thread,)))
    [found] = yield StoreOps([ListNamespacesOp(match_conditions=conditions, limit=_MOST_ARCHIVES)])
    messages: list[BaseMessage] = []
    for where in map(tuple, found):
        if where[:3] == prefix and len(where) == 5 and where[4] == thread:
            archive = Archive(where)
            turns = (yield from archive.read((yield from archive.recent()))).values()
            messages += _flat(turns)
    return messages


def _flat(turns: Iterable[Iterable[BaseMessage]]) -> list[BaseMessage]:
    return [message for turn in turns for message in turn]


def _item(scope: Scope, memo: Memo, now: datetime) -> Item:
    where = (*namespace(scope, MEMORY), label("thread", scope.thread_id or ""))
    return Item(value=stored(memo, ()), key=memo.id, namespace=where, created_at=now, updated_at=now)
