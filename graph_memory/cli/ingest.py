"""`graph-memory ingest`: a transcript into one user's memory. A second run finds what the first one wrote."""

from __future__ import annotations

from pathlib import Path

from graph_memory.cli.settings import Settings
from graph_memory.cli.show import console, counting, progress
from graph_memory.errors import ConfigurationError
from graph_memory.migration import BadRecordError, Conversations, ImportReport, import_from


def ingest(settings: Settings, path: Path, *, conversation: int | None, human: str, skip_bad_lines: bool) -> None:
    """The command.

    Raises:
        ConfigurationError: the file or an option is wrong, or nothing would be kept; what could be read before is remembered.
        OSError: the file cannot be opened.
        StoreError: the memory cannot be used.
    """
    path.open("rb").close()  # before a memory is made for a file that is not there
    settings.scope()
    settings.check_kept()
    source = Conversations(path, settings.user, conversation, human, is_one_users=True)
    total = counting(path, conversation) if console().is_terminal else None
    with settings.open(create=True) as memory, progress(f"remembering {path.name}", total) as advance:
        try:
            report = import_from(source, memory.store, strict=not skip_bad_lines, progress=advance)
        except BadRecordError as exc:
            raise ConfigurationError(
                f"{path.name}, {exc.fault}. What stands before it is remembered; --skip-bad-lines goes on after it"
            ) from exc
    console().print(f"{path.name}: {_counts(report)}; in the memory of {settings.user}")


def _counts(report: ImportReport) -> str:
    new, known = report.new.total(), report.known.total()
    parts = [f"{new:,} new"] if new or not known else ["nothing new"]
    if known:
        parts.append(f"{known:,} known already")
    if report.skipped:
        reason, where = next(iter(report.first.items()))
        parts.append(f"{report.skipped.total():,} skipped (first: {where}: {reason})")
    return ", ".join(parts)
