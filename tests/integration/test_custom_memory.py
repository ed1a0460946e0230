"""The memory that docs/custom-memory.md makes: in a graph as the page shows it, and in the conformance suite."""

from __future__ import annotations

import re
from typing import Any

import pytest

from graph_memory import ConfigurationError, open_store
from graph_memory.testing.memories import CHECKS, MODES, MemoryCheck, Mode, run_check
from tests.integration.test_docs import blocks

PAGE = "docs/custom-memory.md"


def ran(*numbers: int) -> dict[str, Any]:
    """The names that these blocks of the page define, run in order."""
    found: dict[str, Any] = {"__name__": "custom_memory"}
    for number in numbers:
        exec(compile(blocks(PAGE, "python")[number], PAGE, "exec", dont_inherit=True), found)
    return found


@pytest.fixture(scope="module")
def memory() -> Any:
    """The class."""
    return ran(0)["DecisionMemory"]


def test_the_node_is_handed_what_the_page_says() -> None:
    """In another thread, on another day."""
    seen = ran(0, 1)["seen"]

    promised = next(block for block in blocks(PAGE, "text"))
    dates = re.compile(r"\d{4}-\d\d-\d\d")
    assert dates.sub("DATE", seen[-1]) == dates.sub("DATE", promised).strip()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_it_passes_the_suite(memory: Any, check: MemoryCheck, mode: Mode) -> None:
    """In memory and in our store."""
    run_check(check, memory, mode)
    run_check(check, memory, mode, store=lambda: open_store("sqlite://"))


def test_its_test_is_a_test() -> None:
    """The last block runs every check, too."""
    found = ran(0, 2)

    assert [mark.name for mark in found["test_decision_memory"].pytestmark] == ["parametrize", "parametrize"]
    found["test_decision_memory"](CHECKS[0], "sync")


def test_a_wrong_option_is_refused(memory: Any) -> None:
    """Before a graph is built."""
    with pytest.raises(ConfigurationError, match="limit 0: give 1 or more"):
        memory(limit=0)
