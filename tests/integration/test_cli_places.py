"""Where the commands look: one way to say it, nothing made by reading, and each user's threads alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from graph_memory import BufferMemory, ConfigurationError, open_checkpointer, open_memory, open_store
from graph_memory.cli.settings import Settings
from tests.commands import LINES, Command
from tests.fakes import Assistant, in_thread
from tests.graphs import plain

READING = (
    ["ask", "x"],
    ["forget", "me", "--yes"],
    ["history", "t"],
    ["export"],
    ["consolidate", "--apply"],
    ["outbox"],
    ["worker", "--graph", "tests.outbox:STORES"],
)
ABSENT = "sqlite:///absent.db"


@pytest.mark.parametrize("args", READING, ids=lambda args: args[0])
@pytest.mark.parametrize("way", ["said", "variable", "default"])
def test_reading_makes_no_file(cli: Command, monkeypatch: pytest.MonkeyPatch, args: list[str], way: str) -> None:
    """A mistyped url is one sentence that names the file and what makes one."""
    if way == "variable":
        monkeypatch.setenv("GRAPH_MEMORY_URL", ABSENT)
    said = [ABSENT] if args[0] == "worker" else ["--memory", ABSENT]
    code, out, err = cli(*args, *(said if way == "said" else []))

    name = "memory.db" if way == "default" else "absent.db"
    assert (code, out) == (1, "")
    assert err == (
        f"graph-memory: there is no memory file {name}: check the url, or make one with `graph-memory chat` or"
        " `graph-memory ingest`\n"
    )
    assert list(cli.folder.iterdir()) == []


@pytest.mark.parametrize("args", [["chat"], ["ingest", "chat.jsonl"], ["import", "-"]], ids=lambda args: args[0])
def test_remembering_makes_the_file(cli: Command, args: list[str]) -> None:
    """Where it is told to."""
    cli.transcript(*LINES)
    cli("ingest", "chat.jsonl")
    lines = cli("export")[1]

    code, _, err = cli(*args, "--memory", "sqlite:///new.db", stdin=lines if args[0] == "import" else "")

    assert code == 0, err
    assert (cli.folder / "new.db").exists()


async def entered(opening: Any) -> None:
    """Opens and closes it, awaiting."""
    async with opening:
        pass


@pytest.mark.parametrize("opening", [open_store, open_checkpointer, open_memory])
def test_nothing_is_made_where_nothing_is_to_be_made(tmp_path: Path, opening: Any) -> None:
    """In both kinds of blocks; what is there is opened."""
    url = f"sqlite:///{tmp_path / 'm.db'}"
    with pytest.raises(ConfigurationError, match="there is no memory file"), opening(url, create=False):
        pass
    with pytest.raises(ConfigurationError, match="there is no memory file"):
        asyncio.run(entered(opening(url, create=False)))
    assert list(tmp_path.iterdir()) == []

    with opening(url):
        pass
    with opening(url, create=False):
        pass


def said_by(user: str | None, memory: Any, thread: str = "t") -> None:
    """A turn of a user's graph; the context names them, so that the checkpoints do not."""
    graph = plain(Assistant(), [BufferMemory()]).compile(store=memory.store, checkpointer=memory.checkpointer)
    config = in_thread(thread, user_id=None)
    graph.invoke({"messages": [("user", "my secret")]}, config, context={"user_id": user} if user else None)


@pytest.mark.parametrize("way", ["config", "context", "nobody"])
def test_history_shows_a_users_own_threads_alone(cli: Command, way: str) -> None:
    """Another user's thread and one that is not there are told in the same words."""
    with open_memory("sqlite:///memory.db") as memory:
        if way == "config":
            graph = plain(Assistant(), []).compile(store=memory.store, checkpointer=memory.checkpointer)
            graph.invoke({"messages": [("user", "my secret")]}, in_thread(user_id="ada"))
        else:
            said_by("ada" if way == "context" else None, memory)

    owner = "" if way == "nobody" else "ada"
    shown = cli("history", "t", "--user", owner)
    others = cli("history", "t", "--user", "bob")
    absent = cli("history", "u", "--user", "bob")

    assert shown[0] == 0, shown[2]
    assert "my secret" in shown[1]
    assert others[:2] == absent[:2] == (1, "")
    assert others[2].replace("'t'", "'u'") == absent[2]
    assert "no checkpoints of a thread 'u' of bob here; known of that user: none. Give the thread_id" in absent[2]
    if owner:
        assert "known of that user: t. Give" in cli("history", "u", "--user", owner)[2]


def test_a_servers_url_is_not_shown():
    """It may hold a password."""
    assert Settings("postgresql://me:secret@host/db", "me").place == "postgresql://…"
    assert Settings("sqlite:///memory.db", "me").place == "sqlite:///memory.db"
