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

from graph_memory.stores._embedding import Vector
from graph_memory.stores._index import DIGEST_BYTES, digest
from graph_memory.stores._plan import Write
from graph_memory.stores.claims import HOLDER

NOBODY = "-"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Stored(NamedTuple):
    """An item as it is stored: its JSON, its times, and whether it has a time to live."""

    json: str
    created_at: datetime
    updated_at: datetime
    is_mortal: bool


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


def read_item(data: bytes) -> Stored:
    """The item that the write script stored."""
    line, _, text = data.partition(b"\n")
    created, updated, ttl, _, _ = line.split(b" ")
    return Stored(text.decode(), _moment(created), _moment(updated), ttl != b"0")


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


def _moment(microseconds: bytes) -> datetime:
    return _EPOCH + timedelta(microseconds=int(microseconds))
