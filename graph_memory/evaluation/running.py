"""Conversations into a store, and their questions put to `VectorMemory` as a graph would put them.

Each conversation is one user's, so that no question meets what others said. Memories that differ only in what they recall
share what is stored.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from graph_memory.errors import BudgetError, StoreError
from graph_memory.evaluation.data import Conversation, Question
from graph_memory.evaluation.measures import BUDGETS, DEPTH, RANKED, evidence, is_shown
from graph_memory.memories.records import memo_id
from graph_memory.memories.vector import VectorMemory
from graph_memory.steps import run
from graph_memory.types import Line, Scope, TokenCounter, Turn

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

MEASURES = (*RANKED, *map(evidence, BUDGETS))
_ROOT = "eval"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one question.

    Attributes:
        question: what was asked.
        conversation: name of the conversation.
        found: ids of the turns, best first.
        values: measure to value, 0–1, for each of `MEASURES`.
        search_ms: how long the search took, in milliseconds.
    """

    question: Question
    conversation: str
    found: tuple[str, ...]
    values: Mapping[str, float]
    search_ms: float


def scope_of(conversation: Conversation) -> Scope:
    """Whose memory a conversation becomes."""
    return Scope(user_id=f"eval {conversation.name}")


def remember(conversation: Conversation, store: BaseStore) -> None:
    """Stores a conversation, session by session.

    Raises:
        StoreError: the store or the embedder failed.
    """
    scope, memory, seq = scope_of(conversation), VectorMemory(), 0
    for _, session in groupby(conversation.messages, key=lambda message: message.additional_kwargs["session"]):
        turn = Turn(scope, tuple(session), _ROOT, datetime.now(UTC), None, {"seq": seq})
        run(memory.remember(turn), store=store)
        seq += len(turn.messages)


def ask(
    conversation: Conversation, question: Question, memory: VectorMemory, store: BaseStore, counter: TokenCounter
) -> Outcome:
    """Puts one question to what was remembered of its conversation.

    Raises:
        StoreError: the search failed.
    """
    scope = scope_of(conversation)
    started = time.perf_counter()
    hits = memory.search(scope, question.text, store=store, limit=DEPTH)
    search_ms = (time.perf_counter() - started) * 1e3
    found = tuple(dict.fromkeys(hit.memo.source for hit in hits))
    values = {name: measure(found, question.evidence) for name, measure in RANKED.items()}
    told = {one.id: one.text for one in conversation.messages if one.id in question.evidence}
    texts = {memo_id(_ROOT, turn or "", memory.name): text for turn, text in told.items()}
    for budget in BUDGETS:
        lines = _context(scope, question.text, memory, store, counter, budget)
        shown = sum(is_shown(texts[line.memo_id], line.text) for line in lines if line.memo_id in texts)
        values[evidence(budget)] = shown / len(question.evidence)
    return Outcome(question, conversation.name, found, values, search_ms)


def _context(
    scope: Scope, text: str, memory: VectorMemory, store: BaseStore, counter: TokenCounter, budget_tokens: int
) -> Sequence[Line]:
    """What a graph would hand to its model; nothing where the question alone is over budget."""
    patient = replace(memory, deadline_seconds=None)  # a slow machine must not look like a memory that finds nothing
    try:
        made = patient.get_context(scope, text, store=store, budget_tokens=budget_tokens, counter=counter)
    except BudgetError:
        return ()
    for reason in made.degradations.values():
        raise StoreError(f"a context could not be measured: {reason}")
    return made.kept


def means(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Mean of each measure, 0–1, and "ms": the median time of a search in milliseconds.

    Raises:
        ValueError: there are no outcomes.
    """
    if not outcomes:
        raise ValueError("there are no outcomes")
    found = {name: statistics.fmean(outcome.values[name] for outcome in outcomes) for name in MEASURES}
    return {**found, "ms": statistics.median(outcome.search_ms for outcome in outcomes)}


def headline(outcomes: Sequence[Outcome], categories: frozenset[str]) -> list[Outcome]:
    """The outcomes that overall figures are about: those of `categories`, or all when there are none of these."""
    return [one for one in outcomes if one.question.category in categories] or list(outcomes)
