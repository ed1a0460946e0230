"""The code in README.md and docs/ runs as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


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
    dates = re.compile(r"\d{4}-\d\d-\d\d")
    assert dates.sub("DATE", done.stdout).strip() == dates.sub("DATE", promised).strip()
    assert (tmp_path / "memory.db").exists()


def test_time_travel_prints_what_the_page_says(tmp_path: Path) -> None:
    """The fork of docs/time-travel.md, in an empty folder."""
    page = "docs/time-travel.md"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", blocks(page, "python")[0]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout == next(block for block in blocks(page, "") if block.startswith("on this line"))


def test_the_import_of_the_page_finds_what_it_brought(tmp_path: Path) -> None:
    """The code of docs/migration.md, in an empty folder."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", blocks("docs/migration.md", "python")[0]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout == "imported: 1 fact of ada\nAda's dog is called Rex.\n"


DOCUMENTS = sorted(str(page.relative_to(ROOT)) for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    """Relative links name files of the repository."""
    page = ROOT / document
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
