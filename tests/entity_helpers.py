"""What the tests of entity memory share: telling it, asking it, a chat model that answers as it is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda

from graph_memory import EntityMemory, Query, Scope, Section, Turn
from graph_memory.extract.entities.extraction import extract_entities
from graph_memory.extract.entities.values import Told
from graph_memory.memories.entity import EntityView
from graph_memory.steps import run
from tests.fakes import words_counter

DAY = datetime(2024, 3, 6, tzinfo=UTC)
LATER = DAY + timedelta(days=400)
ADA = Scope(user_id="ada", thread_id="t")


def turn(*texts: str, first: int = 0, scope: Scope = ADA, day: int | None = None) -> Turn:
    """A turn of human messages."""
    messages = tuple(HumanMessage(text, id=f"m{first + i}") for i, text in enumerate(texts))
    return Turn(scope, messages, "root", DAY + timedelta(days=first if day is None else day), state={"seq": first})


def tell(store: Any, *texts: str, memory: EntityMemory | None = None, first: int = 0, scope: Scope = ADA) -> None:
    """Tells the memory one message a day."""
    for i, text in enumerate(texts, first):
        run((memory or EntityMemory()).remember(turn(text, first=i, scope=scope)), store=store)


def known(store: Any, name: str, at: datetime = LATER, scope: Scope = ADA) -> EntityView:
    """The entity of that name."""
    view = EntityMemory().entity(scope, name, store=store, at=at)
    assert view is not None
    return view


def current(view: EntityView) -> dict[str, str]:
    """Slot to current value."""
    return {fact.slot: fact.value for fact in view.facts}


def asked(text: str, **more: Any) -> Query:
    """A query of ada's."""
    query = Query(ADA, text, (HumanMessage(text, id="q"),), "q", 1000, words_counter(), LATER)
    return replace(query, **more)


def recalled(store: Any, text: str, memory: EntityMemory | None = None, **more: Any) -> list[str]:
    """The lines that are offered, best first."""
    section: Section = run((memory or EntityMemory()).recall(asked(text, **more)), store=store)
    return [snippet.text for snippet in section.snippets]


@dataclass
class Reader:
    """A chat model that answers with what it is given."""

    answer: Any

    def invoke(self, *_: Any, **__: Any) -> Any:
        """Never asked without a schema."""
        raise NotImplementedError

    def with_structured_output(self, schema: Any, **_: Any) -> Any:
        """A runnable that answers, or raises the answer."""

        def answered(_: Any) -> Any:
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer(schema) if callable(self.answer) else self.answer

        return RunnableLambda(answered)


def told(text: str, speaker: str = "User") -> Told:
    """A message as extraction sees it."""
    return Told(text, speaker, DAY)


def claimed(text: str, speaker: str = "User") -> list[tuple[str, str, str]]:
    """Subject, slot and value of all claims; a value that is over is marked."""
    found = extract_entities(told(text, speaker)).claims
    return [(c.subject, c.slot, f"not {c.value}" if c.ended else c.value) for c in found]
