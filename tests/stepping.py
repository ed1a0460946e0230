"""What the tests that step a memory by hand are made of: questions, turns, memos and what a store found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.store.base import SearchItem

from graph_memory import (
    Memo,
    Query,
    Scope,
    Turn,
)
from graph_memory.namespaces import namespace
from graph_memory.types import Origin
from tests.fakes import words_counter

NOW = datetime(2026, 1, 2, tzinfo=UTC)


ADA = Scope(user_id="ada", thread_id="t")


def asked(text: str, **more: Any) -> Query:
    """A query for ada's memory."""
    message = HumanMessage(text, id="q")
    known = Query(ADA, text, (message,), "q", 1000, words_counter(), NOW, history_tokens=1000)
    return replace(known, **more)


def turn(*texts: str, scope: Scope = ADA, first: int = 0, **more: Any) -> Turn:
    """A turn of a human and an assistant in alternation."""
    kinds = (HumanMessage, AIMessage)
    messages = tuple(kinds[i % 2](text, id=f"m{first + i}") for i, text in enumerate(texts))
    return Turn(scope, messages, "root", NOW, **more)


def memo(key: str, text: str, **more: Any) -> Memo:
    """A memo of ada's."""
    return replace(Memo(key, text, Origin("root", memory="vector"), NOW), **more)


def hit(one: Memo, score: float, where: tuple[str, ...] = namespace(ADA, "vector")) -> SearchItem:
    """A search result that holds a memo."""
    return SearchItem(where, one.id, one.to_value(), NOW, NOW, score)


def finished(steps: Any, answer: Any) -> Any:
    """The value of a body whose last request is answered with `answer`."""
    with pytest.raises(StopIteration) as stopped:
        steps.send(answer)
    return stopped.value.value
