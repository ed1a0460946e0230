"""What a memory's conformance checks are written in: a memory at a store, and what it is told and asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langgraph.store.base import BaseStore, SearchOp

from graph_memory.context.tokens import counter_from
from graph_memory.expiry import as_written
from graph_memory.graph.state import merge_memory
from graph_memory.memories.base import Memory
from graph_memory.steps import Steps, arun, run
from graph_memory.testing._calls import Mode
from graph_memory.types import Query, Scope, Section, Turn
from graph_memory.urls import Opening

T = TypeVar("T")
Records: TypeAlias = dict[tuple[tuple[str, ...], str], Any]
MemoryFactory: TypeAlias = Callable[[], Memory]
StoreFactory: TypeAlias = Callable[[], Opening[BaseStore]]

NOW = datetime(2025, 3, 4, 9, tzinfo=UTC)
ADA = Scope(user_id="ada", thread_id="t")
ROOT_ID = "root"
COUNTER = counter_from(lambda text: (len(text) + 3) // 4)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a memory is told and asked in the checks.

    Attributes:
        turns: the turns of a thread, each beginning with its human message; all messages have ids.
        question: what is asked then; it should bring up something of what was told.
    """

    turns: tuple[tuple[BaseMessage, ...], ...]
    question: str

    @property
    def messages(self) -> tuple[BaseMessage, ...]:
        """All that is told."""
        return tuple(message for turn in self.turns for message in turn)


_LOOKUP = {"name": "lookup", "args": {"city": "Ghent"}, "id": "call-1"}
SAMPLE = Sample(
    (
        (
            HumanMessage("My sister Ines lives in Ghent! I prefer tea. How many people live there?", id="m1"),
            AIMessage("I look it up.", id="m2", tool_calls=[_LOOKUP]),
            ToolMessage("Ghent has 260,000 inhabitants.", tool_call_id="call-1", id="m3"),
            AIMessage("Ghent, where Ines lives, has 260,000 inhabitants.", id="m4"),
        ),
        (
            HumanMessage("Please call me Ada. I work at Siemens in Bonn, and we decided to move to Ghent!", id="m5"),
            AIMessage("Congratulations, Ada. Moving from Bonn to Ghent will bring you close to Ines.", id="m6"),
        ),
    ),
    "What do you know about Ines, my sister in Ghent, and about my tea?",
)
"""A turn with a tool call, and one without: names, places, a preference, a decision, exclamations."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A memory at a store, told and asked by checks in either mode.

    Attributes:
        memory: the memory under test.
        store: where it keeps its records; new and empty when the check begins.
        mode: whether `run` or `arun` drives its bodies.
        sample: what it is told and asked.
        make, opening: what makes another such memory, and another such store.
        scope: whose memory it is.
        abilities: what the memory was found to do beyond the minimum.
    """

    memory: Memory
    store: BaseStore
    mode: Mode
    sample: Sample
    make: MemoryFactory
    opening: StoreFactory
    scope: Scope = ADA
    abilities: frozenset[str] = frozenset()

    @asynccontextmanager
    async def afresh(self) -> AsyncIterator[Trial]:
        """The same with another memory of the kind, and with another empty store."""
        if self.mode == "sync":
            with self.opening() as store:
                yield replace(self, memory=self.make(), store=store)
        else:
            async with self.opening() as store:
                yield replace(self, memory=self.make(), store=store)

    async def run(self, steps: Steps[T], store: Any) -> T:
        """Drives a body to its end."""
        return run(steps, store=store) if self.mode == "sync" else await arun(steps, store=store)

    def turn(self, messages: Sequence[BaseMessage], state: Mapping[str, Any], **more: Any) -> Turn:
        """What the memory is told of these messages; `more` are fields of `Turn`."""
        human = next((message.id or "" for message in reversed(messages) if message.type == "human"), "")
        given = {"scope": self.scope, "root": ROOT_ID, "now": NOW, "counter": COUNTER, "turn_id": human, **more}
        return Turn(messages=tuple(messages), state=state, **given)

    def query(self, state: Mapping[str, Any], **more: Any) -> Query:
        """What the memory is asked in a thread of which only the question is known; `more` are fields of `Query`."""
        human = HumanMessage(self.sample.question, id="question")
        given: dict[str, Any] = {"scope": self.scope, "text": self.sample.question, "messages": (human,), **more}
        given |= {"overflowed": 0} if self.memory.feeds == "overflow" else {}
        return Query(
            turn_id="question", budget_tokens=4000, counter=COUNTER, now=NOW + timedelta(minutes=1),
            is_whole=False, state=state, history_tokens=2000, **given,
        )  # fmt: skip

    async def told(
        self, turns: Iterable[Sequence[BaseMessage]] | None = None, *, store: Any = None, **more: Any
    ) -> dict[str, Any]:
        """Tells the memory turn by turn, the sample's when none are given; the thread's state in the end."""
        state: dict[str, Any] = {}
        previous: BaseMessage | None = None
        for messages in self.sample.turns if turns is None else turns:
            turn = self.turn(messages, state, **{"previous": previous, **more})
            state = self.merged(state, await self.run(self.memory.remember(turn), store or self.store))
            previous = messages[-1]
        return state

    def merged(self, state: Mapping[str, Any], update: Mapping[str, Any] | None) -> dict[str, Any]:
        """The memory's part of the thread's channel after an update."""
        channel = merge_memory({"node": {self.memory.name: state}}, {"node": {self.memory.name: update or {}}})
        return dict(channel["node"][self.memory.name])

    async def asked(self, state: Mapping[str, Any], *, store: Any = None, **more: Any) -> Section:
        """What the memory answers."""
        return await self.run(self.memory.recall(self.query(state, **more)), store or self.store)

    async def records(self) -> Records:
        """All that the store holds, as it was written."""
        listing = [SearchOp((), limit=10_000)]
        found: list[Any] = self.store.batch(listing) if self.mode == "sync" else await self.store.abatch(listing)
        [items] = found
        return {(tuple(item.namespace), item.key): as_written(item.value) for item in items}


Body: TypeAlias = Callable[[Trial], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class MemoryCheck:
    """One behaviour that memories must have.

    Attributes:
        run: raises AssertionError when the memory behaves otherwise.
        needs: abilities without which the check does not apply.
    """

    run: Body
    needs: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.run.__name__


def checker(checks: list[MemoryCheck]) -> Callable[..., Callable[[Body], Body]]:
    """A decorator that adds its function to `checks`."""

    def check(*needs: str) -> Callable[[Body], Body]:
        def add(body: Body) -> Body:
            checks.append(MemoryCheck(body, frozenset(needs)))
            return body

        return add

    return check


def driven(body: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that never waits for anything."""
    try:
        body.send(None)
    except StopIteration as stop:
        ended: T = stop.value
        return ended
    body.close()
    raise RuntimeError("a check in sync mode waited for an event loop")


def texts(section: Section) -> list[str]:
    """What a section shows, in the order of its scores."""
    return [one.text for one in sorted(section.snippets, key=lambda one: (-one.score, one.memo_id, one.text))]
