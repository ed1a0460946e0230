"""The memory of examples/custom_memory.py: docs/custom-memory.md shows it as it is, and it passes the conformance suite."""

from __future__ import annotations

import re
import runpy
from typing import Any

import pytest

from graph_memory import ConfigurationError, open_store
from graph_memory.testing.memories import CHECKS, MODES, MemoryCheck, Mode, run_check
from tests.integration.test_docs import ROOT, blocks

PAGE, EXAMPLE = "docs/custom-memory.md", ROOT / "examples" / "custom_memory.py"


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    """The names that the example defines."""
    return runpy.run_path(str(EXAMPLE), run_name="custom_memory")


@pytest.fixture(scope="module")
def memory(example: dict[str, Any]) -> Any:
    """The class."""
    return example["DecisionMemory"]


def test_the_page_shows_the_example() -> None:
    """Its first two blocks are the file, from its imports on."""
    code = EXAMPLE.read_text(encoding="utf-8").partition("from __future__ import annotations\n\n")[2]

    shown = "\n\n".join(blocks(PAGE, "python")[:2])
    assert shown == code.replace('if __name__ == "__main__":\n    main()', "main()")


def test_the_node_is_handed_what_the_page_says(example: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """In another thread, on another day."""
    example["main"]()

    [promised] = blocks(PAGE, "text")
    dates = re.compile(r"\d{4}-\d\d-\d\d")
    assert dates.sub("DATE", capsys.readouterr().out).strip() == dates.sub("DATE", promised).strip()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_it_passes_the_suite(memory: Any, check: MemoryCheck, mode: Mode) -> None:
    """In memory and in our store."""
    run_check(check, memory, mode)
    run_check(check, memory, mode, store=lambda: open_store("sqlite://"))


def test_its_test_is_a_test(memory: Any) -> None:
    """The page's last block runs every check, too."""
    found: dict[str, Any] = {"__name__": "custom_memory", "DecisionMemory": memory}
    exec(compile(blocks(PAGE, "python")[2], PAGE, "exec", dont_inherit=True), found)

    assert [mark.name for mark in found["test_decision_memory"].pytestmark] == ["parametrize", "parametrize"]
    found["test_decision_memory"](CHECKS[0], "sync")


def test_a_wrong_option_is_refused(memory: Any) -> None:
    """Before a graph is built."""
    with pytest.raises(ConfigurationError, match="limit 0: give 1 or more"):
        memory(limit=0)
