"""`graph-memory export` and `graph-memory import`: one user's memory as JSON Lines, out of one place and into another."""

from __future__ import annotations

import io
import sys
from typing import TextIO

import typer

from graph_memory.cli.settings import Settings
from graph_memory.lifecycle.exporting import export_user
from graph_memory.lifecycle.importing import import_user

STANDARD = "-"


def export(settings: Settings, output: str) -> None:
    """The command; what is said about it goes to stderr, because stdout is the file.

    Raises:
        StoreError: the memory cannot be used.
        OSError: the file cannot be written.
    """
    with settings.open() as memory:
        count = export_user(memory.store, settings.user, _utf8(sys.stdout) if output == STANDARD else output)
    typer.echo(f"exported: {_items(count)} of {settings.user}", err=True)


def take_in(settings: Settings, file: str, *, from_user: str | None) -> None:
    """The command.

    Raises:
        ConfigurationError: the file is another user's, or a line is wrong; what stands before it is imported.
        StoreError: the memory cannot be used.
        OSError: the file cannot be read.
    """
    if file != STANDARD:
        with open(file, "rb"):  # before a memory is made for a file that is not there
            pass
    source = _utf8(sys.stdin) if file == STANDARD else file
    with settings.open(create=True) as memory:
        count = import_user(memory.store, settings.user, source, from_user=from_user)
    typer.echo(f"imported: {_items(count)} of {settings.user}")


def _items(count: int) -> str:
    return f"{count:,} {'item' if count == 1 else 'items'}"


def _utf8(stream: TextIO) -> TextIO:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8")
    return stream
