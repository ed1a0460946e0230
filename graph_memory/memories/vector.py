"""Vector memory: what was said, found again by meaning and by words, across threads.

One memo per message. The store gives candidates, by words and with an embedder by meaning; `context/ranking.py` ranks them by
many signals. On a foreign `BaseStore` the same ranking works with what that store gives: its own score, and the memos themselves.
A metadata filter and a memo's time of validity are checked here again, because stores differ in what they compare.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from langgraph.store.base import GetOp, Item, PutOp

from graph_memory.context.notes import asking
from graph_memory.context.ranking import RankingWeights
from graph_memory.context.scoring import freshness
from graph_memory.context.tokens import token_counter
from graph_memory.errors import ModelError
from graph_memory.memories.accesses import Accesses
from graph_memory.memories.base import Memory
from graph_memory.memories.episodes.keeping import Episodes, Keeper
from graph_memory.memories.episodes.recall import recalled_episodes, with_episodes
from graph_memory.memories.followers import followed, following
from graph_memory.memories.judging import judged
from graph_memory.memories.participants import Participants, place
from graph_memory.memories.ranked import ranked_search
from graph_memory.memories.records import is_valid_at, memo_id, memos_of, stored
from graph_memory.memories.searching import Found
from graph_memory.memories.showing import showable
from graph_memory.memories.vector_options import check_options
from graph_memory.messages import is_spoken
from graph_memory.models import ChatModel
from graph_memory.namespaces import namespace
from graph_memory.prompts import IMPORTANCE
from graph_memory.steps import Call, Steps, StoreOps, arun, run
from graph_memory.types import Memo, Query, Scope, Section, TokenCounter, Turn

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langgraph.store.base import BaseStore

logger = logging.getLogger("graph_memory")

Reranker = Callable[[str, Sequence[str]], Sequence[float]]
"""Scores texts for a question, higher is closer, on any scale: a cross-encoder's `predict`, wrapped."""


