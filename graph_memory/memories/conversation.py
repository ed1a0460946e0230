"""Recent turns word for word, and a summary of what was before: the two memories that most conversations need, shared out."""

from __future__ import annotations

from graph_memory.errors import ConfigurationError
from graph_memory.memories.base import Memory
from graph_memory.memories.buffer import BufferMemory
from graph_memory.memories.summary.memory import SummaryMemory
from graph_memory.models import ChatModel


def conversation_memory(
    model: ChatModel | None = None, *, turns: int | None = 10, summary_weight: float = 0.3
) -> list[Memory]:
    """A buffer of the newest turns and a summary of the turns that left it, for `attach` or `orchestrator`.

    Args:
        model: writes the summary; None quotes the sentences that carry most.
        turns: how many turns stay word for word; None lets the budget decide.
        summary_weight: the summary's share of the budget, the buffer has the rest.

    Raises:
        ConfigurationError: the weight is not a fraction, or an option of the memories is wrong.
    """
    if not 0 < summary_weight < 1:
        raise ConfigurationError(f"summary_weight={summary_weight}: give a fraction above 0 and below 1")
    return [
        BufferMemory(turns=turns, weight=1 - summary_weight),
        SummaryMemory(model, weight=summary_weight),
    ]
