"""The ranked search of vector memory: candidates from the store, then every signal of `context/ranking.py`.

Three round trips: who takes part (names are taken out of the question), the candidates, and the memos beside the best of them;
and a fourth where there are facts among them, of which some may be over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np
from langgraph.store.base import GetOp, Item, SearchOp
from numpy.typing import NDArray

from graph_memory.context.notes import Note, note_of
from graph_memory.context.question import Corpus, Question, read_question
from graph_memory.context.ranking import Candidates, RankingWeights, rank
from graph_memory.memories.facts import ended_in
from graph_memory.memories.participants import Participants, place
from graph_memory.memories.searching import QUERY_CHARACTERS, Found, carries
from graph_memory.namespaces import namespace
from graph_memory.steps import Steps, StoreOps
from graph_memory.stores.hits import Hit
from graph_memory.types import Memo, Scope

_MOST_TIMES = 2
_BEST = 25
"""How many candidates bring in the memos beside them; all, where there are only a few."""

_FEW = 60
_MOST_NOTES = 10_000
"""Notes that are kept in this process, by the content that they were decoded from."""

_LONGEST_KEPT = 20_000
"""Characters of a stored memo, a few hundred words with their note; longer ones are decoded each time."""

_FOREIGN_DOCUMENTS = 500
"""How many memos are assumed where the store does not say."""

_PREVIOUS, _FOLLOWING = attrgetter("previous"), attrgetter("following")
_foreign_notes: dict[tuple[Any, ...], Note] = {}


def forget_notes() -> None:
    """Drops what is kept of memos in this process, when somebody is forgotten."""
    _kept_note.cache_clear()
    _foreign_notes.clear()


def ranked_search(
    scope: Scope,
    memory: str,
    text: str,
    *,
    pool: int,
    limit: int,
    filter: Mapping[str, Any] | None,
    weights: RankingWeights,
    today: int | None = None,
    fill: int = 0,
) -> Steps[list[Found]]:
    """The `limit` memos of one memory that answer `text` best, best first.

    Args:
        scope: whose memory.
        memory: its name.
        text: the question.
        pool: how many candidates the store is asked for.
        limit: how many memos at most.
        filter: metadata that a memo must carry.
        weights: how much each signal counts.
        today: ordinal of the day on which is asked, for "last Tuesday"; None leaves such times unread.
        fill: where fewer than `pool` match, how many of the newest memos of each person whom the question names are ranked
            too, or of all when it names nobody: an answer need not hold the question's words.
    """
    text = text[:QUERY_CHARACTERS]
    where = namespace(scope, memory)
    about, key = place(scope, memory)
    [item] = yield StoreOps([GetOp(about, key, refresh_ttl=False)])
    known = Participants.of(item)
    corpus = Corpus(speakers=known.speakers, years=known.years, today=today)
    asked = read_question(text, corpus)
    results = yield StoreOps(_searches(where, asked, pool, filter))
    found = _noted(item for items in results for item in items)
    best = [item.key for item in results[0][: _BEST if len(results[0]) > _FEW else None]]
    keys = _keys_beside(best, found)
    newest = _newest(where, asked, filter, fill) if len(found) < pool else []
    answers = yield StoreOps([*(GetOp(where, key, refresh_ttl=False) for key in keys), *newest])
    found |= _noted(item for item in answers[: len(keys)] if item is not None)
    found = _noted(item for items in answers[len(keys) :] for item in items) | found
    ended = yield from ended_in(item for item, _ in found.values())
    noted = [
        (item, note)
        for item, note in found.values()
        if item.namespace == where and (where, item.key) not in ended and (not filter or carries(item, filter))
    ]
    statistics = getattr(results[0], "statistics", None)
    corpus = corpus_of(corpus, statistics, asked, [note for _, note in noted])
    return ranked(noted, text, corpus, weights, limit)


def _searches(where: tuple[str, ...], asked: Question, pool: int, filter: Mapping[str, Any] | None) -> list[SearchOp]:
    """By words and meaning; and, when the question names a time, among what was said then."""
    condition: dict[str, Any] = {"metadata": dict(filter)} if filter else {}
    searches = [SearchOp(where, filter=condition or None, limit=pool, query=asked.text, refresh_ttl=False)]
    for first, last in asked.times[:_MOST_TIMES]:
        then = {**condition, "day": {"$gte": first, "$lte": last}}
        searches.append(SearchOp(where, filter=then, limit=max(1, pool // 3), query=asked.text, refresh_ttl=False))
    return searches


def _newest(where: tuple[str, ...], asked: Question, filter: Mapping[str, Any] | None, fill: int) -> list[SearchOp]:
    """Without a query: the newest of those whom the question is about, or of all."""
    condition: dict[str, Any] = {"metadata": dict(filter)} if filter else {}
    wanted = [{**condition, "speaker": name} for name in asked.speakers] or [condition]
    return [SearchOp(where, filter=one or None, limit=fill, refresh_ttl=False) for one in wanted if fill]


def _noted(items: Iterable[Item]) -> dict[str, tuple[Item, Note]]:
    """The memos among the items, each with its note, by key."""
    return {item.key: (item, note) for item in items if (note := note_in(item)) is not None}


def _keys_beside(best: Sequence[str], found: Mapping[str, tuple[Item, Note]]) -> list[str]:
    """Keys of the memos up to two away from the best that are no candidates yet: answers share few words with questions."""
    wanted: dict[str, None] = {}
    for key in best:
        for link in (_PREVIOUS, _FOLLOWING):
            beside = link(found[key][1]) if key in found else ""
            beyond = link(found[beside][1]) if beside in found else ""
            wanted |= {k: None for k in (beside, beyond) if k and k not in found}
    return list(wanted)


def note_in(item: Item) -> Note | None:
    """The item's note; None when it is no memo. Kept by content, because decoding a note takes longer than ranking it."""
    try:
        if isinstance(item, Hit) and item.json is not None:
            return _kept_note(item.json) if len(item.json) <= _LONGEST_KEPT else _note(item.json)
        return _foreign_note(item)
    except (KeyError, TypeError, ValueError):
        return None


