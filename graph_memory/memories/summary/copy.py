"""The copy of a thread's summary in the store: one memo a thread (and branch of it), replaced by each new one.

It is for searching, for forgetting, and for graphs without a checkpointer; what a checkpointed thread sees is its own state.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from langgraph.store.base import GetOp, Item, PutOp

from graph_memory.errors import ConflictError, StoreError
from graph_memory.memories.records import memo_id, stored
from graph_memory.memories.summary.record import Summary
from graph_memory.namespaces import namespace
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Memo, Origin, Scope, Turn

logger = logging.getLogger("graph_memory")

KIND = "summary"


@dataclass(frozen=True, slots=True)
class Copy:
    """Where one memory keeps the copy of one thread's summary.

    Attributes:
        where, key: namespace and key.
        memory: the memory's name.
    """

    where: tuple[str, ...]
    key: str
    memory: str

    @classmethod
    def of(cls, scope: Scope, memory: str, branch: str = "") -> Copy | None:
        """The copy of the scope's thread; None when the scope names no thread."""
        if scope.thread_id is None:
            return None
        return cls(namespace(scope, memory), memo_id(f"{scope.thread_id}/{branch}", "", memory), memory)

    def read(self) -> Steps[Summary]:
        """The summary that is there; an empty one when there is none, or no store that answers.

        Raises:
            ConflictError: this run is a fork that has to write elsewhere.
        """
        try:
            [item] = yield StoreOps([GetOp(self.where, self.key, refresh_ttl=False)])
        except ConflictError:
            raise
        except StoreError:
            return Summary()
        return Summary.of(item.value.get(KIND) or {}) if isinstance(item, Item) else Summary()

    def write(self, summary: Summary, turn: Turn) -> Steps[None]:
        """Replaces the copy. That it fails is not an error: the next one makes up for it.

        Raises:
            ConflictError: this run is a fork that has to write elsewhere.
        """
        memo = Memo(
            id=self.key,
            text=summary.as_text(),
            origin=Origin(root=turn.root, seq=summary.messages, memory=self.memory),
            said_at=turn.now,
            kind=KIND,
            session=turn.scope.thread_id or "",
        )
        value = {**stored(memo, ()), KIND: summary.to_value()}
        try:
            yield StoreOps([PutOp(self.where, self.key, value, index=["search"])])
        except ConflictError:
            raise
        except StoreError as exc:
            logger.info("memory %r keeps its summary in the thread's state alone: %s", self.memory, exc)
