"""The ranked search of vector memory: candidates from the store, then every signal of `context/ranking.py`.

Three round trips: who takes part (names are taken out of the question), the candidates, and the memos beside the best of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from langgraph.store.base import GetOp, Item, SearchOp
from numpy.typing import NDArray

from graph_memory.context.notes import Note, note_of
from graph_memory.context.question import Corpus, Question, read_question
from graph_memory.context.ranking import Candidates, RankingWeights, rank
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
_FOREIGN_DOCUMENTS = 500
"""How many memos are assumed where the store does not say."""

_notes: dict[tuple[Any, ...], Note] = {}


def forget_notes() -> None:
    """Drops what is kept of memos in this process, when somebody is forgotten."""
    _notes.clear()


def ranked_search(
    scope: Scope,
    memory: str,
    text: str,
    *,
    pool: int,
    limit: int,
    filter: Mapping[str, Any] | None,
    weights: RankingWeights,
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
    """
    text = text[:QUERY_CHARACTERS]
    where = namespace(scope, memory)
    about, key = place(scope, memory)
    [item] = yield StoreOps([GetOp(about, key, refresh_ttl=False)])
    known = Participants.of(item)
    corpus = Corpus(speakers=known.speakers, years=known.years)
    asked = read_question(text, corpus)
    results = yield StoreOps(_searches(where, asked, pool, filter))
    found = {item.key: item for items in results for item in items}
    beside = yield StoreOps([GetOp(where, key, refresh_ttl=False) for key in _keys_beside(results[0], found)])
    found |= {item.key: item for item in beside if item is not None}
    fitting = [item for item in found.values() if item.namespace == where and carries(item, filter)]
    noted = [(item, note) for item in fitting if (note := note_in(item)) is not None]
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


def _keys_beside(best: Sequence[Item], pool: Mapping[str, Item]) -> list[str]:
    """Keys of the memos up to two away from the best that are no candidates yet: answers share few words with questions."""
    wanted: dict[str, None] = {}
    for item in best[: _BEST if len(best) > _FEW else None]:
        for link in ("previous", "next"):
            key = item.value.get(link) or ""
            beyond = pool[key].value.get(link) if key in pool else ""
            wanted |= {k: None for k in (key, beyond) if k and k not in pool}
    return list(wanted)


def note_in(item: Item) -> Note | None:
    """The item's note; None when it is no memo. Kept by content, because decoding a note takes as long as ranking it."""
    value = item.value
    try:
        content = (item.namespace, item.key, value["text"], value["before"], value["after"], value.get("day"))
        if (known := _notes.get(content)) is None:
            if len(_notes) >= _MOST_NOTES:
                _notes.clear()
            known = _notes[content] = note_of(value)
    except (KeyError, TypeError, ValueError):
        return None
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
    voices = [_voices(item.value, corpus.speakers) for item in items]
    candidates = Candidates(notes, read_question(text, corpus), corpus, _cosines(items), voices)
    relevance, parts = rank(candidates, weights)
    order = sorted(range(len(notes)), key=lambda i: (-relevance[i], -notes[i].day, items[i].key))
    return [
        Found(
            Memo.from_value(items[i].value),
            float(relevance[i]),
            {name: round(float(values[i]), 4) for name, values in parts.items() if values[i]},
        )
        for i in order[:limit]
    ]


def _cosines(items: Sequence[Item]) -> NDArray[np.float64] | None:
    """Each item's cosine with the question: ours says it, a foreign store's score is one."""
    raw = [item.parts.get("meaning_raw") if isinstance(item, Hit) else getattr(item, "score", None) for item in items]
    if all(cosine is None for cosine in raw):
        return None
    return np.array([np.nan if cosine is None else cosine for cosine in raw], dtype=np.float64)


def _voices(value: Mapping[str, Any], participants: Iterable[str]) -> frozenset[str]:
    """Who speaks: the speaker, and whom a transcript inside the memo names at the beginning of a line."""
    text = value["text"]
    inside = {
        name
        for name in participants
        if f"{name}:" in text and re.search(rf"^\s*{re.escape(name)}:", text, re.MULTILINE)
    }
    return frozenset({value["speaker"], *inside})
