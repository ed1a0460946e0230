"""What happens to memos over time: consolidation, access counts, tiers, forgetting, export and import, statistics."""

from __future__ import annotations

from graph_memory.lifecycle.accesses import access_node, acount_accesses, count_accesses
from graph_memory.lifecycle.consolidation import aconsolidate, consolidate
from graph_memory.lifecycle.counting import UserStatistics, astatistics, statistics
from graph_memory.lifecycle.exporting import aexport_user, export_user
from graph_memory.lifecycle.forgetting import aforget, auser_threads, forget, user_threads
from graph_memory.lifecycle.importing import aimport_user, import_user
from graph_memory.lifecycle.parts import amove_tiers, aprune, move_tiers, prune
from graph_memory.lifecycle.reencrypting import Reencryption, areencrypt, reencrypt
from graph_memory.lifecycle.rules import ConsolidationReport, ConsolidationRules
from graph_memory.lifecycle.scheduling import aconsolidate_every, consolidate_every, consolidation_node

__all__ = [
    "ConsolidationReport",
    "ConsolidationRules",
    "Reencryption",
    "UserStatistics",
    "access_node",
    "aconsolidate",
    "aconsolidate_every",
    "acount_accesses",
    "aexport_user",
    "aforget",
    "aimport_user",
    "amove_tiers",
    "aprune",
    "areencrypt",
    "astatistics",
    "auser_threads",
    "consolidate",
    "consolidate_every",
    "consolidation_node",
    "count_accesses",
    "export_user",
    "forget",
    "import_user",
    "move_tiers",
    "prune",
    "reencrypt",
    "statistics",
    "user_threads",
]
