"""Where `langgraph dev` keeps memory and threads: where `GRAPH_MEMORY_URL` says, else in the file `memory.db`.

A Supabase takes `GRAPH_MEMORY_SUPABASE_KEY` as well: the secret key for all users, or the publishable one with the
`GRAPH_MEMORY_SUPABASE_TOKEN` of one.

`langgraph.json` names both. Without its "store" and "checkpointer", or with others, the graphs are the same.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.store.base import BaseStore

from graph_memory import MemorySettings, open_checkpointer, open_store, options_from_env

DEFAULT_URL = "sqlite:///memory.db"
_SETTINGS = MemorySettings.from_env(os.environ)
URL = _SETTINGS.url or DEFAULT_URL


@asynccontextmanager
async def store() -> AsyncIterator[BaseStore]:
    """The store, open for as long as the server runs."""
    async with open_store(URL, embed=_SETTINGS.embed, **options_from_env(URL, os.environ, of="store")) as opened:
        yield opened


@asynccontextmanager
async def checkpointer() -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """The checkpointer, open for as long as the server runs."""
    async with open_checkpointer(URL, **options_from_env(URL, os.environ, of="checkpointer")) as opened:
        yield opened
