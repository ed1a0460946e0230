"""What a thread's state is told once its memories were asked."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import RemoveMessage
from langchain_core.runnables import RunnableConfig

from graph_memory.graph.recalling import Desk, channel_of
from graph_memory.graph.remembering import cursors
from graph_memory.graph.state import CONTEXT, MEMORY, merge_memory, next_version
from graph_memory.messages import state_messages
from graph_memory.types import Context


def after_recall(desk: Desk, context: Context, state: Any, config: RunnableConfig) -> dict[str, Any]:
    """The update of the state: the context, the messages that leave the channel, and from where on to remember."""
    there = {message.id for message in state_messages(state, desk.messages_key)}
    pruned = [id for section in context.sections for id in section.leaving if id in there]
    leaving = [RemoveMessage(id=message_id) for message_id in pruned]
    states = {section.memory: dict(section.state) for section in context.sections if section.state}
    kept = merge_memory(cursors(desk, state, config, pruned), {desk.state_key: states} if states else {})
    return {
        CONTEXT: context,
        **({desk.messages_key: leaving} if leaving else {}),
        **({MEMORY: merge_memory(kept, next_version(channel_of(state), desk.state_key))} if kept else {}),
    }
