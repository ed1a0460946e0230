"""Memories from elsewhere: `import_from` reads a source and writes what it yields as if it had been remembered here.

A source is one small module that yields records (`records.py`); what is written, what is known already and what is reported is
the same for all.
"""

from __future__ import annotations

from graph_memory.migration.chat_history import ChatHistory
from graph_memory.migration.importing import BadRecordError, aimport_from, import_from
from graph_memory.migration.jsonl import Conversations, Export
from graph_memory.migration.langgraph_store import LangGraphItems
from graph_memory.migration.langgraph_threads import LangGraphThreads
from graph_memory.migration.langmem import LangMem
from graph_memory.migration.records import Exact, Fault, Kept, Noted, Said, Source
from graph_memory.migration.report import ImportReport

__all__ = [
    "BadRecordError",
    "ChatHistory",
    "Conversations",
    "Exact",
    "Export",
    "Fault",
    "ImportReport",
    "Kept",
    "LangGraphItems",
    "LangGraphThreads",
    "LangMem",
    "Noted",
    "Said",
    "Source",
    "aimport_from",
    "import_from",
]
