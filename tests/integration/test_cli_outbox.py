"""`graph-memory worker` and `graph-memory outbox`: what they say, what they do, how they stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graph_memory import open_store
from graph_memory.cli import main, show
from graph_memory.graph.queues import pending
from tests.outbox import NoteMemory, noted_graph, notes, worker

URL = "sqlite:///memory.db"
MODULE = """
from tests.outbox import NoteMemory, noted_graph

graph = noted_graph(None, None)
memories = [NoteMemory()]
text = "no graph"

def make():
    return noted_graph(None, None)

def failing():
    raise RuntimeError("no settings")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a module and two turns in the outbox of its memory."""
    for name in [name for name in os.environ if name.startswith("GRAPH_MEMORY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "my_graphs.py").write_text(MODULE, encoding="utf-8")
    with open_store(URL) as store:
        graph = noted_graph(store, InMemorySaver())
        for text in ("secret one", "secret two"):
            graph.invoke({"messages": [("user", text)]}, {"configurable": {"thread_id": "t", "user_id": "ada"}})
    show.console.cache_clear()
    yield tmp_path
    show.console.cache_clear()
    sys.modules.pop("my_graphs", None)


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command."""
    show.console.cache_clear()
    code = main(args)
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("name", ["graph", "memories", "make"])
def test_a_worker_takes_in_what_waits(folder: Path, capsys: pytest.CaptureFixture[str], name: str):
    """Named by a graph, a list of memories, or a function that makes one."""
    code, out, err = run(capsys, "worker", URL, "--graph", f"my_graphs:{name}", "--until-empty")

    assert (code, err) == (0, "")
    assert "waiting: 2 turns" in out
    assert "stopped; waiting: 0 turns, dead letters: 0" in out
    with open_store(URL) as store:
        assert notes(store) == ["secret one", "secret two"]


def test_the_outbox_shows_what_waits_and_nothing_of_what_was_said(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Counts by memory, how many failed before, how old the oldest is."""
    code, out, _ = run(capsys, "outbox", "--memory", URL)

    assert code == 0
    assert "waiting: 2 turns, dead letters: 0" in out
    assert "notes" in out
    assert "secret" not in out


def test_dead_letters_are_listed_and_put_back(folder: Path, capsys: pytest.CaptureFixture[str]):
    """One by its id, or all of them; the reasons hold nothing of what was said."""

    def work(text: str) -> None:
        raise RuntimeError(text)

    assert "no dead letters" in run(capsys, "outbox", "--memory", URL, "--dead")[1]
    with open_store(URL) as store:
        worker(store, NoteMemory(work=work), attempts=1).drain()

    out = run(capsys, "outbox", "--memory", URL, "--dead")[1]
    letter = out.splitlines()[1].split()[0]
    assert out.count("the function failed: RuntimeError") == 2
    assert "secret" not in out

    assert "requeued: 1 dead letter\n" in run(capsys, "outbox", "--memory", URL, "--requeue", letter)[1]
    assert "requeued: 1 dead letter\n" in run(capsys, "outbox", "--memory", URL, "--requeue", "all")[1]
    with open_store(URL) as store:
        assert len(pending(store)) == 2


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["worker", URL, "--graph", "my_graphs"], "names nothing: write module:name"),
        (["worker", URL, "--graph", "nowhere:graph"], "cannot be loaded: ModuleNotFoundError"),
        (["worker", URL, "--graph", "my_graphs:nothing"], "has no attribute 'nothing'"),
        (["worker", URL, "--graph", "my_graphs:failing"], "cannot be loaded: RuntimeError: no settings"),
        (["worker", URL, "--graph", "my_graphs:text"], "takes a graph or a list of memories, not str"),
        (["outbox", "--memory", URL, "--requeue", "abc"], "there is no dead letter abc"),
        (["outbox", "--memory", "nonsense"], "not a url of a memory"),
    ],
)
def test_what_a_user_gets_wrong_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], args: list[str], sentence: str
):
    """On stderr, without a traceback."""
    code, _, err = run(capsys, *args)

    assert code == 1
    assert sentence in err
    assert err.startswith("graph-memory: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_stops_gracefully(folder: Path, stop: signal.Signals):
    """It finishes what it is at, says what is left, and ends with 0."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "graph_memory.cli", "worker", URL, "--graph", "my_graphs:graph"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        late = time.monotonic() + 60
        with open_store(URL) as store:
            while pending(store):
                assert time.monotonic() < late, "the worker does nothing"
                time.sleep(0.02)
        process.send_signal(stop)
        out, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (0, "")
    assert "stopped; waiting: 0 turns, dead letters: 0" in out
