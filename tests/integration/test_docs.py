"""README.md and docs/ are true: the code runs and prints what they say, options have the defaults that they name, links lead
somewhere, and every public name is in the reference.

The Python blocks of a page are one script, in the order of the page; what it prints are the page's blocks of `text`. Where a page
needs a server, it takes the url from the environment.
"""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import graph_memory
from graph_memory.cli.app import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(str(page.relative_to(ROOT)) for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PAGES = [document for document in DOCUMENTS if document.startswith("docs/")]
SERVERS: dict[str, Callable[[pytest.FixtureRequest], str]] = {
    "DATABASE_URL": lambda request: str(request.getfixturevalue("postgres_url")),
    "REDIS_URL": lambda request: str(request.getfixturevalue("redis_server").url),
    "SUPABASE_URL": lambda request: str(request.getfixturevalue("supabase").url),
    "SUPABASE_KEY": lambda request: str(request.getfixturevalue("supabase").anon_key),
    "SUPABASE_TOKEN": lambda request: str(request.getfixturevalue("supabase").token("ada")),
}
"""What a page reads from the environment."""

OPTIONS = {
    "memories/index": "graph_memory.Memory",
    "memories/buffer": "graph_memory.BufferMemory",
    "memories/summary": "graph_memory.SummaryMemory",
    "memories/vector": "graph_memory.VectorMemory",
    "memories/working": "graph_memory.WorkingMemory",
    "memories/key-value": "graph_memory.KeyValueMemory",
    "memories/entity": "graph_memory.EntityMemory",
    "backends/sqlite": "graph_memory.stores.sqlite.SqliteStore",
    "backends/postgres": "graph_memory.stores.postgres.PostgresStore",
    "backends/redis": "graph_memory.stores.redis.RedisStore",
    "backends/supabase": "graph_memory.stores.supabase.SupabaseStore",
    "backends/tiered": "graph_memory.stores.tiered.TieredStore",
    "backends/encryption": "graph_memory.stores.encrypted.EncryptedStore",
}
"""Whose options a page lists, with their defaults; a memory's page those that are not `Memory`'s."""

NAMED_TEST = re.compile(r"`((?:tests/\w+/)?test_\w+\.py)(?:::(\w+))?`")
VARIES = re.compile(r"\d{4}-\d\d-\d\d|(?<=\()[0-9a-f]{8}(?=\))")
"""Dates, and the ids that the extractive reader quotes."""


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of one language; "" for those that name none."""
    parts = (ROOT / document).read_text(encoding="utf-8").split("```")[1::2]
    return [part.removeprefix(f"{language}\n") for part in parts if part.startswith(f"{language}\n")]


def test_the_first_block_of_the_readme_prints_what_it_says(tmp_path: Path) -> None:
    """Pasted into an empty file, run in an empty folder; only the date differs."""
    script = tmp_path / "first.py"
    script.write_text(blocks("README.md", "python")[0], encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    promised = next(block for block in blocks("README.md", "") if block.startswith("I was handed"))
    assert VARIES.sub("…", done.stdout).strip() == VARIES.sub("…", promised).strip()
    assert (tmp_path / "memory.db").exists()


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_a_page_prints_what_it_says(
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    """All its Python, one block after the other, in an empty folder; tokens are estimated, as without tiktoken's file."""
    code = "\n".join(blocks(page, "python"))
    for name, url_of in SERVERS.items():
        if f'"{name}"' in code:
            monkeypatch.setenv(name, url_of(request))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)

    exec(compile(code, page, "exec", dont_inherit=True), {"__name__": "__page__"})

    promised = "\n".join(VARIES.sub("…", block).strip() for block in blocks(page, "text"))
    assert VARIES.sub("…", capsys.readouterr().out).strip() == promised


def defaults_of(name: str) -> dict[str, Any]:
    """Option to default, of a memory or of a store; a memory's common ones only where it has others."""
    module, _, last = name.rpartition(".")
    found = getattr(import_module(module), last)
    if not is_dataclass(found):
        parameters = inspect.signature(found).parameters.values()
        return {one.name: one.default for one in parameters if one.default is not inspect.Parameter.empty}
    common = {} if found is graph_memory.Memory else {one.name: one.default for one in fields(graph_memory.Memory)}
    return {
        one.name: one.default if one.default_factory is MISSING else one.default_factory()
        for one in fields(found)
        if one.name not in common or common[one.name] != one.default
    }


@pytest.mark.parametrize("page", OPTIONS)
def test_options_have_the_defaults_that_a_page_names(page: str) -> None:
    """Each option has a row; a default that is no plain value is told in words."""
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"), re.M)
    told = {name: cell.strip("`") for name, cell in rows}
    plain = {}
    for name, cell in told.items():
        try:
            plain[name] = ast.literal_eval(cell)
        except (ValueError, SyntaxError):
            plain[name] = None

    for name, default in defaults_of(OPTIONS[page]).items():
        assert name in told, name
        is_plain = default is None or (
            isinstance(default, int | float | str | tuple | dict) and len(repr(default)) < 80
        )
        if is_plain and default is not MISSING:
            assert plain[name] == default, name
            assert told[name] == "None" or default is not None, name
        else:
            assert "None" not in told[name], name


def commands(document: str) -> list[str]:
    """What a document has one type into a shell after `graph-memory`."""
    return [
        line.partition("graph-memory ")[2]
        for block in blocks(document, "sh")
        for line in block.splitlines()
        if line.startswith("graph-memory ")
    ]


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_commands_are_there_with_their_options(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is parsed by the command itself, which does not run."""
    monkeypatch.chdir(tmp_path)
    group: Any = typer.main.get_command(app)
    for line in commands(page):
        name, *arguments = shlex.split(line, comments=True)

        assert name in group.commands, line
        group.commands[name].make_context(name, arguments)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    """Relative links name files of the repository."""
    page = ROOT / document
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize(
    "page", [page for page in PAGES if NAMED_TEST.search((ROOT / page).read_text(encoding="utf-8"))]
)
def test_named_tests_are_there(page: str) -> None:
    """By path and name, or by the name of a file alone."""
    for file, name in NAMED_TEST.findall((ROOT / page).read_text(encoding="utf-8")):
        there = [path for path in (ROOT / "tests").rglob("test_*.py") if path.as_posix().endswith(f"/{file}")]

        assert there, file
        assert not name or re.search(rf"def {name}\(", there[0].read_text(encoding="utf-8")), name


def test_the_reference_holds_every_public_name() -> None:
    """Once each."""
    told = re.findall(r"^::: graph_memory\.(\w+)$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.M)

    assert sorted(told) == [name for name in graph_memory.__all__ if not name.startswith("__")]


def test_every_page_is_in_the_navigation() -> None:
    """Of mkdocs.yml, once."""
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))

    assert sorted(leaves(config["nav"])) == [page.removeprefix("docs/") for page in PAGES]


def leaves(nav: Any) -> list[str]:
    """The pages of a navigation, in order."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in leaves(part)]
