"""A graph whose only memory is `BufferMemory`."""

from __future__ import annotations

from graph_memory import BufferMemory
from graphs.answering import remembering

graph = remembering(BufferMemory())
