"""The figures themselves: sums for ever, sums by workspace and scope, and the newest events. Not thread-safe: its owner locks."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from graph_memory.stats.events import Decision, Event, Path
from graph_memory.stats.report import StatsReport, report_of
from graph_memory.types import Scope


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events a report is about; None takes all."""

    workspace: str | None = None
    user_id: str | None = None
    agent: str | None = None
    thread_id: str | None = None

    def takes(self, workspace: str, scope: Scope) -> bool:
        """Whether what was recorded for these belongs to the report."""
        return (
            self.workspace in (None, workspace)
            and self.user_id in (None, scope.user_id)
            and self.agent in (None, scope.agent)
            and self.thread_id in (None, scope.thread_id)
        )


EVERYTHING = Filter()


@dataclass(slots=True)
class Tally:
    """Figures added up, and the newest decision among them."""

    sums: defaultdict[Path, float] = field(default_factory=lambda: defaultdict(float))
    newest: Decision | None = None

    def add(self, event: Event) -> None:
        """Counts an event."""
        for path, amount in event.figures():
            self.sums[path] += amount
        if isinstance(event, Decision):
            self._see(event)

    def merge(self, other: Tally) -> None:
        """Counts all that the other counted."""
        for path, amount in other.sums.items():
            self.sums[path] += amount
        if other.newest is not None:
            self._see(other.newest)

    def report(self, *, is_complete: bool) -> StatsReport:
        """The report on what was counted."""
        return report_of(self.sums, self.newest, is_complete=is_complete)

    def _see(self, decision: Decision) -> None:
        if self.newest is None or decision.at >= self.newest.at:
            self.newest = decision


class Book:
    """Keeps `capacity` events and the sums of `scopes` scopes; what goes first is what was not written to for longest.

    Attributes:
        lost_until: the time of the newest event that was let go; None while there are all.
    """

    __slots__ = ("_by_scope", "_capacity", "_events", "_has_lost_scopes", "_scopes", "_total", "lost_until")

    def __init__(self, capacity: int, scopes: int) -> None:
        self._capacity, self._scopes = capacity, scopes
        self._events: deque[Event] = deque()
        self._total = Tally()
        self._by_scope: OrderedDict[tuple[str, Scope], Tally] = OrderedDict()
        self._has_lost_scopes = False
        self.lost_until: datetime | None = None

    def add(self, event: Event) -> None:
        """Counts an event and keeps it."""
        self._total.add(event)
        place = (event.workspace, event.scope)
        self._by_scope.setdefault(place, Tally()).add(event)
        self._by_scope.move_to_end(place)
        if len(self._by_scope) > self._scopes:
            self._by_scope.popitem(last=False)
            self._has_lost_scopes = True
        self._events.append(event)
        if len(self._events) > self._capacity:
            lost = self._events.popleft().at
            self.lost_until = lost if self.lost_until is None else max(lost, self.lost_until)

    def events(self) -> list[Event]:
        """The events that are kept, in the order in which they were recorded."""
        return list(self._events)

    def report(self, wanted: Filter) -> StatsReport:
        """The report on all time."""
        if wanted == EVERYTHING:
            return self._total.report(is_complete=True)
        tally = Tally()
        for (workspace, scope), one in self._by_scope.items():
            if wanted.takes(workspace, scope):
                tally.merge(one)
        return tally.report(is_complete=not self._has_lost_scopes)


def window_report(
    events: Iterable[Event], wanted: Filter, start: datetime, end: datetime, *, lost_until: datetime | None
) -> StatsReport:
    """The report on what happened after `start` and until `end`, made from the events that are kept."""
    tally = Tally()
    for event in events:
        if start < event.at <= end and wanted.takes(event.workspace, event.scope):
            tally.add(event)
    return tally.report(is_complete=lost_until is None or lost_until <= start)
