"""Forgetting a user for good: everything under their namespaces, and the proof that nothing is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langgraph.store.base import PutOp

from graph_memory.errors import StoreError
from graph_memory.graph.outbox import pointers_to
from graph_memory.memories.listing import listed_page
from graph_memory.memories.ranked import forget_notes
from graph_memory.namespaces import user_prefix
from graph_memory.steps import Steps, StoreOps, arun, run

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore


def forget(store: BaseStore, user_id: str) -> int:
    """Deletes everything of one user from the store: memos, episodes, summaries, archives, of every agent and thread.

    What a thread's checkpoints hold is the checkpointer's: delete the user's threads first (`checkpointer.delete_thread`), or the
    next turn in one of them archives again what is still in its channel.

    Returns:
        How many items were deleted.

    Raises:
        StoreError: the store failed, or did not delete; what was deleted until then stays deleted.
    """
    return run(_forgetting(user_id), store=store)


async def aforget(store: BaseStore, user_id: str) -> int:
    """`forget`, awaiting the store."""
    return await arun(_forgetting(user_id), store=store)


def _forgetting(user_id: str) -> Steps[int]:
    prefix, count = user_prefix(user_id), 0
    while True:
        items = yield from listed_page(prefix, 0)
        theirs = {(item.namespace, item.key) for item in items if item.namespace[:2] == prefix}
        if not theirs:
            forget_notes()
            return count
        yield StoreOps([*(PutOp(namespace, key, None) for namespace, key in theirs), *pointers_to(theirs)])
        left = yield from _still_there(prefix, theirs)
        if left:
            raise StoreError(f"the store keeps {left} items that were to be forgotten")
        count += len(theirs)


def _still_there(prefix: tuple[str, ...], deleted: set[tuple[tuple[str, ...], str]]) -> Steps[int]:
    items = yield from listed_page(prefix, 0)
    return sum((item.namespace, item.key) in deleted for item in items)
