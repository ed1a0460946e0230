"""The store as a line sees it: what it drops, how it asks for more, and what a commit writes beside the records."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.base import GetOp, Op, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore

from graph_memory import open_store
from graph_memory.graph.commits import Commit, ForkedError
from graph_memory.graph.lineage import Head, Lineage
from graph_memory.graph.view import LineageView, seen_by
from graph_memory.memories.followers import FOLLOWER, followed, origin_of, without_follower
from graph_memory.stores.hits import Hits

WHERE, SLOTS = ("memos",), ("slots",)


def record(text: str, commit: int | None, *, branch: str | None = "", root: str = "r", **more: Any) -> dict[str, Any]:
    """A record as a store keeps it."""
    origin = {"root": root, "line": "a~1", "branch": branch, "commit": commit, "turn_id": '{odd} "id"'}
    return {"text": text, "origin": origin, "kind": "message", "source": text, **more}


class Counting(InMemoryStore):
    """Counts batches and operations."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[Op]] = []

    def batch(self, ops: Iterable[Op]) -> list[Any]:
        """As above."""
        self.batches.append(list(ops))
        return super().batch(self.batches[-1])


def commit(operation: str = "op", head: Head | None = None, **more: Any) -> Commit:
    """A commit of the thread "t"."""
    return Commit("t", "r", "a~1", head or Head(), operation, SLOTS, **more)


def new(key: str, text: str) -> PutOp:
    """A new record, as a memory writes it."""
    return PutOp(WHERE, key, record(text, 0, branch=None, root="t"))


@given(
    st.lists(st.booleans(), max_size=60),
    st.integers(1, 20),
    st.integers(0, 20),
)
def test_a_page_is_cut_from_what_is_seen(visible: list[bool], limit: int, offset: int) -> None:
    """However many memos of abandoned lines crowd a search, paging is as if they were not there."""
    store, clean = InMemoryStore(), InMemoryStore()
    for number, is_seen in enumerate(visible):
        value = record(f"memo {number}", 1 if is_seen else 2)
        store.put(WHERE, f"{number:03}", value)
        if is_seen:
            clean.put(WHERE, f"{number:03}", value)
    op = SearchOp(WHERE, limit=limit, offset=offset)

    [found] = seen_by(Lineage("r", {"a~1": Head("", 1)}), store).batch([op])
    [expected] = clean.batch([op])

    assert [item.key for item in found] == [item.key for item in expected]


def test_nothing_hidden_is_one_round_trip() -> None:
    """Only a search that lost results is asked again."""
    store = Counting()
    store.put(WHERE, "1", record("one", 1))
    store.batches.clear()

    seen_by(Lineage("r", {"a~1": Head("", 1)}), store).batch([SearchOp(WHERE), GetOp(WHERE, "1")])

    assert [len(batch) for batch in store.batches] == [2]


def test_hits_keep_their_statistics_and_are_decoded_late() -> None:
    """Ranking rests on what the store knows of everything it searched."""
    with open_store("sqlite://") as store:
        for number in range(6):
            store.put(WHERE, str(number), record(f"cat {number}", 1 + number % 2), index=["text"])
        [found] = seen_by(Lineage("r", {"a~1": Head("", 1)}), store).batch([SearchOp(WHERE, query="cat", limit=3)])

        assert isinstance(found, Hits)
        assert found.statistics.documents == 6
        assert {hit.key for hit in found} == {"0", "2", "4"}
        assert all(hit.json is not None for hit in found)


def test_reading_changes_nothing_in_the_store() -> None:
    """LangGraph's InMemoryStore hands out its own items: a line that does not see a follower must not take it away."""
    store = InMemoryStore()
    after = {"root": "r", "line": "a~1", "branch": "", "commit": 2}
    store.put(WHERE, "1", record("one", 1, after="two", next="2", **{FOLLOWER: after}))

    [mine] = seen_by(Lineage("r", {"a~1": Head("", 1)}), store).batch([GetOp(WHERE, "1")])
    [theirs] = seen_by(Lineage("r", {"a~1": Head("", 2)}), store).batch([GetOp(WHERE, "1")])

    assert (mine.value["after"], theirs.value["after"]) == ("", "two")


def test_a_memo_that_had_to_be_told_again_after_a_fork_is_seen_once() -> None:
    """The same message under another id, on a line that sees both."""
    store = InMemoryStore()
    store.put(WHERE, "1", record("one", 1))
    store.put(WHERE, "2", record("one", 1, branch="b"))
    store.put(WHERE, "3", record("two", 1, branch="b"))

    [found] = seen_by(Lineage("r", {"a~1": Head("b", 1, (("", 1),))}), store).batch([SearchOp(WHERE)])

    assert sorted(item.value["text"] for item in found) == ["one", "two"]