@dataclass(frozen=True, kw_only=True)
class VectorMemory(Memory):
    """Recalls what was said by meaning and by words.

    Attributes:
        limit: how many memos are considered for the context; the budget decides how many are shown.
        candidates: how many memos the store is asked for; they are ranked here.
        fill: where fewer than `candidates` match a question, how many of the newest are considered for the context too (of
            those whom it names, if it does); 0 for those alone that match. What asks nothing is not filled up.
        threshold: memos that score below are not recalled, 0–1.
        roles: message types that are remembered.
        weights: how much each ranking signal counts.
        reranker: has the last word about the order of the best `rerank` memos. When it fails, the order stays as it was.
        rerank: how many memos the reranker is given.
        freshness_weight: how much of the score is freshness, 0–1. Facts are not better for being new, so the default is 0
            and freshness only breaks ties.
        half_life_hours: age at which freshness has halved.
        ttl_seconds: how long a memo is kept after it was last written; None keeps it.
        filter: metadata that a memo must carry to be recalled.
        counts_accesses: counts, together with remembering, which memos the turn's context showed; promotion goes by it
            (`graph_memory.lifecycle.move_tiers`).
        importance_model: judges how much each message of a turn matters, in one call; None goes by rules. Remembering waits for
            it, which can be left to the background: see `remembers`.
        importance_prompt: what that model is told.
        episodes: how finished sessions are summarised and recalled; None keeps none.
    """

    kind: ClassVar[str] = "vector"
    heading: ClassVar[str] = "Said earlier, found by search:"

    name: str = "vector"
    limit: int = 200
    candidates: int = 200
    fill: int = 400
    threshold: float = 0.0
    roles: tuple[str, ...] = ("human", "ai")
    weights: RankingWeights = field(default_factory=RankingWeights)
    reranker: Reranker | None = None
    rerank: int = 50
    freshness_weight: float = 0.0
    half_life_hours: float = 168.0
    ttl_seconds: float | None = None
    filter: Mapping[str, Any] | None = None
    counts_accesses: bool = False
    importance_model: ChatModel | None = None
    importance_prompt: str = IMPORTANCE
    episodes: Episodes | None = field(default_factory=Episodes)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)

    def recall(self, query: Query) -> Steps[Section]:
        """The memos that answer the newest human message, best first."""
        if not query.text.strip():
            return self.section()
        wanted = {**(self.filter or {}), **(query.filter or {})}
        found = yield from self.searching(
            query.scope,
            query.text,
            wanted,
            self.limit,
            query.now.toordinal(),
            fill=self.fill if asking(query.text) else 0,
        )
        fresh = self._freshened([one for one in found if is_valid_at(one.memo, query.now)], query)
        limit = self.episodes.limit if self.episodes is not None else 0
        told = yield from recalled_episodes(replace(query, filter=wanted), self.name, limit=limit)
        return self.section(with_episodes(showable(fresh, query.budget_tokens), told, query.text))

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Stores one memo per message of the turn, and tells the memo before what followed it."""
        turn, spoken = turn.untold(), self._spoken(turn)
        if not spoken:
            return None
        where, seq = namespace(turn.scope, self.name), int(turn.state.get("seq", 0))
        memos = memos_of(turn, spoken, memory=self.name, first_seq=seq, tier=self.tier)
        if self.importance_model is not None:
            memos = yield from judged(memos, self.importance_model, self.importance_prompt, memory=self.name)
        unknown = memo_id(turn.stem, (turn.previous.id if turn.previous else "") or "", self.name)
        previous = turn.previous.id if turn.previous else None
        follows = turn.state.get("last") and turn.state.get("upto", previous) == previous
        before = str(turn.state["last"]) if follows else unknown  # in a fork it was written under another branch's id
        about, key = place(turn.scope, self.name)
        shown = Accesses.of(turn.scope, turn.shown if self.counts_accesses else (), turn.turn_id, turn.now)
        gets = [GetOp(about, key, refresh_ttl=False), GetOp(where, before, refresh_ttl=False)]
        answers = yield StoreOps([*gets, *shown.gets()])
        known = Participants.of(answers[0])
        now = known.with_memos(memos)
        followed = self._followed(where, answers[1] if turn.previous else None, memos[0])
        seen = {str(put.value["search"]) for put in followed if put.value and "search" in put.value}
        puts = [*followed, *self._puts(where, memos, now, previous=before if followed else "", seen=seen)]
        if now != known:
            puts.append(PutOp(about, key, now.to_value(), index=False))
        yield StoreOps([*puts, *shown.puts(answers[len(gets) :])])
        if (keeper := self.keeper(turn.scope, counter=turn.counter)) is not None:
            yield from keeper.after(turn, answers[1], memos)
        return self.state_after(turn)

    def state_after(self, turn: Turn) -> Mapping[str, Any] | None:
        """How many messages were remembered, the id of the last one's memo, and up to which message that was."""
        spoken = self._spoken(turn)
        if not spoken:
            return None
        last = memo_id(turn.stem, spoken[-1].id or "", self.name)
        return {"seq": int(turn.state.get("seq", 0)) + len(spoken), "last": last, "upto": turn.messages[-1].id}

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
        return run(self.searching(scope, query, filter, limit, datetime.now(UTC).toordinal()), store=store)

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
        return await arun(self.searching(scope, query, filter, limit, datetime.now(UTC).toordinal()), store=store)

    def keeper(self, scope: Scope, *, counter: TokenCounter | None = None) -> Keeper | None:
        """What writes this memory's episodes in a scope; None when it keeps none."""
        if self.episodes is None:
            return None
        return Keeper(
            namespace(scope, self.name), self.name, self.episodes, counter or token_counter(), self.ttl_minutes
        )

    def _spoken(self, turn: Turn) -> list[BaseMessage]:
        return [m for m in turn.untold().messages if is_spoken(m) and m.type in self.roles]

    def searching(
        self,
        scope: Scope,
        text: str,
        wanted: Mapping[str, Any] | None,
        limit: int,
        today: int | None = None,
        *,
        fill: int = 0,
    ) -> Steps[list[Found]]:
        """The body of `search` and `asearch`; `today` and `fill` are those of `ranked.ranked_search`."""
        pool, most = max(self.candidates, limit), max(limit, self.rerank if self.reranker is not None else 0)
        found = yield from ranked_search(
            scope,
            self.name,
            text,
            pool=pool,
            limit=most,
            filter=wanted,
            weights=self.weights,
            today=today,
            fill=fill,
        )
        if self.reranker is not None and found:
            found = yield from self._reranked(text, found)
        return found[:limit]

    def _reranked(self, text: str, found: list[Found]) -> Steps[list[Found]]:
        """The best in the reranker's order, with the scores that stood at those places before."""
        best, rest = found[: self.rerank], found[self.rerank :]
        try:
            answer = yield Call(self.reranker or list, (text, [one.memo.text for one in best]))
            scores = [float(score) for score in answer]
        except (ModelError, TypeError, ValueError):
            scores = []
        if len(scores) != len(best) or not all(map(math.isfinite, scores)):
            logger.warning("memory %r: the reranker failed, the order stays", self.name)
            return found
        order = sorted(range(len(best)), key=lambda i: -scores[i])
        moved = [
            replace(best[i], score=place.score, parts={**best[i].parts, "reranker": scores[i]})
            for i, place in zip(order, best, strict=True)
        ]
        return [*moved, *rest]

    def _freshened(self, found: Sequence[Found], query: Query) -> list[Found]:
        """Above the threshold, best first; the fresher of equals first."""
        mixed = []
        for one in found:
            age_hours = (query.now - one.memo.said_at).total_seconds() / 3600
            fresh = freshness(age_hours, self.half_life_hours)
            score = one.score * (1 - self.freshness_weight) + fresh * self.freshness_weight
            if one.score >= self.threshold:
                mixed.append(replace(one, score=score, parts={**one.parts, "freshness": fresh}))
        return sorted(mixed, key=lambda one: (-one.score, -one.memo.said_at.timestamp(), one.memo.id))

    def _puts(
        self,
        where: tuple[str, ...],
        memos: Sequence[Memo],
        participants: Participants,
        *,
        previous: str,
        seen: set[str],
    ) -> list[PutOp]:
        """A text that occurs twice in one batch is indexed once: LangGraph's InMemoryStore cannot embed it twice."""
        puts, ids = [], [previous, *(memo.id for memo in memos), ""]
        for i, memo in enumerate(memos):
            value = stored(memo, participants.speakers, previous=ids[i], following=ids[i + 2])
            index: Any = False if value["search"] in seen else ["search"]
            seen.add(value["search"])
            puts.append(PutOp(where, memo.id, value, index=index, ttl=self.ttl_minutes))
        return puts

    def _followed(self, where: tuple[str, ...], item: Item | None, memo: Memo) -> list[PutOp]:
        """The memo before, with what came after it."""
        if item is None:
            return []
        value = followed(item.value, following(memo))
        return [PutOp(where, item.key, value, index=["search"], ttl=self.ttl_minutes)]

    @property
    def ttl_minutes(self) -> float | None:
        """`ttl_seconds` as stores count it."""
        return None if self.ttl_seconds is None else self.ttl_seconds / 60
