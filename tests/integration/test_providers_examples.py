"""The examples for providers run as their docstrings say, asking the stand-in, which they find by the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from graph_memory.testing.models import Answer, Asked, ModelServer
from tests.integration.test_docs import blocks

EXAMPLES = Path(__file__).parents[2] / "examples"


def knowing(asked: Asked) -> Answer:
    """Answers by what it was handed; a question of memory's own with an object that says nothing."""
    if asked.method:
        return {"preferences": [], "entities": [], "facts": []}
    return "She plays the cello." if "cello" in asked.text else "I do not know."


# The openai package warns of a parsed answer when it streams one.
@pytest.mark.parametrize(
    ("name", "warnings"), [("openai_chat", "ignore:Pydantic serializer warnings:UserWarning"), ("gemini_chat", "error")]
)
def test_the_example_runs(name: str, warnings: str, tmp_path: Path) -> None:
    """In an empty folder, with warnings as errors; the second thread knows what was said in the first."""
    command = [sys.executable, "-W", "error", "-W", warnings, str(EXAMPLES / f"{name}.py")]
    with ModelServer(knowing) as server:
        environment = {**os.environ, **server.environment}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("> Which instrument")[1].splitlines()[1] == "She plays the cello."
    assert "--- Memory statistics ---" in done.stdout
    assert server.refused == []
    assert {asked.kind for asked in server.requests} == {"chat", "embeddings"}


def test_the_page_shows_a_test_that_passes(tmp_path: Path) -> None:
    """The test without a key, as it stands in docs/providers.md."""
    [script] = blocks("docs/providers.md", "python")

    subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=tmp_path, check=True, timeout=120)