def test_a_commit_takes_its_slot_in_the_batch_of_its_records() -> None:
    """One look and one slot, on round trips that are made anyhow; every record carries its place."""
    store, mine = Counting(), commit()
    view = LineageView(store, Lineage("r"), mine)

    view.batch([GetOp(WHERE, "0")])
    view.batch([new("1", "one"), new("2", "two")])

    assert [len(batch) for batch in store.batches] == [2, 3]
    [item] = store.search(WHERE, filter={"text": "one"})
    assert {k: item.value["origin"][k] for k in ("root", "line", "branch", "commit")} == {
        "root": "r", "line": "a~1", "branch": "", "commit": 1,
    }  # fmt: skip
    assert mine.is_taken


def test_a_rerun_that_writes_less_leaves_nothing_stale() -> None:
    """The slot knows what the first try wrote."""
    store = InMemoryStore()
    LineageView(store, Lineage("r"), commit()).batch([new("1", "one"), new("2", "two")])
    again = commit()
    view = LineageView(store, Lineage("r"), again)

    view.batch([new("1", "one")])
    view.batch(again.leftover())

    assert [item.key for item in store.search(WHERE)] == ["1"]


def test_a_joint_commit_deletes_its_own_part_alone() -> None:
    """Tasks that were sent write beside each other under one operation."""
    store = InMemoryStore()
    for part, key in (("x", "1"), ("y", "2")):
        LineageView(store, Lineage("r"), commit(part=part)).batch([new(key, key)])
    again = commit(part="x")
    view = LineageView(store, Lineage("r"), again)

    view.batch([new("3", "three")])
    view.batch(again.leftover())

    assert sorted(item.key for item in store.search(WHERE)) == ["2", "3"]


@pytest.mark.parametrize("takes_claims", [False, True])
def test_a_slot_of_another_operation_makes_a_fork(takes_claims: bool) -> None:
    """Nothing is written, and the branch looks at its own slot again: it may be a rerun."""
    opened: Any = open_store("sqlite://") if takes_claims else nullcontext(InMemoryStore())
    with opened as store:
        LineageView(store, Lineage("r"), commit("first")).batch([new("1", "one")])
        mine = commit("second")
        with pytest.raises(ForkedError):
            LineageView(store, Lineage("r"), mine).batch([new("2", "two")])
        assert [item.key for item in store.search(WHERE)] == ["1"]

        branch = mine.on_a_branch()
        LineageView(store, Lineage("r"), branch).batch([new("2", "two"), new("3", "three")])
        held = commit("second")
        with pytest.raises(ForkedError):
            LineageView(store, Lineage("r"), held).batch([new("3", "three")])
        rerun = held.on_a_branch()
        view = LineageView(store, Lineage("r"), rerun)
        view.batch([new("3", "three")])
        view.batch(rerun.leftover())

        assert sorted(item.key for item in store.search(WHERE)) == ["1", "3"]


def test_a_conflict_that_only_the_store_sees_makes_a_fork() -> None:
    """Somebody takes the slot between the look and the write."""
    with open_store("sqlite://") as store:
        mine = commit("second")
        view = LineageView(store, Lineage("r"), mine)
        view.batch([GetOp(WHERE, "0")])
        LineageView(store, Lineage("r"), commit("first")).batch([new("1", "one")])

        with pytest.raises(ForkedError):
            view.batch([new("2", "two")])

        assert mine.is_forked
        assert [item.key for item in store.search(WHERE)] == ["1"]


def test_what_was_remembered_outside_of_lineage_stays_there() -> None:
    """A memo of this thread that was read and is put back is no new record."""
    store = InMemoryStore()
    store.put(WHERE, "1", record("one", 0, branch=None, root="t"))
    view = LineageView(store, Lineage("r"), commit())

    [item] = view.batch([GetOp(WHERE, "1")])
    view.batch([PutOp(WHERE, "1", {**item.value, "after": "two"}), new("2", "two")])

    found = store.get(WHERE, "1")
    assert found is not None
    assert found.value["origin"]["branch"] is None


def test_origins_are_read_from_text_whatever_ids_hold() -> None:
    """Braces and quotes in a message's id, metadata that looks like an origin."""
    with open_store("sqlite://") as store:
        value = record("one", 3, metadata={"origin": {"root": "x"}, "follower": {"root": "x"}})
        store.put(WHERE, "1", value, index=["text"])
        [hit] = store.search(WHERE, query="one")

        assert origin_of(hit) == value["origin"]
        assert hit.json is not None


def test_each_line_finds_its_own_follower() -> None:
    """A message that was followed by different ones in different forks keeps them all."""
    value: dict[str, Any] = {"text": "one", "note": {"after": ""}, "after": "", "next": "", FOLLOWER: None}
    places = [{"root": "r", "branch": branch, "commit": 1} for branch in ("a", "b", "c")]
    for place in places:
        value = without_follower(value, lambda there: False) if value[FOLLOWER] else value
        value = followed(value, {"after": place["branch"], "next": "n", "terms": place["branch"], FOLLOWER: place})

    for place in places:
        mine = without_follower(value, lambda there, place=place: there == place)  # type: ignore[misc]
        assert (mine["after"], mine["note"]["after"], mine[FOLLOWER]) == (place["branch"], place["branch"], place)
    assert without_follower(value, lambda there: False)["after"] == ""
