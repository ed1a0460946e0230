"""Every example runs as its docstring says, in an empty folder and without a key, and prints what it is about."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SAYS = {
    "tool_loop": ["The calendar says free on Saturday. I remember: User: My sister Ines plays the cello.\n"],
    "rerank": ["'reranker'"],
    "react_agent": ["my sister Ines moved to Bruges."],
    "supervisor": [
        "supervisor: researcher, what do we know?\n  researcher: I found: My sister Ines moved to Ghent in May.",
        "writer: The card is written.\n  supervisor: Done: To Ines in Ghent: greetings!",
        "friday: What is the address on the card?\n  supervisor: On the whiteboard: To Ines in Ghent",
    ],
    "custom_memory": ["Decided so far:"],
    "benchmark": ["10 questions about 382 messages", "nDCG@10: +", "What anniversary present did I buy"],
}
"""Example to what it must print, in this order."""


def printed(name: str, *arguments: str) -> str:
    """What an example prints; warnings are errors, and settings of memory and models are not there."""
    ours = ("GRAPH_MEMORY_", "OPENAI_", "GOOGLE_", "LANGSMITH_")
    env = {**{k: v for k, v in os.environ.items() if not k.startswith(ours)}, "PYTHONUTF8": "1"}
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *arguments]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, encoding="utf-8", timeout=120)
        left = os.listdir(folder)
    assert done.returncode == 0, done.stderr
    assert not left
    return done.stdout


def test_every_example_is_tried_and_listed() -> None:
    """By a test that names it, and in the list of examples."""
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    names = {path.stem for path in EXAMPLES.glob("*.py")}

    assert {name for name in names if f'"{name}' not in tests and f"/{name}.py" not in tests} == set()
    assert set(re.findall(r"\]\((\w+)\.py\)", listed)) == names


@pytest.mark.parametrize("name", [path.stem for path in EXAMPLES.glob("*.py")])
def test_an_example_says_what_it_shows_and_how_to_run_it(name: str) -> None:
    """In its docstring."""
    docstring = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8").split('"""')[1]

    assert re.match(r"\S.*\.\n\n", docstring)
    assert f"python examples/{name}.py" in docstring


def check(told: str, what: Sequence[str]) -> None:
    """It is all there, in this order."""
    at = 0
    for one in what:
        assert one in told[at:]
        at = told.index(one, at) + len(one)


@pytest.mark.parametrize("name", SAYS)
def test_the_example_runs(name: str) -> None:
    """And prints it all."""
    check(printed(name), SAYS[name])


def test_each_memory_hands_on_what_it_keeps() -> None:
    """The window is one: the first turn is not shown any more."""
    told = printed("memories")

    check(
        told,
        [
            "=== buffer: three turns of four\n[human] This is turn 2.\n",
            "- Task set by the user: We plan the garden party for the fourth of June",
            "- User: My sister Ines lives in Ghent.\n</memory>\n\nWhere does my sister live?",
            "- task: Move the blog to a static site\n- step 1: The old posts are HTML → 312 files exported",
            "values now: {'prefers short answers': 'yes', 'units': 'metric'}",
            "facts now: {'employer': 'Barco', 'home': 'Bruges'}",
        ],
    )
    assert "This is turn 1" not in told


def test_the_orchestrator_explains_itself() -> None:
    """Each line has its rule, and the budget is kept."""
    told = printed("orchestrate")

    check(
        told,
        [
            "I remember: User: Ines plays the cello in the town orchestra of Ghent.",
            "within its share: User: Ines plays the cello",
            "over budget: User: I left the umbrella",
            "- answers: in one sentence",
        ],
    )
    [(total, budget)] = re.findall(r"(\d+) of (\d+) tokens", told)
    assert 0 < int(total) <= int(budget)


def test_the_abandoned_future_is_gone() -> None:
    """On the line that was forked nobody ever spoke of a train; in another thread both were said."""
    first, line, other = re.split("back to before|in another thread", printed("time_travel"))

    assert "-> the day train to Norway, first class" in first
    assert "Booked the ferry to Norway." in line
    assert "train" not in line.partition("\n")[2]
    assert "the day train" in other
    assert "the ferry" in other


def test_users_of_the_service_are_told_what_they_said_alone() -> None:
    """Three users, three towns, no answer with two of them; nobody speaks for another, and what is forgotten is gone."""
    told = printed("service")

    answers = re.findall(r"is told: (.*)", told)
    assert len(answers) == 3
    assert all(sum(town in answer for town in ("Ghent", "Porto", "Turin")) == 1 for answer in answers)
    assert told.count("names another user: 422; forgets 9 items; finds then []") == 3


def test_the_benchmark_takes_files_of_ones_own(tmp_path: Path) -> None:
    """A transcript and its questions."""
    said = '{"id": "1", "role": "user", "text": "I keep bees."}\n{"id": "2", "role": "user", "text": "It rains."}\n'
    (tmp_path / "said.jsonl").write_text(said, encoding="utf-8")
    asked = '[{"id": "q", "question": "What do I keep?", "evidence": ["1"]}]'
    (tmp_path / "asked.json").write_text(asked, encoding="utf-8")

    told = printed("benchmark", str(tmp_path / "said.jsonl"), str(tmp_path / "asked.json"))

    assert re.search(r"as it is +100.0% +100.0%", told)
