"""What an item adds to the search indexes: the texts that are embedded and the words that are matched.

Pure; shared by every back end, so that all of them find the same things.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal

from langgraph.store.base import get_text_at_path

from graph_memory.context.words import terms

NEIGHBOURS = ("before", "after")
"""Top-level keys that hold the lines around a line of conversation (see `Memo`): matched by words, never embedded."""
NEIGHBOUR_WEIGHT = 0.5
"""What a neighbour's word counts beside a word of the text itself."""
DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Indexed:
    """One item's part in the indexes.

    Attributes:
        texts: what is embedded, one vector each, without repetition; blank texts are left out.
        words: term to how often it counts.
    """

    texts: tuple[str, ...] = ()
    words: Mapping[str, float] = field(default_factory=dict)

    @property
    def length(self) -> float:
        """Length in words, neighbours at their weight."""
        return sum(self.words.values())

    @property
    def digest(self) -> bytes:
        """Equal for two items that are indexed alike; empty when nothing is indexed."""
        if not self.texts and not self.words:
            return b""
        return digest(json.dumps([self.texts, dict(self.words)]))


def indexed(
    value: Mapping[str, Any], index: Literal[False] | Sequence[str] | None, fields: Sequence[str] | None
) -> Indexed:
    """What `value` adds to the indexes.

    Args:
        value: a JSON object.
        index: the `PutOp`'s own choice: False for nothing, paths (LangGraph's syntax), or None for the store's fields.
        fields: the store's paths; None for the top-level "text" if there is one, else the whole value.
    """
    if index is False:
        return Indexed()
    paths = index if index is not None else fields if fields is not None else _default_fields(value)
    texts = [text for path in paths for text in get_text_at_path(value, path) if text.strip()]
    words: dict[str, float] = {}
    for text in dict.fromkeys(texts):
        _count(words, " ".join(_leaves(text)), 1.0)
    for neighbour in NEIGHBOURS:
        if paths and isinstance(value.get(neighbour), str):
            _count(words, value[neighbour], NEIGHBOUR_WEIGHT)
    return Indexed(tuple(dict.fromkeys(texts)), words)


def digest(text: str) -> bytes:
    """A short fingerprint of a text; what is embedded is looked up by it."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def _default_fields(value: Mapping[str, Any]) -> tuple[str, ...]:
    text = value.get("text")
    return ("text",) if isinstance(text, str) and text.strip() else ("$",)


def _count(words: dict[str, float], text: str, weight: float) -> None:
    for term in terms(text):
        words[term] = words.get(term, 0.0) + weight


def _leaves(text: str) -> Iterator[str]:
    """The readable parts of a text; of JSON (what a path to an object or list gives) its keys and values without the escapes."""
    if text[0] in "{[":
        try:
            yield from _strings(json.loads(text))
            return
        except (ValueError, RecursionError):
            pass
    yield text


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    elif value is not None:
        yield str(value)
