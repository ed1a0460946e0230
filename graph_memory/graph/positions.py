"""Where in its thread's lineage a turn was committed, as a value that outlives the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graph_memory.graph.commits import Commit
from graph_memory.graph.lineage import Head, Lineage

_PLAIN = ("root", "line", "operation", "is_retold", "part")


@dataclass(frozen=True, slots=True)
class Position:
    """Where in its thread's lineage a turn was committed: what the records that are made of it later are marked with.

    Attributes:
        root, line, head, operation, is_retold, part: as in `Commit`.
        heads: all heads of the thread before that commit.
    """

    root: str
    line: str
    head: Head
    operation: str
    heads: Mapping[str, Head] = field(default_factory=dict)
    is_retold: bool = False
    part: str = ""

    @classmethod
    def of(cls, commit: Commit, lineage: Lineage) -> Position:
        """That of a run's commit."""
        return cls(
            root=commit.root,
            line=commit.line,
            head=commit.head,
            operation=commit.operation,
            heads=lineage.heads,
            is_retold=commit.is_retold,
            part=commit.part,
        )

    @property
    def lineage(self) -> Lineage:
        """What its memory may see."""
        return Lineage(self.root, self.heads)

    @property
    def origin(self) -> dict[str, Any]:
        """The place that its records name."""
        return {"root": self.root, "line": self.line, "branch": self.head.branch, "commit": self.head.commit + 1}

    def to_value(self) -> dict[str, Any]:
        """As the store keeps it."""
        heads = {line: head.to_value() for line, head in self.heads.items()}
        return {**{name: getattr(self, name) for name in _PLAIN}, "head": self.head.to_value(), "heads": heads}

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> Position:
        """The position that `to_value` wrote."""
        heads = {line: Head.of(head) for line, head in value["heads"].items()}
        return cls(**{name: value[name] for name in _PLAIN}, head=Head.of(value["head"]), heads=heads)
