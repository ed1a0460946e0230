"""JSON values: what is one, packing, types."""

from __future__ import annotations

import base64
import json
import math
from datetime import date
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from graph_memory import ConfigurationError, StoreError
from graph_memory.memories.key_value.values import LARGEST_BYTES, as_type, from_fields, shown, to_fields

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class Size(BaseModel):
    """A type of the caller's own."""

    width: int


@given(JSON, st.sampled_from([None, 0, 10, 4096]))
def test_a_value_survives(value: Any, limit: int | None) -> None:
    """Whatever JSON knows comes back as it was, packed or not."""
    fields = json.loads(json.dumps(to_fields(value, limit)))

    assert from_fields(fields) == value


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, {1, 2}, (1,), b"x", object(), {1: 2}, [object()], 10**5000],
    ids=lambda v: type(v).__name__,
)
def test_what_is_no_json_is_refused(value: Any) -> None:
    """In one sentence that does not repeat the value."""
    with pytest.raises(ConfigurationError, match="is not JSON") as refused:
        to_fields({"secret": value}, None)
    assert "secret" not in str(refused.value)


def test_what_contains_itself_is_refused() -> None:
    """And what has thousands of levels."""
    ring: list[Any] = []
    ring.append(ring)
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    for value in (ring, deep):
        with pytest.raises(ConfigurationError, match="is not JSON"):
            to_fields(value, None)


def test_a_value_is_not_shared_with_the_caller() -> None:
    """A store in memory keeps what was set, whatever the caller does to it afterwards, and to what was read."""
    value = {"list": [1]}
    fields = to_fields(value, None)
    value["list"].append(2)
    from_fields(fields)["list"].append(3)

    assert from_fields(fields) == {"list": [1]}


def test_only_what_gets_shorter_is_packed() -> None:
    """Text packs well; a short one stays readable."""
    assert set(to_fields("word " * 2000, 100)) == {"packed"}
    assert len(to_fields("word " * 2000, 100)["packed"]["zstd"]) < 200
    assert set(to_fields("short", 0)) == {"value"}
    assert set(to_fields("word " * 2000, None)) == {"value"}


def test_what_is_too_large_is_refused() -> None:
    """Before anything is packed."""
    with pytest.raises(ConfigurationError, match="too large"):
        to_fields("x" * LARGEST_BYTES, None)


def test_unpacking_is_bounded() -> None:
    """A bomb, a lie about the size and plain rubbish are damage, not memory."""
    bomb = base64.b64encode(zstandard.ZstdCompressor().compress(b" " * 50_000_000)).decode()
    for packed in (
        {"zstd": bomb, "bytes": 10},
        {"zstd": bomb, "bytes": 10**12},
        {"zstd": "!!!", "bytes": 5},
        {"zstd": base64.b64encode(b"rubbish").decode(), "bytes": 7},
        {"bytes": 7},
        7,
    ):
        with pytest.raises(StoreError, match="damaged"):
            from_fields({"packed": packed})
    with pytest.raises(StoreError, match="damaged"):
        from_fields({})


def test_a_type_is_read_as_json_is() -> None:
    """Dates from texts, tuples from lists, models from objects."""
    assert as_type("2026-01-02", date) == date(2026, 1, 2)
    assert as_type([1, 2], tuple[int, int]) == (1, 2)
    assert as_type({"width": 3}, Size) == Size(width=3)


def test_a_wrong_type_says_so_without_the_value() -> None:
    """Neither the message nor its cause shows what was stored."""
    with pytest.raises(StoreError, match="no int") as refused:
        as_type("my secret", int)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_long_values_end_in_an_ellipsis() -> None:
    """On one line, within the length."""
    assert shown("a\n b", 10) == "a b"
    assert shown({"é": [1, None]}, 50) == '{"é": [1, null]}'
    assert shown("word " * 100, 12) == "word word w…"
    assert shown(" " * 1000 + "x", 10) == "…"
