"""Vector memory: what was said, found again by meaning and by words, across threads.

One memo per message. The store ranks: ours by words and, with an embedder, by meaning; a foreign `BaseStore` by whatever it
has. A metadata filter and a memo's time of validity are checked here again, because stores differ in what they compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from langgraph.store.base import GetOp, Item, PutOp

from graph_memory.context.scoring import freshness
from graph_memory.errors import ConfigurationError
from graph_memory.memories.base import Memory
from graph_memory.memories.records import clip_start, is_valid_at, line_of, memo_id, memos_of
from graph_memory.memories.searching import Found, searching
from graph_memory.messages import is_spoken, text_of
from graph_memory.namespaces import namespace
from graph_memory.steps import Steps, StoreOps, arun, run
from graph_memory.types import Memo, Query, Scope, Section, Snippet, Turn

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

INDEXED = ["text"]
"""The field of a memo that stores index."""


@dataclass(frozen=True, kw_only=True)
class VectorMemory(Memory):
    """Recalls what was said by meaning and by words.

    Attributes:
        limit: how many memos are considered for the context; the budget decides how many are shown.
        threshold: memos that score below are not recalled, 0–1.
        roles: message types that are remembered.
        freshness_weight: how much of the score is freshness, 0–1. Facts are not better for being new, so the default is 0
            and freshness only breaks ties.
        half_life_hours: age at which freshness has halved.
        ttl_seconds: how long a memo is kept after it was last written; None keeps it. Needs a store with TTL.
        filter: metadata that a memo must carry to be recalled.
    """

    kind: ClassVar[str] = "vector"
    heading: ClassVar[str] = "Said earlier, found by search:"

    name: str = "vector"
    limit: int = 100
    threshold: float = 0.0
    roles: tuple[str, ...] = ("human", "ai")
    freshness_weight: float = 0.0
    half_life_hours: float = 168.0
    ttl_seconds: float | None = None
    filter: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.limit < 1:
            raise ConfigurationError(f"memory {self.name!r} has limit {self.limit}: give 1 or more")
        if not 0 <= self.threshold <= 1 or not 0 <= self.freshness_weight <= 1:
            raise ConfigurationError(
                f"memory {self.name!r} has threshold {self.threshold} and freshness_weight {self.freshness_weight}:"
                " both lie in 0–1"
            )
        freshness(0.0, self.half_life_hours)

    def recall(self, query: Query) -> Steps[Section]:
        """The memos that answer the newest human message, best first."""
        if not query.text.strip():
            return self.section()
        found = yield from self._search(
            query.scope, query.text, {**(self.filter or {}), **(query.filter or {})}, self.limit
        )
        ranked = self._ranked([one for one in found if is_valid_at(one.memo, query.now)], query)
        return self.section(_snippet(one) for one in ranked)

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Stores one memo per message of the turn, and tells the memo before what followed it."""
        spoken = [m for m in turn.messages if is_spoken(m) and m.type in self.roles]
        if not spoken:
            return None
        where, seq = namespace(turn.scope, self.name), int(turn.state.get("seq", 0))
        memos = memos_of(turn, spoken, memory=self.name, first_seq=seq)
        puts = self._puts(where, memos)
        if turn.previous is not None and turn.previous.id:
            key = memo_id(turn.root, turn.previous.id, self.name)
            [before] = yield StoreOps([GetOp(where, key, refresh_ttl=False)])
            puts = [*self._followed(where, before, text_of(spoken[0])), *puts]
        yield StoreOps(puts)
        return {"seq": seq + len(memos)}

    def search(
        self,
        scope: Scope,
        query: str,
        *,
        store: BaseStore,
        limit: int = 10,
        filter: Mapping[str, Any] | None = None,
    ) -> list[Found]:
        """The `limit` memos that fit best, best first.

        Raises:
            StoreError: the store failed.
        """
        return run(self._search(scope, query, filter, limit), store=store)

    async def asearch(
        self,
        scope: Scope,
        query: str,
        *,
        store: BaseStore,
        limit: int = 10,
        filter: Mapping[str, Any] | None = None,
    ) -> list[Found]:
        """`search`, awaiting the store."""
        return await arun(self._search(scope, query, filter, limit), store=store)

    def _search(self, scope: Scope, text: str, wanted: Mapping[str, Any] | None, limit: int) -> Steps[list[Found]]:
        return (yield from searching(namespace(scope, self.name), text, limit=limit, filter=wanted))

    def _ranked(self, found: Sequence[Found], query: Query) -> list[Found]:
        """Above the threshold, best first; the fresher of equals first."""
        mixed = []
        for one in found:
            age_hours = (query.now - one.memo.said_at).total_seconds() / 3600
            fresh = freshness(age_hours, self.half_life_hours)
            score = one.score * (1 - self.freshness_weight) + fresh * self.freshness_weight
            if one.score >= self.threshold:
                mixed.append(Found(one.memo, score, {**one.parts, "freshness": fresh}))
        return sorted(mixed, key=lambda one: (-one.score, -one.memo.said_at.timestamp(), one.memo.id))

    def _puts(self, where: tuple[str, ...], memos: Sequence[Memo]) -> list[PutOp]:
        """A text that occurs twice in one batch is indexed once: LangGraph's InMemoryStore cannot embed it twice."""
        puts, seen = [], set()
        for memo in memos:
            index: Any = False if memo.text in seen else INDEXED
            seen.add(memo.text)
            puts.append(PutOp(where, memo.id, memo.to_value(), index=index, ttl=self._ttl_minutes))
        return puts

    def _followed(self, where: tuple[str, ...], item: Item | None, text: str) -> list[PutOp]:
        if item is None or item.value.get("after"):
            return []
        value = {**item.value, "after": clip_start(text)}
        return [PutOp(where, item.key, value, index=INDEXED, ttl=self._ttl_minutes)]

    @property
    def _ttl_minutes(self) -> float | None:
        return None if self.ttl_seconds is None else self.ttl_seconds / 60


def _snippet(found: Found) -> Snippet:
    memo = found.memo
    return Snippet(
        text=line_of(memo),
        score=found.score,
        parts=found.parts,
        memo_id=memo.id,
        source_ids=(memo.source,) if memo.source else (),
        said_at=memo.said_at,
    )
