"""Remembering in the background where row-level security keeps users apart: users post, a worker of the service takes in.

A user who reaches the store without the application may write anything into their own places of it; the worker, who reaches
everybody's, must not be led astray by that.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.base import BaseStore, GetOp, PutOp

from graph_memory import forget
from graph_memory.cli import main
from graph_memory.errors import StoreError
from graph_memory.graph.pointers import DEAD, WAITING
from graph_memory.graph.queues import dead_letters, pending, requeue
from graph_memory.memories.listing import listed
from graph_memory.namespaces import label, user_prefix
from graph_memory.steps import run
from graph_memory.stores import open_store
from tests.outbox import NoteMemory, drained, each_mode, noted_graph, notes, say, waiting, worker

OpenAs = Callable[[str | None], BaseStore]


@pytest.fixture(params=["PostgresStore", "SupabaseStore"])
def open_as(request: pytest.FixtureRequest) -> Iterator[OpenAs]:
    """Opens the store as a user, or as the service (None)."""
    with ExitStack() as stack, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the service key")
        warnings.filterwarnings("ignore", message=".*above row-level security.*")
        yield lambda user: stack.enter_context(_opening(request, user))


def _opening(request: pytest.FixtureRequest, user: str | None) -> Any:
    if request.param == "PostgresStore":
        return open_store(request.getfixturevalue("postgres_url"), user=user, timeout_seconds=30)
    project = request.getfixturevalue("supabase")
    known = {"key": project.service_key} if user is None else project.signed_in(user)
    return open_store(project.url, **known)


@each_mode
def test_users_post_and_the_service_takes_in(open_as: OpenAs, mode: str):
    """Each user sees what waits of theirs alone; what was noted is theirs."""
    stores = {user: open_as(user) for user in ("ada", "bob")}
    for user, store in stores.items():
        say(noted_graph(store, InMemorySaver()), f"I am {user}", mode, user_id=user)
    service = open_as(None)

    assert [len(pending(store)) for store in (*stores.values(), service)] == [1, 1, 2]
    assert drained(worker(service), mode) == 2
    assert [notes(store) for store in stores.values()] == [["I am ada"], ["I am bob"]]
    assert (waiting(service), pending(service)) == (0, [])


def test_a_user_takes_in_what_is_theirs(open_as: OpenAs):
    """A worker without the service's rights leaves the others' alone."""
    stores = {user: open_as(user) for user in ("ada", "bob")}
    for user, store in stores.items():
        say(noted_graph(store, InMemorySaver()), "hello", user_id=user)

    assert worker(stores["ada"]).drain() == 1
    assert [len(pending(store)) for store in stores.values()] == [0, 1]


def test_dead_letters_are_put_back_by_the_service_and_forgotten_by_the_user(open_as: OpenAs):
    """Nothing of them is left in either queue."""
    ada, service = open_as("ada"), open_as(None)

    def fail(text: str) -> None:
        raise RuntimeError(text)

    say(noted_graph(ada, InMemorySaver()), "hello", user_id="ada")
    worker(service, NoteMemory(work=fail), attempts=1).drain()
    assert (len(dead_letters(ada)), requeue(service)) == (1, 1)
    assert (len(pending(ada)), dead_letters(service)) == (1, [])

    forget(ada, "ada")
    assert [run(listed(queue), store=service) for queue in (WAITING, DEAD)] == [[], []]


def test_no_user_posts_for_another(open_as: OpenAs):
    """Neither into their place of a queue nor beside all places."""
    ada = open_as("ada")
    for place in ((*WAITING, label("user", "bob")), WAITING, DEAD, (*WAITING, label("user", "ad"))):
        with pytest.raises(StoreError, match="no right"):
            ada.put(place, "x", {"where": []}, index=False)


def test_what_a_user_crafts_does_not_lead_the_worker_to_others(open_as: OpenAs):
    """A pointer to another's turns, another's turn in one's own lane, records to delete that are another's."""
    ada, bob, service = open_as("ada"), open_as("bob"), open_as(None)
    for user, store in (("ada", ada), ("bob", bob)):
        say(noted_graph(store, InMemorySaver()), f"I am {user}", user_id=user)
    [own], [theirs] = pending(ada), pending(bob)
    [item] = bob.batch([GetOp(*theirs.key)])
    before = _all_of(bob, "bob")
    ada.batch(
        [
            PutOp((*WAITING, label("user", "ada")), theirs.id, theirs.to_value(), index=False),
            PutOp((*WAITING, label("user", "ada")), "none", {"no": "pointer"}, index=False),
            PutOp(own.where, "foreign", {**item.value, "id": "foreign"}, index=False),
            PutOp((*WAITING, label("user", "ada")), "foreign", own.to_value(), index=False),
        ]
    )

    assert worker(service, NoteMemory(name="other")).drain() == 0
    assert _all_of(bob, "bob") == before
    bob.batch([PutOp(*theirs.key, None), theirs.delete(WAITING)])
    assert worker(service).drain() == 1
    assert (notes(ada), notes(bob)) == (["I am ada"], [])
    assert [(letter.id, letter.reason) for letter in dead_letters(service)] == [
        ("foreign", "a turn in the outbox is not of the user in whose place it lies")
    ]
    assert requeue(service) == 0


def _all_of(store: BaseStore, user: str) -> list[Any]:
    return [(item.namespace, item.key, item.value) for item in run(listed(user_prefix(user)), store=store)]


MODULE = "from tests.outbox import NoteMemory\nmemories = [NoteMemory()]\n"


def test_the_command_drains_with_a_service_connection(
    postgres_url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """What users posted over connections of their own."""
    (tmp_path / "tenants_memories.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    with open_store(postgres_url, user="ada") as ada:
        say(noted_graph(ada, InMemorySaver()), "hello", user_id="ada")
        code = main(["worker", postgres_url, "--graph", "tenants_memories:memories", "--until-empty"])

        assert (code, notes(ada)) == (0, ["hello"])
    assert "stopped; waiting: 0 turns, dead letters: 0" in capsys.readouterr().out
