"""LangMem's memories in a LangGraph store.

LangMem writes `{"kind": "Memory", "content": {"content": "..."}}` where its memory manager learns, with the name and the fields
of the schema that it was given, and `{"content": ...}` where an agent's tool does. A profile is one document whose fields are
updated; everything else is a collection of memories that stand for themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graph_memory.migration.items import Place, identity, name_of, records_of
from graph_memory.migration.records import Fault, Kept, Noted, Record, Records
from graph_memory.migration.templates import NamespaceTemplate
from graph_memory.types import utc

if TYPE_CHECKING:
    from langgraph.store.base import Item


@dataclass(frozen=True, slots=True)
class LangMem:
    """Facts from LangMem's collections (`VectorMemory`), values from its profiles (`KeyValueMemory`).

    A profile is what has "profile" in its kind (the name of its schema), its key or a label of its namespace, or one of
    `profiles` as one of them. Of two profiles with the same field the one that was changed last counts.

    Attributes:
        place: url of the store, or the store.
        namespace: the template that LangMem was given, such as "memories,{user_id}".
        user: whose memories they are where the template names no user.
        profiles: more kinds, keys and labels of profiles. LangMem's tools keep no kind, and a manager's default has "default" as
            its key.
    """

    place: Place
    namespace: str | Sequence[str] = "memories,{user_id}"
    user: str = ""
    profiles: Sequence[str] = ()

    def records(self) -> Records:
        """The memories of every user.

        Raises:
            ConfigurationError: the template or the url is wrong.
            StoreError: the store cannot be read.
        """
        yield from records_of(self.place, NamespaceTemplate.of(self.namespace), self.user, self._read)

    def _read(self, item: Item, user: str) -> Iterator[Record | Fault]:
        content, kind = item.value.get("content"), str(item.value.get("kind") or "")
        key, where, at = identity(item), name_of(item), utc(item.updated_at)
        if self._is_profile(item, kind, user) and isinstance(content, Mapping):
            for name, value in content.items():
                if value is not None:
                    yield Kept(where, user, key, str(name), value, at)
        elif text := text_of(content):
            yield Noted(where, user, key, text, at, {"kind": kind} if kind else {})
        else:
            yield Fault(where, "it holds no content of LangMem")

    def _is_profile(self, item: Item, kind: str, user: str) -> bool:
        named = (kind, item.key, *(label for label in item.namespace if label != user))
        return any("profile" in one.lower() or one in self.profiles for one in named)


def text_of(value: Any) -> str:
    """What a value says as a fact: a text as it is, a single field by its value, several as lines "name: value"."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Mapping):
        said = {str(name): text for name, one in value.items() if (text := text_of(one))}
        return (
            next(iter(said.values())) if len(value) == 1 and said else "\n".join(f"{k}: {v}" for k, v in said.items())
        )
    if isinstance(value, list):
        return ", ".join(text for one in value if (text := text_of(one)))
    return "" if value is None else str(value)
