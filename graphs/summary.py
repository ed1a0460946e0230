"""A graph whose only memory is `SummaryMemory`."""

from __future__ import annotations

from graph_memory import SummaryMemory
from graphs.answering import MODEL, remembering

graph = remembering(SummaryMemory(MODEL, threshold_tokens=300))
