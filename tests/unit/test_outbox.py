"""The outbox by itself: entries, leases, batches, and what a worker writes, stepped by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.store.base import Item, PutOp

from graph_memory import BufferMemory, ConfigurationError, ConflictError, Memory, Scope, Turn
from graph_memory.errors import ModelError
from graph_memory.graph.batches import Batch
from graph_memory.graph.commits import Commit
from graph_memory.graph.draining import taken_in
from graph_memory.graph.finding import memories_by_node
from graph_memory.graph.leases import Lease
from graph_memory.graph.lineage import Head, Lineage
from graph_memory.graph.outbox import Entry, entry_id
from graph_memory.graph.pointers import DEAD, WAITING, Pointer, pointers_of
from graph_memory.graph.positions import Position
from graph_memory.graph.posting import posted
from graph_memory.graph.telling import Told
from graph_memory.graph.worker import WorkerOptions
from graph_memory.namespaces import namespace
from graph_memory.steps import StoreOps
from graph_memory.stores.claims import HOLDER, ClaimOp
from tests.outbox import Clock, NoteMemory

NOW = datetime(2025, 3, 1, tzinfo=UTC)
SCOPE = Scope(user_id="ada", thread_id="t")
QUEUE = (*WAITING, "user:ada:")


def a_turn(number: int = 1, **more: Any) -> Turn:
    """A turn with what came before it."""
    said = (HumanMessage(f"question {number}", id=f"h{number}"), AIMessage("answer", id=f"a{number}"))
    before = AIMessage("answer", id=f"a{number - 1}") if number > 1 else None
    return Turn(**{"scope": SCOPE, "messages": said, "root": "t", "now": NOW, "previous": before, **more})


def an_entry(number: int = 1, **more: Any) -> Entry:
    """The entry of a turn, on the first branch of its thread."""
    head = Head("", number - 1)
    position = Position("r", "n~1", head, f"op{number}", {"n~1": head})
    when = NOW + timedelta(seconds=number)
    known = {"id": f"e{number}", "memory": "notes", "node": "n", "turn": a_turn(number), "posted_at": when}
    return Entry(**{**known, "position": position, **more})


def a_lease(entry: Entry, *, is_atomic: bool = True) -> Lease:
    """A worker's lease of the entry's lane."""
    return Lease(entry.where, "me", 60, is_atomic, lambda: NOW)


def test_an_entry_comes_back_as_it_was_written():
    """Its value holds all that a worker needs; messages carry the time when they were said."""
    entry = an_entry(2, attempts=3, not_before=NOW, reason="the model failed")

    again = Entry.of(entry.to_value())

    assert again.to_value() == entry.to_value()
    assert again.turn.messages[0].additional_kwargs == {"said_at": NOW.isoformat()}
    assert again.position == entry.position
    assert again.commit() == entry.commit()


def test_a_pointer_holds_nothing_of_what_was_said():
    """Whoever reads the queue learns where the entry is and when it is due."""
    entry = an_entry()
    [_, put] = entry.puts()

    assert put.namespace == QUEUE
    assert "question" not in str(put.value)
    assert Pointer.of(Item(value=put.value, key=put.key, namespace=QUEUE, created_at=NOW, updated_at=NOW)) == (
        entry.pointer()
    )


@pytest.mark.parametrize(
    "crafted",
    [
        {"where": [*namespace(Scope(user_id="bob"), "@outbox"), "lane:x:"]},
        {"where": ["elsewhere", "user:u:"]},
        {"where": []},
        {"where": [1, 2]},
        {"memory": ["notes"]},
        {"posted_at": "2026-01-01T00:00:00"},
        {"attempts": "many"},
        {"not_before": 5},
    ],
)
def test_what_a_user_may_put_into_the_queue_leads_nowhere_else(crafted: dict[str, Any]):
    """A pointer to another user's turns, or none at all, is left out; the others are taken."""
    [_, put] = an_entry().puts()
    items = [
        Item(value=value, key=put.key, namespace=put.namespace, created_at=NOW, updated_at=NOW)
        for value in ({**put.value, **crafted}, put.value)
    ]

    assert pointers_of(items) == [an_entry().pointer()]


@given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3), st.text(max_size=3)), unique=True, max_size=6))
def test_entries_of_different_users_and_turns_never_share_an_id(who: list[tuple[str, str, str]]):
    """Dead letters of everybody are put back by their ids."""
    ids = {
        entry_id("op", "n", memory, a_turn(scope=Scope(user_id=user or "u", thread_id=thread), root=thread))
        for user, thread, memory in who
    }

    assert len(ids) == len({(user or "u", thread, memory) for user, thread, memory in who})


def test_a_turn_is_posted_in_one_batch_and_its_state_is_known():
    """The remembering node asks for one round trip; the record is marked as its commit's."""
    commit = Commit("t", "r", "n", Head("", 4), "op", ("slots",))
    told = Told(NoteMemory(), a_turn(), "", "", is_again=False)
    steps = posted(told, told.turn, node="n", lineage=Lineage("r", {"n": Head("", 4)}), commit=commit)

    request = next(steps)
    with pytest.raises(StopIteration) as ended:
        steps.send([None, None])

    entry, pointer = request.ops
    assert entry.namespace[:4] == namespace(SCOPE, "@outbox")
    assert (entry.value["origin"]["root"], entry.value["origin"]["branch"]) == ("t", None)
    assert pointer.namespace == QUEUE
    assert ended.value.value == {"seq": 2}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: BufferMemory(remembers="background"), "cannot remember in the background"),
        (lambda: NoteMemory(feeds="overflow"), "cannot remember in the background"),
        (lambda: NoteMemory(remembers="later"), "choose 'inline' or 'background'"),
        (lambda: Memory(name="@outbox"), "cannot be named"),
        (lambda: WorkerOptions(attempts=0), "a worker's attempts is 0"),
        (lambda: WorkerOptions(debounce_seconds=-1), "a worker's debounce_seconds is -1"),
        (lambda: memories_by_node([BufferMemory()]), "can remember in the background"),
        (lambda: memories_by_node(["notes"]), "a graph or a list of memories, not str"),
    ],
)
def test_what_cannot_work_is_refused_early(make: Any, said: str):
    """A memory whose state must be there when the turn is over is never left to a worker."""
    with pytest.raises(ConfigurationError, match=said):
        make()


