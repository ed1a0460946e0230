"""A chat graph with all six memories."""

from __future__ import annotations

from graphs.answering import all_memories, remembering

graph = remembering(*all_memories())
