"""Conformance suite for any `Memory`: what the laws and the graph rely on, checked over `run` and over `arun`.

A memory's tests run every check in both modes:

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("check", CHECKS, ids=str)
    def test_my_memory(check, mode):
        run_check(check, MyMemory, mode)

The memory is told a `Sample` of two turns and asked about it. One that listens for what the default sample does not hold is given
its own. A check that needs what a memory does not do (see `abilities`) raises `Unsupported`, which pytest reports as a
skip. For pytest to explain what an assertion saw, call `pytest.register_assert_rewrite("graph_memory.testing")` in a conftest
before the first import.
"""

from __future__ import annotations

import asyncio
import copy
from contextlib import nullcontext
from dataclasses import replace

from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from graph_memory.memories.base import Memory
from graph_memory.testing import _memory_checks, _memory_fault_checks, _memory_graph_checks
from graph_memory.testing._calls import Mode, Unsupported
from graph_memory.testing._memory_fault_checks import asks_a_model
from graph_memory.testing._memory_trials import SAMPLE, MemoryCheck, MemoryFactory, Sample, StoreFactory, Trial, driven
from graph_memory.urls import Opening

__all__ = [
    "CHECKS",
    "MODES",
    "SAMPLE",
    "MemoryCheck",
    "MemoryFactory",
    "Mode",
    "Sample",
    "StoreFactory",
    "Unsupported",
    "abilities",
    "in_memory",
    "run_check",
]

MODES: tuple[Mode, ...] = ("sync", "async")
CHECKS: tuple[MemoryCheck, ...] = (
    *_memory_checks.CHECKS,
    *_memory_fault_checks.CHECKS,
    *_memory_graph_checks.CHECKS,
)
"""Every behaviour, in the order in which a new memory is best built."""


def in_memory() -> Opening[BaseStore]:
    """LangGraph's own `InMemoryStore`, new and empty."""
    return nullcontext(InMemoryStore())


def run_check(
    check: MemoryCheck,
    memory: MemoryFactory,
    mode: Mode,
    *,
    store: StoreFactory = in_memory,
    sample: Sample = SAMPLE,
) -> None:
    """Runs one check on a new memory at a new store.

    Args:
        check: one of `CHECKS`.
        memory: makes the memory; a class will do.
        mode: whether its bodies are driven by `run` or by `arun`.
        store: opens a new, empty store for one `with` or `async with` block.
        sample: what the memory is told and asked.

    Raises:
        AssertionError: the memory does not behave as it must.
        Unsupported: the memory does not do what the check is about.
    """
    opening, sample = store(), copy.deepcopy(sample)
    if mode == "async":
        asyncio.run(_arun(check, memory, store, sample, opening))
        return
    with opening as opened:
        driven(_checked(check, Trial(memory(), opened, mode, sample, memory, store)))


async def abilities(trial: Trial) -> frozenset[str]:
    """What a memory does beyond the minimum, found by looking and by trying.

    "records" (it keeps some of the sample in the store), "learns" (there, or in the thread's state), "turns" (it is told every
    turn), "model" (it asks one), "truncate", "overflow", "state_after" (it has its own).
    """
    memory = trial.memory
    async with trial.afresh() as tried:
        state, records = await tried.told(), await tried.records()
    found = {
        "records": bool(records),
        "learns": bool(records or state),
        "turns": memory.feeds == "turn",
        "model": asks_a_model(memory),
        "truncate": memory.cuts,
        "overflow": type(memory).overflow is not Memory.overflow,
        "state_after": memory.defers,
    }
    return frozenset(name for name, is_so in found.items() if is_so)


async def _arun(
    check: MemoryCheck, memory: MemoryFactory, store: StoreFactory, sample: Sample, opening: Opening[BaseStore]
) -> None:
    async with opening as opened:
        await _checked(check, Trial(memory(), opened, "async", sample, memory, store))


async def _checked(check: MemoryCheck, trial: Trial) -> None:
    if not check.needs:
        await check.run(trial)
        return
    found = await abilities(trial)
    if missing := check.needs - found:
        raise Unsupported(f"{type(trial.memory).__name__} does not do: {', '.join(sorted(missing))}")
    await check.run(replace(trial, abilities=found))
