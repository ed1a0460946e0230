"""`graph-memory forget`: everything of one user, for good, after asking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from langgraph.store.base import SearchOp

from graph_memory.cli.settings import Settings
from graph_memory.cli.show import console
from graph_memory.errors import ConfigurationError
from graph_memory.lifecycle import forget as forget_store
from graph_memory.lifecycle import user_threads
from graph_memory.namespaces import user_prefix
from graph_memory.steps import Steps, StoreOps, run

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

    from graph_memory.opening import Memory

_PAGE = 500


def forget(settings: Settings, *, confirmed: bool) -> None:
    """The command.

    Raises:
        ConfigurationError: the question was not answered, or nothing is kept there.
        StoreError: the memory cannot be used.
    """
    settings.check_kept()
    with settings.open() as memory:
        count, threads = run(counting(settings.user), store=memory.store), threads_of(memory, settings.user)
        if not count and not threads:
            console().print(f"nothing is remembered of {settings.user}")
            return
        if confirmed or _is_agreed(f"Delete {amount(count, len(threads))} of {settings.user} for good?"):
            forget_all(memory, settings.user)
            console().print(f"forgotten: {amount(count, len(threads))} of {settings.user}")
        else:
            console().print("nothing was deleted")


def _is_agreed(question: str) -> bool:
    try:
        return typer.confirm(question)
    except typer.Abort as exc:  # the end of the input, or Ctrl-C
        raise ConfigurationError("nothing was deleted: answer y or n, or give --yes") from exc


def forget_all(memory: Memory, user: str) -> None:
    """Deletes a user's memos, archives and threads."""
    forget_store(memory.store, user, checkpointer=memory.checkpointer)


def threads_of(memory: Memory, user: str) -> list[str]:
    """The ids of a user's threads."""
    return user_threads(memory.store, user, memory.checkpointer)


def counting(user: str) -> Steps[int]:
    """How many items a store keeps of a user."""
    count = 0
    while True:
        search = SearchOp(user_prefix(user), limit=_PAGE, offset=count, refresh_ttl=False)
        [items] = yield StoreOps([search], with_expired=True)
        if not items:
            return count
        count += len(items)


def count_of(store: BaseStore, user: str) -> int:
    """`counting`, answered by a store."""
    return run(counting(user), store=store)


def amount(items: int, threads: int) -> str:
    """ "3 items and 1 thread"."""
    return f"{items:,} {'item' if items == 1 else 'items'} and {threads:,} {'thread' if threads == 1 else 'threads'}"
