"""Where entity memory keeps what: each entity's memos under a namespace of its own, and names that lead to entities
by key. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from langgraph.store.base import Item, PutOp

from graph_memory.memories.entity.naming import Named
from graph_memory.namespaces import label, namespace
from graph_memory.types import Scope


def names_place(scope: Scope, memory: str) -> tuple[str, ...]:
    """Where names are kept: beside the memory's own namespace, where no search for memos meets them."""
    return namespace(scope, f"{memory}/names")


def name_place(scope: Scope, memory: str, key: str) -> tuple[str, ...]:
    """Where the entities are kept that a name leads to."""
    return (*names_place(scope, memory), label("name", name_key(key)))


def entity_place(scope: Scope, memory: str, entity: str) -> tuple[str, ...]:
    """Where the memos of one entity are."""
    return (*namespace(scope, memory), label("entity", entity))


def name_key(key: str) -> str:
    """A name as a store's key: a hash, because names have any characters and any length."""
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def name_puts(scope: Scope, memory: str, added: Iterable[tuple[str, Named]]) -> list[PutOp]:
    """Keeps names: one item that says that there is such a name, and one for each entity that bears it."""
    puts: dict[tuple[tuple[str, ...], str], PutOp] = {}
    for key, named in added:
        where, value = name_place(scope, memory, key), _named_value(named)
        marker = PutOp(names_place(scope, memory), name_key(key), {"key": key}, index=False)
        each = PutOp(where, name_key(f"{named.entity}\x1f{named.name}\x1f{named.type}"), value, index=False)
        puts[marker.namespace, marker.key] = marker
        puts[each.namespace, each.key] = each
    return list(puts.values())


def named_in(items: Iterable[Item]) -> list[Named]:
    """The names that the items hold."""
    kept = (item.value for item in items if isinstance(item.value.get("entity"), str))
    return [Named(v["entity"], str(v.get("name", "")), str(v.get("type", "")), str(v.get("at", ""))) for v in kept]


def _named_value(named: Named) -> dict[str, Any]:
    return {"entity": named.entity, "name": named.name, "type": named.type, "at": named.at}
