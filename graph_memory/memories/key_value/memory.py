"""Key-value memory: preferences, settings and session data under keys, shown to the model as a profile.

Application code sets and gets values; with a `model` or an `extract` function the memory also learns from what people say. By
itself it learns nothing, because what a rule misreads would stand in every prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from langgraph.store.base import PutOp

from graph_memory.context.words import terms
from graph_memory.errors import ConfigurationError
from graph_memory.extract.preferences import Extract
from graph_memory.memories.key_value.keyed import KeyedValues
from graph_memory.memories.key_value.preferences import LONGEST_KEY, asked_preferences
from graph_memory.memories.key_value.shelf import TICK, Shelf, checked_name, holding
from graph_memory.messages import said_at, text_of
from graph_memory.models import ChatModel, checked_model
from graph_memory.prompts import PREFERENCES
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Memo, Origin, Placement, Query, Section, Snippet, Turn

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage


@dataclass(frozen=True, kw_only=True)
class KeyValueMemory(KeyedValues):
    """Keeps JSON values under keys, and shows them as lines "key: value" before the conversation.

    Attributes:
        shows: namespaces that the context shows; None shows `namespace`.
        model: a chat model that is asked once a turn what preferences were stated; None asks none.
        prompt: what the model is told.
        extract: reads preferences from what people say without a model, such as
            `graph_memory.extract.preferences.said_preferences`; None learns nothing.
    """

    kind: ClassVar[str] = "key_value"
    heading: ClassVar[str] = "Known preferences and settings:"

    name: str = "key_value"
    placement: Placement = "system"
    shows: tuple[str, ...] | None = None
    model: ChatModel | None = None
    prompt: str = PREFERENCES
    extract: Extract | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.placement == "history":
            raise ConfigurationError(f"memory {self.name!r} cannot be placed as history: choose 'system' or 'tail'")
        if isinstance(self.shows, str):
            raise ConfigurationError(f"memory {self.name!r} has shows={self.shows!r}: give a tuple of namespaces")
        for space in self.shows or ():
            checked_name(space, "namespace")
        if self.model is not None and self.extract is not None:
            raise ConfigurationError(f"memory {self.name!r} has a model and extract: give one of them")
        checked_model(self.model, self.name)

    def recall(self, query: Query) -> Steps[Section]:
        """The values that hold, as lines; those that share words with the question score higher."""
        found: list[Memo] = []
        for space in (self.namespace,) if self.shows is None else dict.fromkeys(self.shows):
            found += holding((yield from self.shelf(query.scope, space).newest()), query.now)
        # Above the window the choice must not change with the question (law 8); there the newest values come first.
        is_steady = self.placement == "system"
        asked = set(terms(query.text)) if query.text.strip() and not is_steady else set()
        wanted = (query.filter or {}).items()
        fitting = (memo for memo in found if all(memo.metadata.get(key) == value for key, value in wanted))
        return self.section(_snippet(memo, asked) for memo in fitting)

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Learns what the turn's human messages state, when it was given a model or a function to do so."""
        people = [message for message in turn.untold().messages if message.type == "human" and text_of(message).strip()]
        if not people or (self.model is None and self.extract is None):
            return None
        shelf, puts = self.shelf(turn.scope, None), list[PutOp]()
        if self.model is not None:
            known = [memo.text for memo in holding((yield from shelf.newest()), turn.now)]
            pairs = yield from asked_preferences(self.model, self.prompt, turn.messages, known)
            puts = self._learnt(shelf, turn, people[-1], pairs, 0)
        elif self.extract is not None:
            for place, message in enumerate(people):
                puts += self._learnt(shelf, turn, message, self.extract(text_of(message)), place)
        yield StoreOps(_indexed_once(puts))
        return None

    def state_after(self, turn: Turn) -> Mapping[str, Any] | None:
        """Nothing: all that it learns is in the store."""
        return None

    def _learnt(
        self, shelf: Shelf, turn: Turn, message: BaseMessage, pairs: Iterable[tuple[str, str | None]], place: int
    ) -> list[PutOp]:
        """Operations that set what a message states; under ids of that message, so a re-run writes the same again."""
        moment, puts = said_at(message, turn.now) + place * TICK, list[PutOp]()
        for key, value in dict(pairs).items():
            origin = Origin(turn.root, turn_id=message.id or "", memory=self.name)
            if value is None:
                puts.append(shelf.tombstone(key, origin, moment, stem=turn.stem))
            elif key.strip() and len(key) <= LONGEST_KEY:
                puts += shelf.puts(
                    key,
                    value,
                    origin,
                    moment,
                    ttl_seconds=self.ttl_seconds,
                    source=message.id or "",
                    stem=turn.stem,
                )
        return puts


def _indexed_once(puts: Iterable[PutOp]) -> list[PutOp]:
    """Of a text that occurs twice, one is indexed: LangGraph's InMemoryStore cannot embed it twice in one batch."""
    seen: set[str] = set()
    made = []
    for put in puts:
        text = (put.value or {}).get("search", "")
        made.append(put._replace(index=False) if text in seen else put)
        seen.add(text)
    return made


def _snippet(memo: Memo, asked: set[str]) -> Snippet:
    """The line, scored by the share of the question's terms that it holds."""
    shared = len(asked.intersection(terms(memo.text))) / len(asked) if asked else 0.0
    return Snippet(memo.text, score=shared, parts={"words": shared}, memo_id=memo.id, said_at=memo.said_at)
