"""What a chat model is asked to read out of messages, and its answer turned into the values of `values`. Pure.

A default is made by a function, so that it does not stand in the JSON schema: strict schemas must hold none (Azure's OpenAI).

A model's answer is untrusted: names are cleaned and clipped, types that nobody asked for and messages that do not
exist are dropped, dates that are none are ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time

from pydantic import BaseModel, Field

from graph_memory.extract.entities.values import (
    VALUE_CHARACTERS,
    Claim,
    Extraction,
    Mentioned,
    Told,
    cleaned,
    readable_name,
)

_MOST = 400
"""Entities or facts that one answer may hold; a longer one is cut."""


class ExtractedEntity(BaseModel):
    """Something that is spoken of."""

    name: str = Field(description="its fullest name in the conversation")
    type: str = Field(description="one of the entity types")
    aliases: list[str] = Field(default_factory=list, description="other names for it in the conversation")
    message: int = Field(default_factory=int, description="number of the message that names it first")


class ExtractedFact(BaseModel):
    """Something that is said to hold of an entity, or to hold no longer."""

    subject: str = Field(description="name of the entity that it is about")
    attribute: str = Field(description="one short noun, such as employer or home")
    value: str = Field(default_factory=str, description="the value, as short as possible")
    value_type: str = Field(default_factory=str, description="entity type of the value; empty when it is no entity")
    replaces: bool = Field(default_factory=lambda: True, description="whether a new value takes the old one's place")
    ended: bool = Field(default_factory=bool, description="whether it holds no longer")
    since: str = Field(default_factory=str, description="YYYY-MM-DD, only if told")
    message: int = Field(default_factory=int, description="number of the message that says it")


class ExtractedEntities(BaseModel):
    """What a batch of messages says."""

    entities: list[ExtractedEntity] = Field(default_factory=list)
    facts: list[ExtractedFact] = Field(default_factory=list)


def listed(told: Sequence[Told], first: int = 0) -> list[str]:
    """The messages as a model is shown them: number, date, speaker, text."""
    return [f"[{first + i}] {one.said_at:%A %Y-%m-%d} {cleaned(one.speaker)}: {one.text}" for i, one in enumerate(told)]


def batches(told: Sequence[Told], characters: int) -> list[list[Told]]:
    """The messages in runs of at most so many characters, one message at least."""
    batches: list[list[Told]] = []
    room = 0
    for one in told:
        if not batches or len(one.text) > room:
            batches.append([])
            room = characters
        batches[-1].append(one)
        room -= len(one.text)
    return batches


def extractions(answer: ExtractedEntities, told: Sequence[Told], types: Iterable[str]) -> list[Extraction]:
    """What the model read, message by message."""
    wanted = {kind.casefold(): kind for kind in types}
    mentions: list[list[Mentioned]] = [[] for _ in told]
    aliases: list[list[tuple[str, str]]] = [[] for _ in told]
    claims: list[list[Claim]] = [[] for _ in told]
    for entity in answer.entities[:_MOST]:
        name, kind = readable_name(entity.name), wanted.get(entity.type.strip().casefold())
        if name and kind and 0 <= entity.message < len(told):
            mentions[entity.message].append(Mentioned(name, kind))
            others = (readable_name(alias) for alias in entity.aliases[:20])
            aliases[entity.message] += [(name, o) for o in others if o and o.casefold() != name.casefold()]
    for i, fact in enumerate(answer.facts[:_MOST]):
        claim = _claim(fact, i, wanted)
        if claim is not None and 0 <= fact.message < len(told):
            claims[fact.message].append(claim)
    return [Extraction(tuple(m), tuple(c), tuple(a)) for m, c, a in zip(mentions, claims, aliases, strict=True)]


def _claim(fact: ExtractedFact, ordinal: int, types: dict[str, str]) -> Claim | None:
    subject = readable_name(fact.subject)
    slot = cleaned(fact.attribute.casefold().replace("_", " "), 60)
    value = cleaned(fact.value, VALUE_CHARACTERS) if len(fact.value) <= 2 * VALUE_CHARACTERS else ""
    if not subject or not slot or (not value and not fact.ended) or (fact.value and not value):
        return None
    kind = types.get(fact.value_type.strip().casefold(), "") if readable_name(value) else ""
    return Claim(subject, slot, value, kind, fact.replaces, fact.ended, _date(fact.since), ordinal)


def _date(text: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text.strip()[:10]), time(), UTC)
    except ValueError:
        return None
