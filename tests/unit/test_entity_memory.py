"""Entity memory: what is remembered, whom names mean, and what is current."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage
from langgraph.store.memory import InMemoryStore

from graph_memory import EntityMemory, Turn, open_store
from graph_memory.steps import StoreOps, run
from tests.entity_helpers import ADA, DAY, LATER, Reader, current, known, recalled, tell, turn


def test_remembering_asks_for_receipts_then_names_then_writes() -> None:
    """Stepped by hand: two reads, one write; the memo where searches find it, records under its entities, all the user's."""
    steps = EntityMemory().remember(turn("Ann works at Acme."))
    receipts = next(steps)
    names = steps.send([None])
    assert isinstance(receipts, StoreOps)
    assert isinstance(names, StoreOps)
    assert steps.send([None] * len(names.ops)).ops == []  # nobody bears these names yet

    writes = steps.send([]).ops

    assert {op.namespace[1] for op in (*receipts.ops, *names.ops, *writes)} == {"user:ada:"}
    assert [op.value["text"] for op in writes if op.index] == ["Ann works at Acme"]
    parts = sorted((op.namespace[-1], op.value["kind"]) for op in writes if len(op.namespace) == 6)
    assert parts == [("mentions", "mention")] * 3 + [("slots", "relation")]
    with pytest.raises(StopIteration) as stopped:
        steps.send([None] * len(writes))
    assert stopped.value.value == {"seq": 1}


def test_a_changed_fact_is_history() -> None:
    """The new value is current, the old one stays readable with its span."""
    store = InMemoryStore()
    tell(store, "I work at Byron & Co.", "I joined Babbage Ltd.")

    view = known(store, "User")

    assert current(view) == {"employer": "Babbage Ltd"}
    [old] = view.history
    assert (old.value, old.since, old.until) == ("Byron & Co", DAY, DAY + timedelta(days=1))
    [line] = recalled(store, "where do I work?")
    assert line == "User (person): works at Babbage Ltd since 2024-03-07 [before: Byron & Co until 2024-03-07]"


def test_what_begins_later_holds_later() -> None:
    """On Monday it is the new employer, until then the old one."""
    store = InMemoryStore()
    tell(store, "I work at Acme.", "I'm starting at Globex on Monday.")

    assert current(known(store, "User", DAY + timedelta(days=2))) == {"employer": "Acme"}
    assert current(known(store, "User", DAY + timedelta(days=7))) == {"employer": "Globex"}


def test_an_entity_is_recalled_with_what_is_one_step_away() -> None:
    """By mention; the neighbour's line comes after, what leads here stands in the line."""
    store = InMemoryStore()
    tell(
        store, "Ada Lovelace works at Babbage Ltd.", "Babbage Ltd is in London.", "Ada Lovelace knows Charles Babbage."
    )
    tell(store, "Charles Babbage lives in London.", "Zoe lives in Rome.", first=3)

    lines = recalled(store, "Tell me about Ada Lovelace")

    assert lines[0].startswith("Ada Lovelace (person): works at Babbage Ltd")
    assert "Charles Babbage (person): lives in London; Ada Lovelace knows Charles Babbage" in lines
    assert not any("Zoe" in line for line in lines)
    assert recalled(store, "What is Babbage Ltd?")[0] == "Babbage Ltd (organization): Ada Lovelace works at Babbage Ltd"


def test_a_reverse_relation_that_is_over_is_not_shown() -> None:
    """Who left is not said to work there, from either side."""
    store = InMemoryStore()
    tell(store, "Bob works at Acme.", "Bob joined Globex.")

    assert "works at" not in " ".join(line for line in recalled(store, "Acme?") if line.startswith("Acme"))


@pytest.mark.parametrize("make", [InMemoryStore, lambda: open_store("sqlite://").__enter__()], ids=["memory", "sqlite"])
def test_an_entity_is_recalled_by_meaning(make: Any) -> None:
    """The question names nobody; the words of a fact lead to whom it is about."""
    store = make()
    tell(store, "Priya is allergic to peanuts.", "Tom moved to Rome.")

    lines = recalled(store, "who has a peanuts allergy?")

    assert lines[0].startswith("Priya (person): is allergic to peanuts")
    assert len(lines) == 1


def test_names_that_mean_the_same_lead_to_one_entity() -> None:
    """Bob, Mr Smith and my manager are Robert Smith."""
    store = InMemoryStore()
    tell(
        store,
        "Robert Smith works at Acme.",
        "Bob lives in Ghent.",
        "Mr Smith is allergic to nuts.",
        "Bob is my manager.",
    )

    view = known(store, "Robert Smith")

    assert current(view) == {"employer": "Acme", "home": "Ghent", "allergy": "nuts"}
    assert view.id == known(store, "Bob").id == known(store, "Mr Smith").id
    assert view.name == "Robert Smith"


def test_two_people_of_one_first_name_are_told_apart() -> None:
    """Nobody is guessed: the single name means neither, and what it is said of stands alone."""
    store = InMemoryStore()
    tell(store, "Ann Lee lives in Rome.", "Ann Kay lives in Oslo.", "Ann joined Acme.")

    assert current(known(store, "Ann Lee")) == {"home": "Rome"}
    assert current(known(store, "Ann Kay")) == {"home": "Oslo"}
    assert len(recalled(store, "where does Ann live?")) >= 2


