"""The steps of a reasoning chain that a turn's messages show: each tool call with the text beside it and its result.

An error text is never kept: a call that failed says so and no more. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from graph_memory.memories.key_value.shelf import TICK
from graph_memory.memories.key_value.values import clipped
from graph_memory.memories.records import memo_id
from graph_memory.memories.working.items import WorkingStep, end_of
from graph_memory.messages import is_error_text, said_at, text_of
from graph_memory.types import Turn


def steps_of(
    turn: Turn, *, memory: str, namespace: str, ttl_seconds: float | None, characters: int, after: datetime | None
) -> list[WorkingStep]:
    """One step per tool call that was answered, in order; each builds on the steps of the exchange before it in the turn.

    Args:
        turn: the finished turn.
        memory: name of the memory, for the steps' ids.
        namespace: the chain that they belong to.
        ttl_seconds: how long they stay.
        characters: length of a thought, a call and a result.
        after: moment of the newest step that is known; these come after it.
    """
    results = {m.tool_call_id: m for m in turn.messages if isinstance(m, ToolMessage)}
    steps: list[WorkingStep] = []
    earlier: tuple[str, ...] = ()
    for message in turn.messages:
        if message.type == "human":
            earlier = ()
        made: list[WorkingStep] = []
        for ordinal, call in enumerate(message.tool_calls if isinstance(message, AIMessage) else ()):
            if (answer := results.get(call["id"] or "")) is None:
                continue
            latest = made[-1].at if made else steps[-1].at if steps else after
            at, failed = said_at(message, turn.now), _is_error(answer)
            step = WorkingStep(
                id=memo_id(turn.stem, message.id or "", f"{memory}\x1f{namespace}", ordinal),
                thought="" if made else clipped(text_of(message), characters),
                action=called(call["name"], call["args"], characters),
                result="" if failed else clipped(text_of(answer), characters),
                failed=failed,
                links=earlier,
                namespace=namespace,
                at=at if latest is None else max(at, latest + TICK),
                expires_at=end_of(turn.now, ttl_seconds),
                sources=tuple(m.id for m in (message, answer) if m.id),
            )
            made.append(step)
        steps += made
        earlier = tuple(step.id for step in made) or earlier
    return steps


def called(name: str, args: Mapping[str, Any], characters: int) -> str:
    """A tool call on one line."""
    shown = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False, default=str)}" for key, value in args.items())
    return clipped(f"{name}({shown})", characters)


def said_in(messages: Sequence[BaseMessage]) -> list[str]:
    """What the assistant said and called: the texts in which an item may be of use."""
    texts = []
    for message in messages:
        if isinstance(message, AIMessage):
            texts.append(text_of(message))
            texts += [called(call["name"], call["args"], 2000) for call in message.tool_calls]
    return texts


def _is_error(answer: ToolMessage) -> bool:
    return answer.status == "error" or is_error_text(text_of(answer))
