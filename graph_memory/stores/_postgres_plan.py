"""A plan as the JSON that the SQL function `graph_memory.batch` takes, and its rows as a batch's results. Pure.

The same for a direct connection and for an RPC: what travels is text, numbers and JSON.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

import orjson
from langgraph.store.base import GetOp, Item, ListNamespacesOp, MatchCondition, Result, SearchOp

from graph_memory.context.fusion import FusionWeights
from graph_memory.context.words import terms
from graph_memory.errors import ConfigurationError
from graph_memory.stores._embedding import Vector
from graph_memory.stores._index import digest
from graph_memory.stores._ops import Namespace, decode_path, encode_path, path_range
from graph_memory.stores._plan import Plan, Swap, Write, has_query
from graph_memory.stores.claims import HOLDER
from graph_memory.stores.hits import Hit, Hits, Kept, Statistics

MOST_TERMS = 256
"""Different words of a query that are looked up; a pasted document is no question."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_DEPTH = 255  # of a repetition in one of Postgres's regular expressions
_DECIMALS = 6
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_SIGNALS = ("words", "words_raw", "meaning", "meaning_raw")
_namespace = lru_cache(maxsize=1024)(decode_path)  # the hits of a search mostly come from one
_UNSAFE = re.compile(r"[\0\ud800-\udfff\ue000]")
_MAYBE_UNSAFE = re.compile(r"\\u0000|\\u[dD][89a-fA-F]|\ue000")


class Answer(NamedTuple):
    """One row that `graph_memory.batch` gives; sql/0004_reading.sql says what its columns mean."""

    at: int
    path: str | None
    key: str | None
    value: str | None
    created_at: int | None
    updated_at: int | None
    score: float | None
    words: float | None
    words_raw: float | None
    meaning: float | None
    meaning_raw: float | None
    statistics: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Batch:
    """What is asked of the server, and how its answer is read.

    Attributes:
        todo: the plan.
        queries: text to the unit vector that it is searched by.
        weights: how much words and meaning count.
    """

    todo: Plan
    queries: Mapping[str, Vector]
    weights: FusionWeights

    def payload(self, vectors: Mapping[str, Vector]) -> dict[str, Any]:
        """The argument of `graph_memory.batch`.

        Args:
            vectors: text to unit vector, of the written texts that have none yet.

        Raises:
            ConfigurationError: a namespace, key or filter holds what Postgres cannot.
        """
        groups: dict[str, list[dict[str, Any]]] = {name: [] for name in ("gets", "lists", "newest", "searches")}
        for at, op in self.todo.reads:
            if isinstance(op, GetOp):
                groups["gets"].append({"at": at, **_place(op.namespace, op.key), "refresh": op.refresh_ttl})
            elif isinstance(op, ListNamespacesOp):
                groups["lists"].append({"at": at, **_listing(op)})
            else:
                groups["searches" if has_query(op) else "newest"].append({"at": at, **self._searching(op)})
        claims = [
            {**_place(c.namespace, c.key), "holder": safe(c.value.get(HOLDER)), "must_exist": c.must_exist}
            for c in self.todo.claims
        ]
        swaps = [{"at": at, **_swap(swap)} for at, swap in self.todo.swaps]
        return {**groups, "claims": claims, "swaps": swaps, "writes": written(self.todo.writes, vectors)}

    def results(self, rows: Iterable[Sequence[Any]]) -> list[Result]:
        """The operations' results, in order."""
        answers: dict[int, list[Answer]] = defaultdict(list)
        for row in rows:
            answers[row[0]].append(Answer._make(row))
        results: list[Any] = [None] * self.todo.size
        for at, op in self.todo.reads:
            results[at] = self._result(op, answers[at])
        for at, _ in self.todo.swaps:
            results[at] = bool(answers[at])
        return results

    def _searching(self, op: SearchOp) -> dict[str, Any]:
        wanted: dict[str, Any] = {**_range(op.namespace_prefix), "filter": _comparable(op.filter)}
        wanted |= {"limit": op.limit, "offset": op.offset, "refresh": op.refresh_ttl}
        if has_query(op):
            vector = self.queries.get(op.query or "")
            wanted |= {"terms": query_terms(op), "vector": None if vector is None else vector_text(vector)}
            wanted |= {"words_weight": self.weights.words, "meaning_weight": self.weights.meaning}
        return wanted

    def _result(self, op: GetOp | SearchOp | ListNamespacesOp, answers: list[Answer]) -> Any:
        if isinstance(op, GetOp):
            return _item(answers[0]) if answers else None
        if isinstance(op, ListNamespacesOp):
            return [_namespace(answer.path or "") for answer in answers]
        if not has_query(op):
            return [_hit(answer) for answer in answers]
        known = answers[-1].statistics or {}
        spread = known["spread"] if (op.query or "") in self.queries else None
        statistics = Statistics(known["documents"], known["frequencies"], tuple(spread) if spread else None)
        return Hits([_hit(answer) for answer in answers[:-1]], statistics)


