"""`graph-memory export` and `graph-memory import`: one user's memory as JSON Lines, and memories from elsewhere."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import typer

from graph_memory.cli.settings import Settings
from graph_memory.cli.show import progress
from graph_memory.errors import ConfigurationError
from graph_memory.lifecycle.exporting import export_user, is_exportable
from graph_memory.migration import (
    ChatHistory,
    Export,
    LangGraphItems,
    LangGraphThreads,
    LangMem,
    Source,
    import_from,
)
from graph_memory.migration.jsonl import lines_of
from graph_memory.migration.records import on_a_line
from graph_memory.urls import parse

STANDARD = "-"

_OPTIONS = {
    "jsonl": ("from_user",),
    "langmem": ("namespace", "profile"),
    "chat-history": ("sessions", "table", "prefix"),
    "langgraph": ("namespace", "kept_as", "user_key", "messages_key"),
}
_CALLED = {"kept_as": "as"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be imported; None is what was not said."""

    kind: str
    source: str
    user: str | None = None
    from_user: str | None = None
    namespace: str | None = None
    profile: Sequence[str] | None = None
    kept_as: str | None = None
    sessions: str | None = None
    table: str | None = None
    prefix: str | None = None
    user_key: str | None = None
    messages_key: str | None = None

    def check(self) -> None:
        """Refuses options of another kind of source.

        Raises:
            ConfigurationError: names the first of them, and what it belongs to.
        """
        for kind, names in _OPTIONS.items():
            for name in names:
                if getattr(self, name) is not None and name not in _OPTIONS[self.kind]:
                    called = _CALLED.get(name, name).replace("_", "-")
                    raise ConfigurationError(f"--{called} belongs to --from {kind}, not to --from {self.kind}")

    def given(self, *names: str, **called: str) -> Mapping[str, Any]:
        """Those of the options that were said; `called` names those that a source calls otherwise."""
        options = {**{name: name for name in names}, **called}
        return {theirs: getattr(self, ours) for ours, theirs in options.items() if getattr(self, ours) is not None}


def export(settings: Settings, output: str) -> None:
    """The command; what is said about it goes to stderr, because stdout is the file.

    Raises:
        ConfigurationError: nothing is remembered of the user; what stands in the file stays.
        StoreError: the memory cannot be used.
        OSError: the file cannot be written.
    """
    with settings.open() as memory:
        if not is_exportable(memory.store, settings.user):
            raise ConfigurationError(
                f"nothing is remembered of user {settings.user!r} in {settings.place}, so nothing was written: name another by"
                " --user"
            )
        count = export_user(memory.store, settings.user, _utf8(sys.stdout) if output == STANDARD else output)
    typer.echo(f"exported: {count:,} {'item' if count == 1 else 'items'} of {settings.user}", err=True)


def take_in(settings: Settings, asked: Asked, *, dry_run: bool, strict: bool) -> None:
    """The command.

    Raises:
        ConfigurationError: the source or an option is wrong, or nothing would be kept; what stands before it is imported.
        StoreError: the memory or the source cannot be used.
    """
    asked.check()
    source = _source(asked, settings.user)  # before a memory is made for a file that is not there
    if not dry_run:
        settings.check_kept()
    elif _is_absent(settings.url):
        settings = replace(settings, url="sqlite://")
    with settings.open(create=True) as memory, progress("importing", None) as advance:
        report = import_from(source, memory.store, dry_run=dry_run, strict=strict, progress=advance)
    typer.echo(report.sentence())
    for line in report.reasons():
        typer.echo(f"  {line}")
    for sample in report.samples if dry_run else ():
        typer.echo(f"  {on_a_line(sample.user)}, {sample.where}: {sample.text}")


def _source(asked: Asked, user: str) -> Source:
    if asked.kind == "jsonl":
        if asked.source == STANDARD:
            return Export(_utf8(sys.stdin), user, asked.from_user)
        return lines_of(Path(asked.source), user, asked.from_user)
    named = asked.user or ""
    if asked.kind == "langmem":
        return LangMem(asked.source, user=named, **asked.given("namespace", profile="profiles"))
    if asked.kind == "chat-history":
        return ChatHistory(asked.source, user=named, **asked.given("sessions", "table", "prefix"))
    if asked.namespace is None:
        return LangGraphThreads(asked.source, user=named, **asked.given("user_key", "messages_key"))
    return LangGraphItems(asked.source, user=named, **asked.given("namespace", "kept_as"))


def _is_absent(url: str) -> bool:
    """Whether opening it would make a memory, in a file that is not there or is empty."""
    place = parse(url)
    if place.scheme != "sqlite" or place.path is None:
        return False
    file = Path(place.path)
    return not file.exists() or (file.is_file() and file.stat().st_size == 0)


def _utf8(stream: TextIO) -> TextIO:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8")
    return stream
