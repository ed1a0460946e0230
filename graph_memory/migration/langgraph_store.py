"""Items of a LangGraph store, of any shape, as facts or as values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from graph_memory.errors import ConfigurationError
from graph_memory.migration.items import Place, identity, name_of, records_of
from graph_memory.migration.langmem import text_of
from graph_memory.migration.records import Fault, Kept, Noted, Record, Records
from graph_memory.migration.templates import NamespaceTemplate
from graph_memory.types import utc

if TYPE_CHECKING:
    from langgraph.store.base import Item

As = Literal["facts", "values"]


@dataclass(frozen=True, slots=True)
class LangGraphItems:
    """The items under a namespace: as facts, which are searched (`VectorMemory`), or as values (`KeyValueMemory`).

    Attributes:
        place: url of the store, or the store.
        namespace: such as "memories,{user_id}", or "{user_id},..." with whatever labels follow.
        user: whose items they are where the template names no user.
        kept_as: "facts" takes what an item says, its fields as lines; "values" sets each item's value under the item's key.
    """

    place: Place
    namespace: str | Sequence[str]
    user: str = ""
    kept_as: As = "facts"

    def __post_init__(self) -> None:
        if self.kept_as not in ("facts", "values"):
            raise ConfigurationError(f"items are kept as 'facts' or as 'values', not as {self.kept_as!r}")

    def records(self) -> Records:
        """The items of every user.

        Raises:
            ConfigurationError: the template or the url is wrong.
            StoreError: the store cannot be read.
        """
        yield from records_of(self.place, NamespaceTemplate.of(self.namespace), self.user, self._read)

    def _read(self, item: Item, user: str) -> Iterator[Record | Fault]:
        key, where, at = identity(item), name_of(item), utc(item.updated_at)
        if self.kept_as == "values":
            yield Kept(where, user, key, item.key, item.value, at)
        elif text := text_of(item.value):
            yield Noted(where, user, key, text, at, {"key": item.key})
        else:
            yield Fault(where, "its value says nothing: it has no text in it")
