"""What a Redis store keeps of an item, as bytes: the item itself, and its row in the index. Pure.

An index row is the length of its JSON (four bytes), the JSON `[words, number of vectors]`, the digests of the embedded texts, and
their unit vectors as float16, which halves the memory and moves a cosine by less than 0.001.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from langgraph.store.base import Item

from graph_memory.stores._embedding import Vector
from graph_memory.stores._index import DIGEST_BYTES, digest
from graph_memory.stores._ops import Namespace
from graph_memory.stores._plan import Write
from graph_memory.stores.claims import HOLDER
from graph_memory.stores.hits import Hit

NOBODY = "-"
_TIMES = 33  # bytes, both of them: microseconds have sixteen digits from 2001 to 2286
_KEPT = _TIMES + 3  # bytes, with the zero of an item that is kept
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class StoredItem(Item):
    """An item as `WRITE` stored it, a line "created updated ttl holder token" and its JSON, decoded where somebody looks.

    Python asks `__getattr__` for a slot that nobody has filled yet; what is found there fills it.
    """

    __slots__ = ("_data",)

    def __init__(self, namespace: Namespace, key: str, data: bytes) -> None:
        self.namespace, self.key, self._data = namespace, key, data

    @property
    def is_mortal(self) -> bool:
        """Whether it has a time to live."""
        return is_mortal(self._data)

    def __getattr__(self, name: str) -> Any:
        found = json.loads(json_of(self._data)) if name == "value" else _time(self, name)
        setattr(self, name, found)
        return found


class StoredHit(Hit):
    """A hit over such an item, decoded in the same way."""

    __slots__ = ("_data",)

    def __init__(
        self, namespace: Namespace, key: str, score: float | None, parts: dict[str, float], data: bytes
    ) -> None:
        self.namespace, self.key, self.score, self.parts, self._data = namespace, key, score, parts, data

    @property
    def is_mortal(self) -> bool:
        """Whether it has a time to live."""
        return is_mortal(self._data)

    def __getattr__(self, name: str) -> Any:
        found = json_of(self._data) if name == "_json" else _time(self, name)
        setattr(self, name, found)
        return found


class IndexRow(NamedTuple):
    """An item's row in the index.

    Attributes:
        words: term to how often it counts.
        digests: of the embedded texts.
        vectors: one row per text, float32.
    """

    words: dict[str, float]
    digests: list[bytes]
    vectors: Vector


def json_of(data: bytes) -> str:
    """The JSON of a stored item."""
    return data[data.index(b"\n") + 1 :].decode()


def is_mortal(data: bytes) -> bool:
    """Whether a stored item has a time to live."""
    return data.find(b" 0 ", 0, _KEPT) < 0


def holder_of(value: Mapping[str, Any] | None) -> str:
    """What tells whether two values have the same holder."""
    holder = (value or {}).get(HOLDER)
    if holder is None:
        return NOBODY
    return blake2b(json.dumps(holder, sort_keys=True).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def holder_in(text: str) -> str:
    """`holder_of` the value with this JSON, which is read only when it may have a holder."""
    return holder_of(json.loads(text)) if f'"{HOLDER}"' in text else NOBODY


def write_row(write: Write, vectors: Mapping[str, Vector]) -> tuple[bytes, int]:
    """An item's row in the index, empty when nothing is indexed, and the dimensions of its vectors, 0 for none."""
    if not write.indexed.texts and not write.indexed.words:
        return b"", 0
    texts = [text for text in write.indexed.texts if text in vectors]
    head = json.dumps([dict(write.indexed.words), len(texts)], separators=(",", ":")).encode()
    halves = [vectors[text].astype("<f2").tobytes() for text in texts]
    row = b"".join([len(head).to_bytes(4, "little"), head, *map(digest, texts), *halves])
    return row, len(vectors[texts[0]]) if texts else 0


def read_row(row: bytes) -> IndexRow:
    """The row that `write_row` wrote."""
    end = 4 + int.from_bytes(row[:4], "little")
    words, count = json.loads(row[4:end])
    start = end + count * DIGEST_BYTES
    digests = [row[at : at + DIGEST_BYTES] for at in range(end, start, DIGEST_BYTES)]
    vectors = np.frombuffer(row, "<f2", offset=start).astype("<f4").reshape(count, -1 if count else 0)
    return IndexRow(words, digests, vectors)


def vectors_in(row: bytes | None, texts: Iterable[str]) -> dict[str, Vector]:
    """The vectors of those texts that a stored row has already: what has not changed is not embedded again."""
    if not row:
        return {}
    stored = read_row(row)
    known = dict(zip(stored.digests, stored.vectors, strict=True))
    return {text: known[digest(text)] for text in texts if digest(text) in known}


def _time(item: StoredItem | StoredHit, name: str) -> datetime:
    if name not in ("created_at", "updated_at"):
        raise AttributeError(f"{type(item).__name__} has no {name}", name=name, obj=item)
    microseconds = int(item._data[: _TIMES + 1].split(b" ")[name == "updated_at"])
    return _EPOCH + timedelta(microseconds=microseconds)
