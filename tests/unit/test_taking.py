"""What becomes of turns that a memory fails on: told again, one by one, set aside; never lost, and never in an outage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from graph_memory import Memory, Scope, Turn
from graph_memory.graph.taking import TRIED, TRIES, taking
from graph_memory.graph.telling import Told
from graph_memory.lockstep import Outcome
from graph_memory.memories.planning import REMEMBERED

ADA = Scope(user_id="ada", thread_id="t")


@dataclass(frozen=True, kw_only=True)
class Deferring(Memory):
    """Can take turns in from the outbox."""

    name: str = "notes"

    def state_after(self, turn: Turn) -> Mapping[str, Any]:
        """Nothing."""
        return {}


@dataclass
class Thread:
    """A thread that a memory follows by what `taking` says; turn n has the messages "h{n}" and "a{n}"."""

    works: Callable[[list[int]], bool]
    memory: Memory = field(default_factory=Deferring)
    turns: int = 0
    state: dict[str, Any] = field(default_factory=lambda: {REMEMBERED: ""})
    heard: list[int] = field(default_factory=list)
    aside: list[int] = field(default_factory=list)
    calls: list[list[int]] = field(default_factory=list)

    def end_turn(self) -> None:
        """One more turn is over."""
        self.turns += 1
        ids = [f"{who}{n}" for n in range(self.turns) for who in "ha"]
        start = ids.index(self.state[REMEMBERED]) + 1 if self.state[REMEMBERED] else 0
        messages = tuple(HumanMessage(one, id=one) if one[0] == "h" else AIMessage(one, id=one) for one in ids[start:])
        turn = Turn(ADA, messages, "root", datetime(2026, 1, 1, tzinfo=UTC), state=self.state, turn_id=ids[-2])
        talk = taking(Told(self.memory, turn, self.state[REMEMBERED], ids[-1], is_again=False), splits=True)
        told = next(talk)
        try:
            while True:
                told = talk.send(self.outcome(told))
        except StopIteration as done:
            self.aside += [] if done.value.aside is None else self.numbers(done.value.aside)
            upto = done.value.upto
            self.heard += [n for n in range(start // 2, int(upto[1:]) + 1) if n not in self.aside] if upto else []
            self.state |= done.value.state

    def outcome(self, told: Told) -> Outcome:
        """What comes of a part."""
        numbers = self.numbers(told)
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        if told.failed:
            return Outcome(value={})
        self.calls.append(numbers)
        return Outcome(value={"seq": numbers[-1]}) if self.works(numbers) else Outcome(error=ValueError("no"))

    def numbers(self, told: Told) -> list[int]:
        """The turns of a part."""
        return [int(message.id[1:]) for message in told.turn.messages if message.type == "human" and message.id]


def test_a_turn_that_cannot_be_digested_is_set_aside_and_learning_goes_on() -> None:
    """After some tries with what came after it, it is tried alone."""
    thread = Thread(lambda numbers: 2 not in numbers)
    for _ in range(9):
        thread.end_turn()

    assert thread.aside == [2]
    assert thread.heard == [0, 1, 3, 4, 5, 6, 7, 8]
    assert thread.calls[2:7] == [[2], [2, 3], [2, 3, 4], [2], [5]]


def test_an_outage_sets_nothing_aside_and_is_caught_up_with() -> None:
    """However many turns it lasts; and it costs two calls a turn, however long the backlog is."""
    thread = Thread(lambda numbers: not 3 <= thread.turns <= 60)
    for _ in range(60):
        thread.end_turn()
    assert max(map(len, thread.calls)) <= TRIES
    assert len(thread.calls) <= 2 * 60
    thread.end_turn()

    assert (thread.heard, thread.aside) == (list(range(61)), [])


def test_a_backlog_that_is_too_much_at_once_is_taken_in_by_parts() -> None:
    """A memory that is late with more than three turns catches up."""
    thread = Thread(lambda numbers: thread.turns > 20 and len(numbers) <= 3)
    for _ in range(30):
        thread.end_turn()

    assert (thread.heard, thread.aside) == (list(range(30)), [])


def test_what_cannot_be_set_aside_for_a_memory_is_kept() -> None:
    """A memory that knows no other way keeps its place, and is not told ever more at once."""

    @dataclass(frozen=True, kw_only=True)
    class Plain(Memory):
        name: str = "plain"

    thread = Thread(lambda numbers: 2 not in numbers, Plain())
    for _ in range(20):
        thread.end_turn()

    assert (thread.heard, thread.aside) == ([0, 1], [])
    assert thread.calls[-2:] == [[2], [2]]


def test_a_turn_that_is_told_beside_the_thread_is_not_split() -> None:
    """Nothing that is decided there is kept."""
    turn = Turn(ADA, (HumanMessage("a", id="1"), HumanMessage("b", id="2")), "r", datetime.now(UTC), state={TRIED: 9})
    told = Told(Deferring(), turn, "", "2", is_again=False)

    assert next(taking(told, splits=False)) is told
    assert next(taking(told, splits=True)).turn.messages == turn.messages[:1]


def test_a_turn_that_has_grown_is_told_as_one_with_what_is_new() -> None:
    """What the memory knows of it already is no part of its own."""
    messages = (HumanMessage("a", id="1"), AIMessage("b", id="2"), AIMessage("c", id="3"), HumanMessage("d", id="4"))
    turn = Turn(ADA, messages, "r", datetime.now(UTC), state={TRIED: 9}, told=2)

    part = next(taking(Told(Deferring(), turn, "2", "4", is_again=True), splits=True))

    assert (part.turn.messages, part.turn.told, part.after, part.turn.turn_id) == (messages[:3], 2, "3", "1")


@given(
    st.sets(st.integers(0, 25)),
    st.lists(st.booleans(), min_size=30, max_size=30),
    st.integers(1, 6),
)
def test_nothing_is_lost_and_nothing_sound_is_set_aside(poison: set[int], down: list[bool], most: int) -> None:
    """Whatever cannot be digested, whenever the model is away, and however little fits at once: in order, and in the end all."""

    def works(numbers: list[int]) -> bool:
        is_down = thread.turns <= len(down) and down[thread.turns - 1]
        return not (is_down or poison & set(numbers) or len(numbers) > most)

    thread = Thread(works)
    for _ in range(len(down) + 12 * 26):  # four turns to set each aside, and one of the backlog gets less each turn
        thread.end_turn()
        assert thread.heard == sorted(set(thread.heard))

    assert set(thread.aside) == poison
    assert sorted(thread.heard + thread.aside) == list(range(thread.turns))


def test_a_state_that_is_gone_on_with_is_handed_on() -> None:
    """The second part of a backlog is told with the state that the first one made."""
    messages = tuple(HumanMessage(one, id=one) for one in "abc")
    told = Told(Deferring(), Turn(ADA, messages, "r", datetime.now(UTC), state={TRIED: 3, "seq": 4}), "", "c", False)
    talk = taking(told, splits=True)
    next(talk)

    second = talk.send(Outcome(value={"seq": 5}))

    assert (second.turn.state["seq"], [m.id for m in second.turn.messages]) == (5, ["b", "c"])
    assert second.turn.previous == messages[0]
    assert replace(second.turn, state={}).told == 0
