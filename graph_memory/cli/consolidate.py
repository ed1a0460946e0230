"""`graph-memory consolidate`: says what there is to tidy in a user's memory, and does it with `--apply`."""

from __future__ import annotations

from graph_memory.cli.settings import Settings
from graph_memory.cli.show import console
from graph_memory.lifecycle.consolidation import consolidate as consolidate_store
from graph_memory.lifecycle.rules import ConsolidationReport, ConsolidationRules
from graph_memory.memories.episodes.keeping import Episodes
from graph_memory.memories.vector import VectorMemory

_WORDS = {
    "condensed": ("session becomes an episode", "sessions become episodes"),
    "merged": ("near-duplicate goes", "near-duplicates go"),
    "pruned": ("memo that scores low goes", "memos that score low go"),
}


def consolidate(settings: Settings, *, apply: bool, prune_below: float) -> None:
    """The command.

    Raises:
        ConfigurationError: a setting is wrong.
        StoreError: the memory cannot be used.
    """
    memory, rules = (
        VectorMemory(episodes=Episodes(model=settings.chat_model())),
        ConsolidationRules(prune_below=prune_below),
    )
    with settings.open() as opened:
        report = consolidate_store(opened.store, settings.user, dry_run=not apply, memory=memory, rules=rules)
    console().print(sentence(report))


def sentence(report: ConsolidationReport) -> str:
    """What is to be done or was done, in one line."""
    of = f"of the {report.memos:,} {'memo' if report.memos == 1 else 'memos'} of {report.user_id}"
    if report.is_empty:
        return f"nothing to consolidate {of}"
    parts = [
        f"{count:,} {_WORDS[name][count != 1]}" for name, count in report.counts.items() if count and name in _WORDS
    ]
    end = "; nothing was changed, --apply does it" if report.is_dry else "; done"
    return f"{of}: {', '.join(parts)}{end}"
