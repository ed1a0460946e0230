"""The drivers: one body, run both ways; several bodies, one round trip; failures and interrupts."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable
from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import HumanMessage
from langgraph.errors import GraphInterrupt
from langgraph.store.base import GetOp, Op, PutOp
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel

from graph_memory.errors import ModelError, StoreError, StoreUnavailableError
from graph_memory.lockstep import arun_all, run_all
from graph_memory.steps import Call, Generate, Steps, StoreOps, arun, run

WHERE = ("a",)


def driven(mode: str, steps: Any, **options: Any) -> Any:
    """Runs a body by either driver."""
    return run(steps, **options) if mode == "run" else asyncio.run(arun(steps, **options))


def driven_all(mode: str, bodies: Any, **options: Any) -> Any:
    """Runs several bodies by either driver."""
    return run_all(bodies, **options) if mode == "run" else asyncio.run(arun_all(bodies, **options))


def reading(key: str) -> Steps[Any]:
    """Reads a key."""
    [item] = yield StoreOps([GetOp(WHERE, key)])
    return item and item.value["x"]


def calling(function: Any, *args: Any) -> Steps[Any]:
    """Calls a function."""
    return (yield Call(function, args))


class Counting(InMemoryStore):
    """Notes how large its batches are, and fails on the key "bad"."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    async def abatch(self, ops: Iterable[Op]) -> list[Any]:
        """Notes and goes on."""
        ops = list(ops)
        self.sizes.append(len(ops))
        if any(getattr(op, "key", "") == "bad" for op in ops):
            raise RuntimeError("secret words")
        return await super().abatch(ops)

    def batch(self, ops: Iterable[Op]) -> list[Any]:
        """Fails on the key "bad"."""
        ops = list(ops)
        if any(getattr(op, "key", "") == "bad" for op in ops):
            raise RuntimeError("secret words")
        return super().batch(ops)


both = pytest.mark.parametrize("mode", ["run", "arun"])


@both
def test_a_body_reads_what_it_wrote(mode: str) -> None:
    """Requests are answered in order."""

    def body() -> Steps[Any]:
        yield StoreOps([PutOp(WHERE, "k", {"x": 1})])
        return (yield from reading("k"))

    assert driven(mode, body(), store=InMemoryStore()) == 1


@both
def test_a_model_answers_with_a_message(mode: str) -> None:
    """Without a schema the answer is the model's message."""

    def body() -> Steps[Any]:
        answer = yield Generate(FakeListChatModel(responses=["hi"]), [HumanMessage("hello")])
        return answer.text

    assert driven(mode, body()) == "hi"


@both
def test_a_function_is_called_with_its_arguments(mode: str) -> None:
    """The answer is its result; an async driver calls it in another thread."""
    assert driven(mode, calling(sum, [1, 2])) == 3
    assert (driven(mode, calling(threading.get_ident)) == threading.get_ident()) is (mode == "run")


@both
def test_a_function_that_fails_is_a_model_error(mode: str) -> None:
    """With the cause kept and without its words; our own errors pass as they are."""
    with pytest.raises(ModelError, match=r"^the function failed: KeyError$") as caught:
        driven(mode, calling({}.__getitem__, "secret words"))
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(StoreUnavailableError):
        driven(mode, calling(run, reading("k")))


@both
def test_a_late_function_is_given_up(mode: str) -> None:
    """The deadline is that of the whole body."""
    with pytest.raises(StoreUnavailableError, match="no answer within"):
        driven(mode, calling(time.sleep, 0.2), deadline_seconds=0.02)


@both
def test_a_model_without_structured_output_is_a_model_error(mode: str) -> None:
    """What a model raises becomes ours, with the cause kept."""

    class Answer(BaseModel):
        x: int

    def body() -> Steps[Any]:
        yield Generate(FakeListChatModel(responses=["hi"]), [HumanMessage("hello")], Answer)

    with pytest.raises(ModelError, match="NotImplementedError") as caught:
        driven(mode, body())
    assert isinstance(caught.value.__cause__, NotImplementedError)


@both
def test_a_store_error_names_the_type_and_no_content(mode: str) -> None:
    """The message never repeats what the driver said: it may hold a memory or a key."""
    with pytest.raises(StoreError, match="RuntimeError") as caught:
        driven(mode, reading("bad"), store=Counting())
    assert "secret" not in str(caught.value)


@both
def test_a_body_may_handle_its_failure(mode: str) -> None:
    """The error is thrown into the body, which may go on."""

    def body() -> Steps[Any]:
        try:
            yield from reading("bad")
        except StoreError:
            return "nothing"

    assert driven(mode, body(), store=Counting()) == "nothing"