def test_what_a_memory_writes_appears_with_the_entrys_removal():
    """One batch: the records, the entry, its pointer, and the lease that must still be held."""
    entry = an_entry()
    batch, memory = Batch((entry,)), NoteMemory()
    steps = taken_in(batch, memory.remember(batch.turn), a_lease(entry), None)

    next(steps)  # the slow part, before anything is written
    last = steps.send("done")

    assert isinstance(last, StoreOps)
    record, gone, unpointed, claim, prolonged = last.ops
    assert record.value["text"] == "question 1"
    assert (gone.namespace, gone.key, gone.value) == (entry.where, entry.id, None)
    assert (unpointed.namespace, unpointed.key, unpointed.value) == (QUEUE, entry.id, None)
    assert isinstance(claim, ClaimOp)
    assert claim.must_exist
    assert prolonged.ttl == 1


def test_a_memory_that_fails_writes_nothing():
    """The failure comes out, and no operation was asked for."""
    entry = an_entry()
    steps = taken_in(Batch((entry,)), NoteMemory().remember(entry.turn), a_lease(entry), None)

    next(steps)

    with pytest.raises(ModelError):
        steps.throw(ModelError("no answer"))


def test_a_lease_is_read_before_each_write_where_claims_are_not_taken():
    """A lane that was forgotten or taken by another is not written to."""
    lease = a_lease(an_entry(), is_atomic=False)
    for there in (None, _item({HOLDER: "another", "until": NOW.isoformat()})):
        steps = lease.written([PutOp(("a",), "k", {})])
        next(steps)
        with pytest.raises(ConflictError):
            steps.send([there])


def test_a_lease_that_ran_out_is_taken_over():
    """A worker that was killed holds its lane no longer than the lease lasts."""
    clock = Clock()
    lease = Lease(("lane",), "me", 60, False, clock)
    theirs = _item({HOLDER: "another", "until": (clock.now + timedelta(seconds=5)).isoformat()})
    steps = lease.take()
    next(steps)
    with pytest.raises(StopIteration) as ended:
        steps.send([theirs])
    assert ended.value.value is False

    clock.advance(6)
    steps = lease.take()
    next(steps)
    [put] = steps.send([theirs]).ops
    assert put.value[HOLDER] == "me"


def test_turns_of_a_quick_exchange_are_told_as_one():
    """Those that follow one another on one branch, until one does not."""
    first, second, third = an_entry(1), an_entry(2), an_entry(3)
    fork = an_entry(4, position=Position("r", "n~1", Head("fork", 0, (("", 3),)), "fork"))

    batch = Batch.first([first, second, third, fork], joins=True)

    assert batch.entries == (first, second, third)
    assert [message.id for message in batch.turn.messages] == ["h1", "a1", "h2", "a2", "h3", "a3"]
    assert batch.turn.previous is None
    assert Batch.first([first, second], joins=False).entries == (first,)
    assert Batch.first([first, third], joins=True).entries == (first,)
    assert Batch.first([first.failed("no", None), second], joins=True).entries[1:] == ()


def test_a_turn_that_has_grown_is_told_once():
    """What was told before and is told again comes once."""
    grown = a_turn(1, messages=(*a_turn(1).messages, AIMessage("more", id="b1")), told=2)

    batch = Batch.first([an_entry(1), an_entry(2, turn=grown)], joins=True)

    assert [message.id for message in batch.turn.messages] == ["h1", "a1", "b1"]
    assert batch.turn.told == 0


def test_records_of_a_joined_batch_stand_at_their_own_commits():
    """So that a fork from the middle of the exchange sees what was said until then, and no more."""
    batch = Batch.first([an_entry(1), an_entry(2)], joins=True)
    ops = [
        PutOp(("notes",), key, {"origin": {"root": "t", "branch": None, "turn_id": key, "line": "", "commit": 0}})
        for key in ("h1", "h2", "elsewhere")
    ]

    placed = [(op.value or {})["origin"]["branch"] for op in batch.placed(ops)]

    assert placed == ["", None, None]
    assert batch.placed(ops)[0].value["origin"] == {
        "root": "r",
        "branch": "",
        "turn_id": "h1",
        "line": "n~1",
        "commit": 1,
    }


def test_a_dead_letter_keeps_the_entry_and_moves_its_pointer():
    """Requeuing it needs nothing that is gone."""
    entry = an_entry()

    kept, lying, gone = entry.buries()

    assert kept.namespace == entry.where
    assert (lying.namespace, lying.key) == ((*DEAD, QUEUE[-1]), entry.id)
    assert (gone.namespace, gone.value) == (QUEUE, None)


@given(st.integers(0, 10_000))
def test_waits_grow_up_to_the_longest(attempts: int):
    """They double, and are bounded however often it failed."""
    options = WorkerOptions(backoff_seconds=2, longest_backoff_seconds=100)

    assert options.wait_seconds(attempts) == min(100, 2.0 ** min(attempts + 1, 40))


def _item(value: dict[str, Any]) -> Item:
    return Item(value=value, key="lease", namespace=("lane",), created_at=NOW, updated_at=NOW)
