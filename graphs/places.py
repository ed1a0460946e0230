"""Where `langgraph dev` keeps memory and threads: where `GRAPH_MEMORY_URL` says, else in the file `memory.db`.

`langgraph.json` names both. Without its "store" and "checkpointer", or with others, the graphs are the same.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.store.base import BaseStore

from graph_memory import MemorySettings, open_checkpointer, open_store

DEFAULT_URL = "sqlite:///memory.db"
_SETTINGS = MemorySettings.from_env(os.environ)
URL = _SETTINGS.url or DEFAULT_URL


@asynccontextmanager
async def store() -> AsyncIterator[BaseStore]:
    """The store, open for as long as the server runs."""
    async with open_store(URL, embed=_SETTINGS.embed) as opened:
        yield opened


@asynccontextmanager
async def checkpointer() -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """The checkpointer, open for as long as the server runs."""
    async with open_checkpointer(URL) as opened:
        yield opened
