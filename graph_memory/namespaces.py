"""Scope to store namespace, and back to nothing else: ids are escaped here and only here.

A namespace is `(ROOT, owner, agent, memory)`, four labels deep. Every label that holds an id is `kind:escaped-id:`; the
closing colon, which no escaped id contains, keeps one id from being a prefix of another. Escaped ids use only lower-case
ASCII letters, digits, "-", "@" and "+"; everything else, upper case included, becomes "=XX" of its UTF-8 bytes. So two ids
never meet in a store that joins labels with dots, matches prefixes by LIKE (wildcards "%" and "_", case ignored) or refuses
empty labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from graph_memory.errors import ConfigurationError
from graph_memory.types import Scope

ROOT = "graph_memory"
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-@+")


def escape(value: str) -> str:
    """`value` in the safe alphabet; different values never escape to the same text. The empty string stays empty."""
    raw = value.encode("utf-8", "surrogatepass")
    return "".join(chr(byte) if byte in _PLAIN else f"={byte:02x}" for byte in raw)


def label(kind: str, value: str) -> str:
    """One namespace label that holds an id, such as "user:ada@x=2eorg:"."""
    return f"{kind}:{escape(value)}:"


def name_of(label: str) -> str:
    """The id in a namespace label that `label` made."""
    escaped = label.partition(":")[2].removesuffix(":")
    raw = re.sub(rb"=([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), escaped.encode())
    return raw.decode("utf-8", "surrogatepass")


def ids_in(namespace: Iterable[str], kind: str) -> list[str]:
    """The ids of a namespace's labels of one kind, such as "thread"."""
    return [name_of(one) for one in namespace if one.startswith(f"{kind}:")]


def owner(scope: Scope) -> str:
    """The label of whoever owns the memory: the user, else the thread.

    Raises:
        ConfigurationError: the scope names neither, or is none.
    """
    if not isinstance(scope, Scope):
        raise ConfigurationError(
            f"scope must be a Scope, not a {type(scope).__name__}: for example Scope(user_id='ada')"
        )
    if scope.user_id is not None:
        return label("user", scope.user_id)
    if scope.thread_id is not None:
        return label("thread", scope.thread_id)
    raise ConfigurationError(
        "whose memory is this? give a user_id or a thread_id, for example "
        'config={"configurable": {"user_id": "ada", "thread_id": "1"}}'
    )


def namespace(scope: Scope, memory: str) -> tuple[str, str, str, str]:
    """Where `memory` keeps what belongs to `scope`. The same depth for every memory, so no namespace contains another.

    Raises:
        ConfigurationError: the scope names neither a user nor a thread.
    """
    return (ROOT, owner(scope), label("agent", scope.agent or ""), label("memory", memory))


def user_prefix(user_id: str) -> tuple[str, str]:
    """The prefix under which everything of one user lives.

    Raises:
        ConfigurationError: the id is no text, or empty, which names nobody.
    """
    if not isinstance(user_id, str):
        raise ConfigurationError(f"user_id is a {type(user_id).__name__}: give a string")
    if not user_id:
        raise ConfigurationError("whose memory is this? the user_id is empty, and nothing is kept of nobody: give one")
    return (ROOT, label("user", user_id))
