"""Health of what memories leave to the background: a model that is dead, a worker that nobody started."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graph_memory import BufferMemory, ModelError
from graph_memory.graph.backlog import Backlog
from graph_memory.graph.outbox import Pointer
from graph_memory.graph.queues import requeue
from graph_memory.health import Health, acheck_health, check_health
from tests.fakes import BrokenStore
from tests.outbox import NoteMemory, drained, each_mode, each_store, noted_graph, say, worker

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


def dead_model(text: str) -> None:
    """What a provider that is down does."""
    raise ModelError("the model failed: ConnectionError")


MEMORIES = [BufferMemory(), NoteMemory(work=dead_model)]


def health(store: Any, mode: str) -> Health:
    """A check in either mode."""
    return (
        check_health(MEMORIES, store=store) if mode == "invoke" else asyncio.run(acheck_health(MEMORIES, store=store))
    )


@each_mode
@each_store
def test_a_dead_model_shows_in_the_health(make: Any, mode: str) -> None:
    """Behind while it is tried, unhealthy when it is given up, well again when a worker has caught up."""
    store = make()
    say(noted_graph(store, InMemorySaver(), *MEMORIES), "My dog is called Rex.", mode)
    posted = health(store, mode)
    drained(worker(store, *MEMORIES, attempts=2), mode)
    tried = health(store, mode)
    drained(worker(store, *MEMORIES, attempts=2), mode)
    dead = health(store, mode)
    requeue(store)
    drained(worker(store, BufferMemory(), NoteMemory()), mode)

    assert posted.status == health(store, mode).status == "healthy"
    assert (tried.status, tried.memories["notes"].status) == ("degraded", "degraded")
    assert tried.memories["notes"].reason == (
        "1 turn failed and will be tried again (the model failed: ConnectionError): see graph-memory outbox"
    )
    assert (dead.status, dead.memories["notes"].status) == ("degraded", "unhealthy")
    assert "graph-memory outbox --dead lists them" in dead.memories["notes"].reason
    assert "Rex" not in dead.memories["notes"].reason
    assert dead.memories["buffer"].status == "healthy"


def pointer(**more: Any) -> Pointer:
    """To a turn that was posted at NOW."""
    return Pointer(**{"id": "1", "where": (), "memory": "notes", "node": "n", "posted_at": NOW, **more})


@pytest.mark.parametrize(
    ("backlog", "minutes", "sentence"),
    [
        (Backlog(), 0, ""),
        (Backlog((pointer(),)), 10, ""),
        (Backlog((pointer(), pointer())), 90, "2 turns wait to be remembered, the oldest for 90 minutes"),
        (Backlog((pointer(), pointer(attempts=1, reason="too late"))), 0, r"1 turn failed .*\(too late\)"),
        (Backlog((pointer(),), (pointer(reason="no"),)), 90, r"1 turn could not be remembered \(no\)"),
    ],
)
def test_what_waits_is_trouble_when_it_fails_or_nobody_takes_it_in(
    backlog: Backlog, minutes: float, sentence: str
) -> None:
    """The worst is told, and the command that shows it."""
    told = backlog.trouble(NOW + timedelta(minutes=minutes))

    assert re.match(sentence or "$", told)
    assert ("graph-memory outbox" in told) is bool(sentence)


@each_mode
def test_an_outbox_that_cannot_be_read_degrades_what_depends_on_it(mode: str) -> None:
    """The others are well."""
    store = BrokenStore(lambda op: "outbox:waiting:" in getattr(op, "namespace_prefix", ()))

    found = health(store, mode)

    assert found.memories["notes"].status == "degraded"
    assert "its outbox cannot be read" in found.memories["notes"].reason
    assert found.memories["buffer"].status == "healthy"
