"""Our checkpointers: LangGraph's own conformance suite, and random lives compared with LangGraph's saver in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.conformance.capabilities import Capability
from langgraph.checkpoint.conformance.initializer import RegisteredCheckpointer
from langgraph.checkpoint.conformance.validate import validate
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT

from tests.savers import cluster, each, redis, supabase

CHECKS = {"put": 17, "put_writes": 10, "get_tuple": 10, "list": 16, "delete_thread": 5, "delete_for_runs": 7} | {
    "copy_thread": 8,
    "prune": 8,
}
"""How many checks langgraph-checkpoint-conformance 0.0.2 has of each capability: 81."""
THREADS, SPACES, CHANNELS = ("1", "thread\x1f é"), ("", "sub:7|inner:9"), ("a", "b", "Ä\x1b")


@each(redis, cluster, supabase)
@pytest.mark.parametrize("capability", Capability)
def test_a_saver_conforms(capability: Capability, place: Any, request: pytest.FixtureRequest):
    """Every check of LangGraph's suite, optional capabilities too."""

    async def opened() -> AsyncIterator[Any]:
        async with place(request)() as saver:
            yield saver

    registered = RegisteredCheckpointer(place.__name__, opened)
    report = asyncio.run(validate(registered, capabilities={capability.value}))
    result = report.results[capability.value]
    assert (result.failures, result.tests_passed) == ([], CHECKS[capability.value])


class Both:
    """The same life in one of our checkpointers, sync or async, and in memory."""

    def __init__(self, saver: Any, *, is_async: bool) -> None:
        self.ours, self.memory, self.is_async = saver, InMemorySaver(), is_async
        self.made: list[Any] = []

    def call(self, method: str, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """What both answer."""
        expected = getattr(self.memory, method)(*args, **kwargs)
        return self._asked(method, *args, **kwargs), expected

    def _asked(self, method: str, *args: Any, **kwargs: Any) -> Any:
        if not self.is_async:
            return getattr(self.ours, method)(*args, **kwargs)

        async def ask() -> Any:
            found = getattr(self.ours, f"a{method}")(*args, **kwargs)
            return [one async for one in found] if method == "list" else await found

        return asyncio.run(ask())

    def put(self, thread: str, space: str, parent: int, values: dict[str, int], step: int) -> None:
        """A checkpoint whose parent is one of those before it, or none."""
        before = [config for config in self.made if config["configurable"]["thread_id"] == thread]
        before = [config for config in before if config["configurable"]["checkpoint_ns"] == space]
        old = before[parent % len(before)] if before and parent else None
        config = old or {"configurable": {"thread_id": thread, "checkpoint_ns": space}}
        known = self.memory.get_tuple(old).checkpoint if old else empty_checkpoint()
        versions = {**known["channel_versions"], **{name: f"{len(self.made):032}.{name}" for name in values}}
        given = {name: value for name, value in values.items() if value}
        checkpoint = {**empty_checkpoint(), "channel_values": given, "channel_versions": versions}
        new = {name: versions[name] for name in values}
        got, expected = self.call("put", config, checkpoint, {"source": "loop", "step": step, "run_id": str(step)}, new)
        assert got == expected
        self.made.append(got)

    def write(self, at: int, task: int, channels: list[str], value: int) -> None:
        """What a task wrote after some checkpoint."""
        if self.made:
            writes = [(channel, value) for channel in channels]
            self.call("put_writes", self.made[at % len(self.made)], writes, f"task {task}", f"path {9 - task}")

    def forget(self, thread: str) -> None:
        """A thread is deleted."""
        self.call("delete_thread", thread)
        self.made = [config for config in self.made if config["configurable"]["thread_id"] != thread]

    def check(self) -> None:
        """Both show the same of every checkpoint, and list the same."""
        for config in self.made:
            got, expected = self.call("get_tuple", config)
            assert got == expected
            got, expected = self.call("get_delta_channel_history", config=config, channels=list(CHANNELS))
            assert got == expected
        for thread in THREADS:
            for space in SPACES:
                self._check_listing({"configurable": {"thread_id": thread, "checkpoint_ns": space}})
            got, expected = self.call("list", {"configurable": {"thread_id": thread}})
            assert sorted(got, key=_id) == sorted(expected, key=_id)
        got, expected = self.call("list", None, filter={"source": "loop"})
        assert sorted(got, key=_id) == sorted(expected, key=_id)

    def _check_listing(self, config: Any) -> None:
        got, expected = self.call("get_tuple", config)
        assert got == expected
        options = [{}, {"limit": 2}, {"filter": {"step": 1}, "limit": 1}, {"filter": {"step": 0}}, {"limit": 0}]
        for made in self.made[-2:]:
            options += [{"before": made}, {"before": made, "limit": 1}]
        for some in options:
            got, expected = self.call("list", config, **some)
            assert list(got) == list(expected)


def _id(one: Any) -> str:
    return str(one.config["configurable"]["checkpoint_id"])


small = st.integers(0, 3)
channels = st.sampled_from(CHANNELS)
puts = st.tuples(
    st.just("put"), st.sampled_from(THREADS), st.sampled_from(SPACES), small, st.dictionaries(channels, small), small
)
writes = st.tuples(
    st.just("write"),
    st.integers(0, 9),
    small,
    st.lists(st.one_of(channels, st.sampled_from([ERROR, INTERRUPT])), max_size=3),
    small,
)
forgets = st.tuples(st.just("forget"), st.sampled_from(THREADS))
lives = st.lists(st.one_of(puts, puts, puts, writes, writes, forgets), max_size=14)


@each(redis, supabase)
@pytest.mark.parametrize("is_async", [False, True])
def test_random_lives_are_those_of_the_saver_in_memory(is_async: bool, place: Any, request: pytest.FixtureRequest):
    """Checkpoints, forks, writes, deletions: what is read, listed and replayed is the same."""

    @given(lives)
    def check(life: Any) -> None:
        both = Both(place(request)(), is_async=is_async)
        for name, *args in life:
            getattr(both, name)(*args)
        both.check()
        both.ours.close()

    check()
