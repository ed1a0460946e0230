"""Reading entities back: whom the words of a question name, what a search by meaning adds, and the memos of each, folded.

Names are looked up by key, so nothing is ever listed to answer a question. Every step checks the namespace of what comes back
(law 6). Steps only; the store is answered for by `graph_memory.steps`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.store.base import GetOp, Item, SearchOp

from graph_memory.context.question import Corpus, read_question
from graph_memory.context.ranking import RankingWeights
from graph_memory.context.words import STOP_WORDS, segments
from graph_memory.extract.entities.lists import KIN, NICKNAMES, words
from graph_memory.memories.entity.fold import EntityView, folded
from graph_memory.memories.entity.naming import Named, normalised
from graph_memory.memories.entity.places import entity_place, name_key, name_place, named_in, names_place
from graph_memory.memories.entity.records import MENTION
from graph_memory.memories.ranked import corpus_of, note_in, ranked
from graph_memory.memories.records import memos_in
from graph_memory.memories.searching import QUERY_CHARACTERS, Found
from graph_memory.messages import newest_human, speaker_of
from graph_memory.namespaces import namespace
from graph_memory.steps import Steps, StoreOps
from graph_memory.types import Memo, Scope

_LONGEST_NAME = 4
_MOST_KEYS = 120
_BEARERS = 20
_PAGE = 500
_RECENT_MENTIONS = 200
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


def mention_scores(named: Mapping[str, Sequence[Named]]) -> dict[str, float]:
    """Entity to how surely the question names it: 1 by its whole name, less by a part of it."""
    scores: dict[str, float] = {}
    for key, names in named.items():
        for one in names:
            score = 1.0 if normalised(one.name) == key else _PART_OF_NAME
            scores[one.entity] = max(score, scores.get(one.entity, 0.0))
    return scores


def known_names(scope: Scope, memory: str, keys: Iterable[str]) -> Steps[dict[str, list[Named]]]:
    """The names kept under these keys: one batch of reads by key, then a search for each key that exists."""
    wanted = list(dict.fromkeys(keys))
    where = names_place(scope, memory)
    markers = yield StoreOps([GetOp(where, name_key(key), refresh_ttl=False) for key in wanted])
    found = [key for key, marker in zip(wanted, markers, strict=True) if marker is not None]
    places = [name_place(scope, memory, key) for key in found]
    results = yield StoreOps([SearchOp(place, limit=_BEARERS, refresh_ttl=False) for place in places])
    return {
        key: named_in(item for item in items if item.namespace == place)
        for key, place, items in zip(found, places, results, strict=True)
    }


def meant(scope: Scope, memory: str, text: str, *, pool: int, weights: RankingWeights) -> Steps[list[Found]]:
    """The memos about entities that fit a question best by words and meaning, ranked as everything else is."""
    prefix, text = namespace(scope, memory), text[:QUERY_CHARACTERS]
    condition = {"kind": {"$ne": MENTION}}
    [items] = yield StoreOps([SearchOp(prefix, filter=condition, limit=pool, query=text, refresh_ttl=False)])
    inside = [item for item in items if item.namespace[: len(prefix)] == prefix and item.value.get("kind") != MENTION]
    noted = [(item, note) for item in inside if (note := note_in(item)) is not None]
    if not noted:
        return []
    statistics = getattr(items, "statistics", None)
    corpus = corpus_of(Corpus(), statistics, read_question(text, Corpus()), [note for _, note in noted])
    return ranked(noted, text, corpus, weights, len(noted))


def loaded(scope: Scope, memory: str, entities: Sequence[str], now: datetime) -> Steps[dict[str, EntityView]]:
    """The entities, folded: all their facts, and the newest of their mentions."""
    if not entities:
        return {}
    places = {entity: entity_place(scope, memory, entity) for entity in entities}
    newest = [SearchOp(p, filter={"kind": MENTION}, limit=_RECENT_MENTIONS, refresh_ttl=False) for p in places.values()]
    claims = [_page(place, 0, {"kind": {"$ne": MENTION}}) for place in places.values()]
    results = yield StoreOps([*newest, *claims])
    views = {}
    for i, (entity, place) in enumerate(places.items()):
        items = list(results[len(places) + i])
        if len(items) == _PAGE:
            items += yield from _rest(place, {"kind": {"$ne": MENTION}})
        view = folded(entity, _memos([*results[i], *items], place), now)
        if view is not None:
            views[entity] = view
    return views


def all_entities(scope: Scope, memory: str, now: datetime) -> Steps[list[EntityView]]:
    """Every entity of a scope, folded, the most important first. It lists everything: for application code, not for recall."""
    prefix = namespace(scope, memory)
    items = yield from _rest(prefix, None, 0)
    by_entity: dict[str, list[Memo]] = {}
    for item, memo in memos_in(item for item in items if item.namespace[: len(prefix)] == prefix):
        if item.namespace == entity_place(scope, memory, str(memo.metadata.get("entity", ""))):
            by_entity.setdefault(str(memo.metadata["entity"]), []).append(memo)
    views = [view for entity, memos in by_entity.items() if (view := folded(entity, memos, now)) is not None]
    return sorted(views, key=lambda view: (-view.importance, view.name, view.id))


def linked_to(views: Iterable[EntityView]) -> list[str]:
    """Ids one step away: where current relations lead, and who leads here."""
    ids: dict[str, None] = {}
    for view in views:
        ids |= {fact.value_id: None for fact in reversed(view.relations)}
        ids |= dict.fromkeys(reversed(view.linked))
    return list(ids)


def _page(place: tuple[str, ...], offset: int, condition: Mapping[str, Any] | None) -> SearchOp:
    return SearchOp(place, filter=dict(condition) if condition else None, limit=_PAGE, offset=offset, refresh_ttl=False)


def _rest(place: tuple[str, ...], condition: Mapping[str, Any] | None, offset: int = _PAGE) -> Steps[list[Item]]:
    found: list[Item] = []
    while True:
        [items] = yield StoreOps([_page(place, offset, condition)])
        found += items
        offset += _PAGE
        if len(items) < _PAGE:
            return found


def _memos(items: Iterable[Item], place: tuple[str, ...]) -> list[Memo]:
    found = {item.key: memo for item, memo in memos_in(item for item in items if item.namespace == place)}
    return list(found.values())
