"""No read of a tier is older than what was acknowledged, whatever fails, and in whatever order requests are answered."""

from __future__ import annotations

import logging

import hypothesis.strategies as st
import pytest
from hypothesis import given

from graph_memory.stores._tiered_slots import Place
from tests.tier_lives import Life, doubt_across_epochs
from tests.tier_mutations import MUTATIONS, Mutation
from tests.tiers import Running, World

_LIVES = 1000  # the rule that is hardest to break is noticed in the 166th


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of failures are meant to happen."""
    caplog.set_level(logging.CRITICAL)


@given(seed=st.integers(0, 1 << 32))
def test_no_read_is_older_than_what_was_acknowledged(seed: int) -> None:
    """Three processes; a hot store that is cut off, forgets or goes back; a durable one that is down at times, or late."""
    Life(seed).go_on(250)


def test_a_read_heeds_what_its_process_learns_meanwhile() -> None:
    """It asked in vain whether the gate is open; before it sees a copy, another of its process hears of the closing."""
    world, place = World(2), Place(("users", "ada"), "a")
    here, there = world.processes
    ended(world, world.write(here, place, 1))
    there.reaches_hot, closing = False, world.write(there, place, 2)
    for _ in range(2):
        ended(world, closing)
        world.now += 2.0

    late, other = world.read(here, place), world.read(here, Place(place.namespace, "b"))
    world.step(late, "before")
    ended(world, other)
    ended(world, late)

    assert world.acknowledged[place] == 2
    assert world.reads == 2


def test_what_was_written_past_the_hot_store_and_cannot_be_told_of_is_not_read_from_a_copy() -> None:
    """Its writer was behind a closed gate that others opened; it has written, and then the durable store does not answer it."""
    world, place = World(2), Place(("users", "ada"), "a")
    here, there = world.processes
    ended(world, world.write(here, place, 1))
    there.reaches_hot, behind = False, world.write(there, place, 2)
    ended(world, behind)
    there.reaches_hot = True
    for _ in range(2):
        world.now += 6.0
        ended(world, world.read(here, place))
    while world.history[place][-1] != 2:
        world.step(behind)
    world.step(behind, "before")
    ended(world, behind)
    world.now += 2.0
    ended(world, world.read(there, Place(place.namespace, "b")))
    world.search(place)

    for process in world.processes:
        ended(world, world.read(process, place))
    assert world.acknowledged[place] == 2
    assert world.reads == 5


def ended(world: World, one: Running) -> None:
    """Answers its requests until it ends or pauses."""
    while one in world.running and one.wakes <= world.now:
        world.step(one)


def test_a_writer_in_doubt_binds_across_epochs() -> None:
    """Which no random life is likely to try."""
    doubt_across_epochs()


@pytest.mark.parametrize("break_it", MUTATIONS.values(), ids=[rule.replace(" ", "_") for rule in MUTATIONS])
def test_every_rule_is_needed(monkeypatch: pytest.MonkeyPatch, break_it: Mutation) -> None:
    """A tier that breaks it is found out."""
    break_it(monkeypatch)
    with pytest.raises(AssertionError, match=r"read .* where"):
        _tried()


def _tried() -> None:
    doubt_across_epochs()
    for seed in range(_LIVES):
        Life(seed).go_on(250)
