"""Looks at a tier as a whole: whether hot copies count, what waits in its queue, and whether it is worth having."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from langgraph.store.base import BaseStore

from graph_memory.doctor.findings import Finding, timed
from graph_memory.errors import ConfigurationError
from graph_memory.stores import SEAL, open_store
from graph_memory.stores._journal import Journal
from graph_memory.stores.tiered import TieredStore

_SLOWER = 2.0


def examine(url: str, options: Mapping[str, Any]) -> list[Finding]:
    """What is found of the tier that `open_store` makes of these."""
    if options.get("hot") is None:
        raise ConfigurationError("a queue belongs to a tier: name its hot store too, hot='redis://...'")
    beneath = {name: option for name, option in options.items() if name not in SEAL | {"queue"}}
    found = [] if options.get("queue") is None else [_queue(str(options["queue"]))]
    with open_store(url, create=False, **beneath) as tier:
        assert isinstance(tier, TieredStore)
        found.append(judged_gate(is_open=tier.counts_copies()))
        return [*found, judged_speed(_get_takes(tier.hot), _get_takes(tier.durable))]


def judged_gate(*, is_open: bool) -> Finding:
    """Whether hot copies are read."""
    if is_open:
        return Finding("ok", "gate", "hot copies count")
    says = "hot copies do not count since an outage of the hot store: everything is read from the durable one"
    return Finding("warn", "gate", says, "nothing: the next use that finds the hot store working opens it again")


def judged_speed(hot: float, durable: float) -> Finding:
    """What a get takes in both, in milliseconds."""
    says = f"a get takes {hot:.2g} ms from the hot store and {durable:.2g} from the durable one"
    if hot > _SLOWER * durable:
        return Finding("warn", "speed", says, "go without a hot store, or run it nearer to the application")
    return Finding("ok", "speed", says)


def judged_queue(path: str, waiting: int, refused: int) -> Finding:
    """What waits in a queue's file, and what was set aside in it."""
    if refused:
        says = f"writes that the durable store refused and that are set aside in {path}: {refused:,}"
        return Finding("fail", "queue", says, f'sqlite3 "{path}" "SELECT DISTINCT refused FROM gm_waiting" says why')
    if waiting:
        says = f"writes that wait in {path} for the durable store: {waiting:,}"
        return Finding("warn", "queue", says, "let a process with this queue run, or call its store's drain()")
    return Finding("ok", "queue", f"nothing waits in {path}")


def _get_takes(store: BaseStore) -> float:
    return median(timed(partial(store.get, ("doctor",), "none")))


def _queue(path: str) -> Finding:
    if not Path(path).exists():
        return Finding("ok", "queue", f"{path} is not there yet; the first use makes it")
    journal = Journal(path)
    try:
        return judged_queue(path, len(journal), journal.refused())
    finally:
        journal.close()
