"""Entity memory: the people, organisations, places and things that a conversation speaks of."""

from graph_memory.memories.entity.fold import EntityFact, EntityView
from graph_memory.memories.entity.lines import EntityAnalytics
from graph_memory.memories.entity.memory import EntityMemory

__all__ = ["EntityAnalytics", "EntityFact", "EntityMemory", "EntityView"]
