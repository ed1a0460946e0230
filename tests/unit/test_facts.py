"""Facts: memos that somebody asked to be saved, and the marks that end them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from langgraph.store.base import SearchOp
from langgraph.store.memory import InMemoryStore

from graph_memory import Memo, Scope, VectorMemory, WorkingMemory, search
from graph_memory.memories.facts import Facts, ended_in, ended_of
from graph_memory.steps import StoreOps, run
from graph_memory.types import Origin

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ADA = Scope(user_id="ada")
FACTS = Facts(ADA, "vector")
OUTSIDE, IN_THREAD = Origin(""), Origin("t", turn_id="m1")


@pytest.fixture
def store() -> InMemoryStore:
    """LangGraph's own."""
    return InMemoryStore()


def saved(
    store: InMemoryStore, text: str = "Ines lives in Ghent.", origin: Origin = OUTSIDE, facts: Facts = FACTS
) -> Memo:
    """A fact."""
    return run(facts.save(text, text, origin, NOW), store=store)


def test_a_fact_is_recalled_like_what_was_said(store: InMemoryStore) -> None:
    """With the metadata that the memory's own filter asks for."""
    memory = VectorMemory(filter={"topic": "family"})
    saved(store, facts=Facts(ADA, "vector", metadata={"topic": "family"}))
    saved(store, "Ines lives in Rome.")

    context = memory.get_context(ADA, "Where does Ines live?", store=store)

    assert "Ghent" in context.messages[-1].text
    assert "Rome" not in context.messages[-1].text


def test_saving_again_with_the_same_stem_is_one_fact(store: InMemoryStore) -> None:
    """A short id, that any model can repeat."""
    assert saved(store).id == saved(store).id
    assert len(saved(store).id) == 10
    assert len(run(FACTS.every(), store=store)) == 1


@pytest.mark.parametrize("origin", [OUTSIDE, IN_THREAD])
def test_what_replaces_a_fact_is_found_under_its_old_ids(store: InMemoryStore, origin: Origin) -> None:
    """However often it was replaced."""
    first = memo = saved(store, origin=origin)
    for number in range(5):
        memo = run(FACTS.replace(memo, f"Version {number}.", f"v{number}", origin, NOW), store=store)

    found = run(FACTS.current(first.id), store=store)

    assert found is not None
    assert (found.id, found.text) == (memo.id, "Version 4.")
    assert [one.text for one in run(FACTS.every(), store=store)] == ["Version 4."]


@pytest.mark.parametrize(
    ("born", "ends", "left"), [(OUTSIDE, OUTSIDE, 0), (OUTSIDE, IN_THREAD, 1), (IN_THREAD, IN_THREAD, 1)]
)
def test_what_a_thread_forgets_stays_for_its_forks(store: InMemoryStore, born: Origin, ends: Origin, left: int) -> None:
    """Only what belongs to no thread, and is ended by none, is deleted."""
    memo = saved(store, origin=born)

    run(FACTS.forget(memo, "s", ends, NOW), store=store)

    assert len(store.search(FACTS.where)) == left
    assert run(FACTS.current(memo.id), store=store) is None
    assert run(FACTS.every(), store=store) == []
    assert VectorMemory().search(ADA, "Where does Ines live?", store=store) == []
    assert search(ADA, "Where does Ines live?", store=store) == search(ADA, "", store=store) == []


def test_the_newest_comes_first(store: InMemoryStore) -> None:
    """In a list of all."""
    for day in (2, 1, 3):
        run(FACTS.save(f"Day {day}.", str(day), OUTSIDE, NOW + timedelta(days=day)), store=store)

    assert [memo.text for memo in run(FACTS.every(), store=store)] == ["Day 3.", "Day 2.", "Day 1."]


def test_only_facts_have_an_id_that_leads_to_them(store: InMemoryStore) -> None:
    """Not what was said, another memory's, another user's, or another agent's."""
    memo = saved(store)
    store.put(FACTS.where, "said", {**store.get(FACTS.where, memo.id).value, "kind": "message"})  # type: ignore[union-attr]

    assert run(FACTS.current("said"), store=store) is None
    assert run(FACTS.current("nothing"), store=store) is None
    for other in (Facts(ADA, "other"), Facts(Scope(user_id="bob"), "vector"), Facts(Scope("ada", agent="x"), "vector")):
        assert run(other.current(memo.id), store=store) is None


def test_what_working_memory_promoted_is_a_fact(store: InMemoryStore) -> None:
    """And can be forgotten like any other."""
    working = WorkingMemory(shared=True)
    working.note(ADA, "plan", "book a train", store=store, importance=0.9)
    working.promote(ADA, store=store)

    [memo] = run(FACTS.every(), store=store)
    run(FACTS.forget(memo, "s", IN_THREAD, NOW), store=store)

    assert memo.text == "plan: book a train"
    assert run(FACTS.every(), store=store) == []


def test_facts_of_entities_are_theirs(store: InMemoryStore) -> None:
    """They lie deeper and have versions of their own: nothing is asked about them."""
    store.put((*FACTS.where, "entity:ines:"), "f", {"kind": "fact", "text": "Ines lives in Ghent."})
    steps = ended_in(store.search(("graph_memory",)))

    with pytest.raises(StopIteration) as done:
        next(steps)
    assert not done.value.value


def test_facts_are_asked_about_in_one_search_until_many_are_over(store: InMemoryStore) -> None:
    """Then each by itself, so that none is missed."""
    memos = [saved(store, f"Fact {number}.") for number in range(520)]
    one = ended_in(store.search(FACTS.where, limit=600))
    asked = next(one)
    assert isinstance(asked, StoreOps)
    assert [type(op) for op in asked.ops] == [SearchOp]
    one.close()

    for memo in memos[:510]:
        run(FACTS.forget(memo, f"forget {memo.id}", IN_THREAD, NOW), store=store)

    ended = run(ended_in(store.search(FACTS.where, limit=600)), store=store)
    assert (
        {key for _, key in ended} == {memo.id for memo in memos[:510]} == set(run(ended_of(FACTS.where), store=store))
    )
