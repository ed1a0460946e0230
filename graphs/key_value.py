"""A graph whose only memory is `KeyValueMemory`."""

from __future__ import annotations

from graphs.answering import preferences, remembering

graph = remembering(preferences())
