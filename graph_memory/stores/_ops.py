"""What every back end decides in the same way: which operations are valid, and what a namespace pattern matches.

Pure functions over LangGraph's operations; no I/O and no database.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from json import JSONEncoder
from typing import Any, TypeVar

from langgraph.store.base import GetOp, ListNamespacesOp, MatchCondition, Op, PutOp, SearchOp

from graph_memory.errors import ConfigurationError, StoreError
from graph_memory.stores._filters import check_filter
from graph_memory.stores.claims import ClaimOp
from graph_memory.stores.eras import EraOp
from graph_memory.stores.swaps import SwapOp

T = TypeVar("T")
Namespace = tuple[str, ...]

_END, _ESCAPE = "\x1f", "\x1b"  # end of a label in an encoded path, and what escapes it
_DEEPEST = 500  # levels of a value; databases and JSON parsers have limits of their own, from 1,000 on
_encode_json = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_encode_ascii_json = JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def check(op: Op | ClaimOp | EraOp | SwapOp) -> None:
    """Refuses an operation that no back end could carry out.

    Raises:
        ConfigurationError: a namespace, key, filter, limit, offset, index or ttl is malformed; says which and why.
    """
    if isinstance(op, GetOp):
        _check_namespace(op.namespace)
        _check_key(op.key)
    elif isinstance(op, PutOp | ClaimOp | SwapOp):
        _check_namespace(op.namespace)
        if not op.namespace:
            raise ConfigurationError("an item needs a namespace with at least one label")
        _check_key(op.key)
        if isinstance(op, PutOp):
            _check_index(op.index)
            _check_ttl(op.ttl)
    elif isinstance(op, SearchOp):
        _check_namespace(op.namespace_prefix)
        _check_page(op.limit, op.offset)
        check_filter(op.filter)
        if op.query is not None and not isinstance(op.query, str):
            raise ConfigurationError(f"a query must be text, got {type(op.query).__name__}")
    elif isinstance(op, ListNamespacesOp):
        _check_page(op.limit, op.offset)
        _check_patterns(op)
    elif isinstance(op, EraOp):
        _check_namespace(op.namespace)
    else:
        raise ConfigurationError(f"a batch takes GetOp, PutOp, SearchOp and ListNamespacesOp, got {type(op).__name__}")


def to_json(value: Mapping[str, Any]) -> str:
    """The value as JSON text that a database can keep.

    Raises:
        StoreError: it is not a JSON object: a key is not text, a number is NaN or infinite, a type is unknown to JSON, it
            contains itself or is nested too deeply. The message never shows the content.
    """
    if not isinstance(value, Mapping):
        raise StoreError(f"a value must be a mapping with text keys, got {type(value).__name__}")
    try:
        _check_keys(value)
        plain = dict(value)
        text = _encode_json(plain)
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            text = _encode_ascii_json(plain)  # half of a surrogate pair has no UTF-8
        return text
    except RecursionError as exc:
        raise StoreError("a value contains itself or is nested too deeply for JSON") from exc
    except (TypeError, ValueError, OverflowError) as exc:
        raise StoreError(f"a value is not JSON: {exc}") from exc


def path_matches(namespace: Namespace, condition: MatchCondition) -> bool:
    """Whether a namespace starts (or ends) with a pattern, label by label; "*" stands for exactly one label."""
    pattern = tuple(condition.path)
    if len(namespace) < len(pattern):
        return False
    labels = (
        namespace[: len(pattern)] if condition.match_type == "prefix" else namespace[len(namespace) - len(pattern) :]
    )
    return all(wanted in ("*", label) for label, wanted in zip(labels, pattern, strict=True))


def list_namespaces(namespaces: Iterable[Namespace], op: ListNamespacesOp) -> list[Namespace]:
    """The answer to `op` from all namespaces that hold something: matched, cut to `max_depth`, sorted, one page."""
    conditions = op.match_conditions or ()
    found = {ns[: op.max_depth] for ns in namespaces if all(path_matches(ns, condition) for condition in conditions)}
    return page(sorted(found), op.limit, op.offset)


def page(items: Sequence[T], limit: int, offset: int) -> list[T]:
    """One page of a list."""
    return list(items[offset : offset + limit])


@lru_cache(1024)
def encode_path(namespace: Namespace) -> str:
    """A namespace as one text, so that a namespace's text starts with another's exactly if its labels do.

    Every label is closed by a terminator that cannot occur inside it, so ("a", "b") and ("a.b",) differ and ("ab",) is not
    under ("a",).
    """
    return "".join(label.replace(_ESCAPE, _ESCAPE + "0").replace(_END, _ESCAPE + "1") + _END for label in namespace)


@lru_cache(1024)
def decode_path(path: str) -> Namespace:
    """The namespace that `encode_path` wrote."""
    return tuple(label.replace(_ESCAPE + "1", _END).replace(_ESCAPE + "0", _ESCAPE) for label in path.split(_END)[:-1])


def path_range(prefix: Namespace) -> tuple[str, str | None]:
    """Bounds of the encoded paths under `prefix`, itself included: low <= path < high; None is no upper bound."""
    low = encode_path(prefix)
    return (low, low[:-1] + chr(ord(_END) + 1)) if prefix else ("", None)


def _check_namespace(namespace: Any) -> None:
    if not isinstance(namespace, tuple):
        raise ConfigurationError(f"a namespace must be a tuple of labels, got {type(namespace).__name__}")
    for label in namespace:
        if not isinstance(label, str) or not label.isascii():
            _check_text(label, "a namespace label")
        if not label:
            raise ConfigurationError("a namespace label must not be empty")


def _check_key(key: Any) -> None:
    if not isinstance(key, str) or not key.isascii():
        _check_text(key, "a key")


def _check_text(text: Any, what: str) -> None:
    """Called for what is not plain ASCII: every read of a batch comes by here."""
    if not isinstance(text, str):
        raise ConfigurationError(f"{what} must be text, got {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise ConfigurationError(f"{what} holds half of a surrogate pair, which is not valid Unicode") from exc


def _check_index(index: Any) -> None:
    if index is None or index is False:
        return
    if not isinstance(index, (list, tuple)) or not all(isinstance(path, str) for path in index):
        raise ConfigurationError('index must be None, False or a list of paths such as ["text"]')


def _check_ttl(ttl: Any) -> None:
    if ttl is None:
        return
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or not math.isfinite(ttl) or not 0 < ttl < 1e9:
        raise ConfigurationError("ttl must be a positive number of minutes, or None to keep the item")


def _check_page(limit: Any, offset: Any) -> None:
    for name, number in (("limit", limit), ("offset", offset)):
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 1 << 62:
            raise ConfigurationError(f"{name} must be a whole number, 0 or more")


def _check_patterns(op: ListNamespacesOp) -> None:
    if op.max_depth is not None and (not isinstance(op.max_depth, int) or op.max_depth < 1):
        raise ConfigurationError("max_depth must be 1 or more, or None")
    for condition in op.match_conditions or ():
        if condition.match_type not in ("prefix", "suffix"):
            raise ConfigurationError("namespaces are matched by prefix or by suffix")
        _check_namespace(tuple(condition.path))


def _check_keys(value: Any, depth: int = 0) -> None:
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(f"keys must be text, got {type(key).__name__}")
            _check_keys(inner, depth + 1)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check_keys(inner, depth + 1)
