"""Many writes in batches that every store takes: LangGraph's InMemoryStore cannot embed the same text twice in one batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from langgraph.store.base import PutOp

from graph_memory.steps import Steps, StoreOps

_BATCH = 200


def written(puts: Iterable[PutOp]) -> Steps[None]:
    """Carries the operations out, in order."""
    for batch in _batches(puts):
        yield StoreOps(batch)


def _batches(puts: Iterable[PutOp]) -> Iterator[list[PutOp]]:
    batch: list[PutOp] = []
    texts: set[str] = set()
    for put in puts:
        text = str((put.value or {}).get("search", "")) if put.index is not False else ""
        if len(batch) == _BATCH or (text and text in texts):
            yield batch
            batch, texts = [], set()
        batch.append(put)
        texts |= {text} if text else set()
    if batch:
        yield batch
