"""`graph-memory eval`: the table, the comparison, fitted weights, and one sentence for everything that can be wrong."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from graph_memory.cli import main, show
from graph_memory.cli.fitting import verdict
from graph_memory.evaluation.measures import Difference
from graph_memory.evaluation.options import read_memory

Command = Callable[..., tuple[int, str, str]]

TOPICS = ("beagle", "violin", "lighthouse", "sourdough", "glacier", "orchid")


def conversation(name: str, *, speaker: str = "Ada") -> dict[str, Any]:
    """Six topics, each asked about by Bo and told about by the speaker; questions of two categories."""
    turns = [
        {
            "id": f"{name}-{n}",
            "session": n // 4,
            "date": f"2025-0{1 + n // 4}-10T09:00",
            "speaker": speaker if n % 2 else "Bo",
            "text": f"My {TOPICS[n // 2]} is fine." if n % 2 else f"How is the {TOPICS[n // 2]} of yours?",
        }
        for n in range(12)
    ]
    questions = [
        {
            "id": f"{name}/{n}",
            "question": f"How is {speaker}'s {topic}?",
            "evidence": [f"{name}-{2 * n + 1}"],
            "category": "pet" if n == 0 else "thing",
        }
        for n, topic in enumerate(TOPICS)
    ]
    return {"id": name, "turns": turns, "questions": [*questions, {"question": "Who is Cy?", "evidence": []}]}


DATA = {"conversations": [conversation("one"), conversation("two", speaker="Cleo")]}


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Runs the command in a folder with data and settings; gives exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    write("data.json", DATA)
    Path("a.yaml").write_text("weights: {speaker: 0}\n", encoding="utf-8")
    Path("b.yaml").write_text("candidates: 50\nthreshold: 0.1\n", encoding="utf-8")

    def run(*args: str) -> tuple[int, str, str]:
        show.console.cache_clear()
        code = main(("eval", *args))
        said = capsys.readouterr()
        return code, said.out, said.err

    yield run
    show.console.cache_clear()


def write(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    Path(name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return name


def test_one_row_for_the_default_setting(cli: Command):
    """With every figure, within 80 columns, gzipped or not; what has no evidence is left out and said."""
    code, out, err = cli("data.json")

    assert (code, err) == (0, "")
    [row] = [line.split() for line in out.splitlines() if line.startswith("default")]
    assert row[1:4] == ["12", "100.0", "100.0"]
    assert len(row) == 11
    assert "nothing answers them: 2 questions" in out
    assert max(map(len, out.splitlines())) <= 80
    assert cli(write("data.json.gz", DATA))[1].split()[:20] == out.split()[:20]


def test_a_row_for_each_category(cli: Command):
    """Under the row of the setting; the first questions only where a limit is given."""
    out = cli("data.json", "--by-category", "--limit", "7")[1]

    assert [line.split()[:2] for line in out.splitlines()[2:5]] == [["default", "7"], ["pet", "2"], ["thing", "5"]]


@pytest.mark.parametrize(
    "args",
    [
        ["data.json", "--settings", "a.yaml", "b.yaml"],
        ["--settings", "a.yaml", "b.yaml", "data.json"],
        ["--settings", "a.yaml", "--settings", "b.yaml", "data.json"],
    ],
    ids=" ".join,
)
def test_two_settings_are_compared(cli: Command, args: list[str]):
    """However they are given; with the interval and p of each difference."""
    code, out, _ = cli(*args, "--json", "out.json")
    told = json.loads(Path("out.json").read_text(encoding="utf-8"))

    assert code == 0
    assert "b against a" in out
    assert set(told["compared"]) == {"R@10", "nDCG@10", "evidence@1000"}
    assert set(told["compared"]["R@10"]) == {"mean", "low", "high", "p"}
    assert [one["name"] for one in told["settings"]] == ["a", "b"]
    assert told["settings"][0]["options"]["weights"]["speaker"] == 0
    assert told["settings"][1]["options"]["candidates"] == 50


def test_machines_get_every_question(cli: Command):
    """What was found, and each measure; the overall figures are their means."""
    cli("data.json", "--json", "out.json")
    told = json.loads(Path("out.json").read_text(encoding="utf-8"))
    [setting] = told["settings"]
    first = setting["questions"][0]

    assert told["compared"] == {}
    assert told["without_evidence"] == 2
    assert setting["overall"]["questions"] == len(setting["questions"]) == 12
    assert (first["id"], first["conversation"], first["evidence"]) == ("one/0", "one", ["one-1"])
    assert set(first["found"]) <= {f"one-{n}" for n in range(12)}
    assert setting["overall"]["MRR"] == pytest.approx(sum(one["MRR"] for one in setting["questions"]) / 12)
    assert setting["by_category"]["pet"]["questions"] == 2


def test_a_transcript_with_questions_beside_it(cli: Command):
    """In the form that `ingest` takes, said_at and role included."""
    turns = [
        {"id": "1", "said_at": "2025-02-04T21:34:00+00:00", "role": "user", "text": "My dog Rex is a beagle."},
        {"id": "2", "said_at": "2025-02-04T21:35:00+00:00", "role": "assistant", "text": "A fine breed."},
    ]
    write("chat.jsonl", "\n".join(map(json.dumps, turns)))
    write("questions.json", [{"question": "What breed is my dog Rex?", "evidence": ["1"]}])

    code, out, _ = cli("chat.jsonl", "--questions", "questions.json")

    assert code == 0
    assert out.splitlines()[2].split()[:3] == ["default", "1", "100.0"]


def test_fitted_weights_are_written_and_judged(cli: Command):
    """On conversations that were left out; the file is a setting."""
    code, out, _ = cli("data.json", "--fit", "w.yaml", "--json", "fit.json")
    told = json.loads(Path("fit.json").read_text(encoding="utf-8"))

    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:3]] == ["one", "two"]
    assert "Fitting does not help here" in out
    assert Path("w.yaml").read_text(encoding="utf-8").startswith("weights:\n  words: ")
    assert told["weights"] == pytest.approx(asdict(read_memory(Path("w.yaml")).weights), rel=1e-3)
    assert {one["fold"] for one in told["held_out"]} == {"one", "two"}
    assert cli("data.json", "--settings", "w.yaml")[0] == 0


def test_a_gain_that_costs_elsewhere_says_so():
    """A mean over all questions hides on which of them it was lost."""
    gain = Difference(0.01, 0.005, 0.02, 0.001)

    assert "It costs on dates:" in verdict(gain, {"names": [(0.2, 0.5)], "dates": [(0.5, 0.4)]})
    assert verdict(gain, {"names": [(0.2, 0.5)]}).endswith("+2.0).")


def test_one_conversation_is_split_by_questions(cli: Command):
    """And that is said."""
    out = cli(write("one.json", conversation("one")), "--fit", "w.yaml", "--seed", "3")[1]

    assert "one conversation only: its questions are split in 5 parts" in out


ONE = DATA["conversations"][0]
BAD = {
    "prose.json": "Dear diary,",
    "nothing.json": {},
    "rows.json": {"conversations": 5},
    "turnless.json": {"conversations": [{"questions": []}]},
    "unasked.json": {"conversations": [{**ONE, "questions": []}]},
    "nobody.json": {"conversations": [{**ONE, "turns": [{"id": "1", "text": "Hello"}]}]},
    "astray.json": {"conversations": [{**ONE, "questions": [{"question": "Who?", "evidence": ["D9"]}]}]},
    "unlabelled.json": {"conversations": [{**ONE, "questions": [{"question": "Who?"}]}]},
    "wordless.json": {"conversations": [{**ONE, "questions": [{"evidence": ["one-1"]}]}]},
    "single.json": {"conversations": [{**ONE, "questions": ONE["questions"][:1]}]},
    "chat.jsonl": '{"id": "1", "role": "user", "text": "Hello"}\n{"id": "2", "role": "user", "text": "Ho"}',
    "empty.json": {"questions": []},
    "option.yaml": "canditates: 5",
    "signal.yaml": "weights: {wrods: 1}",
    "broken.yaml": "weights: {",
    "list.yaml": "- 1",
}


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["missing.json"], "No such file"),
        (["."], "Is a directory"),
        (["prose.json"], "prose.json is not JSON (Expecting value at line 1)"),
        (["torn.json.gz"], "torn.json.gz is a damaged gzip file"),
        (["nothing.json"], "nothing.json, conversation 1 has no turns"),
        (["rows.json"], "rows.json holds no conversations; expected {"),
        (["turnless.json"], "turnless.json, conversation 1 has no turns"),
        (["unasked.json"], "unasked.json holds no question with evidence"),
        (["nobody.json"], "nobody.json, conversation one, turn 1: nobody is named as speaking"),
        (["astray.json"], "conversation one, question 1: its evidence names 'D9', and no turn has that id"),
        (["unlabelled.json"], "question 1: its evidence is missing"),
        (["wordless.json"], "question 1: expected {"),
        (["chat.jsonl"], "a transcript in JSON Lines needs --questions FILE"),
        (["chat.jsonl", "--questions", "missing.json"], "No such file"),
        (["chat.jsonl", "--questions", "empty.json"], "empty.json holds no question with evidence"),
        (["chat.jsonl", "--questions", "nothing.json"], "nothing.json: the questions are no list"),
        (["data.json", "--settings", "missing.yaml"], "No such file"),
        (["data.json", "--settings", "option.yaml"], "no option 'canditates'; known are limit, candidates"),
        (["data.json", "--settings", "signal.yaml"], "no signal 'wrods'; known are words, coverage"),
        (["data.json", "--settings", "broken.yaml"], "broken.yaml is not YAML (line 1"),
        (["data.json", "--settings", "list.yaml"], "list.yaml: expected a value for each option"),
        (["data.json", "--settings", "a.yaml", "a.yaml"], "the same settings are given twice"),
        (["data.json", "--settings", "a.yaml", "b.yaml", "--fit", "w.yaml"], "--fit starts from one setting"),
        (["data.json", "--json", "nowhere/out.json"], "give a file in a folder that exists"),
        (["single.json", "--fit", "w.yaml"], "weights cannot be fitted to a single question"),
        (["data.json", "--embed", "openai:text-embedding-3-small"], "set the environment variable OPENAI_API_KEY"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_user_gets_wrong_is_one_sentence(cli: Command, args: list[str], sentence: str):
    """On stderr, with exit code 1, without a traceback."""
    for name, value in BAD.items():
        write(name, value)
    Path("torn.json.gz").write_bytes(gzip.compress(json.dumps(DATA).encode())[:-20])

    code, out, err = cli(*args)

    assert (code, out) == (1, "")
    assert err.startswith("graph-memory: ")
    assert sentence in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("args", [[], ["data.json", "other.json"], ["data.json", "--limit", "0"]], ids=" ".join)
def test_a_wrong_call_says_how_to_call(cli: Command, args: list[str]):
    """Exit code 2 and the usage, as every command line does."""
    code, _, err = cli(*args)

    assert code == 2
    assert "Usage:" in err
