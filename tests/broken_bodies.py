"""Memories whose bodies are wrong in one way each: what they yield, what they change, how they fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.store.base import PutOp, SearchOp

from graph_memory import Query, Section, TokenCounter, Turn
from graph_memory.errors import StoreError
from graph_memory.steps import Generate, Steps, StoreOps
from tests.broken_memories import Notes


class BareOperations(Notes):
    """Yields an operation in place of a request."""

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """One operation at a time."""
        yield from self.puts(turn, self.heard(turn))  # type: ignore[misc]  # that is what is wrong with it
        return None


class WritesWhenClosed(Notes):
    """Wants to go on when it is given up."""

    def recall(self, query: Query) -> Steps[Section]:
        """The notes, and a last write whatever happens."""
        try:
            return (yield from super().recall(query))
        finally:
            yield StoreOps([])


class MarksMessages(Notes):
    """Changes what it is handed."""

    def heard(self, turn: Turn) -> Sequence[BaseMessage]:
        """The messages, marked."""
        for message in turn.messages:
            message.additional_kwargs["noted"] = True
        return super().heard(turn)


class KnowsOneMessage(Notes):
    """Takes a thread for a question."""

    def recall(self, query: Query) -> Steps[Section]:
        """The notes, in a thread of one message."""
        [_] = query.messages
        return (yield from super().recall(query))


class TrustsTheStore(Notes):
    """Goes on without an answer."""

    def recall(self, query: Query) -> Steps[Section]:
        """The notes, or a TypeError."""
        try:
            [items] = yield StoreOps([SearchOp(self.place(query.scope), limit=100)])
        except StoreError:
            items = None
        return self.section(map(self.snippet, items))


class OwnErrors(Notes):
    """Turns our errors into others."""

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Notes, or an error that nobody expects."""
        try:
            yield StoreOps(self.puts(turn, self.heard(turn)))
        except StoreError as exc:
            raise RuntimeError("notes are lost") from exc
        return None


@dataclass(frozen=True, kw_only=True)
class KeepsApologies(Notes):
    """Keeps whatever a model says, its errors included."""

    model: Any = None

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Notes, and what the model makes of it."""
        answer = yield Generate(self.model, list(turn.messages))
        yield StoreOps([PutOp(self.place(turn.scope), f"{turn.stem}/{turn.turn_id}", {"text": answer.text})])
        return None


class NeedsWords(Notes):
    """Expects that a message has words."""

    def key(self, turn: Turn, number: int, message: BaseMessage) -> str:
        """With the message's first word."""
        return f"{turn.stem}/{message.id}/{message.text.split()[0]}"


class NeverShorter(Notes):
    """Has a truncate that does not cut."""

    def truncate(self, section: Section, max_tokens: int, counter: TokenCounter) -> Section:
        """All of it."""
        return section


class CutsTurns(Notes):
    """Lets half a turn leave the window."""

    def overflow(self, query: Query) -> int:
        """All messages but one."""
        return len(query.messages) - 1


class ForetellsWrong(Notes):
    """Says ahead what it does not return."""

    def state_after(self, turn: Turn) -> Mapping[str, Any] | None:
        """A count that `remember` knows nothing of."""
        return {"count": len(turn.messages)}
