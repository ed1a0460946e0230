"""A store as one line of a thread sees it: without what abandoned lines remembered, and marking what this one writes as its own.

Memories know nothing of forks: they are handed a view in place of the store. Reading, it drops records that are not in the line's
past and asks for more where that leaves too few. Writing, it marks every new record with its place and takes the slot of the
commit in the same batch (`graph_memory.graph.commits`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from langgraph.store.base import Item, Op, SearchOp

from graph_memory.errors import ConflictError
from graph_memory.expiry import keeps_ttl
from graph_memory.graph.commits import Commit
from graph_memory.graph.lineage import Lineage
from graph_memory.memories.followers import follower_of, message_of, origin_of, place_of, without_follower
from graph_memory.stores.claims import takes_claims
from graph_memory.stores.hits import Hits

_MOST = 10_000
"""How many results a search is widened to at most, when those of abandoned lines crowd it."""

Exchange = Generator[list[Any], list[Any], list[Any]]


@dataclass(frozen=True)
class LineageView:
    """What memories use as their store.

    Attributes:
        store: the store beneath.
        lineage: what is seen.
        commit: where records go that are written; None for a view that is only read from.
    """

    store: Any
    lineage: Lineage
    commit: Commit | None = None
    _standings: dict[str, tuple[bool, bool]] = field(init=False, repr=False, compare=False, default_factory=dict)

    @property
    def supports_ttl(self) -> bool:
        """As the store beneath."""
        return keeps_ttl(self.store)

    @property
    def ranking(self) -> str:
        """As the store beneath; "unknown" where it does not say."""
        return getattr(self.store, "ranking", "unknown")

    def batch(self, ops: Iterable[Op]) -> list[Any]:
        """The operations' results, as this line sees them.

        Raises:
            ForkedError: somebody else holds the commit's slot; nothing was written.
        """
        exchange = self._exchange(list(ops))
        try:
            sent = next(exchange)
            while True:
                try:
                    results = self.store.batch(sent)
                except ConflictError as exc:
                    sent = exchange.throw(exc)
                else:
                    sent = exchange.send(results)
        except StopIteration as stop:
            return list(stop.value)

    async def abatch(self, ops: Iterable[Op]) -> list[Any]:
        """`batch`, awaiting the store.

        Raises:
            ForkedError: somebody else holds the commit's slot; nothing was written.
        """
        exchange = self._exchange(list(ops))
        try:
            sent = next(exchange)
            while True:
                try:
                    results = await self.store.abatch(sent)
                except ConflictError as exc:
                    sent = exchange.throw(exc)
                else:
                    sent = exchange.send(results)
        except StopIteration as stop:
            return list(stop.value)

    def _exchange(self, ops: list[Op]) -> Exchange:
        """What is asked of the store beneath, in one round trip where nothing is hidden."""
        asked = [_from_the_start(op) for op in ops]
        if self.commit is None:
            results = yield asked
        else:
            results = yield from self.commit.exchange(asked, takes_claims(self.store), self.lineage.sees)
        seen: list[Any] = [self._seen(result) for result in results]
        wanted = [op.limit if isinstance(op, SearchOp) else 0 for op in asked]
        while more := _too_few(asked, wanted, results, seen):
            wider = [_wider(asked[at]) for at in more]
            for at, op, result in zip(more, wider, (yield [*wider]), strict=True):
                asked[at], results[at], seen[at] = op, result, self._seen(result)
        return [_page(op, result) for op, result in zip(ops, seen, strict=True)]

    def _seen(self, result: Any) -> Any:
        if isinstance(result, Item):
            return self._item(result)
        if not isinstance(result, list):
            return result
        known = set[Any]() if self.lineage.is_forked else None
        kept = [seen for one in result if (seen := self._item(one, known)) is not None]
        return Hits(kept, result.statistics) if isinstance(result, Hits) else kept

    def _item(self, item: Any, known: set[Any] | None = None) -> Any:
        """The item as this line knows it; None when it does not.

        Args:
            item: what the store gave.
            known: messages that a memo was seen of. One that had to be told again after a fork got another memo there.
        """
        if not isinstance(item, Item):
            return item
        is_seen, is_mine = self._standing(item)
        if not is_seen or (known is not None and is_mine and self._is_known(item, known)):
            return None
        follower = follower_of(item)
        if follower is not None and not self.lineage.sees(follower):
            item = copy(item)  # LangGraph's InMemoryStore hands out its own
            item.value = without_follower(item.value, self.lineage.sees)
        return item

    def _standing(self, item: Item) -> tuple[bool, bool]:
        """Whether the line sees a record, and whether it is one of this thread's commits; worked out once a commit."""
        place = None if self.lineage.edited else place_of(item)  # then a commit's records are not all alike
        if place is not None and place in self._standings:
            return self._standings[place]
        origin = origin_of(item)
        if origin is None:
            return True, False
        is_mine = origin.get("branch") is not None and origin.get("root") == self.lineage.root
        found = (self.lineage.sees(origin), is_mine)
        if place is not None:
            self._standings[place] = found
        return found

    def _is_known(self, item: Item, known: set[Any]) -> bool:
        message = message_of(item)
        key = (item.namespace, message)
        if not message or key not in known:
            known.add(key)
            return False
        return True


def _too_few(asked: Sequence[Op], wanted: Sequence[int], results: Sequence[Any], seen: Sequence[Any]) -> list[int]:
    """Searches of which fewer are seen than wanted, while the store may have more."""
    return [
        at
        for at, op in enumerate(asked)
        if isinstance(op, SearchOp) and len(seen[at]) < wanted[at] and len(results[at]) == op.limit < _MOST
    ]


def _from_the_start(op: Op) -> Op:
    """A later page is cut from what is seen, so everything before it is needed."""
    return op._replace(limit=op.limit + op.offset, offset=0) if isinstance(op, SearchOp) and op.offset else op


def _wider(op: Op) -> Op:
    return op._replace(limit=min(_MOST, op.limit * 2)) if isinstance(op, SearchOp) else op


def _page(op: Op, result: Any) -> Any:
    if not isinstance(op, SearchOp) or (len(result) <= op.limit and not op.offset):
        return result
    page = result[op.offset : op.offset + op.limit]
    return Hits(page, result.statistics) if isinstance(result, Hits) else page


def seen_by(lineage: Lineage | None, store: Any) -> Any:
    """The store for reading alone, with abandoned lines hidden; itself where there is no lineage."""
    return store if store is None or lineage is None else LineageView(store, lineage)
