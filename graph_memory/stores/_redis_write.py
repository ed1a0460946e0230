"""Writing to Redis: a batch as one run of the write script, or on a cluster one per bucket; and what its replies mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graph_memory.errors import ConflictError, StoreError
from graph_memory.redis_rounds import Call
from graph_memory.stores._embedding import Vector, size_mismatch
from graph_memory.stores._ops import Namespace, encode_path
from graph_memory.stores._plan import Plan, Swap, Write
from graph_memory.stores._redis_keys import Keys, bucket_of
from graph_memory.stores._redis_rows import NOBODY, holder_in, holder_of, write_row
from graph_memory.stores._redis_scripts import SWAP, WRITE
from graph_memory.stores.claims import ClaimOp

_MINUTE = 60_000  # milliseconds
_KEYS_OF_SPACE = 5
_LARGEST = 256 << 20  # bytes; Redis keeps up to 512 MB under a key, and a script needs it twice
_DONE, _CONFLICT, _THERE, _OTHER_SIZE = range(4)


@dataclass(frozen=True, slots=True)
class Writer:
    """Plans the writes of a batch.

    Attributes:
        keys: names of the keys.
        vectors: text to unit vector.
        apart: whether each bucket is written for itself, as a cluster needs it.
        token: what an attempt to put where nothing is is known by; empty for plain writes.
    """

    keys: Keys
    vectors: Mapping[str, Vector]
    apart: bool
    token: str = NOBODY

    def calls(self, todo: Plan) -> list[Call]:
        """The script's runs: everything at once, or one per bucket.

        Raises:
            StoreError: a value is larger than Redis keeps.
        """
        groups: dict[int, tuple[list[Write], list[ClaimOp]]] = {}
        for write in todo.writes:
            groups.setdefault(self._group(write.namespace), ([], []))[0].append(write)
        for claim in todo.claims:
            groups.setdefault(self._group(claim.namespace), ([], []))[1].append(claim)
        return [self._call(writes, claims) for writes, claims in groups.values()]

    def swaps(self, todo: Plan) -> list[tuple[list[int], Call]]:
        """The swap script's runs, each with the places in the batch that its replies are of.

        Raises:
            StoreError: a value is larger than Redis keeps.
        """
        groups: dict[int, list[tuple[int, Swap]]] = {}
        for at, swap in todo.swaps:
            groups.setdefault(self._group(swap.namespace), []).append((at, swap))
        return [([at for at, _ in some], self._swap([swap for _, swap in some])) for some in groups.values()]

    def _swap(self, swaps: Sequence[Swap]) -> Call:
        args = [arg for one in swaps for arg in (one.seen.encode(), _data(one.json), holder_in(one.json))]
        return Call(SWAP, [self.keys.item(one.namespace, one.key) for one in swaps], args)

    def _group(self, namespace: Namespace) -> int:
        return bucket_of(namespace) if self.apart else 0

    def _call(self, writes: Sequence[Write], claims: Sequence[ClaimOp]) -> Call:
        spaces = {space: at for at, space in enumerate(dict.fromkeys(write.namespace for write in writes))}
        places = [*((one.namespace, one.key) for one in writes), *((one.namespace, one.key) for one in claims)]
        at_item = {place: len(spaces) * _KEYS_OF_SPACE + n for n, place in enumerate(dict.fromkeys(places), 1)}
        args: list[Any] = [len(spaces), len(claims), len(writes), *(encode_path(space).encode() for space in spaces)]
        for claim in claims:
            args += at_item[claim.namespace, claim.key], holder_of(claim.value), int(claim.must_exist)
        for write in _latest_first(writes):
            args += at_item[write.namespace, write.key], spaces[write.namespace] * _KEYS_OF_SPACE + 1
            args += self._written(write)
        keys = [key for space in spaces for key in self.keys.space(space)]
        return Call(WRITE, [*keys, *(self.keys.item(*place) for place in at_item)], args)

    def _written(self, write: Write) -> tuple[Any, ...]:
        if write.json is None:
            return write.key.encode(), b"", 0, NOBODY, NOBODY, b"", 0
        data = _data(write.json)
        ttl = 0 if write.ttl_minutes is None else max(1, round(write.ttl_minutes * _MINUTE))
        row, dims = write_row(write, self.vectors)
        return write.key.encode(), data, ttl, holder_in(write.json), self.token, row, dims


def _data(json: str) -> bytes:
    data = json.encode()
    if len(data) > _LARGEST:
        raise StoreError(f"a value of {len(data) >> 20} MB is larger than Redis should keep ({_LARGEST >> 20} MB)")
    return data


def check_written(replies: Iterable[Sequence[int]], given: int, where: str) -> None:
    """Raises what the script's replies mean.

    Args:
        replies: of every run.
        given: dimensions of the embedder's vectors.
        where: the server, for messages.

    Raises:
        ConflictError: somebody else holds a slot.
        ConfigurationError: the vectors have another size than the stored ones.
    """
    for code, dims in replies:
        if code == _CONFLICT:
            raise ConflictError("somebody else holds the slot that a batch claims; nothing of it was written")
        if code == _OTHER_SIZE:
            raise size_mismatch(given, dims, where)


def was_written(replies: Sequence[Sequence[int]]) -> bool:
    """Whether an item that must not be there was stored."""
    return all(code == _DONE for code, _ in replies)


def _latest_first(writes: Sequence[Write]) -> list[Write]:
    """The script gives each write a later time than the one before; so what is written at once reads in the order of its keys."""
    return sorted(writes, key=lambda write: write.key.encode(), reverse=True)
