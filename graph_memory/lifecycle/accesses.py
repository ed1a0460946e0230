"""How often memos were shown, counted beside them: one small item per memo, so that a memo itself never changes by being read.

Counting is no part of recalling. It is done after an answer, from the context that the answer had: by `count_accesses`, or in a
graph by a node that `access_node` makes. The same context counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import get_runtime
from langgraph.store.base import GetOp, Item, PutOp

from graph_memory.graph.runnables import GraphStep
from graph_memory.graph.scope import scope_of
from graph_memory.graph.state import CONTEXT
from graph_memory.memories.listing import listed
from graph_memory.namespaces import label, namespace
from graph_memory.steps import Steps, StoreOps, arun, run
from graph_memory.types import Context, Line, Memo, Scope, utc

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

DEFAULT = ("vector",)


@dataclass(frozen=True, slots=True)
class Access:
    """How a memo was used.

    Attributes:
        count: in how many contexts it stood.
        last_at: when it last did; None when it never did.
        relevance: its score in the last of them, 0–1.
        turn_id: the turn that the last of them was made for.
        moved_at: when the memo last changed its tier.
    """

    count: int = 0
    last_at: datetime | None = None
    relevance: float = 0.0
    turn_id: str = ""
    moved_at: datetime | None = None

    @classmethod
    def of(cls, item: Item | None) -> Access:
        """What is stored; never used when nothing is."""
        if item is None:
            return cls()
        value = item.value
        last_at, moved_at = (_moment(value.get(name)) for name in ("last_at", "moved_at"))
        return cls(int(value["count"]), last_at, float(value["relevance"]), str(value["turn"]), moved_at)

    def again(self, line: Line, turn_id: str, now: datetime) -> Access:
        """With one more context; the same when it is the one that was counted last."""
        if turn_id and turn_id == self.turn_id:
            return self
        return replace(self, count=self.count + 1, last_at=now, relevance=line.score, turn_id=turn_id)

    def to_value(self) -> dict[str, Any]:
        """As it is stored."""
        moments = {"last_at": self.last_at, "moved_at": self.moved_at}
        stamps = {name: at.isoformat() for name, at in moments.items() if at is not None}
        return {"count": self.count, "relevance": self.relevance, "turn": self.turn_id, **stamps}

    def known_to(self, memo: Memo) -> Memo:
        """The memo with its accesses."""
        return replace(memo, access_count=self.count, last_accessed_at=self.last_at)


def count_accesses(
    scope: Scope,
    context: Context,
    *,
    store: BaseStore,
    memories: Iterable[str] = DEFAULT,
    now: datetime | None = None,
) -> int:
    """Counts what a context showed of these memories; two round trips, however much it was.

    Args:
        scope: whose memory.
        context: what the model was handed.
        store: where the memos are.
        memories: names of vector memories.
        now: the time of the access; the present when left out.

    Returns:
        How many memos were counted; those that this turn's context was counted for already are not.

    Raises:
        ConfigurationError: the scope names neither a user nor a thread.
        StoreError: the store failed.
    """
    return run(_counting(scope, context, tuple(memories), now or datetime.now(UTC)), store=store)


async def acount_accesses(
    scope: Scope,
    context: Context,
    *,
    store: BaseStore,
    memories: Iterable[str] = DEFAULT,
    now: datetime | None = None,
) -> int:
    """`count_accesses`, awaiting the store."""
    return await arun(_counting(scope, context, tuple(memories), now or datetime.now(UTC)), store=store)


def access_node(memories: Iterable[str] = DEFAULT) -> GraphStep:
    """A graph's node that counts what `memory_context` showed. Put it after the LLM node, beside whatever else follows.

    It changes no state, and does nothing where there is no context, no store or nobody to remember for.
    """
    names = tuple(memories)

    def steps(state: Any, config: RunnableConfig) -> Steps[int] | None:
        found = state.get(CONTEXT) if isinstance(state, Mapping) else getattr(state, CONTEXT, None)
        scope = scope_of(config, get_runtime())
        if not isinstance(found, Context) or scope.is_empty or get_runtime().store is None:
            return None
        return _counting(scope, found, names, datetime.now(UTC))

    def call(state: Any, config: RunnableConfig) -> dict[str, Any]:
        if (counting := steps(state, config)) is not None:
            run(counting, store=get_runtime().store)
        return {}

    async def acall(state: Any, config: RunnableConfig) -> dict[str, Any]:
        if (counting := steps(state, config)) is not None:
            await arun(counting, store=get_runtime().store)
        return {}

    return GraphStep(call, acall, name="count_accesses")


def accesses_beside(where: tuple[str, ...], memory: str) -> tuple[str, ...]:
    """The namespace of the counts of a memory's memos, beside its own."""
    return (*where[:-1], label("memory", f"{memory}/accesses"))


def accesses_in(where: tuple[str, ...], memory: str) -> Steps[dict[str, Access]]:
    """Memo id to how it was used, for all memos of one namespace that were."""
    items = yield from listed(accesses_beside(where, memory))
    return {item.key: Access.of(item) for item in items}


def _counting(scope: Scope, context: Context, memories: tuple[str, ...], now: datetime) -> Steps[int]:
    lines = [line for line in context.kept if line.memory in memories and line.memo_id]
    places = [accesses_beside(namespace(scope, line.memory), line.memory) for line in lines]
    items = yield StoreOps([GetOp(where, line.memo_id) for where, line in zip(places, lines, strict=True)])
    known = [Access.of(item) for item in items]
    now_known = [access.again(line, context.turn_id, now) for access, line in zip(known, lines, strict=True)]
    puts = [
        PutOp(where, line.memo_id, after.to_value(), index=False)
        for where, line, before, after in zip(places, lines, known, now_known, strict=True)
        if after != before
    ]
    yield StoreOps(puts)
    return len(puts)


def _moment(stamp: Any) -> datetime | None:
    return utc(datetime.fromisoformat(stamp)) if stamp else None
