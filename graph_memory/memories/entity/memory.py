"""Entity memory: the people, organisations, places and things that a conversation speaks of, and what holds of them now.

What lasts is immutable memos under each entity (`records.py`); an entity is what they say, folded when it is
read (`fold.py`), so a changed fact is never shown as current and stays readable as history. Names lead to
entities by key (`naming.py`); nothing is listed to answer a question. Without a model, rules read English;
with one, structured output, one call per batch of messages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from graph_memory import prompts
from graph_memory.context.ranking import RankingWeights
from graph_memory.errors import ConfigurationError
from graph_memory.extract.entities.extraction import extract_entities
from graph_memory.extract.entities.schema import ExtractedEntities, batches, extractions, listed
from graph_memory.extract.entities.values import TEXT_CHARACTERS, EntityRules, Extraction, Told
from graph_memory.memories.base import Memory
from graph_memory.memories.entity.fold import EntityView
from graph_memory.memories.entity.lines import EntityAnalytics, analytics_of, chosen, incoming, line_of, mermaid_of
from graph_memory.memories.entity.naming import Register, keys_of, normalised
from graph_memory.memories.entity.reading import (
    all_entities,
    asked_by,
    asked_for,
    closest_of,
    keys_in,
    known_names,
    least_meaning,
    linked_to,
    loaded,
    mention_scores,
    whole,
)
from graph_memory.memories.entity.receipts import Reading, receipt_get, unread
from graph_memory.memories.entity.records import (
    Writer,
    indexed_once,
    keys_to_write,
)
from graph_memory.messages import is_spoken, speaker_of, text_of
from graph_memory.models import ChatModel, checked_model
from graph_memory.steps import Generate, Steps, StoreOps, arun, run
from graph_memory.types import Query, Scope, Section, Snippet, Turn

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

_FOUND = 2
"""Memos that the search by meaning may bring for each entity that is recalled; a question often finds several of one."""

_NEIGHBOUR_SCORE = 0.5


@dataclass(frozen=True, kw_only=True)
class EntityMemory(Memory):
    """Keeps track of who and what a conversation speaks of.

    Attributes:
        model: a chat model, or its name, that reads messages; None reads them by rules, in English.
        entity_types: the types that are kept; those of `patterns` and `names` are added.
        patterns: entity type to regular expressions that find it without a model; a group "name" is the name.
        names: entity type to names that are always recognised without a model.
        relationship_tracking: whether facts lead from entity to entity; otherwise their values are plain words.
        limit: how many entities are recalled; neighbours are counted.
        facts: how many facts an entity's line shows.
        neighbours: how many entities one step away from those found are added; 0 adds none.
        candidates: how many memos the search by meaning considers.
        threshold: entities found by meaning alone that score below are not recalled, 0–1.
        roles: whose messages are read: "human", "ai", or both. A message whose `additional_kwargs["role"]` is "person" always is.
        batch_characters: how much text a model reads in one call.
        prompt: what the model is asked; `{types}` becomes the entity types.
        weights: how much each signal of the search by meaning counts.
    """

    kind: ClassVar[str] = "entity"
    heading: ClassVar[str] = 'Known people and things; what stands after "before" is over:'

    name: str = "entity"
    model: ChatModel | None = field(default=None, kw_only=False)
    entity_types: tuple[str, ...] = ("person", "organization", "location", "concept")
    patterns: Mapping[str, Sequence[str | re.Pattern[str]]] = field(default_factory=dict)
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    relationship_tracking: bool = True
    limit: int = 20
    facts: int = 12
    neighbours: int = 5
    candidates: int = 100
    threshold: float = 0.1
    roles: tuple[str, ...] = ("human",)
    batch_characters: int = 24_000
    prompt: str = prompts.ENTITIES
    weights: RankingWeights = field(default_factory=RankingWeights)

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_model(self.model, self.name)
        if self.placement == "history":
            raise ConfigurationError(f"memory {self.name!r} cannot be placed as history: choose 'system' or 'tail'")
        for option, least in (
            ("limit", 1),
            ("facts", 1),
            ("neighbours", 0),
            ("candidates", 1),
            ("batch_characters", 100),
        ):
            value = getattr(self, option)
            if not isinstance(value, int) or value < least:
                raise ConfigurationError(
                    f"memory {self.name!r} has {option} {value}: give a whole number, {least} or more"
                )
        if not 0 <= self.threshold <= 1:
            raise ConfigurationError(f"memory {self.name!r} has threshold {self.threshold}: it lies in 0–1")
        if not self.roles or not set(self.roles) <= {"human", "ai"}:
            raise ConfigurationError(f"memory {self.name!r} has roles {self.roles}: choose from 'human' and 'ai'")
        if not isinstance(self.entity_types, tuple) or not all(self.entity_types):
            raise ConfigurationError(
                f"memory {self.name!r} has entity_types {self.entity_types!r}: give a tuple of names"
            )
        object.__setattr__(
            self, "patterns", {kind: self._compiled(kind, found) for kind, found in self.patterns.items()}
        )

    def recall(self, query: Query) -> Steps[Section]:
        """The entities that the newest human message names or means, best first, and those one step away from them."""
        if not query.text.strip() or not query.has_store:
            return self.section()
        scope = query.scope
        named, found, amiss = yield from asked_for(
            scope,
            self.name,
            query.text,
            keys_in(query.text, asked_by(query.messages)),
            pool=self.candidates,
            most=_FOUND * self.limit,
            weights=self.weights,
        )
        scores = mention_scores(named)
        parts = {entity: {"mention": score} for entity, score in scores.items()}
        closest = closest_of(found, scores, self.threshold)
        least = least_meaning(named, closest, normalised(asked_by(query.messages)))
        for entity, score in closest.items():
            if entity in scores or score > least:
                parts.setdefault(entity, {})["meaning"] = round(score, 4)
                scores[entity] = max(scores.get(entity, 0.0), score)
        best = sorted(scores, key=lambda entity: -scores[entity])[: self.limit]
        views = yield from loaded(scope, self.name, best, query.now, [one.memo for one in found])
        beside = [entity for entity in linked_to(views.values()) if entity not in views][: self._room(len(views))]
        near = yield from loaded(scope, self.name, beside, query.now)
        for entity in near:
            scores[entity], parts[entity] = _NEIGHBOUR_SCORE * max(scores[e] for e in views), {"neighbour": 1.0}
        return self.section(self._snippets({**views, **near}, scores, parts, query), degraded=amiss)

    def remember(self, turn: Turn) -> Steps[Mapping[str, Any] | None]:
        """Reads the turn's messages and keeps what they say; messages that were read before are left alone."""
        spoken, seq = self._spoken(turn), int(turn.state.get("seq", 0))
        if not spoken:
            return None
        items = yield StoreOps([receipt_get(turn, self.name, message) for message in spoken])
        readings = unread(turn, spoken, items, seq)
        if readings:
            found = yield from self._extracted(readings)
            register = Register.of((yield from known_names(turn.scope, self.name, keys_to_write(readings, found))))
            writer = Writer(turn, self.name, self._types, register, self.relationship_tracking)
            puts = [put for reading, one in zip(readings, found, strict=True) for put in writer.puts(reading, one)]
            yield StoreOps(indexed_once(puts))
        return self.state_after(turn)

    def state_after(self, turn: Turn) -> Mapping[str, Any] | None:
        """How many messages were read."""
        spoken = self._spoken(turn)
        return {"seq": int(turn.state.get("seq", 0)) + len(spoken)} if spoken else None

    def entities(self, scope: Scope, *, store: BaseStore) -> list[EntityView]:
        """Every entity of a scope, the most important first.

        Raises:
            ConfigurationError: the scope names neither a user nor a thread.
            StoreError: the store failed.
        """
        return run(all_entities(scope, self.name, datetime.now(UTC)), store=store)

    async def aentities(self, scope: Scope, *, store: BaseStore) -> list[EntityView]:
        """`entities`, awaiting the store."""
        return await arun(all_entities(scope, self.name, datetime.now(UTC)), store=store)

    def entity(self, scope: Scope, name: str, *, store: BaseStore, at: datetime | None = None) -> EntityView | None:
        """The entity that a name means, as it was known to be at `at` (now); None when nobody, or no one in particular, is meant.

        Raises:
            StoreError: the store failed.
        """
        return run(self._entity(scope, name, at or datetime.now(UTC)), store=store)

    async def aentity(
        self, scope: Scope, name: str, *, store: BaseStore, at: datetime | None = None
    ) -> EntityView | None:
        """`entity`, awaiting the store."""
        return await arun(self._entity(scope, name, at or datetime.now(UTC)), store=store)

    def analytics(self, scope: Scope, *, store: BaseStore, top: int = 10) -> EntityAnalytics:
        """Figures over all entities of a scope: how many, of which types, the most important, their relations, a timeline.

        Raises:
            StoreError: the store failed.
        """
        return analytics_of(self.entities(scope, store=store), top)

    async def aanalytics(self, scope: Scope, *, store: BaseStore, top: int = 10) -> EntityAnalytics:
        """`analytics`, awaiting the store."""
        return analytics_of(await self.aentities(scope, store=store), top)

    def mermaid(self, scope: Scope, *, store: BaseStore, limit: int = 60) -> str:
        """The graph of the most important entities as a Mermaid flowchart, labels escaped.

        Raises:
            StoreError: the store failed.
        """
        return mermaid_of(self.entities(scope, store=store), limit)

    async def amermaid(self, scope: Scope, *, store: BaseStore, limit: int = 60) -> str:
        """`mermaid`, awaiting the store."""
        return mermaid_of(await self.aentities(scope, store=store), limit)

    def _entity(self, scope: Scope, name: str, now: datetime) -> Steps[EntityView | None]:
        known = yield from known_names(scope, self.name, keys_of(name, ""))
        found = Register.of(known).candidates(name, "")
        if len(found) != 1:
            return None
        return (yield from whole(scope, self.name, found[0], now))

    def _extracted(self, readings: Sequence[Reading]) -> Steps[list[Extraction]]:
        told = [Told(text_of(r.message)[:TEXT_CHARACTERS], speaker_of(r.message), r.at) for r in readings]
        if self.model is None:
            rules = EntityRules(self.patterns, self.names)  # type: ignore[arg-type]  # compiled in __post_init__
            return [extract_entities(one, rules) for one in told]
        found: list[Extraction] = []
        for batch in batches(told, self.batch_characters):
            asked = [
                SystemMessage(prompts.entities(sorted(self._types), self.prompt)),
                HumanMessage(prompts.tagged("conversation", listed(batch))),
            ]
            answer = yield Generate(self.model, asked, ExtractedEntities)
            found += extractions(answer, batch, self._types)
        return found

    def _snippets(
        self,
        views: Mapping[str, EntityView],
        scores: Mapping[str, float],
        parts: Mapping[str, Mapping[str, float]],
        query: Query,
    ) -> list[Snippet]:
        made = []
        for entity, view in views.items():
            facts = chosen(view, query.text, self.facts, query.filter)
            said_of = incoming(view, views.values()) if not query.filter else []
            if not facts and (query.filter or "mention" not in parts[entity]):
                continue  # what others' lines say of it is there already
            made.append(
                Snippet(
                    text=line_of(view, facts, said_of),
                    score=0.9 * scores[entity] + 0.1 * view.importance,
                    parts={**parts[entity], "importance": view.importance},
                    memo_id=facts[-1].memo_id if facts else view.memo_id,
                    said_at=view.last_seen,
                )
            )
        return sorted(made, key=lambda snippet: (-snippet.score, snippet.text))

    def _room(self, taken: int) -> int:
        return min(self.neighbours, max(0, self.limit - taken))

    def _spoken(self, turn: Turn) -> list[BaseMessage]:
        return [message for message in turn.untold().messages if self._is_read(message)]

    def _is_read(self, message: BaseMessage) -> bool:
        is_person = message.additional_kwargs.get("role") == "person"
        return is_spoken(message) and (message.type in self.roles or is_person)

    @property
    def _types(self) -> frozenset[str]:
        return frozenset((*self.entity_types, *self.patterns, *self.names))

    def _compiled(self, kind: str, patterns: Sequence[str | re.Pattern[str]]) -> tuple[re.Pattern[str], ...]:
        given = (patterns,) if isinstance(patterns, str | re.Pattern) else patterns
        try:
            return tuple(re.compile(pattern) for pattern in given)
        except (re.error, TypeError) as exc:
            raise ConfigurationError(
                f"memory {self.name!r} has a pattern for {kind!r} that is no regular expression: {exc}"
            ) from exc
