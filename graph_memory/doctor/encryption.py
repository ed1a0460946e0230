"""Looks at the newest items of an encrypted store: which key each was sealed with, and whether it opens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from graph_memory.doctor.findings import Finding
from graph_memory.errors import StoreError
from graph_memory.stores import TIER, open_store
from graph_memory.stores._tiered_gate import is_gate
from graph_memory.stores.encrypted import EncryptedStore, sealed_with

_MOST = 200
_REENCRYPT = "graph-memory reencrypt URL, while nothing writes"


def examine(url: str, options: Mapping[str, Any]) -> list[Finding]:
    """What is found of the encryption that `open_store` makes of these; of a tier, in its durable store."""
    beneath = {name: option for name, option in options.items() if name not in TIER} | {"reads_plain": True}
    with open_store(url, create=False, **beneath) as store:
        assert isinstance(store, EncryptedStore)
        found = store.store.search((), limit=_MOST, refresh_ttl=False)
        items = [item for item in found if not is_gate(item)]
        names = Counter(sealed_with(item.value) for item in items)
        broken = sum(not _opens(store, item) for item in items if sealed_with(item.value) in store.key_names)
        return judged(len(items), names, store.key_names, broken)


def judged(looked: int, names: Mapping[str | None, int], known: tuple[str, ...], broken: int) -> list[Finding]:
    """What the newest items mean.

    Args:
        looked: how many they are.
        names: how many were sealed with each key, by its name; None: not at all.
        known: names of the keys that were given, the one that seals first.
        broken: how many do not open though their key was given.
    """
    found = []
    of = f"of the newest {looked:,} items"
    foreign = {name: count for name, count in names.items() if name is not None and name not in known}
    if foreign:
        says = f"{sum(foreign.values()):,} {of} were sealed with keys that are not given ({', '.join(sorted(foreign))})"
        found.append(Finding("fail", "encryption", says, "add them to GRAPH_MEMORY_ENCRYPTION_KEYS, behind the newest"))
    if broken:
        says = f"{broken:,} {of} do not open: they were changed, or moved from another place"
        found.append(
            Finding("fail", "encryption", says, "restore them from a backup; ask who may write to the database")
        )
    if plain := names.get(None, 0):
        found.append(Finding("warn", "encryption", f"{plain:,} {of} are not encrypted", _REENCRYPT))
    if old := sum(count for name, count in names.items() if name in known[1:]):
        found.append(Finding("warn", "encryption", f"{old:,} {of} were sealed with an older key", _REENCRYPT))
    return found or [Finding("ok", "encryption", f"{looked:,} {of} open with the first key")]


def _opens(store: EncryptedStore, item: Any) -> bool:
    try:
        store.opened(item)
    except StoreError:
        return False
    return True
