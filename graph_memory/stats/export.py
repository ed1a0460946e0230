"""Statistics as a file: everything as JSON, written whole or not at all. Figures and ids, no texts."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from graph_memory.stats.events import Call, Compressed, Decision, Event, event_value
from graph_memory.stats.report import StatsReport

VERSION = 1


def as_json(report: StatsReport, events: Sequence[Event], *, is_complete: bool) -> str:
    """The report on all time and the events, oldest first; `is_complete` says whether the events are all there were."""
    value = {
        "version": VERSION,
        "report": report.to_value(),
        "events_are_complete": is_complete,
        "decisions": [event_value(event) for event in events if isinstance(event, Decision)],
        "calls": [event_value(event) for event in events if isinstance(event, Call)],
        "compressions": [event_value(event) for event in events if isinstance(event, Compressed)],
    }
    return json.dumps(value, indent=2, allow_nan=False)


def write_whole(path: Path, text: str) -> None:
    """Writes a file that a reader sees as it was before or as it is to be, never in between; its owner alone may read it.

    Raises:
        OSError: the folder is missing, or cannot be written to; the file is as it was.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
