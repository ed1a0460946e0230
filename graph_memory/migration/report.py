"""What an import did, or would do: counts of what is new and known, and of what was skipped and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from graph_memory.migration.records import Fault, on_a_line

SAMPLES = 5
"""Samples that a report keeps."""

_SHOWN = 80

KINDS = ("message", "fact", "value", "item")
"""What is counted: messages of conversations, facts, values under keys, items of an export."""


class Sample(NamedTuple):
    """One of what was read: what it is called in its source, whose it becomes, and how its text begins."""

    where: str
    user: str
    text: str


@dataclass(slots=True)
class ImportReport:
    """What came of an import.

    Attributes:
        dry_run: whether nothing was written.
        new, known: how many were written (in a dry run: would be), and how many were there already, by kind (`KINDS`).
        users, threads: ids of those that something was read of.
        skipped: why something was not used, to how often.
        first: the first of each reason.
        samples: the first that were new.
    """

    dry_run: bool = False
    new: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    users: set[str] = field(default_factory=set)
    threads: set[tuple[str, str]] = field(default_factory=set)
    skipped: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)

    def count(self, kind: str, sample: Sample, *, is_known: bool) -> None:
        """Counts one that could be used."""
        self.users.add(sample.user)
        (self.known if is_known else self.new)[kind] += 1
        if not is_known and len(self.samples) < SAMPLES:
            self.samples.append(Sample(on_a_line(sample.where), sample.user, on_a_line(sample.text, _SHOWN)))

    def skip(self, fault: Fault) -> None:
        """Counts one that could not."""
        self.skipped[fault.reason] += 1
        self.first.setdefault(fault.reason, on_a_line(fault.where))

    def sentence(self) -> str:
        """The counts on one line."""
        new = _counts(self.new) or ("nothing new" if self.known or not self.skipped else "nothing")
        whose = on_a_line(next(iter(self.users))) if len(self.users) == 1 else _plural(len(self.users), "user")
        within = f" in {_plural(len(self.threads), 'thread')}" if self.threads else ""
        of = f" of {whose}{within}" if self.new else ""
        parts = [f"{'would import' if self.dry_run else 'imported'}: {new}{of}"]
        if self.known:
            parts.append(f"{_counts(self.known)} known already")
        if self.skipped:
            parts.append(f"{self.skipped.total():,} skipped")
        return "; ".join(parts)

    def reasons(self) -> list[str]:
        """A line for each reason why something was skipped, the most frequent first."""
        return [
            f"skipped {count:,}: {reason} (first: {self.first[reason]})" for reason, count in self.skipped.most_common()
        ]


def _counts(counts: Counter[str]) -> str:
    return ", ".join(_plural(counts[kind], kind) for kind in KINDS if counts[kind])


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
