"""`graph-memory import`: every kind of source by its option, a dry run that makes nothing, one sentence for a mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage, message_to_dict
from langgraph.store.sqlite import SqliteStore

from graph_memory import open_checkpointer
from tests.commands import Command
from tests.migrating import chatted, lines, message_store, talk


@pytest.fixture
def files(cli: Command) -> Path:
    """Something of every kind in the folder of the command."""
    (cli.folder / "said.jsonl").write_text(
        lines(*talk("ada", "1", "My dog is called Rex.", "A fine name."), "{oops"), encoding="utf-8"
    )
    with SqliteStore.from_conn_string(str(cli.folder / "items.db")) as store:
        store.setup()
        store.put(("memories", "ada"), "1", {"kind": "Memory", "content": {"content": "Ada's dog is called Rex."}})
        store.put(("memories", "ada"), "2", {"kind": "Tastes", "content": {"drink": "tea"}})
    message_store(
        cli.folder / "chats.db", [("ada:1", HumanMessage("My dog is called Rex.")), ("ada:1", AIMessage("Nice."))]
    )
    (cli.folder / "chat.json").write_text(
        json.dumps([message_to_dict(HumanMessage("I have a dog."))]), encoding="utf-8"
    )
    with open_checkpointer("sqlite:///threads.db") as saver:
        chatted(saver, [("ada", "1", "My dog is called Rex.")])
    return cli.folder


CASES = {
    "jsonl": (["said.jsonl"], "2 messages of ada in 1 thread; 1 skipped"),
    "langmem": (["sqlite:///items.db", "--profile", "Tastes"], "1 fact, 1 value of ada"),
    "chat-history": (["sqlite:///chats.db", "--sessions", "{user_id}:{thread_id}"], "2 messages of ada in 1 thread"),
    "chat-history of a file": (["chat.json", "--user", "ada"], "1 message of ada in 1 thread"),
    "langgraph": (["sqlite:///threads.db"], "2 messages of ada in 1 thread"),
    "langgraph items": (
        ["sqlite:///items.db", "--namespace", "memories,{user_id}", "--as", "values"],
        "2 values of ada",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_kind_is_imported_once_after_a_dry_run(cli: Command, files: Path, case: str):
    """The dry run counts, shows samples and makes no memory; the second import finds nothing new."""
    args, counts = CASES[case]
    command = ["import", *args, "--from", case.split(" ")[0]]

    dry = cli(*command, "--dry-run")
    assert not (files / "memory.db").exists()
    done, again = cli(*command), cli(*command)

    assert dry[0] == done[0] == again[0] == 0
    assert dry[1].split("\n")[0] == f"would import: {counts}"
    assert "\n  ada, " in dry[1]
    assert done[1].split("\n")[0] == f"imported: {counts}"
    assert again[1].startswith("imported: nothing new; ")
    if case != "langgraph items":
        answer = cli("ask", "What is the dog called?", "--user", "ada")[1]
        assert "dog" in answer


def test_an_export_is_told_by_its_first_line(cli: Command, files: Path):
    """It comes back as it was, after a dry run like all others."""
    cli("import", "said.jsonl", "--user", "me")
    cli("export", "--user", "ada", "--output", "ada.jsonl")
    command = ["import", "ada.jsonl", "--user", "ada", "--memory", "sqlite:///other.db"]

    dry = cli(*command, "--dry-run")[1]
    assert not (files / "other.db").exists()
    assert dry.startswith("would import: 5 items of ada\n  ada, line 2: ")
    assert cli(*command)[1] == "imported: 5 items of ada\n"
    assert cli(*command)[1] == "imported: nothing new; 5 items known already\n"


def test_what_is_skipped_is_listed_with_the_reason(cli: Command, files: Path):
    """By its place in the source."""
    _, out, _ = cli("import", "said.jsonl")

    assert "\n  skipped 1: this is not JSON" in out
    assert out.rstrip().endswith("(first: line 3)")


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["said.jsonl", "--strict"], "line 3: this is not JSON"),
        (["said.jsonl", "--sessions", "{user_id}"], "--sessions belongs to --from chat-history, not to --from jsonl"),
        (["sqlite:///chats.db", "--from", "chat-history"], "whose memory are these sessions?"),
        (["sqlite:///chats.db", "--from", "chat-history", "--as", "facts"], "--as belongs to --from langgraph"),
        (["sqlite:///chats.db", "--from", "langgraph"], "holds no checkpoints of LangGraph"),
        (["sqlite:///chats.db", "--from", "langmem"], "holds no items of a LangGraph store"),
        (["missing.json", "--from", "chat-history", "--user", "ada"], "missing.json cannot be read: No such file"),
        (["sqlite:///items.db", "--from", "langmem", "--namespace", "memories"], "whose memory are these items?"),
    ],
)
def test_a_mistake_is_one_sentence(cli: Command, files: Path, args: list[str], sentence: str):
    """On stderr, with exit code 1."""
    code, _, err = cli("import", *args)

    assert code == 1
    assert sentence in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_a_dry_run_leaves_an_empty_file_empty(cli: Command):
    """A memory is made by what remembers, not by what only looks."""
    (cli.folder / "memory.db").touch()
    said = cli.transcript({"role": "user", "content": "hi", "user_id": "ada", "thread_id": "1"})

    assert "would import: 1 message of ada" in cli("import", said, "--dry-run")[1]
    assert (cli.folder / "memory.db").stat().st_size == 0
