"""Reading entities back: whom the words of a question name, what a search by meaning adds, and the memos of each, folded.

Names are looked up by key, so nothing is ever listed to answer a question. Every step checks the namespace of what comes back
(law 6). Steps only; the store is answered for by `graph_memory.steps`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from langchain_core.messages import BaseMessage
from langgraph.store.base import GetOp, Item, SearchOp

from graph_memory.context.question import Corpus, read_question
from graph_memory.context.ranking import RankingWeights
from graph_memory.context.words import STOP_WORDS, segments
from graph_memory.errors import ConfigurationError
from graph_memory.extract.entities.lists import KIN, NICKNAMES, words
from graph_memory.memories.entity.fold import EntityView, folded
from graph_memory.memories.entity.naming import Named, normalised
from graph_memory.memories.entity.places import (
    Part,
    entities_place,
    entity_place,
    name_key,
    name_place,
    named_in,
    names_place,
)
from graph_memory.memories.entity.records import kept_in
from graph_memory.memories.ranked import corpus_of, note_in, ranked
from graph_memory.memories.searching import QUERY_CHARACTERS, Found
from graph_memory.messages import newest_human, speaker_of
from graph_memory.namespaces import namespace
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Memo, Scope

_LONGEST_NAME = 4
_MOST_KEYS = 120
_BEARERS = 20
_SHARED = ("words", "coverage", "meaning")
_PAGE = 500
_FEW = 60
"""How many records most entities have at most: recall loads all of them, in one search."""

_MOST: Mapping[Part, int] = {"slots": _PAGE, "lists": 60, "mentions": 40}
"""How many records recall loads of an entity that has more; of the slots it goes on until it has all, of the rest it takes the
newest."""

_FIRST_PERSON = words("i me my mine we us our")
_PART_OF_NAME = 0.8


def keys_in(text: str, speaker: str) -> list[str]:
    """The keys under which the names in a text may be kept: its runs of up to four words, and whom "I" and "my sister" mean."""
    said = list(segments(text[:QUERY_CHARACTERS]))
    keys: dict[str, None] = {}
    for i, word in enumerate(said):
        if word in _FIRST_PERSON:
            keys[normalised(speaker)] = None
            keys |= {normalised(f"{speaker}'s {kin}"): None for kin in said[i + 1 : i + 3] if kin in KIN}
    for size in range(_LONGEST_NAME, 0, -1):
        for start in range(len(said) - size + 1):
            run = said[start : start + size]
            if any(word not in STOP_WORDS and len(word) > 1 for word in run):
                keys[normalised(" ".join(run))] = None
    keys |= {form: None for word in said for form in sorted(NICKNAMES.get(word, ()))}
    return list(keys)[:_MOST_KEYS]


def asked_by(messages: Sequence[BaseMessage]) -> str:
    """Who asks."""
    index = newest_human(messages)
    return speaker_of(messages[index]) if index >= 0 else "User"


def without_parts(named: Mapping[str, Sequence[Named]]) -> dict[str, Sequence[Named]]:
    """The names without those that are only a part of a longer one: who asks for Ann Lee does not ask for every Ann."""
    inside = {
        part
        for key, names in named.items()
        if " " in key and names
        for word in key.split()
        for part in (word, *NICKNAMES.get(word, ()))
    }
    return {key: names for key, names in named.items() if " " in key or key not in inside}


def mention_scores(named: Mapping[str, Sequence[Named]]) -> dict[str, float]:
    """Entity to how surely the question names it: 1 by its whole name, less by a part of it."""
    scores: dict[str, float] = {}
    for key, names in named.items():
        for one in names:
            score = 1.0 if normalised(one.name) == key else _PART_OF_NAME
            scores[one.entity] = max(score, scores.get(one.entity, 0.0))
    return scores


def closest_of(found: Iterable[Found], named: Collection[str], threshold: float) -> dict[str, float]:
    """Entity to the score of the memo about it that fits the question best; of those that are not named, only what fits at all.

    To fit it shares words or meaning with the question: on a foreign store without an index, a search finds anything.
    """
    closest: dict[str, float] = {}
    for one in found:
        entity = str(one.memo.metadata.get("entity", ""))
        fits = one.score >= threshold and any(one.parts.get(part, 0.0) > 0 for part in _SHARED)
        if entity and (fits or entity in named):
            closest[entity] = max(one.score, closest.get(entity, 0.0))
    return closest


def least_meaning(named: Mapping[str, Sequence[Named]], closest: Mapping[str, float], speaker: str) -> float:
    """What others must exceed to be found by meaning alone: as near as the question is to each of those that it names.

    Who asks where Ann Lee works is not told where everybody works; who asks for peanuts, of Ann, is told of others too. A
    speaker who says "I" is not named.

    Args:
        named: key to the names that were found under it.
        closest: entity to the score of the memo about it that fits best.
        speaker: key of whoever asks.
    """
    whole = {
        one.entity for key, names in named.items() for one in names if key != speaker and normalised(one.name) == key
    }
    return min((closest.get(entity, 0.0) for entity in whole), default=0.0)


def known_names(scope: Scope, memory: str, keys: Iterable[str]) -> Steps[dict[str, list[Named]]]:
    """The names kept under these keys: one batch of reads by key, then a search for each key that exists."""
    wanted = list(dict.fromkeys(keys))
    markers = yield StoreOps(_markers(scope, memory, wanted))
    return (yield from _bearers(scope, memory, wanted, markers))


def asked_for(
    scope: Scope, memory: str, text: str, keys: Sequence[str], *, pool: int, most: int, weights: RankingWeights
) -> Steps[tuple[dict[str, Sequence[Named]], list[Found], str]]:
    """Whom a question names, the memos that fit it best by words and meaning, ranked as everything else is, and what is amiss.

    A store that cannot search, because it keeps all texts encrypted, knows names all the same.

    Args:
        scope, memory: where to look.
        text: the question.
        keys: the keys under which names in it may be kept.
        pool: how many memos the store is asked for.
        most: how many of them are given.
        weights: how much each signal counts.
    """
    where, text = namespace(scope, memory), text[:QUERY_CHARACTERS]
    search, amiss = SearchOp(where, limit=pool, query=text, refresh_ttl=False), ""
    try:
        *markers, items = yield StoreOps([*_markers(scope, memory, keys), search])
    except ConfigurationError as exc:
        markers, items, amiss = (yield StoreOps(_markers(scope, memory, keys))), [], f"by name only: {exc}"
    named = without_parts((yield from _bearers(scope, memory, keys, markers)))
    noted = [(item, note) for item in items if item.namespace == where and (note := note_in(item)) is not None]
    if not noted:
        return named, [], amiss
    statistics = getattr(items, "statistics", None)
    corpus = corpus_of(Corpus(), statistics, read_question(text, Corpus()), [note for _, note in noted])
    return named, ranked(noted, text, corpus, weights, most), amiss


def loaded(
    scope: Scope, memory: str, entities: Sequence[str], now: datetime, found: Iterable[Memo] = ()
) -> Steps[dict[str, EntityView]]:
    """The entities, folded: of most all records, in one search each; of those with many, what `_MOST` says and what was found.

    Args:
        scope, memory: where they are.
        entities: their ids.
        now: what is not true yet then is left out.
        found: memos of theirs that a search found, however old.
    """
    memos: dict[str, dict[str, Memo]] = {entity: {} for entity in entities}
    for memo in found:
        memos.get(str(memo.metadata.get("entity", "")), {})[memo.id] = memo
    places = {entity: entity_place(scope, memory, entity) for entity in entities}
    pages = yield StoreOps([_page(place, 0, _FEW) for place in places.values()])
    for (entity, place), items in zip(places.items(), pages, strict=True):
        kept = (yield from _many(place)) if len(items) == _FEW else kept_in(items, place)
        memos[entity] |= {memo.id: memo for memo in kept}
    views = {entity: folded(entity, some.values(), now) for entity, some in memos.items()}
    return {entity: view for entity, view in views.items() if view is not None}


def whole(scope: Scope, memory: str, entity: str, now: datetime) -> Steps[EntityView | None]:
    """One entity, folded from everything that is known of it."""
    place = entity_place(scope, memory, entity)
    items = yield from _rest(place, 0)
    return folded(entity, kept_in(items, place), now)


def all_entities(scope: Scope, memory: str, now: datetime) -> Steps[list[EntityView]]:
    """Every entity of a scope, folded, the most important first. It lists everything: for application code, not for recall."""
    by_entity: dict[str, list[Memo]] = {}
    prefix = entities_place(scope, memory)
    for memo in kept_in((yield from _rest(prefix, 0)), prefix):
        by_entity.setdefault(str(memo.metadata.get("entity", "")), []).append(memo)
    views = [view for entity, memos in by_entity.items() if (view := folded(entity, memos, now)) is not None]
    return sorted(views, key=lambda view: (-view.importance, view.name, view.id))


def linked_to(views: Iterable[EntityView]) -> list[str]:
    """Ids one step away: where current relations lead, and who leads here."""
    ids: dict[str, None] = {}
    for view in views:
        ids |= {fact.value_id: None for fact in reversed(view.relations)}
        ids |= dict.fromkeys(reversed(view.linked))
    return list(ids)


def _markers(scope: Scope, memory: str, keys: Sequence[str]) -> list[GetOp]:
    where = names_place(scope, memory)
    return [GetOp(where, name_key(key), refresh_ttl=False) for key in keys]


def _bearers(
    scope: Scope, memory: str, keys: Sequence[str], markers: Sequence[Item | None]
) -> Steps[dict[str, list[Named]]]:
    found = [key for key, marker in zip(keys, markers, strict=True) if marker is not None]
    places = [name_place(scope, memory, key) for key in found]
    results = yield StoreOps([SearchOp(place, limit=_BEARERS, refresh_ttl=False) for place in places])
    return {
        key: named_in(item for item in items if item.namespace == place)
        for key, place, items in zip(found, places, results, strict=True)
    }


def _many(place: tuple[str, ...]) -> Steps[list[Memo]]:
    parts = {(*place, part): most for part, most in _MOST.items()}
    pages = yield StoreOps([_page(part, 0, most) for part, most in parts.items()])
    found: list[Memo] = []
    for part, items in zip(parts, pages, strict=True):
        found += kept_in(items, part)
        found += kept_in((yield from _rest(part, _PAGE)), part) if len(items) == _PAGE else []
    return found


def _page(place: tuple[str, ...], offset: int, limit: int = _PAGE) -> SearchOp:
    return SearchOp(place, limit=limit, offset=offset, refresh_ttl=False)


def _rest(place: tuple[str, ...], offset: int) -> Steps[list[Item]]:
    """Everything from there on."""
    found: list[Item] = []
    while True:
        [items] = yield StoreOps([_page(place, offset)])
        found += items
        offset += _PAGE
        if len(items) < _PAGE:
            return found
