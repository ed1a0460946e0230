"""`graph-memory reencrypt`: what is kept is sealed again with the first of the keys that are given."""

from __future__ import annotations

import os

import typer

from graph_memory.errors import ConfigurationError
from graph_memory.lifecycle.reencrypting import reencrypt as sealed_again
from graph_memory.opening import options_from_env
from graph_memory.stores import open_store

_WHY = ", which somebody else was writing, so run it again, or which were not encrypted and end by themselves"


def reencrypt(url: str, *, reads_plain: bool) -> None:
    """The command.

    Raises:
        ConfigurationError: no key is given, or the url is wrong.
        StoreError: something does not open with these keys; what came before it is done.
    """
    options = options_from_env(url, os.environ, of="store")
    if "encrypt" not in options:
        raise ConfigurationError("no key is given: set GRAPH_MEMORY_ENCRYPTION_KEYS, the new key, a comma, the old one")
    with open_store(url, create=False, reads_plain=reads_plain, **options) as store:
        done = sealed_again(store)
    typer.echo(f"sealed again: {done.written:,}; left: {done.left:,}{_WHY if done.left else ''}")
