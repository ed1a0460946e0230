"""The package as a user installs it: a built wheel in a fresh virtual environment, with nothing but what it depends on.

It takes pip and a package index. Without an index the test is skipped, on CI it fails.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.integration.test_docs import ROOT, blocks

NAMES = """
import graph_memory
from graph_memory.sql_files import migrations
for name in graph_memory.__all__:
    try:
        getattr(graph_memory, name)
    except graph_memory.MissingExtraError as error:
        print(name, str(error).partition("pip install ")[2])
print(len(migrations()))
"""


def run(command: list[str], folder: Path, *, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    """A command that sees nothing of this checkout nor of its environment."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "GRAPH_MEMORY_", "VIRTUAL_ENV"))}
    return subprocess.run(
        command, cwd=folder, env={**env, "PYTHONUTF8": "1"}, capture_output=True, encoding="utf-8", timeout=seconds
    )


def pip(*arguments: str, folder: Path) -> None:
    """Runs pip.

    Raises:
        pytest.skip.Exception: there is no index to install from.
    """
    done = run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], folder)
    if done.returncode and re.search("Connection|No matching distribution|Temporary failure", done.stderr):
        missing = f"no package index: {done.stderr.strip().splitlines()[-1]}"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    assert done.returncode == 0, done.stderr


def built(folder: Path) -> Path:
    """The wheel of this checkout."""
    pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT), folder=folder)
    [wheel] = folder.glob("*.whl")
    return wheel


def installed(wheel: Path, folder: Path) -> Path:
    """The Python of a fresh environment with the wheel and its default dependencies."""
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip("--python", str(python), "install", "--quiet", str(wheel), folder=folder)
    return python


def missing_from(wheel: Path) -> set[str]:
    """Files of the package that the wheel lacks."""
    package, sql = ROOT / "graph_memory", ROOT / "sql"
    wanted = {f"graph_memory/{path.relative_to(package).as_posix()}" for path in package.rglob("*.*")}
    wanted |= {f"graph_memory/sql/{path.name}" for path in sql.iterdir()}
    return {name for name in wanted if not name.endswith(".pyc")} - set(zipfile.ZipFile(wheel).namelist())


def test_a_fresh_environment_runs_what_the_readme_shows(tmp_path: Path) -> None:
    """Its first block of Python, pasted into an empty file; every public name is there, or says which extra it needs."""
    for name in ("wheel", "venv", "empty"):
        (tmp_path / name).mkdir()
    wheel, empty = built(tmp_path / "wheel"), tmp_path / "empty"
    python = installed(wheel, tmp_path / "venv")
    (empty / "first.py").write_text(blocks("README.md", "python")[0], encoding="utf-8")

    first = run([str(python), "-W", "error", "first.py"], empty)
    names = run([str(python), "-W", "error", "-c", NAMES], empty)
    command = run([str(python.parent / "graph-memory"), "demo"], empty)

    promised = next(block for block in blocks("README.md", "") if block.startswith("I was handed"))
    dates = re.compile(r"\d{4}-\d\d-\d\d")
    assert dates.sub("DATE", first.stdout).strip() == dates.sub("DATE", promised).strip(), first.stderr
    assert names.stdout.split("\n")[:2] == [
        "MemoryMiddleware 'graph-memory[agents]'",
        str(len(list(ROOT.glob("sql/*.sql")))),
    ]
    assert "pip install 'graph-memory[cli]'" in command.stderr
    assert missing_from(wheel) == set()