@both
def test_without_a_store_the_error_says_how_to_get_one(mode: str) -> None:
    """A graph compiled without a store is a common mistake."""
    with pytest.raises(StoreUnavailableError, match=r"compile it with store="):
        driven(mode, reading("k"))


@both
def test_the_body_is_closed_whatever_happens(mode: str) -> None:
    """`finally` in a body runs when its driver gives up."""
    closed = []

    def body() -> Steps[Any]:
        try:
            yield from reading("bad")
        finally:
            closed.append(True)

    with pytest.raises(StoreError):
        driven(mode, body(), store=Counting())
    assert closed == [True]


@both
def test_a_late_store_is_given_up(mode: str) -> None:
    """The deadline ends the body, and names the seconds or the deadline."""
    release = threading.Event()

    class Slow(InMemoryStore):
        def batch(self, ops: Iterable[Op]) -> list[Any]:
            release.wait(60)
            return super().batch(ops)

        async def abatch(self, ops: Iterable[Op]) -> list[Any]:
            await asyncio.sleep(60)
            return await super().abatch(ops)

    with pytest.raises(StoreUnavailableError, match="no answer within"):
        driven(mode, reading("k"), store=Slow(), deadline_seconds=0.02)
    release.set()


@both
def test_interrupts_pass_through(mode: str) -> None:
    """LangGraph steers by exceptions; they are not failures."""

    class Interrupting(InMemoryStore):
        def batch(self, ops: Iterable[Op]) -> list[Any]:
            raise GraphInterrupt

        async def abatch(self, ops: Iterable[Op]) -> list[Any]:
            raise GraphInterrupt

    with pytest.raises(GraphInterrupt):
        driven(mode, reading("k"), store=Interrupting())
    with pytest.raises(GraphInterrupt):
        driven_all(mode, {"one": reading("k"), "two": reading("k")}, store=Interrupting())


async def test_what_is_pending_together_travels_together() -> None:
    """Six bodies, one round trip; twice when each asks twice."""

    def twice(key: str) -> Steps[Any]:
        yield StoreOps([PutOp(WHERE, key, {"x": key})])
        return (yield from reading(key))

    store = Counting()
    outcomes = await arun_all({name: twice(name) for name in "abcdef"}, store=store)

    assert store.sizes == [6, 6]
    assert {name: outcome.value for name, outcome in outcomes.items()} == {name: name for name in "abcdef"}


async def test_a_bad_operation_of_one_does_not_fail_the_others() -> None:
    """When the joint batch fails, each is asked by itself."""
    store = Counting()
    await store.aput(WHERE, "good", {"x": 1})

    outcomes = await arun_all({"good": reading("good"), "bad": reading("bad")}, store=store)

    assert outcomes["good"].value == 1
    assert isinstance(outcomes["bad"].error, StoreError)


@both
def test_a_bug_in_one_body_ends_that_body_alone(mode: str) -> None:
    """Law 7: whatever a memory raises, the others go on."""

    def buggy() -> Steps[Any]:
        yield StoreOps([])
        raise KeyError("oops")

    bodies = {"buggy": buggy(), "fine": reading("k")}
    outcomes = driven_all(mode, bodies, store=InMemoryStore())

    assert isinstance(outcomes["buggy"].error, KeyError)
    assert outcomes["fine"].error is None


async def test_a_slow_body_holds_up_nobody() -> None:
    """Each has its own deadline."""

    class SlowOnBad(Counting):
        async def abatch(self, ops: Iterable[Op]) -> list[Any]:
            ops = list(ops)
            if any(getattr(op, "key", "") == "slow" for op in ops):
                await asyncio.sleep(5)
            return await super().abatch(ops)

    def first_nothing() -> Steps[Any]:
        yield Generate(FakeListChatModel(responses=["hi"]), [HumanMessage("hello")])
        return (yield from reading("slow"))

    bodies = {"slow": first_nothing(), "fine": reading("k")}
    outcomes = await arun_all(bodies, store=SlowOnBad(), deadline_seconds={"slow": 0.2})

    assert isinstance(outcomes["slow"].error, StoreUnavailableError)
    assert outcomes["fine"].error is None


async def test_cancelling_the_run_cancels_the_bodies() -> None:
    """Cancellation is not a degradation."""

    class Hanging(InMemoryStore):
        async def abatch(self, ops: Iterable[Op]) -> list[Any]:
            await asyncio.sleep(5)
            return []

    task = asyncio.create_task(arun_all({"one": reading("k")}, store=Hanging()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
