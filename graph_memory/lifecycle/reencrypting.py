"""Changing keys: what an encrypted store keeps is sealed again with its first key, whatever it was sealed with before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langgraph.store.base import BaseStore, GetOp, Item, PutOp

from graph_memory.errors import ConfigurationError
from graph_memory.lifecycle.importing import index_of
from graph_memory.memories.listing import listed
from graph_memory.steps import Steps, StoreOps, arun, run
from graph_memory.stores.encrypted import EncryptedStore, sealed_with
from graph_memory.stores.hits import is_mortal

_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Reencryption:
    """What `reencrypt` did.

    Attributes:
        written: items that were sealed again.
        left: items with a time to live, which end by themselves and need their old key until then.
    """

    written: int
    left: int


def reencrypt(store: BaseStore, *, prefix: tuple[str, ...] = ()) -> Reencryption:
    """Seals again what was sealed with another key than the store's first, or, with `reads_plain`, not at all.

    Nobody else may write meanwhile: of an item that is read and then written, a change in between would be undone. It can be
    stopped and begun anew. Items with a time to live are left, because their end would be lost. Checkpoints are not in a store:
    they are read as long as their key is among those given, and written with the first.

    Args:
        store: opened by `open_store(url, encrypt=[new key, old key])`.
        prefix: the namespace; those beneath it count too.

    Raises:
        ConfigurationError: the store is not encrypted.
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
    old = [(one.namespace, one.key) for one in (yield from listed(prefix)) if _is_old(store, one)]
    written = left = 0
    for at in range(0, len(old), _AT_ONCE):
        items = yield StoreOps([GetOp(space, key, refresh_ttl=False) for space, key in old[at : at + _AT_ONCE]])
        there = [item for item in items if item is not None and _is_old(store, item)]
        lasting = [item for item in there if not is_mortal(item, otherwise=store.supports_ttl)]
        yield StoreOps([store.sealed(_put(store.opened(item))) for item in lasting])
        written, left = written + len(lasting), left + len(there) - len(lasting)
    return Reencryption(written, left)


def _checked(store: BaseStore) -> EncryptedStore:
    if not isinstance(store, EncryptedStore):
        raise ConfigurationError("only an encrypted store has keys to change: open it with encrypt=[new key, old key]")
    return store


def _is_old(store: EncryptedStore, item: Item) -> bool:
    return sealed_with(item.value) != store.key_names[0]


def _put(item: Any) -> PutOp:
    return PutOp(item.namespace, item.key, item.value, index=index_of(item.value))
