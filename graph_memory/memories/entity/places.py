"""Where entity memory keeps what. Pure.

Memos, which searches find, lie in the memory's own namespace. Beside it, where no search meets them, lie names, which lead
to entities by key, and each entity's records: the same claims without what they are searched by, in three parts, so that an
entity is folded from a few small items however much was said of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from langgraph.store.base import Item, PutOp

from graph_memory.memories.entity.naming import Named
from graph_memory.namespaces import label, namespace
from graph_memory.types import Scope

Part = Literal["slots", "lists", "mentions"]
"""What has one value at a time or is over, with other names; what there may be many of; that it was spoken of."""


def names_place(scope: Scope, memory: str) -> tuple[str, ...]:
    """Where names are kept: beside the memory's own namespace, where no search for memos meets them."""
    return namespace(scope, f"{memory}/names")


def name_place(scope: Scope, memory: str, key: str) -> tuple[str, ...]:
    """Where the entities are kept that a name leads to."""
    return (*names_place(scope, memory), label("name", name_key(key)))


def entities_place(scope: Scope, memory: str) -> tuple[str, ...]:
    """Where the records of all entities are."""
    return namespace(scope, f"{memory}/entities")


def entity_place(scope: Scope, memory: str, entity: str) -> tuple[str, ...]:
    """Under which the records of one entity are, each part in a place of its own."""
    return (*entities_place(scope, memory), label("entity", entity))


def name_key(key: str) -> str:
    """A name as a store's key: a hash, because names have any characters and any length."""
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def name_puts(
    scope: Scope, memory: str, added: Iterable[tuple[str, Named]], stem: str, origin: Mapping[str, Any]
) -> list[PutOp]:
    """Keeps names: one item that says that there is such a name, and one for each entity that bears it.

    Args:
        scope, memory: whose names.
        added: key and name.
        stem: of the turn that told them, so that two lines of a thread that tell the same name both have it.
        origin: where they come from, as in a memo.
    """
    puts: dict[tuple[tuple[str, ...], str], PutOp] = {}
    for key, named in added:
        where, value = name_place(scope, memory, key), {"origin": dict(origin), **_named_value(named)}
        marker = PutOp(names_place(scope, memory), name_key(key), {"key": key}, index=False)
        bearer = "\x1f".join((stem, named.entity, named.name, named.type))
        each = PutOp(where, name_key(bearer), value, index=False)
        puts[marker.namespace, marker.key] = marker
        puts[each.namespace, each.key] = each
    return list(puts.values())


def named_in(items: Iterable[Item]) -> list[Named]:
    """The names that the items hold."""
    kept = (item.value for item in items if isinstance(item.value.get("entity"), str))
    return [Named(v["entity"], str(v.get("name", "")), str(v.get("type", "")), str(v.get("at", ""))) for v in kept]


def _named_value(named: Named) -> dict[str, Any]:
    return {"entity": named.entity, "name": named.name, "type": named.type, "at": named.at}
