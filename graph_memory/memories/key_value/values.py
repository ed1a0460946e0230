"""JSON values as memories keep them: checked, packed when they are large, shown on one line. Pure; no error quotes them."""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Mapping
from typing import Any

import zstandard
from pydantic import JsonValue, TypeAdapter, ValidationError

from graph_memory.errors import ConfigurationError, StoreError

LARGEST_BYTES = 16 * 2**20
"""Bytes of JSON that one value may have."""

_VALUE, _PACKED = "value", "packed"
_JSON: TypeAdapter[Any] = TypeAdapter(JsonValue)


def to_fields(value: Any, compress_above_bytes: int | None) -> dict[str, Any]:
    """The part of a stored item that holds a value: itself, or packed by Zstandard and base64 when that is shorter.

    Args:
        value: anything that JSON knows.
        compress_above_bytes: JSON of more bytes is packed; None never packs.

    Raises:
        ConfigurationError: the value is not JSON, or larger than `LARGEST_BYTES`.
    """
    raw = _json(value)
    if compress_above_bytes is not None and len(raw) > compress_above_bytes:
        packed = base64.b64encode(zstandard.ZstdCompressor().compress(raw)).decode("ascii")
        if len(packed) < len(raw):
            return {_PACKED: {"zstd": packed, "bytes": len(raw)}}
    return {_VALUE: json.loads(raw)}  # a copy, so that a store in memory does not share it with the caller


def from_fields(item: Mapping[str, Any]) -> Any:
    """The value that `to_fields` wrote.

    Raises:
        StoreError: the item holds none, or it is damaged.
    """
    if _PACKED not in item:
        if _VALUE not in item:
            raise StoreError("a stored value is damaged: delete the key, or set it again")
        return json.loads(_json(item[_VALUE]))  # a copy again
    try:
        return json.loads(_unpacked(item[_PACKED]))
    except (KeyError, TypeError, ValueError, RecursionError, binascii.Error):
        raise StoreError("a stored value is damaged: delete the key, or set it again") from None


def as_type(value: Any, wanted: Any) -> Any:
    """The value as a Python type that pydantic knows, read the way JSON is: a list may become a tuple, a text a date.

    Raises:
        StoreError: it does not fit.
    """
    try:
        return TypeAdapter(wanted).validate_json(_json(value))
    except ValidationError as exc:
        name = getattr(wanted, "__name__", str(wanted))
        problem = exc.errors(include_input=False, include_url=False)[0]["type"]
    raise StoreError(f"the stored value is no {name} ({problem}): ask for another type, or set the key again")


def shown(value: Any, characters: int) -> str:
    """The value on one line of at most so many characters, with an ellipsis where it was cut."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return clipped(text, characters)


def clipped(text: str, characters: int) -> str:
    """The text on one line of at most so many characters, with an ellipsis where it was cut."""
    line = " ".join(text[: 8 * characters].split())
    is_whole = len(line) <= characters and len(text) <= 8 * characters
    return line if is_whole else line[: characters - 1].rstrip() + "…"


def _json(value: Any) -> bytes:
    try:
        text = json.dumps(_JSON.validate_python(value), ensure_ascii=False, allow_nan=False)
    except (ValidationError, ValueError, RecursionError):
        kind = type(value).__name__
        raise ConfigurationError(
            f"a value of type {kind} is not JSON: use None, bool, int, float, str, and lists and dicts (with text keys) of"
            " these, without NaN, infinity or hundreds of levels"
        ) from None
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) > LARGEST_BYTES:
        raise ConfigurationError(
            f"a value of {len(raw)} bytes is too large: keep at most {LARGEST_BYTES} bytes of JSON under one key"
        )
    return raw


def _unpacked(packed: Mapping[str, Any]) -> str:
    """The JSON text; no more than it says is ever unpacked, whatever the compressed data claims."""
    size, data = int(packed["bytes"]), base64.b64decode(packed["zstd"], validate=True)
    if not 0 < size <= LARGEST_BYTES:
        raise ValueError("no such size")
    raw = _decompressed(data, size)
    if len(raw) != size:
        raise ValueError("another size")
    return raw.decode("utf-8", "surrogatepass")


def _decompressed(data: bytes, most: int) -> bytes:
    try:
        with zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(io.BytesIO(data)) as reader:
            return reader.read(most + 1)
    except zstandard.ZstdError as exc:
        raise ValueError("no Zstandard data") from exc
