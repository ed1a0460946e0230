"""The command line: what it shows, what it keeps, and one sentence for everything that a user can get wrong."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from graph_memory import Scope, __version__, open_memory, search
from tests.commands import LINES, Command


def test_ingesting_twice_remembers_once(cli: Command):
    """The second run adds nothing and says so; a file that has grown adds what is new."""
    file = cli.transcript(*LINES[:2])

    assert "2 new" in cli("ingest", file)[1]
    assert "nothing new, 2 known already" in cli("ingest", file)[1]
    assert "1 new, 2 known already" in cli("ingest", cli.transcript(*LINES))[1]
    assert len(cli.remembered()) == 3


def test_a_grown_transcript_is_remembered_like_a_whole_one(cli: Command):
    """Neighbours included: the line that was last learns what followed it."""
    cli("ingest", cli.transcript(*LINES[:2]))
    cli("ingest", cli.transcript(*LINES))
    with open_memory("sqlite:///memory.db") as memory:
        memos = {one.memo.source: one.memo for one in search(Scope(user_id="me"), "", store=memory.store)}

    assert memos["2"].after == LINES[2]["text"]
    assert memos["3"].before == LINES[1]["text"]


def test_two_transcripts_with_the_same_ids_are_both_kept(cli: Command):
    """Exports count from one; that does not make them one conversation."""
    cli("ingest", cli.transcript(*LINES))
    cli("ingest", cli.transcript(*({**line, "text": f"{line['text']} Really."} for line in LINES), name="other.jsonl"))

    assert len(cli.remembered()) == 6


def test_a_bad_line_stops_with_its_number_and_loses_nothing(cli: Command):
    """What stands before it is remembered; once it is mended, the same command goes on."""
    code, _, err = cli("ingest", cli.transcript(LINES[0], "{oops", LINES[2]))

    assert code == 1
    assert "chat.jsonl, line 2: this is not JSON" in err
    assert err.count("\n") == 1
    assert cli.remembered() == [LINES[0]["text"]]
    assert "2 new, 1 known already" in cli("ingest", cli.transcript(*LINES))[1]


def test_bad_lines_can_be_skipped_and_are_counted(cli: Command):
    """With the option the rest is remembered, and the first fault named."""
    code, out, _ = cli("ingest", cli.transcript(LINES[0], "{oops", '{"role": "user"}', LINES[2]), "--skip-bad-lines")

    assert code == 0
    assert "2 new, 2 skipped (first: line 2" in " ".join(out.split())
    assert len(cli.remembered()) == 2


def test_one_conversation_of_several_is_ingested(cli: Command):
    """--conversation chooses it by number."""
    turns = [{"id": "D1:1", "session": 1, "date": "2023-05-08T13:56", "speaker": "Ada", "text": "Hello"}]
    data = {"conversations": [{"id": name, "turns": [{**turns[0], "text": f"Hello {name}"}]} for name in "ab"]}
    (cli.folder / "data.json.gz").write_bytes(gzip.compress(json.dumps(data).encode()))

    cli("ingest", "data.json.gz", "--conversation", "2")

    assert cli.remembered() == ["Hello b"]


def test_an_interrupted_ingest_is_completed_by_the_next_one(cli: Command):
    """Killed in the middle, run again: the memory equals one that was never interrupted."""
    lines = [
        {"role": ("user", "assistant")[i % 2], "text": f"Line number {i} about topic {i % 97}."} for i in range(1500)
    ]
    file = cli.transcript(*lines)
    process = subprocess.Popen(
        [sys.executable, "-m", "graph_memory.cli", "ingest", file], cwd=cli.folder, stdout=subprocess.DEVNULL
    )
    _wait_for(lambda: (cli.folder / "memory.db").exists() and _count(cli) > 0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = _count(cli)

    code, out, _ = cli("ingest", file)

    assert code == 0
    assert before < 1500
    assert f"{before:,} known already" in out
    with open_memory("sqlite:///memory.db") as memory:
        found = search(Scope(user_id="me"), "", store=memory.store, limit=9999)
    memos = sorted((one.memo for one in found), key=lambda memo: memo.origin.seq)
    assert [memo.text for memo in memos] == [line["text"] for line in lines]
    assert [memo.after for memo in memos] == [*(line["text"] for line in lines[1:]), ""]


def _count(cli: Command) -> int:
    with open_memory("sqlite:///memory.db") as memory:
        return len(search(Scope(user_id="me"), "", store=memory.store, limit=9999))


def _wait_for(condition: Callable[[], bool]) -> None:
    late = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < late, "nothing happened"
        time.sleep(0.01)


def test_ask_quotes_with_date_and_memo_id(cli: Command):
    """The line, when it was said, and where the answer came from."""
    cli("ingest", cli.transcript(*LINES))

    code, out, err = cli("ask", "What breed is my dog Rex?")

    assert (code, err) == (0, "")
    assert "2025-02-04" in out
    assert "My dog Rex is a beagle." in out
    assert "vector" in out
    assert "\x1b" not in out


def test_ask_answers_machines_with_one_json_object(cli: Command):
    """Everything that a script needs to check the answer."""
    cli("ingest", cli.transcript(*LINES))

    _, out, _ = cli("ask", "Where did I move to?", "--json", "--k", "1")

    answer = json.loads(out)
    assert [quote["source"] for quote in answer["quotes"]] == ["3"]
    assert not answer["declined"]
    assert answer["total_tokens"] <= answer["budget_tokens"]


def test_asking_is_not_remembered(cli: Command):
    """A question that was asked leaves the memory as it was."""
    cli("ingest", cli.transcript(*LINES))
    before = cli.remembered()

    cli("ask", "Where did I move to?")

    assert cli.remembered() == before


def test_ask_declines_what_memory_does_not_hold(cli: Command):
    """Declining is an answer, not a failure; an empty memory is pointed out."""
    cli("chat")
    code, out, err = cli("ask", "What is the capital of Peru?")

    assert code == 0
    assert "I find nothing about that in memory" in out
    assert "nothing is remembered of user 'me' in sqlite:///memory.db yet" in err
    assert "another user by --user" in err


@pytest.mark.parametrize("args", [["ask", "Who is Rex?"], ["chat"]])
def test_a_misspelt_variable_is_named_once(cli: Command, monkeypatch: pytest.MonkeyPatch, args: list[str]):
    """What is meant is not what is done: a person learns it from stderr."""
    cli("ingest", cli.transcript(*LINES))
    monkeypatch.setenv("GRAPH_MEMORY_BUGET_TOKENS", "100")

    code, _, err = cli(*args)

    assert code == 0
    assert err == (
        "graph-memory: GRAPH_MEMORY_BUGET_TOKENS is set but not known: did you mean GRAPH_MEMORY_BUDGET_TOKENS?\n"
    )


@pytest.mark.parametrize("args", [["ingest", "chat.jsonl"], ["import", "chat.jsonl"], ["forget", "me", "--yes"]])
def test_a_memory_that_ends_with_the_command_is_refused(cli: Command, args: list[str]):
    """Nobody could ever read what was remembered there."""
    cli.transcript(*LINES)

    code, out, err = cli(*args, "--memory", "sqlite://")

    assert (code, out) == (1, "")
    assert "gone when the command ends: name a file" in err


def test_forget_asks_first_and_deletes_one_user_only(cli: Command):
    """--yes deletes without asking; others keep theirs."""
    for user in ("ada", "ada2"):
        cli("ingest", cli.transcript(*LINES), "--user", user)

    assert "nothing was deleted" in cli("forget", "ada", stdin="n\n")[1]
    assert cli("forget", "ada")[2].endswith("graph-memory: nothing was deleted: answer y or n, or give --yes\n")
    assert len(cli.remembered("ada")) == 3
    assert "forgotten: 5 items" in cli("forget", "ada", "--yes")[1]
    assert cli.remembered("ada") == []
    assert len(cli.remembered("ada2")) == 3
    assert "nothing is remembered of ada" in cli("forget", "ada", "--yes")[1]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["ingest", "missing.jsonl"], "No such file"),
        (["ingest", "."], "Is a directory"),
        (["ingest", "empty.jsonl"], "empty.jsonl is empty"),
        (["ingest", "prose.txt"], "prose.txt: this is not JSON"),
        (["ingest", "rows.json"], "holds no conversation; expected a message such as"),
        (["ingest", "chat.jsonl", "--conversation", "7"], "has no conversation 7"),
        (["ask", "x", "--memory", "nonsense"], "not a url of a memory"),
        (["ask", "x", "--memory", "mongodb://x"], "unknown scheme 'mongodb'"),
        (["ask", "x", "--memory", "sqlite:///nowhere/m.db"], "nowhere"),
        (["ask", "x", "--memory", "sqlite:///prose.txt"], "is no SQLite database"),
        (["ask", "x", "--budget-tokens", "3"], "leaves no room"),
        (["ask", "word " * 500, "--budget-tokens", "100"], "budget"),
        (["ask", " "], "the question is empty"),
        (["ask", "x", "--model", "openai:gpt-5-mini"], "set the environment variable OPENAI_API_KEY"),
        (["ask", "x", "--model", "gpt"], "write provider:name"),
        (["ask", "x", "--embed", "openai:text-embedding-3-small"], "set the environment variable OPENAI_API_KEY"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_what_a_user_gets_wrong_is_one_sentence(cli: Command, args: list[str], sentence: str):
    """On stderr, with exit code 1, without a traceback, and nothing else is written."""
    cli.transcript(*LINES)
    cli.transcript(name="empty.jsonl")
    cli.transcript("Dear diary,", name="prose.txt")
    cli.transcript({"rows": []}, name="rows.json")
    cli("ingest", "chat.jsonl")

    code, out, err = cli(*args)

    assert (code, out) == (1, "")
    assert err.startswith("graph-memory: ")
    assert sentence in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "args", [["ask"], ["bogus"], ["ask", "x", "--k", "0"], ["ask", "x", "--budget-tokens", "many"]]
)
def test_a_wrong_call_says_how_to_call(cli: Command, args: list[str]):
    """Exit code 2 and the usage, as every command line does."""
    code, _, err = cli(*args)

    assert code == 2
    assert "Usage:" in err
    assert "Traceback" not in err


def test_the_version_is_told(cli: Command):
    """The installed package's."""
    assert cli("--version") == (0, f"graph-memory {__version__}\n", "")


def test_help_answers_without_loading_langgraph():
    """A second spent on imports is a second before every --help."""
    code = "import sys; from graph_memory.cli import main; main(['--help']); print('langgraph' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "ingest" in done.stdout
    assert done.stdout.strip().endswith("False")


def test_without_its_packages_the_command_says_what_to_install():
    """One sentence with the pip command, not a traceback."""
    code = "import sys; sys.modules['typer'] = None; from graph_memory.cli import main; sys.exit(main(['--help']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.strip().endswith("pip install 'graph-memory[cli]'")
    assert "Traceback" not in done.stderr


def test_the_demo_finds_what_it_must_in_two_processes(tmp_path: Path):
    """The whole of it: 12 questions, figures for each, nothing wider than 80 columns, nothing left behind."""
    env = {**os.environ, "COLUMNS": "80", "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "graph_memory.cli", "demo"],
        capture_output=True,
        text=True,
        check=False,
        env=env,
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 declined" in done.stdout
    assert done.stdout.count("tokens,") >= 12
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert list(tmp_path.iterdir()) == []
