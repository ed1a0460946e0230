"""The commands that move and tidy a user's memory: export, import, consolidate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graph_memory import Scope, open_memory, search
from tests.commands import LINES, Command

DB = "sqlite:///memory.db"
OTHER = "sqlite:///other.db"


def texts(url: str, user: str = "me") -> list[str]:
    """What messages a memory holds of a user."""
    with open_memory(url) as memory:
        found = search(Scope(user_id=user), "", store=memory.store, kinds=["message"], limit=1000)
        return sorted(one.memo.text for one in found)


def exported(cli: Command, path: Path, *args: str) -> str:
    """Exports to stdout, as with `> file`."""
    code, out, err = cli("export", "--memory", DB, *args)
    assert code == 0, err
    path.write_text(out, encoding="utf-8")
    return str(path)


def test_what_is_exported_is_imported_elsewhere(cli: Command, tmp_path: Path):
    """stdout holds the lines and nothing else; --output writes the same file."""
    cli("ingest", cli.transcript(*LINES))
    file = exported(cli, tmp_path / "me.jsonl")

    assert "exported" in cli("export", "--memory", DB, "--output", str(tmp_path / "again.jsonl"))[2]
    code, out, _ = cli("import", file, "--memory", OTHER)

    assert code == 0
    assert "imported: 5 items of me" in out
    assert texts(OTHER) == texts(DB)
    files = [Path(file), tmp_path / "again.jsonl"]
    lines = [[json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] for path in files]
    assert lines[0][1:] == lines[1][1:]


def test_an_export_of_nobody_leaves_the_backup_that_is_there(cli: Command, tmp_path: Path):
    """A user's name that was mistyped costs no backup."""
    cli("ingest", cli.transcript(*LINES))
    backup = tmp_path / "backup.jsonl"
    backup.write_text("a good one", encoding="utf-8")

    code, _, err = cli("export", "--memory", DB, "--user", "typo", "--output", str(backup))

    assert code == 1
    assert "nothing is remembered of user 'typo'" in err
    assert backup.read_text(encoding="utf-8") == "a good one"


def test_importing_reads_stdin(cli: Command, tmp_path: Path):
    """`graph-memory export … | graph-memory import - …`."""
    cli("ingest", cli.transcript(*LINES))
    file = exported(cli, tmp_path / "me.jsonl")

    assert "imported: 5 items" in cli("import", "-", "--memory", OTHER, stdin=Path(file).read_text(encoding="utf-8"))[1]


def test_another_users_file_needs_to_be_named(cli: Command, tmp_path: Path):
    """One sentence that says how; then it is theirs."""
    cli("ingest", cli.transcript(*LINES), "--user", "ada")
    file = exported(cli, tmp_path / "ada.jsonl", "--user", "ada")

    code, out, err = cli("import", file, "--memory", DB, "--user", "bob")
    assert (code, out) == (1, "")
    assert "--from-user" in err
    assert texts(DB, "bob") == []

    cli("import", file, "--memory", DB, "--user", "bob", "--from-user", "ada")
    assert texts(DB, "bob") == texts(DB, "ada") != []


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["import", "missing.jsonl", "--memory", OTHER], "No such file"),
        (["import", "export.jsonl", "--memory", OTHER], "line 1 of the export cannot be used"),
        (["import", "chat.jsonl", "--memory", OTHER, "--from-user", "ada"], "chat.jsonl is no export"),
        (["export", "--output", "nowhere/me.jsonl"], "No such file or directory: nowhere/me.jsonl\n"),
        (["export", "--output", "."], "Is a directory: .\n"),
        (["export", "--memory", "nonsense"], "not a url of a memory"),
    ],
)
def test_what_a_user_gets_wrong_is_one_sentence(cli: Command, args: list[str], sentence: str):
    """On stderr, with exit code 1, without a traceback."""
    cli("ingest", cli.transcript(*LINES))
    cli.transcript({"graph_memory": 2, "user": "me"}, name="export.jsonl")

    code, out, err = cli(*args)

    assert (code, out) == (1, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_consolidation_says_first_what_it_would_do(cli: Command):
    """--apply does it, and then there is nothing left to do."""
    again = {**LINES[2], "id": "4", "text": "my dog Rex is a beagle"}
    cli("ingest", cli.transcript(*LINES, again))

    dry = " ".join(cli("consolidate", "--memory", DB)[1].split())
    unchanged = texts(DB)
    done = " ".join(cli("consolidate", "--memory", DB, "--apply")[1].split())

    assert "1 near-duplicate goes" in dry
    assert "1 session becomes an episode" in dry
    assert dry.endswith("nothing was changed, --apply does it")
    assert len(unchanged) == 4
    assert done.endswith("; done")
    assert len(texts(DB)) == 3
    assert "nothing to consolidate" in cli("consolidate", "--memory", DB)[1]
