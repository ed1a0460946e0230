"""`graph-memory doctor`: what is right with a place where memory is kept, and what is not, a line for each."""

from __future__ import annotations

from graph_memory.cli.show import console
from graph_memory.doctor import Finding, examine


def doctor(url: str, *, timeout_seconds: float) -> int:
    """The command; what the process exits with: 1 when something fails.

    Raises:
        ConfigurationError: it is no url of a place that can be examined.
    """
    found = examine(url, timeout_seconds=timeout_seconds)
    for one in found:
        console().print(line(one), soft_wrap=True)
    return int(any(one.grade == "fail" for one in found))


def line(one: Finding) -> str:
    """A finding as it is shown."""
    says = one.says if not one.mend else f"{one.says}: {one.mend}"
    return f"{one.grade:<5}{one.subject:<13}{says}"