def written(writes: Iterable[Write], vectors: Mapping[str, Vector]) -> list[dict[str, Any]]:
    """Writes as sql/0003_writing.sql takes them.

    Raises:
        ConfigurationError: a namespace or key holds what Postgres cannot.
    """
    return [_write(write, vectors) for write in writes]


def query_terms(op: SearchOp) -> list[str]:
    """The different words of a search."""
    return list(islice(dict.fromkeys(terms(op.query or "")), MOST_TERMS))


def vector_text(vector: Vector) -> str:
    """A vector as pgvector reads it, to the last bit; a tenth of the time that Python's own formatting takes."""
    return orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def to_text(value: Any) -> str:
    """A JSON value as text."""
    return _ENCODER.encode(value)


def safe(value: Any) -> Any:
    """A JSON value whose texts jsonb can hold: NUL and halves of surrogate pairs are written out, and what writes them out too.

    Different values stay different, so that filters mean the same.
    """
    if isinstance(value, str):
        return _UNSAFE.sub(lambda found: f"\ue000{ord(found[0]):04x}", value)
    if isinstance(value, Mapping):
        return {safe(key): safe(inner) for key, inner in value.items()}
    return [safe(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _comparable(conditions: Mapping[str, Any] | None) -> Any:
    if not conditions:
        return {}
    try:
        to_text(conditions)
    except (TypeError, ValueError) as exc:
        raise ConfigurationError("a filter compares with text, numbers, true, false, null, lists and mappings") from exc
    return safe(conditions)


def _write(write: Write, vectors: Mapping[str, Vector]) -> dict[str, Any]:
    if write.json is None:
        return {**_place(write.namespace, write.key), "value": None}
    digests = {text: digest(text).hex() for text in write.indexed.texts}
    fields = {
        **_place(write.namespace, write.key),
        "value": write.json,
        "ttl": None if write.ttl_minutes is None else max(write.ttl_minutes * 60, 1e-6),
        "digest": write.indexed.digest.hex(),
        "length": write.indexed.length,
        "words": write.indexed.words,
        "digests": list(digests.values()),
        "vectors": {hexed: vector_text(vectors[text]) for text, hexed in digests.items() if text in vectors},
    }
    return fields | _doc(write.json)


def _swap(swap: Swap) -> dict[str, Any]:
    return {**_place(swap.namespace, swap.key), "seen": swap.seen, "value": swap.json, **_doc(swap.json)}


def _doc(text: str) -> dict[str, Any]:
    """What filters look at, where that cannot be the JSON itself."""
    return {"doc": safe(json.loads(text))} if _MAYBE_UNSAFE.search(text) else {}


def _place(namespace: Namespace, key: str) -> dict[str, str]:
    return {"path": _without_nul(encode_path(namespace)), "key": _without_nul(key)}


def _range(prefix: Namespace) -> dict[str, str | None]:
    low, high = path_range(prefix)
    return {"low": _without_nul(low), "high": high}


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ConfigurationError("Postgres keeps no NUL character: take it out of the namespace or the key")
    return text


def _listing(op: ListNamespacesOp) -> dict[str, Any]:
    conditions = op.match_conditions or ()
    prefixes = [tuple(c.path) for c in conditions if c.match_type == "prefix" and "*" not in c.path]
    return {
        **_range(max(prefixes, key=len, default=())),
        "patterns": [_pattern(condition) for condition in conditions],
        "depth": None if op.max_depth is None else rf"^(?:[^\u001f]*\u001f){{1,{min(op.max_depth, _MOST_DEPTH)}}}",
        "limit": op.limit,
        "offset": op.offset,
    }


def _pattern(condition: MatchCondition) -> str:
    """A regular expression over encoded paths."""
    labels = "".join(
        r"[^\u001f]*\u001f" if label == "*" else _literal(_without_nul(encode_path((label,))))
        for label in condition.path
    )
    return f"^{labels}" if condition.match_type == "prefix" else rf"(^|\u001f){labels}$"


def _literal(text: str) -> str:
    return "".join(char if char.isalnum() or not char.isascii() else rf"\u{ord(char):04x}" for char in text)


def _item(answer: Answer) -> Item:
    return Kept(
        is_mortal=answer.score is not None,
        value=json.loads(answer.value or "{}"),
        key=answer.key or "",
        namespace=_namespace(answer.path or ""),
        created_at=_moment(answer.created_at),
        updated_at=_moment(answer.updated_at),
    )


def _hit(answer: Answer) -> Hit:
    parts = {
        name: round(value, _DECIMALS) for name, value in zip(_SIGNALS, answer[7:11], strict=True) if value is not None
    }
    times = _moment(answer.created_at), _moment(answer.updated_at)
    return Hit(_namespace(answer.path or ""), answer.key or "", answer.value or "{}", *times, answer.score, parts)


def _moment(stored: int | None) -> datetime:
    return _EPOCH + timedelta(microseconds=stored or 0)
