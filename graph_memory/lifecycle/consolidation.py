"""Consolidation: sessions become episodes, near-duplicates become one, what scores low goes, memos change tiers.

A dry run comes first and is the default: it makes the plan (`plans`) and shows it; the real run makes the same plan and does it.
Only vector memories are consolidated. What other memories keep means something by its id, and is theirs to tidy.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from langgraph.store.base import Item, ListNamespacesOp, MatchCondition, PutOp

from graph_memory.context.tokens import token_counter
from graph_memory.lifecycle.plans import Plan, Space, plan_of
from graph_memory.lifecycle.rules import ConsolidationReport, ConsolidationRules, Namespace
from graph_memory.lifecycle.writing import written
from graph_memory.memories.accesses import Access, accesses_beside, accesses_in
from graph_memory.memories.episodes.keeping import Keeper, episodes_beside
from graph_memory.memories.facts import ended_of
from graph_memory.memories.listing import listed
from graph_memory.memories.ranked import forget_notes
from graph_memory.memories.records import memos_in
from graph_memory.memories.vector import VectorMemory
from graph_memory.namespaces import label, user_prefix
from graph_memory.steps import Steps, StoreOps, arun, run
from graph_memory.types import Memo, utc

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

_PAGE = 1000


def consolidate(
    store: BaseStore,
    user_id: str,
    *,
    dry_run: bool = True,
    memory: VectorMemory | None = None,
    rules: ConsolidationRules | None = None,
    now: datetime | None = None,
) -> ConsolidationReport:
    """Tidies what a vector memory keeps of one user, for every agent; without `dry_run=False` it only says what it would do.

    Args:
        store: where the memos are.
        user_id: whose.
        dry_run: whether to change nothing.
        memory: the vector memory, whose name, episodes and TTL count; the default one when left out.
        rules: what may be done.
        now: the time that ages are measured from; the present when left out.

    Raises:
        ConfigurationError: a memo has a tier that does not exist.
        StoreError: the store failed; what was done until then is whole, and another run goes on from there.
    """
    at = utc(now or datetime.now(UTC))
    return run(
        consolidating(user_id, dry_run, memory or VectorMemory(), rules or ConsolidationRules(), at), store=store
    )


async def aconsolidate(
    store: BaseStore,
    user_id: str,
    *,
    dry_run: bool = True,
    memory: VectorMemory | None = None,
    rules: ConsolidationRules | None = None,
    now: datetime | None = None,
) -> ConsolidationReport:
    """`consolidate`, awaiting the store and the model."""
    at, chosen = utc(now or datetime.now(UTC)), rules or ConsolidationRules()
    return await arun(consolidating(user_id, dry_run, memory or VectorMemory(), chosen, at), store=store)


def consolidating(
    user_id: str, dry_run: bool, memory: VectorMemory, rules: ConsolidationRules, now: datetime
) -> Steps[ConsolidationReport]:
    """The body of both ways to call it."""
    plans = []
    for where in (yield from spaces_of(user_id, memory.name)):
        items = yield from listed(where)
        space = yield from _space(where, items, memory)
        plan = plan_of(space, rules, now)
        if not dry_run:
            yield from _carried_out(plan, {item.key: item for item in items}, memory)
        plans.append(plan.report)
    return ConsolidationReport(user_id, now, dry_run, tuple(plans))


def spaces_of(user_id: str, memory: str) -> Steps[list[Namespace]]:
    """The namespaces in which a memory keeps memos of a user: one for each agent."""
    prefix, found, offset = user_prefix(user_id), list[Namespace](), 0
    condition = (MatchCondition("prefix", prefix),)
    while True:
        operation = ListNamespacesOp(match_conditions=condition, limit=_PAGE, offset=offset)
        [page] = yield StoreOps([operation])
        if not page:
            return sorted(found)
        wanted = label("memory", memory)
        found += [where for where in map(tuple, page) if where[:2] == prefix and len(where) == 4 and where[3] == wanted]
        offset += len(page)


def _space(where: Namespace, items: list[Item], memory: VectorMemory) -> Steps[Space]:
    accesses = yield from accesses_in(where, memory.name)
    told = yield from listed(episodes_beside(where, memory.name))
    ended = yield from ended_of(where)  # kept for forks; one that repeats it must not be merged into it
    return Space(
        where=where,
        memory=memory.name,
        memos=tuple(
            accesses.get(memo.id, Access()).known_to(memo)
            for item, memo in memos_in(items)
            if item.namespace == where and item.key == memo.id and memo.id not in ended
        ),
        episodes=tuple(memo for _, memo in memos_in(told)),
        accesses=accesses,
        idle_seconds=memory.episodes.idle_seconds if memory.episodes else None,
    )


def _carried_out(plan: Plan, items: Mapping[str, Item], memory: VectorMemory) -> Steps[None]:
    where = plan.report.where
    if plan.sessions and memory.episodes is not None:
        keeper = Keeper(where, memory.name, memory.episodes, token_counter(), memory.ttl_minutes)
        yield from keeper.keep(plan.sessions)
    beside = accesses_beside(where, memory.name)
    puts = [_put(items[memo.id], memo, memory) for memo in plan.memos]
    puts += [PutOp(beside, key, access.to_value(), index=False) for key, access in plan.accesses.items()]
    puts += [PutOp(place, key, None) for key in plan.gone for place in (where, beside)]
    yield from written(puts)
    if puts:
        forget_notes()


def _put(item: Item, memo: Memo, memory: VectorMemory) -> PutOp:
    """The stored memo with what consolidation changes, and everything else as it was."""
    changed = {"metadata": dict(memo.metadata), "importance": memo.importance, "tier": memo.tier}
    return PutOp(item.namespace, item.key, {**item.value, **changed}, index=["search"], ttl=memory.ttl_minutes)
