"""Importance as a chat model judges it: one question about all messages of a turn, answered by a number for each.

Where the model fails, or says nothing of a message, the importance by rules (`graph_memory.extract.importance`) stays.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, Field

from graph_memory.errors import ModelError
from graph_memory.memories.records import line_of
from graph_memory.models import ChatModel
from graph_memory.prompts import tagged
from graph_memory.steps import Generate, Steps
from graph_memory.types import Memo

logger = logging.getLogger("graph_memory")

_MOST = 50
_READ_CHARACTERS = 1000


class Judgement(BaseModel):
    """How much one message matters."""

    message: int = Field(description="The number that stands before the message")
    importance: float = Field(description="From 0, small talk, to 1, must never be forgotten")


class Judgements(BaseModel):
    """How much each message of a turn matters."""

    judgements: list[Judgement] = Field(default_factory=list, description="One for each message")


def judged(memos: Sequence[Memo], model: ChatModel, prompt: str, *, memory: str) -> Steps[list[Memo]]:
    """The memos with the importance that a model gives them; one call, which reads the first 50 and their beginnings.

    Args:
        memos: those of one turn.
        model: which model.
        prompt: the system message.
        memory: whose they are, for the log.
    """
    lines = [f"{number}. {line_of(memo)[:_READ_CHARACTERS]}" for number, memo in enumerate(memos[:_MOST], 1)]
    asked = [SystemMessage(prompt), HumanMessage(tagged("conversation", lines))]
    try:
        answer: Judgements = yield Generate(model, asked, Judgements)
    except ModelError as exc:
        logger.warning("memory %r: the importance stays as rules say: %s", memory, exc)
        return list(memos)
    found = {one.message: one.importance for one in answer.judgements if math.isfinite(one.importance)}
    return [
        replace(memo, importance=min(1.0, max(0.0, found[number]))) if number in found else memo
        for number, memo in enumerate(memos, 1)
    ]
