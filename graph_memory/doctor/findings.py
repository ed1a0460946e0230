"""What an examination finds, and what all back ends are asked: packages and latency. Pure but for the installed versions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import Literal

Grade = Literal["ok", "warn", "fail"]

ROUND_TRIPS = 7
_SLOW = 50.0  # milliseconds; a turn makes some six round trips


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        grade: "ok"; "warn" when it works and something may be lost or slow; "fail" when it does not work.
        subject: what it is about, in a word or two.
        says: what was found.
        mend: the command or the change that mends it; "" where there is nothing to mend.
    """

    grade: Grade
    subject: str
    says: str
    mend: str = ""


def packages(*names: str) -> Finding:
    """The versions of what is installed here."""
    wanted = ("graph-memory", "langgraph", "langgraph-checkpoint", *names)
    return Finding("ok", "packages", ", ".join(f"{name} {_version(name)}" for name in wanted))


def latency(milliseconds: Iterable[float]) -> Finding:
    """How long round trips take."""
    p50 = median(milliseconds)
    if p50 > _SLOW:
        return Finding(
            "warn", "latency", f"a round trip takes {p50:.0f} ms", "run the application nearer to the server"
        )
    return Finding("ok", "latency", f"a round trip takes {p50:.2g} ms")


def timed(round_trip: Callable[[], object]) -> list[float]:
    """Milliseconds of some round trips."""
    found = []
    for _ in range(ROUND_TRIPS):
        began = time.perf_counter()
        round_trip()
        found.append((time.perf_counter() - began) * 1e3)
    return found


def waiting(expired: int, mend: str) -> Finding:
    """Items whose time to live is over and that are still kept."""
    if not expired:
        return Finding("ok", "expired", "no expired item is kept")
    return Finding(
        "ok" if expired < 10_000 else "warn", "expired", f"expired items that wait to be swept: {expired:,}", mend
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
