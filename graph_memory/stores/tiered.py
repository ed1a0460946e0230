"""A fast store in front of a durable one: gets are served hot, everything is in the durable store before it is acknowledged.

What is hot: gets alone. A batch of nothing but gets is answered from copies in the hot store, and what is missing there is read
from the durable store and copied. Searches, lists and batches that hold one go to the durable store, whose ranking and filters
they get. Writes, claims, swaps and `put_if_absent` go there too, and what was written is then copied. What expires by itself is
never copied.

Why no read is older than what was acknowledged before it began:

- *Writers announce themselves.* Before a writer goes to the durable store, it puts its token into the hot slots of what it
  writes, by compare-and-put, and takes it out afterwards. While a token is there nobody serves or fills the slot. A reader
  fills a slot only if it still holds the reader's own claim from before it asked the durable store; a writer that came in
  between has replaced that. A writer fills a slot only if no other writer was there at any time. A writer that dies, or does
  not know whether it has written, leaves its token, which ends by itself after five minutes.
- *The gate.* A writer that cannot announce itself or sign off (the hot store is down, or only it cannot reach it) closes the
  gate, an item of the durable store, waits until no process can still believe that it is open (`trust_seconds`, once per
  outage), and writes past the hot store. Behind a closed gate nobody reads copies. Whoever finds that the hot store works again
  opens the gate under a new epoch; the epoch is part of every slot, so that no older copy counts, nor does one that was read by
  then. Who has written past the hot store asks once more for the gate, and if it was opened meanwhile, does as any writer does
  before it acknowledges; who does not know whether it has written, or cannot ask, leaves its token in the hot store at least.
- *Eras.* A Redis that starts again from its disk, or a replica that takes over, may know old copies and may have forgotten
  tokens. Slots carry what Redis calls its run id, and do not count under another.
- *Time* is not relied on for any of this but for `trust_seconds`, and for the five minutes of a dead writer.

What is given up, knowingly: a process that cannot reach the durable store goes on reading what was hot when it last could, and
so misses what others then write past the hot store. A writer that dies between its commit and its last step in the very moment
in which the hot store forgets its token or the gate opens, or that can reach neither store after its write was cut off with an
unknown outcome while the gate was closed, leaves a copy that may be wrong until it ends (`hot_seconds`). So does whoever writes
to the durable store without the tier.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Literal

from langgraph.store.base import BaseStore, Op, PutOp, Result

from graph_memory.blocks import Block
from graph_memory.errors import ConfigurationError, StoreUnavailableError
from graph_memory.stores._breaker import Breaker
from graph_memory.stores._journal import Journal
from graph_memory.stores._ops import check
from graph_memory.stores._options import positive
from graph_memory.stores._tiered_gate import GATE, Gate
from graph_memory.stores._tiered_io import Sides
from graph_memory.stores._tiered_queue import Queued
from graph_memory.stores._tiered_requests import DOWN, PutIfAbsent
from graph_memory.stores._tiered_slots import Place
from graph_memory.stores._tiered_steps import Tier, Timing
from graph_memory.stores.claims import takes_claims
from graph_memory.stores.eras import tells_eras
from graph_memory.stores.swaps import takes_swaps

_log = logging.getLogger("graph_memory.stores.tiered")


class TieredStore(Block, BaseStore):
    """A `BaseStore` over two others, that any number of processes may share.

    Its block opens and closes both where they are stores of this package; other stores are opened by whoever made them.

    Args:
        hot: holds copies, and nothing else: give it a place of its own (for Redis a `prefix`), and give a Redis so much memory
            that it need not evict. A store that takes no claims, as those of other packages, may be shared by threads, not by
            processes.
        durable: where memory is. If it checks whose memory is asked for (row-level security), the hot store must hold copies of
            that one user only, since it checks nothing.
        hot_seconds: how long a copy lasts at most.
        retry_seconds: how often a store that failed is tried again.
        trust_seconds: how long to rely on what is known of the gate. One get per process in this time goes to the durable
            store; the first write of an outage of the hot store waits as long.
        queue: a file in which writes wait while the durable store is out of reach, instead of failing. They are on the disk
            before they are acknowledged, and are carried out in order once it is back; readers see them at once if they have
            the same queue, as all processes of one machine should, and others when they are carried out. None: writes fail.
        gate: namespace of the item that says whether copies count. Where row-level security shows only what is one user's own,
            it must be a namespace of theirs.

    Raises:
        ConfigurationError: an argument is wrong.
    """

    def __init__(
        self,
        hot: BaseStore,
        durable: BaseStore,
        *,
        hot_seconds: float = 600.0,
        retry_seconds: float = 5.0,
        trust_seconds: float = 1.0,
        queue: str | None = None,
        gate: tuple[str, ...] = ("graph_memory_tier",),
    ) -> None:
        if not isinstance(hot, BaseStore) or not isinstance(durable, BaseStore) or hot is durable:
            raise ConfigurationError("a tier needs two different stores, the hot and the durable one")
        self.hot, self.durable = hot, durable
        self.supports_ttl, self.ttl_config = durable.supports_ttl, durable.ttl_config
        self.takes_claims, self.takes_swaps = takes_claims(durable), takes_swaps(durable)
        self.keeps_vectors = bool(getattr(durable, "keeps_vectors", False))
        self._retry = positive("retry_seconds", retry_seconds)
        place = Place(gate, GATE)
        check(PutOp(*place, {}))
        breakers = Breaker(self._retry, time.monotonic), Breaker(self._retry, time.monotonic)
        trust = positive("trust_seconds", trust_seconds)
        self._tier = Tier(
            Gate(place, *breakers, trust, time.monotonic, self.takes_claims),
            time.time,
            tells_eras=tells_eras(hot),
            keeps_ttl=hot.supports_ttl,
            expires=durable.supports_ttl,
            timing=Timing(hot=positive("hot_seconds", hot_seconds)),
        )
        self._sides = Sides(hot, durable)
        self._queue_path = None if queue is None else str(queue)
        self._queued: Queued | None = None
        self._opening, self._closing = threading.Lock(), threading.Event()
        self._drainer: threading.Thread | None = None

    @property
    def ranking(self) -> Literal["words", "words+meaning", "unknown"]:
        """What a search with a query goes by; a store of another package does not say."""
        return getattr(self.durable, "ranking", "unknown")

    @property
    def queued(self) -> int:
        """How many writes wait for the durable store."""
        queue = self._queue()
        return len(queue.journal) if queue else 0

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """The operations' results, in order; the reads see the state before the writes.

        Raises:
            ConfigurationError: an operation is malformed.
            ConflictError: somebody else holds a slot that the batch claims.
            StoreError: what the durable store raises.
            StoreUnavailableError: it is out of reach, and the batch needs it.
        """
        todo, queue = _checked(ops), self._queue()
        return self._sides.run((queue or self._tier).batch(todo)) if todo else []

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """`batch`, awaiting both stores."""
        todo, queue = _checked(ops), await self._aqueue()
        return await self._sides.arun((queue or self._tier).batch(todo)) if todo else []

    def put_if_absent(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: Mapping[str, Any],
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | None = None,
    ) -> bool:
        """Stores an item unless there is one already, as the durable store does it. It never waits in a queue."""
        request = PutIfAbsent({"namespace": namespace, "key": key, "value": value, "index": index, "ttl": ttl})
        self._checked_drained(self.drain())
        return bool(self._sides.run(self._tier.write([_place(namespace, key)], request)))

    async def aput_if_absent(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: Mapping[str, Any],
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | None = None,
    ) -> bool:
        """`put_if_absent`, awaiting both stores."""
        request = PutIfAbsent({"namespace": namespace, "key": key, "value": value, "index": index, "ttl": ttl})
        self._checked_drained(await self.adrain())
        return bool(await self._sides.arun(self._tier.write([_place(namespace, key)], request)))

    def counts_copies(self) -> bool:
        """Whether hot copies count now, as the durable store says: not between an outage of the hot store and its end.

        Raises:
            StoreUnavailableError: the durable store is out of reach.
        """
        return not self._sides.run(self._tier.gate.asked()).is_closed

    def drain(self) -> bool:
        """Carries out what waits in the queue, if the durable store is back; whether nothing waits any more."""
        queue = self._queue()
        return self._sides.run(queue.drained()) if queue else True

    async def adrain(self) -> bool:
        """`drain`, awaiting both stores."""
        queue = await self._aqueue()
        return await self._sides.arun(queue.drained()) if queue else True

    def close(self) -> None:
        """Closes what its block has opened; what waits stays in the queue's file. May be called twice."""
        self._closed()
        for store in self._blocks():
            store.close()

    async def aclose(self) -> None:
        """`close`, without blocking the event loop."""
        await asyncio.to_thread(self._closed)
        for store in self._blocks():
            await store.aclose()

    def _open(self) -> None:
        if isinstance(self.durable, Block):
            self.durable._open()
        with suppress(*DOWN):
            if isinstance(self.hot, Block):
                self.hot._open()
        self._queue()

    async def _aopen(self) -> None:
        if isinstance(self.durable, Block):
            await self.durable._aopen()
        with suppress(*DOWN):
            if isinstance(self.hot, Block):
                await self.hot._aopen()
        await self._aqueue()

    def _blocks(self) -> list[Block]:
        return [store for store in (self.durable, self.hot) if isinstance(store, Block)]

    def _queue(self) -> Queued | None:
        """The queue, opened on first use."""
        if self._queue_path is None or self._queued is not None:
            return self._queued
        with self._opening:
            if self._queued is None:
                self._queued = Queued(self._tier, Journal(self._queue_path))
                self._drainer = threading.Thread(target=self._drain_at_times, name="graph_memory queue", daemon=True)
                self._drainer.start()
        return self._queued

    async def _aqueue(self) -> Queued | None:
        if self._queue_path is None or self._queued is not None:
            return self._queued
        return await asyncio.to_thread(self._queue)

    def _drain_at_times(self) -> None:
        """What waits is carried out even if nobody calls."""
        while not self._closing.wait(self._retry):
            try:
                self.drain()
            except Exception:  # noqa: BLE001 - a foreign store may raise anything, and the thread must live
                _log.exception("the queue could not be carried out; it is tried again")

    def _closed(self) -> None:
        self._closing.set()
        if self._drainer is not None:
            self._drainer.join()
        if self._queued is not None:
            self._queued.journal.close()

    @staticmethod
    def _checked_drained(is_drained: bool) -> None:
        if not is_drained:
            raise StoreUnavailableError("the durable store is out of reach and writes wait in the queue: try again")


def _checked(ops: Iterable[Op]) -> list[Op]:
    todo = list(ops)
    for op in todo:
        check(op)
    return todo


def _place(namespace: tuple[str, ...], key: str) -> Place:
    check(PutOp(namespace, key, {}))
    return Place(namespace, key)
