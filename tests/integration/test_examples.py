"""Every example runs as its docstring says, and prints what it is about."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SAYS = {
    "tool_loop": "My sister Ines plays the cello.",
    "rerank": "'reranker'",
    "react_agent": "my sister Ines moved to Bruges.",
}


def test_every_example_is_tried() -> None:
    """None is forgotten here."""
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_the_example_runs(name: str, tmp_path: Path) -> None:
    """In an empty folder, with warnings as errors."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)

    assert SAYS[name] in done.stdout