def test_the_speaker_gets_a_name() -> None:
    """What was said before the name was told belongs to the same person."""
    store = InMemoryStore()
    tell(store, "I live in Rome.", "My name is Ada Lovelace.", "My sister is Ann.", "My sister joined Acme.")

    view = known(store, "Ada Lovelace")

    assert (view.name, current(view)) == ("Ada Lovelace", {"home": "Rome", "sister": "Ann"})
    assert current(known(store, "Ann")) == {"employer": "Acme"}
    assert known(store, "User").id == view.id


def test_two_entities_that_are_both_known_stay_two() -> None:
    """A name that is told too late joins nothing, and what "I" means stays certain."""
    store = InMemoryStore()
    tell(store, "I live in Rome.", "Ada Lovelace works at Acme.", "My name is Ada Lovelace.", "I moved to Oslo.")

    assert current(known(store, "User")) == {"home": "Oslo"}
    assert current(known(store, "Ada Lovelace")) == {"employer": "Acme"}


def test_a_new_boss_is_not_the_old_one() -> None:
    """The relation changes hands, its bearers stay two people."""
    store = InMemoryStore()
    tell(store, "My boss is Carol.", "Carol lives in Rome.", "My new boss is Dave.", "Dave lives in Oslo.")

    assert current(known(store, "User")) == {"manager": "Dave"}
    assert current(known(store, "Carol")) == {"home": "Rome"}
    assert current(known(store, "Dave")) == {"home": "Oslo"}


def test_telling_again_changes_nothing() -> None:
    """The same messages later: not one record more, less or newer; a model is not asked again."""
    store = InMemoryStore()
    tell(store, "I work at Acme.", "I joined Globex.")
    before = [(i.namespace, i.key, i.value) for i in store.search((), limit=1000)]

    run(EntityMemory().remember(turn("I work at Acme.", "I joined Globex.", day=99)), store=store)
    run(EntityMemory(Reader(RuntimeError("asked"))).remember(turn("I work at Acme.", day=99)), store=store)

    assert [(i.namespace, i.key, i.value) for i in store.search((), limit=1000)] == before


def test_an_edited_message_replaces_what_it_said() -> None:
    """Its records go, at the time when it was first said."""
    store = InMemoryStore()
    tell(store, "I work at Acme. I live in Rome.", "I joined Globex.")

    run(EntityMemory().remember(turn("I work at Initech.", day=99)), store=store)

    view = known(store, "User")
    assert current(view) == {"employer": "Globex"}
    assert [fact.value for fact in view.history] == ["Initech"]


COMPANIES = ("Acme", "Globex", "Initech", "Babbage Ltd")
CHANGES = (
    "I work at {}.",
    "I joined {}.",
    "I quit {}.",
    "I used to work at {}.",
    "I don't work at {} any more.",
    "I'm at {} now.",
)


@given(
    st.lists(st.tuples(st.sampled_from(CHANGES), st.sampled_from(COMPANIES), st.integers(0, 3)), min_size=1, max_size=8)
)
def test_a_changed_fact_is_never_current(events: list[tuple[str, str, int]]) -> None:
    """Whatever is said of employers, in whatever order and threads: the last said counts, the rest is history."""
    store, expected = InMemoryStore(), ""
    for i, (said, company, thread) in enumerate(events):
        message = HumanMessage(said.format(company), id=f"m{i}")
        scope = replace(ADA, thread_id=f"t{thread}")
        told = Turn(scope, (message,), f"root{thread}", DAY + timedelta(hours=i))
        run(EntityMemory().remember(told), store=store)
        if said in (CHANGES[0], CHANGES[1], CHANGES[5]):
            expected = company
        elif company == expected:
            expected = ""

    view = EntityMemory().entity(ADA, "User", store=store, at=LATER)

    facts = {} if view is None else current(view)
    assert facts.get("employer", "") == expected
    for line in recalled(store, "where do I work?"):
        shown = line.split("[before:")[0]
        assert not any(company in shown for company in COMPANIES if company != expected and line.startswith("User"))


@pytest.mark.parametrize("make", [InMemoryStore, lambda: open_store("sqlite://").__enter__()], ids=["memory", "sqlite"])
def test_what_was_said_long_ago_is_reached_however_much_came_after(make: Any) -> None:
    """Of somebody with hundreds of records: every slot's current value, and what the question asks for among the rest."""
    store = make()
    tell(store, "I live in Rome. I like fencing.", "I joined Acme.")
    later = [f"I like number{i}things. I met Kim Lee{'aeiou'[i % 5]}." for i in range(150)]
    tell(store, *later, "I joined Globex.", first=2)

    def line_on(question: str) -> str:
        return next(line for line in recalled(store, question) if line.startswith("User"))

    assert "lives in Rome" in line_on("where do I live?")
    assert "likes fencing" in line_on("what of my fencing?")
    assert "works at Globex since" in line_on("where do I work?")
    assert "[before: Acme until" in line_on("where do I work?")
    assert len(known(store, "User").facts) == 152 + 5 + 1


def test_who_is_named_in_full_is_not_taken_for_others_of_that_name() -> None:
    """Who asks for Ann Lee gets neither every Ann nor everybody who works somewhere."""
    store = InMemoryStore()
    tell(store, "Ann Lee works at Acme.", "Ann Kay works at Globex.", "Bob works at Initech.")

    assert [line.split(" (")[0] for line in recalled(store, "Where does Ann Lee work?")] == ["Ann Lee"]
    assert len(recalled(store, "Where does Ann work?")) >= 2
    assert any(line.startswith("Bob") for line in recalled(store, "Who works at Initech?"))
