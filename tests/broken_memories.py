"""A sound memory, and memories that keep or show the wrong thing, each in one way; `tests/broken_bodies.py` has the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from uuid import uuid4

from langchain_core.messages import BaseMessage
from langgraph.store.base import GetOp, Item, PutOp, SearchOp

from graph_memory import Memory, Query, Scope, Section, Snippet, Turn
from graph_memory.memories.records import memos_of
from graph_memory.namespaces import namespace
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Origin


@dataclass(frozen=True, kw_only=True)
class Notes(Memory):
    """Keeps what people say word for word: nothing is wrong with it."""

    heading = "Notes:"

    name: str = "notes"

    def recall(self, query: Query) -> Steps[Section]:
        """All notes."""
        where = self.place(query.scope)
        [items] = yield StoreOps([SearchOp(where, limit=100)])
        return self.section(self.snippet(item) for item in items if item.namespace == where)

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Notes what people say."""
        yield StoreOps(self.puts(turn, self.heard(turn)))
        return None

    def place(self, scope: Scope) -> tuple[str, ...]:
        """Where the notes are."""
        return namespace(scope, self.name)

    def heard(self, turn: Turn) -> Sequence[BaseMessage]:
        """What is noted of a turn."""
        return [message for message in turn.messages if message.type in ("human", "ai")]

    def key(self, turn: Turn, number: int, message: BaseMessage) -> str:
        """The key of a note."""
        return f"{turn.stem}/{message.id}"

    def puts(self, turn: Turn, messages: Iterable[BaseMessage]) -> list[PutOp]:
        """Operations that keep notes."""
        where = self.place(turn.scope)
        return [
            PutOp(where, self.key(turn, number, message), self.value(turn, message), index=False)
            for number, message in enumerate(messages)
        ]

    def value(self, turn: Turn, message: BaseMessage) -> dict[str, Any]:
        """A note as it is stored; its origin lets the graph tell which line of the thread wrote it."""
        return {"text": str(message.text), "origin": asdict(Origin(turn.root, memory=self.name))}

    def snippet(self, item: Item) -> Snippet:
        """A note as it is shown."""
        return Snippet(item.value["text"], memo_id=item.key)


class Greets(Notes):
    """Shows something where nothing is known."""

    def recall(self, query: Query) -> Steps[Section]:
        """A greeting before the notes."""
        section = yield from super().recall(query)
        return self.section([Snippet("Hello!", memo_id="hello"), *section.snippets])


class CountsQuestions(Notes):
    """Writes when it is only asked."""

    def recall(self, query: Query) -> Steps[Section]:
        """The notes; the question is noted too."""
        section = yield from super().recall(query)
        yield StoreOps([PutOp(namespace(query.scope, "questions"), query.turn_id, {"n": 1}, index=False)])
        return section


class KnowsItsName(Notes):
    """Makes its section by hand."""

    def recall(self, query: Query) -> Steps[Section]:
        """The notes, without the shares that the user gave."""
        section = yield from super().recall(query)
        return Section("notes", section.snippets, heading=self.heading)


class Silent(Notes):
    """Never says what it keeps."""

    def recall(self, query: Query) -> Steps[Section]:
        """Nothing."""
        yield from ()
        return self.section()


class Restless(Notes):
    """Names its notes anew each time."""

    def snippet(self, item: Item) -> Snippet:
        """A note under a new id."""
        return Snippet(item.value["text"], memo_id=uuid4().hex)


class Nameless(Notes):
    """Does not say which memo a line is from."""

    def snippet(self, item: Item) -> Snippet:
        """A note without an id."""
        return Snippet(item.value["text"])


class TwoLineLabels(Notes):
    """Lets what was said into the labels, which are not quoted."""

    def snippet(self, item: Item) -> Snippet:
        """A note under a label that ends the line."""
        return Snippet(item.value["text"], memo_id=item.key, label=f"Note\n{item.value['text']}")


class Doubles(Notes):
    """Keeps everything once more when it is told again."""

    def key(self, turn: Turn, number: int, message: BaseMessage) -> str:
        """Never the same."""
        return uuid4().hex


class NumbersTheRest(Notes):
    """Numbers what is new of a turn from zero, so that the second part replaces the first."""

    def heard(self, turn: Turn) -> Sequence[BaseMessage]:
        """The part that is new."""
        return super().heard(turn.untold())

    def key(self, turn: Turn, number: int, message: BaseMessage) -> str:
        """The place in the turn, which it is not."""
        return f"{turn.stem}/{turn.turn_id}/{number}"


class KnowsNoForks(Notes):
    """Keeps memos under ids that a fork of the thread makes again."""

    def puts(self, turn: Turn, messages: Iterable[BaseMessage]) -> list[PutOp]:
        """Operations that keep memos."""
        memos = memos_of(replace(turn, branch=""), [*messages], memory=self.name, first_seq=0)
        return [PutOp(self.place(turn.scope), memo.id, memo.to_value(), index=False) for memo in memos]


class KnowsNoLines(Notes):
    """Keeps notes that do not say where they come from."""

    def value(self, turn: Turn, message: BaseMessage) -> dict[str, Any]:
        """The text alone."""
        return {"text": str(message.text)}


class MarksFirst(Notes):
    """Says that a turn is done before it is."""

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Marks the turn, then notes it."""
        done = namespace(turn.scope, "done")
        [item] = yield StoreOps([GetOp(done, turn.turn_id)])
        if item is None:
            yield StoreOps([PutOp(done, turn.turn_id, {"done": True}, index=False)])
            yield StoreOps(self.puts(turn, self.heard(turn)))
        return None


class OwnNamespace(Notes):
    """Makes its namespace by hand."""

    def place(self, scope: Scope) -> tuple[str, ...]:
        """Where ids meet."""
        return ("notes", f"{scope.user_id or scope.thread_id}".replace(".", " ") or "nobody")


@dataclass(frozen=True, kw_only=True)
class KeepsInMind(Notes):
    """Keeps what it is told in the process, for whoever asks."""

    mind: list[Snippet] = field(default_factory=list)

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Notes, and keeps in mind."""
        self.mind.extend(Snippet(message.text, memo_id=message.id or "") for message in self.heard(turn))
        return (yield from super().remember(turn))

    def recall(self, query: Query) -> Steps[Section]:
        """What is kept in mind."""
        yield from ()
        return self.section(self.mind)


class Anonymous(Notes):
    """Has a default that everybody shares."""

    def place(self, scope: Scope) -> tuple[str, ...]:
        """The user's, or anybody's."""
        return namespace(Scope(user_id="anybody") if scope.is_empty else scope, self.name)


@dataclass(frozen=True, kw_only=True)
class KeepsACopy(Notes):
    """Reads the store once per scope."""

    copies: dict[Scope, Section] = field(default_factory=dict)

    def recall(self, query: Query) -> Steps[Section]:
        """What was there when it was first asked."""
        found = yield from super().recall(query)
        if query.scope not in self.copies or found.snippets:
            self.copies[query.scope] = found
        return self.copies[query.scope]


class StateOfSets(Notes):
    """Wants kept in a checkpoint what is no JSON."""

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Notes, and returns a set."""
        yield from super().remember(turn)
        return {"seen": {message.id for message in turn.messages}}


class LoudInLoops(Notes):
    """Does another thing in an event loop."""

    def snippet(self, item: Item) -> Snippet:
        """Capitals, when a loop is running."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return super().snippet(item)
        return Snippet(item.value["text"].upper(), memo_id=item.key)
