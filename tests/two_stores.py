"""The fixture `store`: what tests run over that must hold on any store, with no server."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from langgraph.store.base import BaseStore, Op
from langgraph.store.memory import InMemoryStore

from graph_memory import open_store


class OneAtATime(InMemoryStore):
    """LangGraph's store, for threads: by itself a search fails while another thread adds a namespace."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.Lock()

    def batch(self, ops: Iterable[Op]) -> list[Any]:
        with self._turn:
            return super().batch(ops)


@pytest.fixture(params=["ours", "foreign"])
def store(request: pytest.FixtureRequest) -> Iterator[BaseStore]:
    """Our store, in memory, and LangGraph's: one that takes claims and keeps times to live, and one that does not."""
    if request.param == "foreign":
        yield OneAtATime()
        return
    with open_store("sqlite://") as opened:
        yield opened
