"""`graph-memory outbox`: what waits, what lies dead, and putting dead letters back. Shows nothing of what was said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.table import Table

from graph_memory.cli.settings import Settings
from graph_memory.cli.show import console
from graph_memory.cli.worker import amount
from graph_memory.errors import ConfigurationError
from graph_memory.graph.pointers import Pointer
from graph_memory.graph.queues import dead_letters, pending, requeue

_ALL = "all"


def outbox(settings: Settings, *, dead: bool, requeued: str | None) -> None:
    """The command.

    Raises:
        ConfigurationError: there is no dead letter of the id that is to be requeued.
        StoreError: the memory cannot be used.
    """
    with settings.open() as memory:
        if requeued is not None:
            count = requeue(memory.store, None if requeued == _ALL else [requeued])
            if not count and requeued != _ALL:
                raise ConfigurationError(f"there is no dead letter {requeued}: see graph-memory outbox --dead")
            console().print(f"requeued: {amount(count, 'dead letter')}")
            return
        lying = dead_letters(memory.store)
        if dead:
            _show_dead(lying)
            return
        _show(pending(memory.store), lying)


def _show(found: Sequence[Pointer], lying: Sequence[Pointer]) -> None:
    console().print(f"waiting: {amount(len(found), 'turn')}, dead letters: {len(lying):,}")
    if not found:
        return
    now = datetime.now(UTC)
    counts, failed = Counter(one.memory for one in found), Counter(one.memory for one in found if one.attempts)
    table = Table("memory", "waiting", "failed before", "oldest", box=None, pad_edge=False, header_style="underline")
    for name, count in counts.most_common():
        oldest = min(one.posted_at for one in found if one.memory == name)
        table.add_row(name, f"{count:,}", f"{failed[name]:,}", f"{(now - oldest).total_seconds():,.0f} s")
    console().print(table)


def _show_dead(lying: Sequence[Pointer]) -> None:
    if not lying:
        console().print("no dead letters")
        return
    table = Table("id", "memory", "posted", "tries", "reason", box=None, pad_edge=False, header_style="underline")
    for one in lying:
        table.add_row(one.id, one.memory, f"{one.posted_at:%Y-%m-%d %H:%M}", f"{one.attempts:,}", one.reason)
    console().print(table)
