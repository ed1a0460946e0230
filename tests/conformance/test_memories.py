"""The conformance suite over all of our memories, on LangGraph's InMemoryStore and on our own store."""

from __future__ import annotations

from typing import Any

import pytest

from graph_memory import (
    BufferMemory,
    EntityMemory,
    KeyValueMemory,
    SummaryMemory,
    VectorMemory,
    WorkingMemory,
    open_store,
    said_preferences,
)
from graph_memory.testing.memories import (
    CHECKS,
    MODES,
    MemoryCheck,
    MemoryFactory,
    Mode,
    StoreFactory,
    in_memory,
    run_check,
)
from tests.entity_helpers import Reader
from tests.summarisers import Summariser

LEARNT = {
    "Preferences": {"preferences": [{"key": "drink", "value": "tea"}]},
    "ExtractedEntities": {
        "entities": [{"name": "Ines", "type": "person"}, {"name": "Ghent", "type": "location"}],
        "facts": [{"subject": "Ines", "attribute": "home", "value": "Ghent", "value_type": "location"}],
    },
}


def reader() -> Any:
    """A model that reads the sample rightly, whatever it is asked for."""
    return Reader(lambda schema: {"raw": None, "parsed": schema(**LEARNT[schema.__name__]), "parsing_error": None})


STORES: dict[str, StoreFactory] = {"in_memory": in_memory, "sqlite": lambda: open_store("sqlite://")}

MEMORIES: dict[str, MemoryFactory] = {
    "buffer": BufferMemory,
    "buffer_that_prunes": lambda: BufferMemory(prune=True),
    "summary": SummaryMemory,
    "summary_selective": SummaryMemory.conservative,
    "vector": VectorMemory,
    "working": WorkingMemory,
    "working_shared": lambda: WorkingMemory(shared=True),
    "key_value": lambda: KeyValueMemory(extract=said_preferences),
    "entity": EntityMemory,
    "summary_with_model": lambda: SummaryMemory(Summariser("Ines lives in Ghent.")),  # type: ignore[arg-type]
    "key_value_with_model": lambda: KeyValueMemory(model=reader()),
    "entity_with_model": lambda: EntityMemory(reader()),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_our_memories(check: MemoryCheck, memory: str, store: str, mode: Mode) -> None:
    """Each of them behaves as the graph relies on."""
    run_check(check, MEMORIES[memory], mode, store=STORES[store])
