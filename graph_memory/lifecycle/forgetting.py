"""Forgetting a user for good: their threads, everything under their namespaces, and the proof that nothing is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph.store.base import PutOp

from graph_memory.errors import StoreError
from graph_memory.graph.commits import THREAD
from graph_memory.graph.lineage import LINEAGE
from graph_memory.graph.pointers import pointers_to
from graph_memory.memories.listing import listed, listed_page
from graph_memory.memories.ranked import forget_notes
from graph_memory.namespaces import ids_in, user_prefix
from graph_memory.steps import Steps, StoreOps, arun, run

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.store.base import BaseStore


def forget(store: BaseStore, user_id: str, *, checkpointer: BaseCheckpointSaver[Any] | None = None) -> int:
    """Deletes everything of one user: memos, episodes, summaries, archives, what waits in the outbox, of every agent and thread.

    Args:
        store: where memories are.
        user_id: whose.
        checkpointer: where the threads are, which `user_threads` finds: they are deleted first, as a whole. Without it they stay,
            and the next turn in one of them archives again what is still in its channel.

    Returns:
        How many items were deleted from the store.

    Raises:
        StoreError: the store failed, or did not delete; what was deleted until then stays deleted, and forgetting again goes on.
    """
    if checkpointer is not None:
        for thread in user_threads(store, user_id, checkpointer):
            checkpointer.delete_thread(thread)
    return run(_forgetting(user_id), store=store)


async def aforget(store: BaseStore, user_id: str, *, checkpointer: BaseCheckpointSaver[Any] | None = None) -> int:
    """`forget`, awaiting the store and the checkpointer."""
    if checkpointer is not None:
        for thread in await auser_threads(store, user_id, checkpointer):
            await checkpointer.adelete_thread(thread)
    return await arun(_forgetting(user_id), store=store)


def user_threads(store: BaseStore, user_id: str, checkpointer: BaseCheckpointSaver[Any]) -> list[str]:
    """The ids of the threads that one user spoke in: those that their memories name, and those whose runs named the user.

    Raises:
        StoreError: the store failed.
    """
    named = (one.config for one in checkpointer.list(None, filter={"user_id": user_id}))
    return sorted({*run(_threads(user_id), store=store), *(config["configurable"]["thread_id"] for config in named)})


async def auser_threads(store: BaseStore, user_id: str, checkpointer: BaseCheckpointSaver[Any]) -> list[str]:
    """`user_threads`, awaiting the store and the checkpointer."""
    named = [one.config async for one in checkpointer.alist(None, filter={"user_id": user_id})]
    found = await arun(_threads(user_id), store=store)
    return sorted({*found, *(config["configurable"]["thread_id"] for config in named)})


def _threads(user_id: str) -> Steps[set[str]]:
    """Threads named by slots of commits, and by namespaces of archives where there was no lineage."""
    found = set[str]()
    for item in (yield from listed(user_prefix(user_id), with_expired=True)):
        found |= set(ids_in(item.namespace, "thread"))
        if LINEAGE in ids_in(item.namespace, "memory") and item.value.get(THREAD):
            found.add(item.value[THREAD])
    return found


def _forgetting(user_id: str) -> Steps[int]:
    prefix, count = user_prefix(user_id), 0
    while True:
        items = yield from listed_page(prefix, 0, with_expired=True)
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
    items = yield from listed_page(prefix, 0, with_expired=True)
    return sum((item.namespace, item.key) in deleted for item in items)
