"""What the tests of `graph-memory doctor` share."""

from __future__ import annotations

from typer.testing import CliRunner

from graph_memory.cli.app import app


def told(url: str, *options: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """What the command exits with, and its lines: subject to grade and words; the last of each."""
    result = CliRunner().invoke(app, ["doctor", url, *options])
    lines = [line.split(maxsplit=2) for line in result.output.splitlines()]
    return result.exit_code, {subject: (grade, words) for grade, subject, words in lines}
