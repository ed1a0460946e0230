"""Entities as people and models read them: a compact line each, figures over all of them, and a picture of the graph. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from graph_memory.context.words import terms
from graph_memory.memories.entity.fold import EntityFact, EntityView

_PHRASES = {
    "employer": "works at {}", "home": "lives in {}", "partner": "is with {}", "age": "is {} years old", "job": "works as {}",
    "manager": "reports to {}", "school": "studies at {}", "origin": "is from {}", "knows": "knows {}", "likes": "likes {}",
    "dislikes": "dislikes {}", "allergy": "is allergic to {}", "favourite team": "supports {}", "birthday": "birthday {}",
    "diet": "is {}",
}  # fmt: skip
_EARLIER = 2
_TO_ESCAPE = re.compile(r"[^\w .,'’@+/-]")


@dataclass(frozen=True, slots=True)
class EntityAnalytics:
    """Figures over the entities of a scope.

    Attributes:
        entities: how many there are.
        facts: how many facts hold, relations included.
        by_type: entity type to how many.
        top: names of the most important entities with their importance, best first.
        relations: kind of relation to how often it holds.
        timeline: when something began to hold or ended to, as a line each, oldest first.
    """

    entities: int = 0
    facts: int = 0
    by_type: Mapping[str, int] | None = None
    top: tuple[tuple[str, float], ...] = ()
    relations: Mapping[str, int] | None = None
    timeline: tuple[tuple[datetime, str], ...] = ()


def line_of(view: EntityView, facts: Sequence[EntityFact], incoming: Sequence[str] = ()) -> str:
    """An entity in one line: what holds, with what held before in brackets, marked as earlier.

    Args:
        view: the entity.
        facts: those of its facts and its history that are to be shown.
        incoming: what other entities' facts say of this one, in words.
    """
    shown = dict.fromkeys(_said(view, slot, facts) for slot in dict.fromkeys(fact.slot for fact in facts))
    also = f" (also {', '.join(view.aliases[:3])})" if view.aliases else ""
    told = "; ".join([*(text for text in shown if text), *incoming])
    return f"{view.name} ({view.type}){also}" + (f": {told}" if told else "")


def incoming(view: EntityView, others: Iterable[EntityView]) -> list[str]:
    """What others' current relations say of an entity: "Ada Lovelace works at Babbage Ltd", "Ada Lovelace's sister"."""
    return [
        f"{other.name} {_phrase(fact)}" if fact.slot in _PHRASES else f"{other.name}'s {fact.slot}"
        for other in others
        for fact in other.relations
        if fact.value_id == view.id and other.id != view.id
    ]


def chosen(
    view: EntityView, question: str, most: int, metadata: Mapping[str, object] | None = None
) -> list[EntityFact]:
    """The facts to show: those that share most with the question, then the newest, with the history of their slots."""
    asked = frozenset(terms(question))

    def rank(fact: EntityFact) -> tuple[float, float]:
        shared = asked.intersection(terms(f"{fact.slot} {_phrase(fact)} {fact.evidence}"))
        return len(shared), fact.said_at.timestamp() if fact.said_at else 0.0

    able = [
        fact
        for fact in (*view.facts, *view.history)
        if all(fact.metadata.get(k) == v for k, v in (metadata or {}).items())
    ]
    current = [fact for fact in able if fact.is_current]
    best = sorted(current, key=rank, reverse=True)[:most]
    slots = {fact.slot for fact in best} | ({f.slot for f in able} - {f.slot for f in current})
    earlier = sorted((f for f in able if not f.is_current and f.slot in slots), key=rank, reverse=True)[:most]
    kept = {id(fact) for fact in (*best, *earlier)}
    return [fact for fact in able if id(fact) in kept]


def analytics_of(views: Sequence[EntityView], top: int = 10) -> EntityAnalytics:
    """Figures over these entities."""
    facts = [(view, fact) for view in views for fact in (*view.facts, *view.history)]
    moments = [
        (moment, f"{view.name} {word}{_phrase(fact)}")
        for view, fact in facts
        for moment, word in ((fact.since, ""), (fact.until, "no longer: "))
        if moment is not None
    ]
    best = sorted(views, key=lambda view: (-view.importance, view.name))[:top]
    return EntityAnalytics(
        entities=len(views),
        facts=sum(len(view.facts) for view in views),
        by_type=dict(Counter(view.type for view in views).most_common()),
        top=tuple((view.name, view.importance) for view in best),
        relations=dict(Counter(fact.slot for view in views for fact in view.relations).most_common()),
        timeline=tuple(sorted(moments)),
    )


def mermaid_of(views: Sequence[EntityView], most: int = 60) -> str:
    """A Mermaid flowchart of the most important entities and the relations that hold between them; labels are escaped."""
    shown = {view.id: f"e{i}" for i, view in enumerate(views[:most])}
    lines = ["graph LR", *(f'  {shown[view.id]}["{escaped_label(view.name)}"]' for view in views[:most])]
    for view in views[:most]:
        for fact in view.relations:
            if fact.value_id in shown and fact.value_id != view.id:
                lines.append(f'  {shown[view.id]} -->|"{escaped_label(fact.slot)}"| {shown[fact.value_id]}')
    return "\n".join(dict.fromkeys(lines))


def escaped_label(text: str) -> str:
    """A label in which nothing reads as Mermaid or HTML: every other character becomes its "#code;"."""
    return _TO_ESCAPE.sub(lambda match: f"#{ord(match[0])};", " ".join(text.split())[:60])


def _said(view: EntityView, slot: str, facts: Sequence[EntityFact]) -> str:
    """One slot: its current values, and the latest that came before."""
    current = [fact for fact in facts if fact.slot == slot and fact.is_current]
    earlier = [fact for fact in facts if fact.slot == slot and not fact.is_current and not _holds_again(fact, current)]
    had = list(dict.fromkeys(_past(fact) for fact in sorted(earlier, key=_ended_at, reverse=True)))[:_EARLIER]
    before = f"[before: {', '.join(had)}]" if had else ""
    if not current:
        return f"{slot}: not known now {before}" if before else ""
    told = ", ".join(_with_since(fact, changed=bool(had)) for fact in _united(current))
    return f"{told} {before}".strip()


def _united(facts: Sequence[EntityFact]) -> list[EntityFact]:
    return list({fact.value.casefold(): fact for fact in facts}.values())


def _with_since(fact: EntityFact, *, changed: bool) -> str:
    if fact.since is None or not (fact.is_dated or changed or fact.slot == "age"):
        return _phrase(fact)
    word = "as of" if fact.slot == "age" else "since"
    return f"{_phrase(fact)} {word} {fact.since:%Y-%m-%d}"


def _past(fact: EntityFact) -> str:
    return f"{fact.value} until {fact.until:%Y-%m-%d}" if fact.until and fact.since else fact.value


def _holds_again(fact: EntityFact, current: Collection[EntityFact]) -> bool:
    return any(fact.value.casefold() == now.value.casefold() for now in current)


def _ended_at(fact: EntityFact) -> float:
    return fact.until.timestamp() if fact.until else 0.0


def _phrase(fact: EntityFact) -> str:
    phrase = _PHRASES.get(fact.slot)
    return phrase.format(fact.value) if phrase else f"{fact.slot}: {fact.value}"
