"""The fixture `store`: what tests run over that must hold on any store, with no server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from graph_memory import open_store


@pytest.fixture(params=["ours", "foreign"])
def store(request: pytest.FixtureRequest) -> Iterator[BaseStore]:
    """Our store, in memory, and LangGraph's: one that takes claims and keeps times to live, and one that does not."""
    if request.param == "foreign":
        yield InMemoryStore()
        return
    with open_store("sqlite://") as opened:
        yield opened
