"""A graph whose only memory is `VectorMemory`."""

from __future__ import annotations

from graphs.answering import remembering, searched

graph = remembering(searched())
