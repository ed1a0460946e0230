"""Changing keys: what an encrypted store keeps is sealed again with its first key, whatever it was sealed with before.

Of a sealed item only the value is swapped, and only if it has not changed meanwhile. What stays in the clear, how it is indexed,
its times and its end are the item's own, whatever this store was opened with. What is from before encryption is put anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langgraph.store.base import BaseStore, GetOp, Item, PutOp, SearchOp

from graph_memory.errors import ConfigurationError
from graph_memory.lifecycle.importing import index_of
from graph_memory.memories.listing import PAGE, listed_page
from graph_memory.steps import Steps, StoreOps, arun, run
from graph_memory.stores._tiered_gate import is_gate
from graph_memory.stores.encrypted import EncryptedStore, sealed_with
from graph_memory.stores.hits import is_mortal
from graph_memory.stores.swaps import SwapOp, takes_swaps

_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Reencryption:
    """What `reencrypt` did.

    Attributes:
        written: items that were sealed.
        left: items that were not: somebody else was writing them, or they are from before encryption and end by themselves.
    """

    written: int
    left: int


def reencrypt(store: BaseStore, *, prefix: tuple[str, ...] = ()) -> Reencryption:
    """Seals again what was sealed with another key than the store's first, or, with `reads_plain`, not at all.

    Everything is looked through, page by page, until there is nothing more to do; so nobody else may write with an older key
    meanwhile. It can be stopped and begun anew. Of what was sealed before, only the value changes: what is in the clear, how it
    is found and when it ends stay. What was not is put anew, so nobody else may write that meanwhile; of it, what stays in the
    clear is indexed as `import_user` does it. Checkpoints are not in a store: they keep the key that they were written with.

    Args:
        store: opened by `open_store(url, encrypt=[new key, old key])`; with its hot store, whose copies else keep the old key.
        prefix: the namespace; those beneath it count too.

    Raises:
        ConfigurationError: the store is not encrypted, or cannot do this without loss: it is of another package, or has vectors
            that an embedder must make.
        StoreError: an item does not open with these keys; those before it are done.
    """
    encrypted = _checked(store)
    return run(_sealed_again(encrypted, prefix), store=encrypted.store)


async def areencrypt(store: BaseStore, *, prefix: tuple[str, ...] = ()) -> Reencryption:
    """`reencrypt`, awaiting the store."""
    encrypted = _checked(store)
    return await arun(_sealed_again(encrypted, prefix), store=encrypted.store)


def _sealed_again(store: EncryptedStore, prefix: tuple[str, ...]) -> Steps[Reencryption]:
    """A body over the store beneath, where the names of the keys are seen."""
    written = 0
    while True:  # what is deleted or ends meanwhile moves the pages
        done, left = yield from _looked_through(store, prefix)
        written += done
        if not done:
            return Reencryption(written, left)


def _looked_through(store: EncryptedStore, prefix: tuple[str, ...]) -> Steps[tuple[int, int]]:
    done = old = offset = 0
    page: list[Any] = [None] * PAGE
    while len(page) == PAGE:
        page = list((yield from listed_page(prefix, offset)))
        offset += PAGE
        texts = [(item, item.json) for item in page if item.namespace[: len(prefix)] == prefix]
        some = [(item, text) for item, text in texts if _is_old(store, item)]
        old += len(some)
        for at in range(0, len(some), _AT_ONCE):
            done += yield from _sealed(store, some[at : at + _AT_ONCE])
    return done, old - done


def _sealed(store: EncryptedStore, some: Sequence[tuple[Item, str]]) -> Steps[int]:
    """Seals items, each with its JSON as it was read; how many."""
    sealed = [(item, text) for item, text in some if sealed_with(item.value) is not None]
    plain = [item for item, _ in some if sealed_with(item.value) is None]
    swaps = [SwapOp(item.namespace, item.key, text, store.sealed_anew(item)) for item, text in sealed]
    swapped = yield StoreOps(swaps)  # type: ignore[arg-type]  # an operation beyond LangGraph's
    if not plain:
        return sum(swapped)
    gets = [GetOp(item.namespace, item.key, refresh_ttl=False) for item in plain]
    _, *found = yield StoreOps(
        [SearchOp((), limit=0), *gets]
    )  # a tier asks its durable store where something is searched
    lasting = [item for item in found if item is not None and not is_mortal(item, otherwise=store.supports_ttl)]
    puts = [store.sealed(_put(store.opened(item))) for item in lasting if sealed_with(item.value) is None]
    if any(put.index for put in puts) and not getattr(store.store, "keeps_vectors", False):
        raise ConfigurationError(
            "what is from before encryption would lose its vectors: open the store with embed=, as those who write it do"
        )
    yield StoreOps(puts)
    return sum(swapped) + len(puts)


def _checked(store: BaseStore) -> EncryptedStore:
    if not isinstance(store, EncryptedStore):
        raise ConfigurationError("only an encrypted store has keys to change: open it with encrypt=[new key, old key]")
    if not takes_swaps(store.store):
        raise ConfigurationError(
            f"{type(store.store).__name__} cannot change a value and leave its index and its end: keys are changed in stores of "
            "this package; elsewhere keep the old key, or put each item again as it was put"
        )
    return store


def _is_old(store: EncryptedStore, item: Item) -> bool:
    return sealed_with(item.value) != store.key_names[0] and not is_gate(item)


def _put(item: Any) -> PutOp:
    return PutOp(item.namespace, item.key, item.value, index=index_of(item.value))
