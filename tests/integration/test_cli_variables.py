"""The command line and `GRAPH_MEMORY_*` variables, and how a chat explains its context."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Any

import pytest

from graph_memory import Context, Line, Memory, MemorySettings, Scope, Section, Snippet, new_key, open_memory, search
from graph_memory.cli import main, show
from graph_memory.cli.graph import chat_memories
from graph_memory.cli.settings import Settings
from graph_memory.settings.environment import PREFIX
from graph_memory.stores.encrypted import EncryptedStore
from graph_memory.stores.tiered import TieredStore
from tests.supabase_projects import Project


def settings(**variables: str) -> MemorySettings:
    """What the variables say; names without their prefix."""
    return MemorySettings.from_env({PREFIX + name: value for name, value in variables.items()})


def test_chat_keeps_its_own_two_memories_unless_told_otherwise():
    """A summary comes along where variables speak of compression."""

    def names(found: list[Memory]) -> list[str]:
        return [memory.name for memory in found]

    assert names(chat_memories(MemorySettings(), None)) == ["buffer", "vector"]
    assert names(chat_memories(settings(PRESET="balanced"), None)) == ["buffer", "vector", "summary"]
    assert names(chat_memories(settings(MEMORIES=json.dumps(["entity"])), None)) == ["entity"]
    assert chat_memories(settings(ENABLED="0"), None) == []


def test_the_command_line_reads_its_variables(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    """Where memory is, whose it is, and by which models it answers and searches; an option has the last word."""
    for name in [name for name in os.environ if name.startswith((PREFIX, "OPENAI_", "GOOGLE_", "GEMINI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAPH_MEMORY_URL", "sqlite:///theirs.db")
    monkeypatch.setenv("GRAPH_MEMORY_USER", "grace")
    show.console.cache_clear()

    def command(*args: str, **variables: str) -> tuple[int, str]:
        with monkeypatch.context() as here:
            here.setattr(sys, "stdin", io.StringIO("I like tea.\n"))
            for name, value in variables.items():
                here.setenv(PREFIX + name, value)
            code, said_ = main(args), capsys.readouterr()
        return code, said_.out + said_.err

    assert command("chat")[0] == 0
    with open_memory("sqlite:///theirs.db") as memory:
        assert [one.memo.text for one in search(Scope("grace"), "tea", store=memory.store, kinds=["message"])]
    assert "openai:a needs a key" in command("chat", MODEL="openai:a")[1]
    assert "openai:b needs a key" in command("chat", "--model", "openai:b", MODEL="openai:a")[1]
    assert "google_genai:g needs a key: set the environment variable GOOGLE_API_KEY" in " ".join(
        command("chat", MODEL="google_genai:g")[1].split()
    )
    assert "openai:e needs a key" in command("chat", EMBED="openai:e")[1]
    assert "there is nothing to quote, so give --model" in " ".join(command("chat", ENABLED="off")[1].split())
    assert "GRAPH_MEMORY_TURNS: '0' will not do" in " ".join(command("chat", TURNS="0")[1].split())
    show.console.cache_clear()


def test_the_command_line_reaches_a_supabase(supabase: Project, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    """By a key and a token that no argument shows."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GRAPH_MEMORY_URL", supabase.url)
    monkeypatch.setenv("GRAPH_MEMORY_USER", "ada")
    show.console.cache_clear()

    def chat(text: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{text}\n"))
        code, said_ = main(["chat"]), capsys.readouterr()
        return code, " ".join((said_.out + said_.err).split())

    assert chat("I like tea.")[0] == 1
    monkeypatch.setenv("GRAPH_MEMORY_SUPABASE_KEY", supabase.anon_key)
    assert "has no right to that" in chat("I like tea.")[1]
    monkeypatch.setenv("GRAPH_MEMORY_SUPABASE_TOKEN", supabase.token("ada"))
    assert chat("I like tea.")[0] == 0
    with open_memory(supabase.url, **supabase.signed_in("ada")) as memory:
        assert [one.memo.text for one in search(Scope("ada"), "tea", store=memory.store, kinds=["message"])]
    show.console.cache_clear()


def test_the_explained_context_of_a_chat_says_what_belongs_together(capsys: Any):
    """Each pair of lines once, by the ids that stand in the table."""
    turn = frozenset({"turn:1"})
    snippets = tuple(Snippet(f"line {i}", memo_id=f"{i}" * 12, marks=turn) for i in range(2))
    lines = tuple(Line("vector", snippet.memo_id, snippet.text, 3, True, "within its share") for snippet in snippets)

    show.console.cache_clear()
    show.console().print(show.explained(Context(lines=lines, sections=(Section("vector", snippets),))))

    assert capsys.readouterr().out.splitlines()[-1] == "00000000 goes with 11111111"
    show.console.cache_clear()


def test_commands_open_what_a_url_does_not_say_by_variables(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    """Keys, what stays in the clear, and a tier; what belongs to another kind of place is left out."""
    url = f"sqlite:///{tmp_path / 'memory.db'}"
    for name in ("TOKEN", "PREFIX"):
        monkeypatch.setenv(PREFIX + name, "of no concern to a file")
    monkeypatch.setenv(PREFIX + "ENCRYPTION_KEYS", f" {new_key()}, {new_key()} ")
    monkeypatch.setenv(PREFIX + "CLEAR", "search, speaker")
    monkeypatch.setenv(PREFIX + "HOT", "sqlite://")
    with Settings(url, "ada").open(create=True) as memory:
        assert isinstance(memory.store, EncryptedStore)
        assert len(memory.store.key_names) == 2
        assert memory.store.ranking == "words"
        assert isinstance(memory.store.store, TieredStore)
    monkeypatch.setenv(PREFIX + "ENCRYPTION_KEYS", "")
    monkeypatch.setenv(PREFIX + "CLEAR", "")
    with Settings(url, "ada").open() as memory:
        assert isinstance(memory.store, TieredStore)
