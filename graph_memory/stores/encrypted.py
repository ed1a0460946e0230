"""A store around another one that encrypts values before they get there, so that neither the disk nor the server sees them.

A value's parts are sealed together, with AES-GCM, bound to the item's namespace and key: what is moved to another place, such
as another user's, does not open there. Some parts stay in the clear, and so can be filtered by and searched: what stores and
memories need to keep order (whose claim, which thread's commit, which kind, what day), and what the owner names. They are
bound to the sealed ones: an item of which somebody else changed, added or took away what is in the clear does not open. Keys,
namespaces, times of writing and the sizes of values are never hidden; nor is an item protected from being deleted, or replaced
by an older state of itself.

Without anything of the text in the clear there is no search by words or by meaning. Whoever wants `VectorMemory` and keeps what
it searches in the clear must know that this is the text of the conversation.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence, Set
from copy import copy
from typing import Any, Literal

from langgraph.store.base import BaseStore, Item, Op, PutOp, Result, SearchOp

from graph_memory.blocks import Block
from graph_memory.errors import ConfigurationError, StoreError
from graph_memory.sealing import Key, Keyring
from graph_memory.stores._ops import check, encode_path, to_json
from graph_memory.stores._options import paths
from graph_memory.stores._plan import has_query
from graph_memory.stores._tiered_gate import is_gate
from graph_memory.stores.claims import HOLDER, ClaimOp, takes_claims, with_put_if_absent
from graph_memory.stores.hits import Hits
from graph_memory.stores.swaps import SwapOp

ALWAYS_CLEAR = frozenset(
    {
        HOLDER, "origin", "kind", "session", "day", "first_day", "last_day", "said_at", "valid_from", "valid_to",
        "last_accessed_at",
    }
)  # fmt: skip
"""Top-level keys that hold nothing of what was said: what claims compare, lineage, and the times that memories filter by."""

SEALED = "sealed"
"""Top-level key of what is encrypted."""

_NAMED = re.compile(r"([0-9a-f]{8})\.")  # what is sealed begins with what its key is called
_EXACT = 1 << 53  # from here on floats are whole numbers, and not all of them


class EncryptedStore(Block, BaseStore):
    """A `BaseStore` whose values are encrypted in the store beneath.

    Its block opens and closes that store, if it is one of this package.

    Args:
        store: where values are kept. Give an embedder to it, not to this one.
        keys: a key, or several: the first encrypts, all of them decrypt. To change keys, put the new one first and leave the old
            one behind it until everything was written again: by `reencrypt`, or by time where everything has a time to live.
        clear: further top-level keys of values that stay in the clear, to be filtered by and searched. Memories search by
            "search", and look for who said something by "speaker"; "metadata" is what callers filter by.
        fields: as the store's: paths that are indexed of an item whose `PutOp` names none. None: "text". Of these, and of those
            that a `PutOp` names, only what is in the clear is indexed.
        reads_plain: whether values that are not encrypted are read, as those from before; without it they are refused, because
            whoever can write to the database could have put them there.

    Raises:
        ConfigurationError: an argument is wrong.
        MissingExtraError: `cryptography` is not installed.
    """

    def __init__(
        self,
        store: BaseStore,
        keys: Key | Sequence[Key],
        *,
        clear: Sequence[str] = (),
        fields: Sequence[str] | None = None,
        reads_plain: bool = False,
    ) -> None:
        if not isinstance(store, BaseStore):
            raise ConfigurationError(f"encryption needs a store to keep things in, got {type(store).__name__}")
        if isinstance(clear, str) or not all(isinstance(name, str) and name not in ("", SEALED) for name in clear):
            raise ConfigurationError('clear must be a list of top-level keys of values, such as ["search", "speaker"]')
        self.store, self._keyring, self._reads_plain = store, Keyring(keys), reads_plain
        self.supports_ttl, self.ttl_config = store.supports_ttl, store.ttl_config
        self.takes_claims = takes_claims(store)
        self._own_clear = frozenset(clear) - ALWAYS_CLEAR
        self._clear = self._own_clear | ALWAYS_CLEAR
        self._fields = paths(fields) or ("text",)

    @property
    def ranking(self) -> Literal["nothing", "words", "words+meaning", "unknown"]:
        """What a search with a query goes by, of what is in the clear; a store of another package does not say."""
        return getattr(self.store, "ranking", "unknown") if self._own_clear else "nothing"

    @property
    def key_names(self) -> tuple[str, ...]:
        """What the keys are called in stored values, the one that encrypts first."""
        return self._keyring.names

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """The operations' results, in order.

        Raises:
            ConfigurationError: an operation is malformed, filters by what is encrypted, or searches where nothing can be.
            StoreError: a value is not JSON, a stored one does not open with these keys, or what the store raises.
        """
        return [self._opened(result) for result in self.store.batch(self._sealed(ops))]

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """`batch`, awaiting the store."""
        return [self._opened(result) for result in await self.store.abatch(self._sealed(ops))]

    def put_if_absent(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: Mapping[str, Any],
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | None = None,
    ) -> bool:
        """Stores an item unless there is one already, as the store beneath does it."""
        put = self.sealed(PutOp(namespace, key, dict(value), index=index, ttl=ttl))
        return bool(with_put_if_absent(self.store).put_if_absent(namespace, key, put.value, put.index, ttl=ttl))

    async def aput_if_absent(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: Mapping[str, Any],
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | None = None,
    ) -> bool:
        """`put_if_absent`, awaiting the store."""
        put = self.sealed(PutOp(namespace, key, dict(value), index=index, ttl=ttl))
        return bool(await with_put_if_absent(self.store).aput_if_absent(namespace, key, put.value, put.index, ttl=ttl))

    def close(self) -> None:
        """Closes the store beneath, if its block has opened it."""
        if isinstance(self.store, Block):
            self.store.close()

    async def aclose(self) -> None:
        """`close`, awaiting the store."""
        if isinstance(self.store, Block):
            await self.store.aclose()

    def _open(self) -> None:
        if isinstance(self.store, Block):
            self.store._open()

    async def _aopen(self) -> None:
        if isinstance(self.store, Block):
            await self.store._aopen()

    def _sealed(self, ops: Iterable[Op | ClaimOp]) -> list[Any]:
        """The operations as the store beneath gets them."""
        return [self._beneath(op) for op in ops]

    def _beneath(self, op: Any) -> Any:
        check(op)
        if isinstance(op, PutOp):
            return self.sealed(op)
        if isinstance(op, ClaimOp):
            return op._replace(value=self._hidden(op.namespace, op.key, op.value))
        if isinstance(op, SwapOp):
            raise ConfigurationError("an encrypted store swaps no values, since none is ever sealed alike twice")
        if isinstance(op, SearchOp):
            self._check_search(op)
        return op

    def sealed(self, op: PutOp) -> PutOp:
        """A write as the store beneath gets it.

        Raises:
            ConfigurationError: it is malformed.
            StoreError: the value is not JSON.
        """
        check(op)
        if op.value is None:
            return op
        asked = op.index if op.index is not None else self._fields
        index = [path for path in asked if _first(path) in self._own_clear] if asked else []
        return op._replace(value=self._hidden(op.namespace, op.key, op.value), index=index or False)

    def sealed_anew(self, item: Item) -> dict[str, Any]:
        """The value of an item of the store beneath, sealed with the first key; in the clear stays what is.

        Raises:
            StoreError: it does not open with these keys.
        """
        return self._hidden(item.namespace, item.key, self.opened(item).value, clear=item.value.keys() - {SEALED})

    def _hidden(
        self, namespace: tuple[str, ...], key: str, value: Mapping[str, Any], clear: Set[str] | None = None
    ) -> dict[str, Any]:
        to_json(value)
        stays = self._clear if clear is None else clear
        secret = to_json({name: part for name, part in value.items() if name not in stays})
        beside = {name: part for name, part in value.items() if name in stays}
        name, sealed = self._keyring.seal(secret.encode(), _about(namespace, key, beside))
        return {**beside, SEALED: f"{name}.{base64.b64encode(sealed).decode()}"}

    def _opened(self, result: Any) -> Any:
        if isinstance(result, Item):
            return self.opened(result)
        if not isinstance(result, list):
            return result
        items = [self.opened(one) if isinstance(one, Item) else one for one in result]
        return Hits(items, result.statistics) if isinstance(result, Hits) else items

    def opened(self, item: Any) -> Any:
        """An item of the store beneath, or a hit, as this one returns it.

        Raises:
            StoreError: it does not open with these keys, or is not encrypted where that is refused.
        """
        seen, value = copy(item), item.value
        if sealed_with(value) is None:
            if not self._reads_plain and not is_gate(item):
                raise StoreError(
                    "an item in this store is not encrypted: open it with reads_plain=True if it is from before encryption"
                )
            return seen
        clear = {name: part for name, part in value.items() if name != SEALED}
        seen.value = {**clear, **self._secret(value[SEALED], _about(item.namespace, item.key, clear))}
        return seen

    def _secret(self, sealed: Any, about: bytes) -> dict[str, Any]:
        name, _, text = str(sealed).partition(".")
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as exc:
            raise StoreError("what is stored cannot be decrypted: it was changed, or moved from another place") from exc
        secret: dict[str, Any] = json.loads(self._keyring.open(name, data, about))
        return secret

    def _check_search(self, op: SearchOp) -> None:
        hidden = sorted(key for key in op.filter or {} if key not in self._clear and _first(key) not in self._clear)
        if hidden:
            raise ConfigurationError(
                f"a filter by {', '.join(hidden)} is not possible, because that is encrypted: leave it in the clear, with "
                f"clear={hidden}, for what is written from then on"
            )
        if has_query(op) and not self._own_clear:
            raise ConfigurationError(
                "a search by words or meaning is not possible, because every text in this store is encrypted: leave in the clear "
                'what may be searched, with clear=["search"] for memories, for what is written from then on'
            )


def sealed_with(value: Mapping[str, Any]) -> str | None:
    """What the key is called that a stored value was sealed with; None for one that was not."""
    named = _NAMED.match(str(value.get(SEALED, "")))
    return named[1] if named else None


def _about(namespace: tuple[str, ...], key: str, clear: Mapping[str, Any]) -> bytes:
    """What a sealed value is bound to: its place, and what stands beside it in the clear, however a database writes that."""
    beside = json.dumps(_canonical(clear), sort_keys=True, separators=(",", ":"))
    return f"{encode_path(namespace)}\x1f{key}\x1f{beside}".encode()


def _canonical(value: Any) -> Any:
    """Equal for what JSON does not tell apart: databases give 1e22 back as a whole number, and lists for tuples."""
    if isinstance(value, Mapping):
        return {name: _canonical(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(part) for part in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if abs(value) < _EXACT:
        return int(value) if value == int(value) else value
    return repr(float(value)) if abs(value) < sys.float_info.max else str(value)


def _first(path: str) -> str:
    """The top-level key of a path."""
    return path.partition(".")[0].partition("[")[0]