def _note(text: str) -> Note:
    return note_of(json.loads(text))


_kept_note = lru_cache(_MOST_NOTES)(_note)


def _foreign_note(item: Item) -> Note:
    """The note of an item that some store has decoded already."""
    value = item.value
    links = value.get("previous"), value.get("next")
    content = (item.namespace, item.key, value["text"], value["before"], value["after"], value.get("day"), *links)
    if (known := _foreign_notes.get(content)) is None:
        if len(_foreign_notes) >= _MOST_NOTES:
            _foreign_notes.clear()
        known = _foreign_notes[content] = note_of(value)
    return known


def corpus_of(corpus: Corpus, statistics: Any, asked: Question, notes: Sequence[Note]) -> Corpus:
    """What the store knows of everything it searched; on a foreign store, what the candidates themselves tell."""
    if statistics is None:
        frequencies = {term: sum(term in note.own for note in notes) for term in asked.terms}
        return replace(corpus, documents=max(len(notes), _FOREIGN_DOCUMENTS), frequencies=frequencies)
    spread = statistics.spread or corpus.spread
    return replace(corpus, documents=statistics.documents, frequencies=statistics.frequencies, spread=spread)


def ranked(
    noted: Sequence[tuple[Item, Note]], text: str, corpus: Corpus, weights: RankingWeights, limit: int
) -> list[Found]:
    """The `limit` best of these memos, best first, each with what the signals gave it."""
    items, notes = [item for item, _ in noted], [note for _, note in noted]
    voices = [_voices(note, corpus.speakers) for note in notes]
    candidates = Candidates(notes, read_question(text, corpus), corpus, _cosines(items), voices)
    relevance, parts = rank(candidates, weights)
    order = sorted(_top(relevance, limit), key=lambda i: (-relevance[i], -notes[i].day, items[i].key))
    return [
        Found(
            Memo.from_value(items[i].value),
            float(relevance[i]),
            {name: round(float(values[i]), 4) for name, values in parts.items() if values[i]},
            candidates.question.terms,
        )
        for i in order[:limit]
    ]


def _top(relevance: NDArray[np.float64], limit: int) -> list[int]:
    """The `limit` most relevant, and whatever ties with the last of them."""
    if limit >= len(relevance):
        return list(range(len(relevance)))
    at: list[int] = np.flatnonzero(relevance >= np.partition(relevance, -limit)[-limit]).tolist()
    return at


def _cosines(items: Sequence[Item]) -> NDArray[np.float64] | None:
    """Each item's cosine with the question: ours says it, a foreign store's score is one."""
    raw = [item.parts.get("meaning_raw") if isinstance(item, Hit) else getattr(item, "score", None) for item in items]
    if all(cosine is None for cosine in raw):
        return None
    return np.array([np.nan if cosine is None else cosine for cosine in raw], dtype=np.float64)


def _voices(note: Note, participants: Iterable[str]) -> frozenset[str]:
    """Who speaks: the speaker, and whom a transcript inside the memo names at the beginning of a line."""
    text = note.transcript
    inside = {
        name
        for name in participants
        if f"{name}:" in text and re.search(rf"^\s*{re.escape(name)}:", text, re.MULTILINE)
    }
    return frozenset({note.speaker, *inside})
