"""LangChain's message histories in Redis: a list for each session, or (langchain-redis) a JSON document for each message.

Lists are read by core commands. Documents need Redis's own JSON commands, which a Redis that holds any has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from graph_memory.migration.chat_history import Histories, Stored
from graph_memory.migration.records import Fault
from graph_memory.redis_client import Server
from graph_memory.redis_errors import translate

LISTS, DOCUMENTS = "message_store:", "chat:"
"""What keys begin with: those of langchain-community, and those of langchain-redis."""

_TIMEOUT = 10.0
_PAGE = 500


def histories(url: str, prefix: str | None) -> Histories:
    """The messages of every session, the oldest of a session first.

    Raises:
        ConfigurationError: the url is wrong, or the server refuses.
        StoreError: the server failed.
    """
    from redis.exceptions import RedisError

    with closing(Server(url, timeout_seconds=_TIMEOUT)) as server:
        try:
            for client in server.nodes().values():
                for begin in (LISTS, DOCUMENTS) if prefix is None else (prefix,):
                    yield from lists(client, begin)
                    yield from documents(client, begin)
        except (RedisError, OSError) as exc:
            raise translate(exc, server.where, _TIMEOUT) from exc


def lists(client: Any, prefix: str) -> Iterator[Stored | Fault]:
    """The messages of lists. New ones come in at the head, so what is counted from the tail stays where it is."""
    for key in _keys(client, prefix, "list"):
        session, start = key[len(prefix) :], 0
        while page := client.lrange(key, -start - _PAGE, -start - 1):
            for number, raw in enumerate(reversed(page), start + 1):
                yield Stored(session, str(number), raw)
            start += len(page)
            if len(page) < _PAGE:
                break


def documents(client: Any, prefix: str) -> Iterator[Stored | Fault]:
    """The messages of JSON documents, in the order of their times."""
    places = []
    for key in _keys(client, prefix, "ReJSON-RL"):
        document = _document(client, key)
        if document is None:
            yield Fault(f"key {key}", "it is no message of LangChain, which has a type and data")
        else:
            places.append((str(document["session_id"]), float(document["timestamp"]), key))
    for session, timestamp, key in sorted(places):
        if (document := _document(client, key)) is not None:  # it may be gone since
            value = {"type": document["type"], "data": document["data"]}
            yield Stored(session, str(document.get("message_id") or key), value, datetime.fromtimestamp(timestamp, UTC))


def _document(client: Any, key: str) -> Mapping[str, Any] | None:
    raw = client.execute_command("JSON.GET", key)
    try:
        value = json.loads(raw)
        datetime.fromtimestamp(float(value["timestamp"]), UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError, RecursionError):
        return None
    return value if isinstance(value, Mapping) and {"session_id", "type", "data"} <= value.keys() else None


def _keys(client: Any, prefix: str, kind: str) -> list[str]:
    """The keys of one type that begin with a prefix, sorted; what is no UTF-8 is no key of LangChain."""
    pattern = "".join(f"\\{one}" if one in "*?[]\\^" else one for one in prefix) + "*"
    found = client.scan_iter(match=pattern, count=_PAGE, _type=kind)
    keys = (key.decode("utf-8", "replace") if isinstance(key, bytes) else key for key in found)
    return sorted({key for key in keys if key.startswith(prefix)})
