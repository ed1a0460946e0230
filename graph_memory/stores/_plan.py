"""A batch as a back end carries it out: checked, reads apart from writes, the last write of a key only.

As LangGraph's own stores do it: the reads of a batch see the state before its writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from langgraph.store.base import GetOp, ListNamespacesOp, Op, PutOp, SearchOp

from graph_memory.stores._index import Indexed, indexed
from graph_memory.stores._ops import Namespace, check, to_json
from graph_memory.stores.claims import ClaimOp
from graph_memory.stores.eras import EraOp
from graph_memory.stores.swaps import SwapOp

Read = GetOp | SearchOp | ListNamespacesOp
_WRITES = (PutOp, ClaimOp)


@dataclass(frozen=True, slots=True)
class Write:
    """One item to keep, or to delete when `json` is None."""

    namespace: Namespace
    key: str
    json: str | None
    indexed: Indexed = field(default_factory=Indexed)
    ttl_minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Swap:
    """One item whose JSON becomes another, if it still is what was seen."""

    namespace: Namespace
    key: str
    seen: str
    json: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One checked batch.

    Attributes:
        size: number of operations, and of results.
        gets, questions: what is read by key, and by search or listing: position in the batch and operation.
        writes: one per item, in order.
        claims: slots that must be nobody else's; they are among the writes.
        eras: position in the batch and operation; a store that cannot tell leaves their results None.
        swaps: position in the batch and what is swapped.
    """

    size: int
    gets: Sequence[tuple[int, GetOp]]
    questions: Sequence[tuple[int, SearchOp | ListNamespacesOp]]
    writes: tuple[Write, ...]
    claims: tuple[ClaimOp, ...] = ()
    eras: Sequence[tuple[int, EraOp]] = ()
    swaps: Sequence[tuple[int, Swap]] = ()

    @property
    def reads(self) -> list[tuple[int, Read]]:
        """Both kinds, in the order of the batch."""
        return sorted([*self.gets, *self.questions], key=itemgetter(0))

    @property
    def queries(self) -> list[str]:
        """The different texts that are searched for."""
        return list(
            dict.fromkeys(
                op.query for _, op in self.questions if isinstance(op, SearchOp) and op.query and has_query(op)
            )
        )

    @property
    def texts(self) -> list[str]:
        """The different texts that the written items are found by."""
        return list(dict.fromkeys(text for write in self.writes for text in write.indexed.texts))


def plan(ops: Iterable[Op | ClaimOp | EraOp | SwapOp], fields: Sequence[str] | None) -> Plan:
    """The plan of a batch.

    Raises:
        ConfigurationError: an operation is malformed.
        StoreError: a value is not JSON.
    """
    batch = list(ops)
    gets: list[tuple[int, GetOp]] = []
    questions: list[tuple[int, SearchOp | ListNamespacesOp]] = []
    eras: list[tuple[int, EraOp]] = []
    swaps: list[tuple[int, Swap]] = []
    last: dict[tuple[Namespace, str], PutOp | ClaimOp] = {}
    for at, op in enumerate(batch):
        check(op)
        if isinstance(op, GetOp):
            gets.append((at, op))
        elif isinstance(op, _WRITES):
            last[op.namespace, op.key] = op
        elif isinstance(op, EraOp):
            eras.append((at, op))
        elif isinstance(op, SwapOp):
            swaps.append((at, Swap(op.namespace, op.key, op.seen, to_json(op.value))))
        else:
            questions.append((at, op))
    claims = tuple(op for op in batch if isinstance(op, ClaimOp)) if last else ()
    return Plan(len(batch), gets, questions, tuple(_write(op, fields) for op in last.values()), claims, eras, swaps)


def has_query(op: SearchOp) -> bool:
    """Whether a search ranks; a blank query lists, newest first."""
    return bool(op.query and op.query.strip())


def _write(op: PutOp | ClaimOp, fields: Sequence[str] | None) -> Write:
    if isinstance(op, ClaimOp):
        return Write(op.namespace, op.key, to_json(op.value))
    if op.value is None:
        return Write(op.namespace, op.key, None)
    json = to_json(op.value)
    return Write(op.namespace, op.key, json, indexed(op.value, op.index, fields), op.ttl)
