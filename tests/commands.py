"""Running `graph-memory` in a test: the command, the folder it works in, and what it said."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graph_memory import Scope, open_memory, search
from graph_memory.cli import main, show

LINES = [
    {
        "id": "1",
        "session": 1,
        "said_at": "2025-02-04T21:34:00+00:00",
        "role": "user",
        "text": "My dog Rex is a beagle.",
    },
    {"id": "2", "session": 1, "said_at": "2025-02-04T21:35:00+00:00", "role": "assistant", "text": "A fine breed."},
    {
        "id": "3",
        "session": 2,
        "said_at": "2025-03-01T09:00:00+00:00",
        "role": "user",
        "text": "I moved to Leeds yesterday.",
    },
]


class Command:
    """Runs `graph-memory` in this process, in a folder of its own; keeps exit code, stdout and stderr."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *args: str, stdin: str = "") -> tuple[int, str, str]:
        show.console.cache_clear()
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = main(args)
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def transcript(self, *lines: Any, name: str = "chat.jsonl") -> str:
        path = self.folder / name
        path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines), encoding="utf-8")
        return str(path)

    def remembered(self, user: str = "me") -> list[str]:
        with open_memory("sqlite:///memory.db") as memory:
            found = search(Scope(user_id=user), "", store=memory.store, kinds=["message"], limit=10_000)
            return sorted(one.memo.text for one in found)


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    for name in [name for name in os.environ if name.startswith(("GRAPH_MEMORY_", "OPENAI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    yield Command(tmp_path, capsys, monkeypatch)
    show.console.cache_clear()
