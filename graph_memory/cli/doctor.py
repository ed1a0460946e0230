"""`graph-memory doctor`: what is right with a place where memory is kept, and what is not, a line for each."""

from __future__ import annotations

import os

from graph_memory.cli.show import console
from graph_memory.doctor import Finding, examine
from graph_memory.opening import options_from_env


def doctor(url: str, *, timeout_seconds: float, **options: str | None) -> int:
    """The command; what the process exits with: 1 when something fails.

    Args:
        options: of `open_store`, where they were given; the environment may give others.

    Raises:
        ConfigurationError: it is no url of a memory, or an option does not belong to it.
    """
    given = options_from_env(url, os.environ, of="store") | {
        name: option for name, option in options.items() if option is not None
    }
    found = examine(url, timeout_seconds=timeout_seconds, **given)
    for one in found:
        console().print(line(one), soft_wrap=True)
    return int(any(one.grade == "fail" for one in found))


def line(one: Finding) -> str:
    """A finding as it is shown."""
    says = one.says if not one.mend else f"{one.says}: {one.mend}"
    return f"{one.grade:<5}{one.subject:<13}{says}"
