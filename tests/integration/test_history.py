"""The branches of a thread as a tree: from its checkpoints, with what each remembers, and on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

from graph_memory import BudgetError, Scope, open_memory
from graph_memory.cli import main
from graph_memory.graph.history import Line, lines_of, read_slots, root_in
from graph_memory.messages import text_of
from graph_memory.namespaces import label, name_of
from graph_memory.steps import run
from tests.fakes import Assistant, in_thread
from tests.graphs import plain, said

ADA = Scope(user_id="ada", thread_id="t")


def live(graph: Any) -> None:
    """Two turns, and a fork after the first that goes on for one more."""
    for text in ("one", "two"):
        graph.invoke(said(text), in_thread())
    first = next(
        m for m in graph.get_state_history(in_thread()) if len(m.values.get("messages", [])) == 2 and not m.next
    )
    fork = {"configurable": {**first.config["configurable"], "user_id": "ada"}}
    graph.invoke(said("another two"), fork)
    graph.invoke(said("three"), in_thread())


def told(line: Line) -> list[Any]:
    """The human words of a line, and those of its forks."""
    words = [text_of(m) for moment in line.moments for m in moment.messages if m.type == "human"]
    return [words, *(told(fork) for fork in line.forks)]


def test_a_fork_is_a_branch_of_the_tree():
    """What was said once is shown once, and every fork has its own moments."""
    saver, store = InMemorySaver(), InMemoryStore()
    live(plain(Assistant()).compile(checkpointer=saver, store=store))
    checkpoints = [found for found in saver.list(in_thread()) if not found.config["configurable"]["checkpoint_ns"]]

    root = root_in(checkpoints)
    [line] = lines_of(checkpoints, run(read_slots(ADA, root), store=store))

    assert told(line) == [["one"], [["two"]], [["another two", "three"]]]
    moments = [line.moments[0], *(moment for fork in line.forks for moment in fork.moments)]
    assert all(moment.remembered == {"vector": 2} for moment in moments)
    branches = {head.branch for fork in line.forks for moment in fork.moments for head in moment.heads.values()}
    assert len(branches) == 2
    assert "" in branches


def test_a_thread_without_lineage_has_a_tree_too():
    """Memory that keeps nothing in a store commits nothing."""
    saver = InMemorySaver()
    graph = plain(Assistant()).compile(checkpointer=saver)
    graph.invoke(said("one"), in_thread())
    checkpoints = [found for found in saver.list(in_thread()) if not found.config["configurable"]["checkpoint_ns"]]

    [line] = lines_of(checkpoints, {})

    assert told(line) == [["one"]]
    assert line.moments[-1].remembered == {}


def test_a_turn_that_failed_has_remembered_nothing():
    """What the turn before it committed is not said of it again."""
    saver, store = InMemorySaver(), InMemoryStore()
    plain(Assistant()).compile(checkpointer=saver, store=store).invoke(said("one"), in_thread())
    with pytest.raises(BudgetError):
        plain(Assistant(), budget_tokens=12).compile(checkpointer=saver, store=store).invoke(
            said("words and words " * 20), in_thread()
        )
    checkpoints = [found for found in saver.list(in_thread()) if not found.config["configurable"]["checkpoint_ns"]]

    [line] = lines_of(checkpoints, run(read_slots(ADA, root_in(checkpoints)), store=store))

    assert [dict(moment.remembered) for moment in line.moments] == [{"vector": 2}, {}]


@pytest.mark.parametrize("name", ["vector", "", "Über=3:|", "a.b*"])
def test_a_label_tells_its_name_again(name: str):
    """What was escaped is read back."""
    assert name_of(label("memory", name)) == name


def test_the_command_shows_the_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """For people, and for programs."""
    url = f"sqlite:///{tmp_path / 'm.db'}"
    with open_memory(url) as memory:
        live(plain(Assistant()).compile(store=memory.store, checkpointer=memory.checkpointer))

    assert main(["history", "t", "--memory", url, "--user", "ada"]) == 0
    shown = capsys.readouterr().out
    assert main(["history", "t", "--memory", url, "--user", "ada", "--json"]) == 0
    told = capsys.readouterr().out
    [line] = json.loads(told)

    assert told.count("\n") == 1
    assert "line 1 of 2" in shown
    assert "remembered: vector 2  on main" in shown
    assert [len(fork["moments"]) for fork in line["forks"]] == [1, 2]


def test_long_words_stay_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """What is printed for programs is not wrapped at the terminal's width, which would break lines inside of texts."""
    url, text = f"sqlite:///{tmp_path / 'm.db'}", "a sentence that is longer than a terminal is wide " * 5
    with open_memory(url) as memory:
        graph = plain(Assistant()).compile(store=memory.store, checkpointer=memory.checkpointer)
        graph.invoke(said(text), in_thread())

    assert main(["history", "t", "--memory", url, "--user", "ada", "--json"]) == 0
    [line] = json.loads(capsys.readouterr().out)

    assert line["moments"][0]["messages"][0]["text"] == text


def test_an_unknown_thread_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Not an empty tree, and no traceback."""
    url = f"sqlite:///{tmp_path / 'm.db'}"
    with open_memory(url):
        pass

    assert main(["history", "nope", "--memory", url]) != 0
    assert "no checkpoints of a thread 'nope'" in capsys.readouterr().err
