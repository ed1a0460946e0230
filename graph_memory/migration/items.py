"""Items of a LangGraph store, whoever wrote them: of a store that is open, or of the tables that LangGraph's own stores make.

LangGraph's `SqliteStore` and `PostgresStore` keep them in a table `store`. It is read as it is, because opening such a store
would bring its schema up to date.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from langgraph.store.base import BaseStore, Item

from graph_memory.errors import ConfigurationError
from graph_memory.memories.listing import PAGE, listed_page
from graph_memory.migration.foreign import Condition, Tables, moment_of, opened
from graph_memory.migration.records import TOO_DEEP, Fault, Record, is_deep
from graph_memory.migration.templates import NamespaceTemplate
from graph_memory.namespaces import ROOT
from graph_memory.steps import run
from graph_memory.stores import open_store
from graph_memory.urls import parse

if TYPE_CHECKING:
    from collections.abc import Callable

Items: TypeAlias = Generator[Item | Fault, None, None]
Place: TypeAlias = str | BaseStore
"""A url, or a store that is open."""

_TABLE = "store"
_OURS = "gm_items"


def records_of(
    place: Place, template: NamespaceTemplate, user: str, read: Callable[[Item, str], Iterator[Record | Fault]]
) -> Generator[Record | Fault, None, None]:
    """What `read` makes of each item of a namespace that is as the template says, for its user.

    Args:
        place: where the items are.
        template: which namespaces, and where the user stands in them.
        user: whose they are where the template names none.
        read: takes an item and its user.
    """
    if not user and not template.names_user:
        raise ConfigurationError(
            "whose memory are these items? write {user_id} into the namespace, such as memories,{user_id}, or name a user"
        )
    with closing(stored_items(place, template.prefix)) as items:
        for item in items:
            if isinstance(item, Fault):
                yield item
                continue
            whose, where = template.read(item.namespace), name_of(item)
            if item.namespace[:1] == (ROOT,):
                yield Fault(where, "it is graph_memory's own: export and import bring it over")
            elif whose is None:
                yield Fault(where, f"its namespace is not of the form {','.join(template.labels)}")
            elif not (owner := whose.user if template.names_user else user):
                yield Fault(where, "its namespace names an empty user")
            elif is_deep(item.value):
                yield Fault(where, TOO_DEEP)
            else:
                yield from read(item, owner)


def stored_items(place: Place, prefix: tuple[str, ...]) -> Items:
    """Every item under a namespace, in the same order on every reading of what nobody changes.

    Raises:
        ConfigurationError: there is no store at that place.
        StoreError: it cannot be read.
    """
    if isinstance(place, BaseStore):
        yield from _pages(place, prefix)
        return
    where = parse(place)
    if where.scheme in ("sqlite", "postgresql"):
        with opened(where) as tables:
            if {"prefix", "key", "value"} <= tables.columns(_TABLE):
                yield from _rows(tables, prefix)
                return
            if where.scheme == "sqlite" and _OURS not in tables.names():  # opening it as ours would change it
                raise ConfigurationError(f"{tables.where} holds no items of a LangGraph store: check the url")
    with open_store(place, create=False) as store:
        yield from _pages(store, prefix)


def name_of(item: Item) -> str:
    """What an item is called in reports: its namespace and key."""
    return f"item {'/'.join([*item.namespace, item.key])}"


def identity(item: Item) -> str:
    """What tells an item from all others of its store."""
    return json.dumps([*item.namespace, item.key], ensure_ascii=True)


def _pages(store: BaseStore, prefix: tuple[str, ...]) -> Items:
    offset = 0
    while page := run(listed_page(prefix, offset), store=store):
        yield from (item for item in page if item.namespace[: len(prefix)] == prefix)
        offset += PAGE


def _rows(tables: Tables, prefix: tuple[str, ...]) -> Items:
    wanted, ends = ["prefix", "key", "value", "created_at", "updated_at"], "expires_at"
    has_ends, now = ends in tables.columns(_TABLE), datetime.now(UTC)
    only = Condition("prefix", ".".join(prefix), ".") if prefix else None
    for row in tables.rows(_TABLE, [*wanted, ends] if has_ends else wanted, ["prefix", "key"], only):
        if has_ends and (over := moment_of(row[5])) is not None and over <= now:
            continue
        where = f"item {row[0]}.{row[1]}"
        try:
            value = row[2] if isinstance(row[2], dict) else json.loads(row[2])
        except (TypeError, ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            yield Fault(where, "its value is no JSON object")
            continue
        made, changed = (moment_of(at) or now for at in row[3:5])
        yield Item(
            value=value, key=str(row[1]), namespace=tuple(str(row[0]).split(".")), created_at=made, updated_at=changed
        )
