"""A graph whose only memory is `EntityMemory`."""

from __future__ import annotations

from graph_memory import EntityMemory
from graphs.answering import MODEL, remembering

graph = remembering(EntityMemory(MODEL))
